"""An hour of use at random, compressed: ``python -m benchmarks.monkey [--actions 20000] [--seed 1] [--quick]``.

Monkeys use the real page. Two visitors in Chromium, at changing widths and in both themes, do whatever can be done in sight: press,
drag, draw, type nonsense, choose, switch tabs, keys, back and forward, links, reload, drop pictures, leave in the middle of a
stream. Three callers ask the verbs of the API for random and, one time in six, for senseless values, three calls for each action in
the browser. First, each room is opened and each verb asked once, in order, for each of its weights.

The server must live, its log tell of no exception, its memory not grow; each answer must be a result or one plain sentence, and the
page must show no error and ask nothing of the outside. What a monkey does for its action number n follows from the seed, its name,
n and what it sees; after a failure the last ten actions are printed.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import PIL.Image
import psutil
from playwright.sync_api import Browser, BrowserContext, Error, Page

from benchmarks._page import GALLERY, chromium, megabytes, served, way_to
from benchmarks._report import Bar, report
from demos._kit import recipes
from demos._kit.recipes import png_with_recipe

VISITORS, CALLERS, CALLS = 2, 3, 3
"""Monkeys in the browser, monkeys at the API, and actions of the latter for each of the former."""
GROWTH = 1.10
"""Memory in the last window of a run, against that in the first after the warm-up."""
WARM, WINDOW = 0.25, 0.15
"""Parts of all actions: what comes before memory counts, and what its median is taken over."""
SOON = 120
"""Seconds for an answer; one of a verb waits behind what the visitors of the browser ask for."""
STAY = 250
"""Actions of a visitor before another one comes."""
WIDTHS = ((1280, 900), (820, 1100), (390, 844))

TRACES = re.compile(
    r"Traceback|site-packages|\.py\b|<class|<function|\b0x[0-9a-f]{6}|\b\w+(?:Error|Exception)\b|/(?:tmp|home|usr|work|root)/"
)
"""What tells of the inside of a server."""
UNEXPECTED = "Something went wrong"
"""How the page begins to tell of what nobody expected."""
BAD_LINE = re.compile(
    r"Traceback \(most recent call last\)|failed, id|Exception|\bERROR\b|\bCRITICAL\b|never retrieved|never awaited|Segmentation"
)
"""What no line of the server's log may hold."""
CUT_OFF = re.compile(r"AbortError: (?:signal is|BodyStreamBuffer was) aborted|Connection errored out|net::ERR_ABORTED")
"""What the browser says about requests on their way when a visitor leaves."""
REFUSED = re.compile(r"^Failed to load resource: the server responded with a status of (?:500|4\d\d)")


def dice(seed: int, monkey: str, number: int) -> random.Random:
    """The chance of one action."""
    return random.Random(f"{seed} {monkey} {number}")


# ---- judges -----------------------------------------------------------------------------------------------------------


def bad_lines(log: str) -> list[str]:
    """The lines of a server's log that tell of an exception."""
    return [line for line in log.splitlines() if BAD_LINE.search(line)]


def complaint(sentence: Any) -> str:
    """What is wrong with a refusal; "" if it is one plain sentence."""
    if not isinstance(sentence, str) or not 10 < len(sentence) <= 400:
        return f"no sentence: {str(sentence)[:300]!r}"
    if "\n" in sentence or sentence.rstrip()[-1] not in ".!)" or not sentence[0].isupper():
        return f"no plain sentence: {sentence!r}"
    if UNEXPECTED in sentence or TRACES.search(sentence):
        return f"tells of the inside: {sentence!r}"
    return ""


def growth(samples: Sequence[tuple[float, float]]) -> float:
    """The median of the last window over that of the first after the warm-up; samples: part of all actions, memory.

    NaN, which no bar takes, if a window has no sample.
    """

    def median(low: float, high: float) -> float:
        found = [memory for part, memory in samples if low <= part <= high]
        return statistics.median(found) if found else math.nan

    return median(1 - WINDOW, 1) / median(WARM, WARM + WINDOW)


# ---- what was done ----------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """Actions of one kind."""

    done: int = 0
    refused: int = 0
    failed: int = 0
    said: str = ""
    """The words of the last refusal."""
    seconds: list[float] = field(default_factory=list)


@dataclass
class Tally:
    """What all monkeys did, of how much they are to do; any thread may write into it."""

    wanted: int
    until: float
    """The monotonic clock at which the monkeys end if they have not done all by then."""
    rows: defaultdict[str, Row] = field(default_factory=lambda: defaultdict(Row))
    failures: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    """Failures of each kind: api, page, outside, server."""
    counts: Counter[str] = field(default_factory=Counter)
    """Actions of the browser, and of the API."""
    memory: list[tuple[int, float]] = field(default_factory=list)
    """How many actions were done, and the server's MB then."""
    missed: int = 0
    over: bool = False
    _last: defaultdict[str, deque[str]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=10)))
    _lock: Lock = field(default_factory=Lock)

    @property
    def samples(self) -> list[tuple[float, float]]:
        """What part of all that was done was done, and the server's MB then."""
        return [(done / max(1, self.counts.total()), memory) for done, memory in self.memory]

    @property
    def barren(self) -> list[str]:
        """Verbs that never gave a result."""
        return [name for name, row in self.rows.items() if name.startswith("API") and row.done == row.refused + row.failed]

    def begin(self, monkey: str, number: int, words: str) -> None:
        """What a monkey is about to do."""
        with self._lock:
            self._last[monkey].append(f"{number}: {words}")

    def done(self, where: str, kind: str, seconds: float = 0.0, refused: str = "", failed: bool = False) -> None:
        """Count an action."""
        with self._lock:
            row = self.rows[f"{where} {kind}"]
            row.done, row.refused, row.failed = row.done + 1, row.refused + bool(refused), row.failed + failed
            row.said = refused or row.said
            row.seconds.append(seconds)
            self.counts[where] += 1
            self.over = self.over or self.counts.total() >= self.wanted

    def fail(self, kind: str, monkey: str, what: str) -> None:
        """Write down what went wrong, with what led to it."""
        with self._lock:
            self.kinds[kind] += 1
            if len(self.failures) < 20:
                told = "".join(f"\n      {line}" for line in self._last[monkey])
                self.failures.append(f"{kind}, {monkey}: {what[:600]}\n    its last actions:{told}")


# ---- the API ----------------------------------------------------------------------------------------------------------

CHOICES = ("weights", "data")
"""What a verb computes with; the default may not be trained yet."""
PICTURES = ("picture", "photo")
COSTLY = ("count", "steps", "iterations", "size", "repeats", "components")
"""Numbers that make a verb slow; mostly they are near their lower bound."""
NONSENSE: list[Any] = [
    math.nan, math.inf, -1, 0, 0.5, 10**9, 10**400, "abc", "", "7", None, [], {}, [1, 2], {"a": 1}, True, "\x00", "\ud800",
    "x" * 10**5, "1," * 20_000, {"path": "/etc/passwd"}, "data:image/png;base64,AAAA", [[1, [2]], "three"], "🐒", "../app.py",
]  # fmt: skip


def png(chance: random.Random, recipe: dict[str, Any] | None = None) -> bytes:
    """A PNG of noise and a disc of any size up to 400 pixels a side, as saved in a room if there is a recipe."""

    size = chance.choice((1, 17, 28, 64, 160, 400)), chance.choice((1, 28, 90, 256))
    picture = PIL.Image.frombytes("L", (8, 8), chance.randbytes(64)).resize(size).convert("RGB")
    if recipe is not None:
        return png_with_recipe([picture], recipe)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def sent(chance: random.Random) -> str:
    """A picture as the verbs take it."""
    return "data:image/png;base64," + base64.b64encode(png(chance)).decode()


@dataclass
class Parameter:
    """One of a verb, with what its refusals told of it."""

    name: str
    default: Any
    kind: str
    options: list[str] = field(default_factory=list)
    bounds: tuple[float, float] | None = None

    def learn(self, sentence: str) -> None:
        """Take options or bounds from the words that refuse a senseless value."""
        if found := re.search(r"must be one of (.+)\.$", sentence):
            self.options = found[1].split(", ")
        elif found := re.search(r"must be a number from (-?[\d.e+-]+) to (-?[\d.e+-]*\d)", sentence):
            self.bounds = float(found[1]), float(found[2])

    def value(self, chance: random.Random) -> Any:
        """A value that fits, as far as known."""
        if self.name in PICTURES and chance.random() < 0.9:
            return sent(chance)
        if self.bounds is None and not self.options or chance.random() < 0.2 and self.name not in COSTLY:
            return self.usual
        if self.options:
            return chance.choice(self.options)
        low, high = self.bounds or (0, 1)
        found = low + (high - low) * chance.random() ** (12 if self.name in COSTLY else 1)
        return int(found) if self.kind == "integer" else round(found, 3)

    @property
    def usual(self) -> Any:
        """The default, or what there is in its place; a verb that takes a picture needs one."""
        if self.name in PICTURES:
            return sent(random.Random(0))
        return self.options[0] if self.options and self.name in CHOICES and self.default not in self.options else self.default

    def cheap(self) -> Any:
        """The usual value, of what makes a verb slow the least."""
        return int(self.bounds[0]) if self.name in COSTLY and self.bounds else self.usual


Verbs = dict[str, list[Parameter]]


@dataclass
class Call:
    """One call of a verb: its values, and whether anybody waits for the answer."""

    verb: str
    values: list[Any]
    fetched: bool = True


def call_for(verbs: Verbs, chance: random.Random) -> Call:
    """A call of any verb: mostly with values that fit, else with a senseless one, too few or too many, or of no verb."""
    verb = chance.choice(sorted(verbs))
    values = [part.value(chance) for part in verbs[verb]]
    lot = chance.random()
    if lot < 0.16:
        values[chance.randrange(len(values))] = chance.choice(NONSENSE)
    elif lot < 0.18:
        values = values[:-1] if chance.random() < 0.5 else [*values, 1]
    elif lot < 0.19:
        verb = f"{verb}_nobody"
    return Call(verb, values, fetched=chance.random() > 0.03)


class Caller:
    """Somebody with a script; each has an address of its own."""

    def __init__(self, address: str, place: int) -> None:
        self.name = f"caller {place}"
        self.client = httpx.Client(base_url=address, timeout=SOON, headers={"X-Forwarded-For": f"10.0.0.{place + 1}"})

    def verbs(self) -> Verbs:
        """What the server says about its verbs."""
        told = self.client.get("/gradio_api/info").json()["named_endpoints"]
        return {
            verb: [Parameter(one["parameter_name"], one["parameter_default"], one["type"]["type"]) for one in about["parameters"]]
            for verb, about in told.items()
        }

    def ask(self, call: Call) -> tuple[bool, Any]:
        """Whether a result came, and the result or the words of a refusal."""
        body = json.dumps({"data": call.values})
        sent = self.client.post(f"/gradio_api/call{call.verb}", content=body, headers={"Content-Type": "application/json"})
        text = sent.text
        if sent.status_code == 200:
            if not call.fetched:
                return True, ""
            text = self.client.get(f"/gradio_api/call{call.verb}/{sent.json()['event_id']}").text
            kind, text = (re.findall(r"event: (\w+)\ndata: (.*)", text) or [("nothing", json.dumps(text[-300:]))])[-1]
            if kind == "complete":
                return True, text
        told = json.loads(text) if text[:1] in '{"' else text
        return False, told.get("detail") or told.get("error") if isinstance(told, dict) else told

    def use(self, tally: Tally, number: int, call: Call) -> str:
        """Make a call, count it and judge its answer; the words if it was refused."""
        shown = json.dumps(call.values)
        tally.begin(self.name, number, f"{call.verb}({shown if len(shown) < 200 else shown[:200] + '...'})")
        start, wrong, said = time.perf_counter(), "", ""
        try:
            done, told = self.ask(call)
            if not done:
                said, wrong = str(told), complaint(told)
        except (httpx.HTTPError, ValueError) as error:
            done, wrong = False, f"no answer: {type(error).__name__}: {error}"
        if wrong:
            tally.fail("api", self.name, f"{call.verb} {wrong}")
        kind = call.verb.removesuffix("_nobody")
        tally.done("API", kind, time.perf_counter() - start, "" if wrong else said, bool(wrong))
        return said

    def first_round(self, tally: Tally, verbs: Verbs, whole: bool) -> int:
        """Each verb once with all its parameters senseless, then, if ``whole``, for each of its weights; how many calls."""
        number = 0

        def next_call(verb: str, values: list[Any]) -> str:
            nonlocal number
            number += 1
            if tally.over:
                return ""
            return self.use(tally, number, Call(verb, values))

        for verb, parts in verbs.items():
            for place, part in enumerate(parts):
                wrong: Any = -(10**12) if part.kind in ("integer", "number") else "?"
                if part.name not in PICTURES:
                    part.learn(next_call(verb, [wrong if at == place else other.usual for at, other in enumerate(parts)]))
        for verb, parts in verbs.items():
            first, *others = parts
            choices = first.options if whole and first.name in CHOICES and first.options else [first.usual]
            for choice in choices:
                next_call(verb, [choice, *(part.cheap() for part in others)])
        return number

    def run(self, tally: Tally, verbs: Verbs, seed: int, alone: bool) -> None:
        """Call at random until all is done; unless ``alone``, three times for each action in the browser."""
        number = 0
        while not tally.over:
            if not alone and tally.counts["API"] > CALLS * tally.counts["browser"] + 300:
                time.sleep(0.02)
                continue
            number += 1
            self.use(tally, number, call_for(verbs, dice(seed, self.name, number)))


# ---- the browser ------------------------------------------------------------------------------------------------------

SIGHT_JS = """() => {
  const kinds = {
    stop: 'button.stop', tab: '[role=tab]', option: '[role=option]', list: 'input[role=listbox]', slide: 'input[type=range]',
    choice: 'input[type=radio], input[type=checkbox]', text: 'textarea, input[type=text], input[type=number]', draw: 'canvas',
    border: '[role=slider]', field: 'input[type=file]', card: 'a[data-room]', press: 'button, summary, [role=button]',
  };
  const found = [], things = window.monkeyThings = [];
  const taken = new Set();
  for (const [kind, query] of Object.entries(kinds)) for (const element of document.querySelectorAll(query)) {
    // a file's field and a choice are hidden behind what stands for them
    const face = kind === 'field' || kind === 'choice' ? element.closest('button, label') ?? element.parentElement : element;
    if (taken.has(element) || element.disabled || !face?.offsetParent) continue;
    taken.add(element);
    const box = face.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    found.push({kind, words: (element.ariaLabel || face.innerText || '').trim().slice(0, 40)});
    things.push(kind === 'field' ? element : face);
  }
  return {things: found, said: [...document.querySelectorAll('.toast-body, .refusal')].map(one => one.innerText)};
}"""
"""What can be used at present, and what messages are shown."""
PLACE_JS = """place => {
  const element = window.monkeyThings?.[place];
  if (!element?.isConnected) return null;
  element.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
  const box = element.getBoundingClientRect();
  return [box.x, box.y, box.width, box.height];
}"""
GIVE_JS = """([place, name, kind, content]) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(atob(content), letter => letter.charCodeAt(0))], name, {type: kind}));
  const field = window.monkeyThings?.[place];
  if (field) {
    field.files = files.files;
    field.dispatchEvent(new Event('change', {bubbles: true}));
  } else for (const step of ['dragenter', 'dragover', 'drop'])
    document.body.dispatchEvent(new DragEvent(step, {dataTransfer: files, bubbles: true, cancelable: true}));
}"""
STAY_JS = """document.addEventListener('click', event => {
  const link = event.target.closest?.('a[href]');
  if (link && (link.target === '_blank' || link.origin !== window.location.origin)) event.preventDefault();
}, true);
window.open = () => null;"""
"""No way out of the page: links to papers do nothing, nor do the other services that Gradio's page about the API offers."""
WEIGHTS = {
    "press": 26, "stop": 5, "tab": 9, "option": 12, "list": 5, "slide": 14, "choice": 10, "text": 6, "draw": 6, "border": 4,
    "field": 3, "card": 3, "key": 9, "back": 3, "forward": 2, "link": 2.5, "reload": 0.7, "drop": 1, "resize": 1,
}  # fmt: skip
"""How often a visitor does what, among what is possible."""
ANYWHERE = ("key", "back", "forward", "link", "reload", "drop", "resize")
"""What needs nothing in sight."""
KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "r", "f", " ", "Escape", "Tab", "Enter", "PageDown", "Home")
TYPED = (
    "", "7", "-5", "0", "3.7", "1e999", "abc", "7" * 40, "2147483648", "<img src=x onerror=alert(1)>", "🐒" * 9, "\u202eabc",
    "0.1,0.2", "1 2\n3 4\n", "[]", "NaN", " ",
)  # fmt: skip


@dataclass
class Move:
    """What a visitor does: kind, the number of the thing in sight (-1: none), and chance for the rest."""

    kind: str
    place: int
    chance: random.Random


def choose(things: Sequence[dict[str, str]], chance: random.Random) -> Move:
    """What to do, given what is in sight."""
    kinds = sorted({thing["kind"] for thing in things}) + list(ANYWHERE)
    (kind,) = chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])
    places = [place for place, thing in enumerate(things) if thing["kind"] == kind]
    return Move(kind, chance.choice(places) if places else -1, chance)


class Visitor:
    """Somebody with a mouse, a keyboard and no patience."""

    def __init__(self, browser: Browser, address: str, place: int, tally: Tally, seed: int) -> None:
        self.browser, self.address, self.tally, self.seed = browser, address, tally, seed
        self.name, self.number, self.arrived = f"visitor {place}", 0, 0
        self.links: list[str] = []
        self.context: BrowserContext | None = None
        self.page: Page
        self.come(dice(seed, self.name, 0))

    def come(self, chance: random.Random) -> None:
        """Another visitor comes in the place of this one, with another screen."""
        if self.context is not None:
            self.context.close()
        width, height = chance.choice(WIDTHS)
        self.context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=chance.choice(("light", "dark")), accept_downloads=True
        )
        self.context.set_default_timeout(1000 * SOON)
        self.context.add_init_script(STAY_JS)
        self.context.on("console", lambda said: self.console(said.type, said.text, said.location.get("url", "")))
        self.context.on("weberror", lambda error: self.tally.fail("page", self.name, f"page error: {error.error}"))
        self.context.on("request", lambda request: self.asked(request.url))
        self.context.on("response", lambda answer: self.answered(answer.url, answer.status))
        self.page = self.context.new_page()
        self.page.on("crash", lambda: self.tally.fail("page", self.name, "the page crashed"))
        self.page.on("dialog", lambda dialog: dialog.dismiss())
        self.page.goto(self.address, wait_until="domcontentloaded")
        self.arrived = self.number

    def console(self, kind: str, text: str, url: str) -> None:
        """A line of the browser's console."""
        if kind == "error" and not CUT_OFF.search(text) and not REFUSED.search(text):
            self.tally.fail("page", self.name, f"console: {text} ({url})")

    def asked(self, url: str) -> None:
        """A request of the page."""
        if not url.startswith((self.address, "data:", "blob:", "about:")):
            self.tally.fail("outside", self.name, f"asked the outside for {url}")

    def answered(self, url: str, status: int) -> None:
        """An answer to the page; a refusal of what bypasses the queue has the status 500, and its words are shown.

        Gradio's page about the API asks whether there is a schema for language models, and there is none.
        """
        path = urlsplit(url).path
        if (status >= 500 and "/run/" not in path or status == 404) and not path.endswith("/mcp/schema"):
            self.tally.fail("page", self.name, f"{path} was answered with {status}")

    def act(self) -> None:
        """The next action, whatever it is."""
        self.number += 1
        chance = dice(self.seed, self.name, self.number)
        try:
            if self.number - self.arrived > STAY:
                self.tally.begin(self.name, self.number, "another visitor comes")
                self.come(chance)
            sight = self.page.evaluate(SIGHT_JS)
            for said in sight["said"]:
                if UNEXPECTED in said or TRACES.search(said):
                    self.tally.fail("page", self.name, f"it says {said!r}")
            move = choose(sight["things"], chance)
            words = sight["things"][move.place]["words"] if move.place >= 0 else ""
            self.tally.begin(self.name, self.number, f"{move.kind} {words!r} at {self.page.url.removeprefix(self.address)[:200]}")
            start = time.perf_counter()
            self.do(move)
        except Error as error:  # what was in sight is gone, since the page is on its way to another
            if self.page.is_closed() or "crashed" in str(error):
                self.tally.fail("page", self.name, f"the page is gone: {error}")
                self.come(chance)
            self.tally.missed += 1
            return
        if "state=" in self.page.url:
            self.links = [*self.links[-20:], urlsplit(self.page.url).query]
        self.tally.done("browser", move.kind, time.perf_counter() - start)
        if chance.random() < 0.03:
            self.page.wait_for_timeout(chance.uniform(100, 1000))  # and looks at what came of it

    def do(self, move: Move) -> None:
        """Do it, and do not wait for what comes of it."""
        page, chance = self.page, move.chance
        match move.kind:
            case "key":
                page.keyboard.press(chance.choice(KEYS))
            case "back" | "forward":
                page.evaluate(f"window.history.{move.kind}()")
                if page.url.startswith("about:"):
                    page.goto(self.address, wait_until="domcontentloaded")
            case "link":
                page.goto(f"{self.address}/?{self.link(chance)}", wait_until="domcontentloaded")
            case "reload":
                page.reload(wait_until="domcontentloaded")
            case "resize":
                width, height = chance.choice(WIDTHS)
                page.set_viewport_size({"width": width, "height": height})
            case "drop" | "field":
                page.evaluate(GIVE_JS, [move.place, *self.file(chance)])
            case _:
                self.point(move)

    def point(self, move: Move) -> None:
        """What is done with the mouse: a click, or a movement from one place of the thing to others; and typing."""
        mouse, chance = self.page.mouse, move.chance
        box = self.page.evaluate(PLACE_JS, move.place)
        if box is None:
            raise Error("it is gone")
        left, top, width, height = box

        def spot() -> tuple[float, float]:
            return left + chance.uniform(0.02, 0.98) * width, top + chance.uniform(0.1, 0.9) * height

        if move.kind in ("draw", "border", "slide"):
            mouse.move(*spot())
            mouse.down()
            for _ in range(chance.randint(1, 4)):
                mouse.move(*spot())
            mouse.up()
            return
        mouse.click(left + width / 2, top + height / 2)
        if move.kind == "text":
            self.page.keyboard.press("ControlOrMeta+A")
            self.page.keyboard.insert_text(chance.choice((*TYPED, str(chance.randint(0, 10**6)))))
            self.page.keyboard.press(chance.choice(("Enter", "Tab")))

    def link(self, chance: random.Random) -> str:
        """The query of a link: to any room, one that was copied before, or a damaged one."""
        room, lot = chance.choice([*recipes.rooms(), "nobody"]), chance.random()
        if lot < 0.25 and self.links:
            return chance.choice(self.links)
        if lot < 0.35:
            state = chance.choice(("{", "[]", "7", '{"seed": -1}', '{"weights": "x"}', "x" * 9000))
            return urlencode({"room": room, "state": state})
        return f"room={quote(room)}&__theme={chance.choice(('light', 'dark'))}"

    def file(self, chance: random.Random) -> tuple[str, str, str]:
        """Name, kind and content of a file: a picture, a saved one, or something else."""
        lot = chance.random()
        if lot < 0.4:
            query = parse_qs(chance.choice(self.links) if self.links else "room=vae")
            try:
                controls = json.loads(query.get("state", ["{}"])[0])
            except ValueError:
                controls = {}
            content = png(chance, {"room": query.get("room", [""])[0], "controls": controls, "sha256": ""})
        else:
            content = png(chance) if lot < 0.85 else chance.choice((b"", b"no picture", png(chance)[:40]))
        return "picture.png", "image/png", base64.b64encode(content).decode()

    def first_round(self) -> None:
        """Open each room and each of its tabs, and press what each is for."""
        self.page.wait_for_selector(".home .card:visible")
        rooms = "() => [...document.querySelectorAll('.home .card, .home .way')].map(link => link.dataset.room)"
        for room in ["", *self.page.evaluate(rooms)]:
            if self.tally.over:
                return
            self.tally.begin(self.name, 0, f"open {room or 'home'}")
            start = time.perf_counter()
            self.page.goto(f"{self.address}/{way_to(room) if room else ''}", wait_until="domcontentloaded")
            self.page.wait_for_selector(f".room-header[data-room={room}]:visible" if room else ".home .card:visible")
            self.tally.done("browser", "open", time.perf_counter() - start)
            opened: list[str] = []
            while not self.tally.over:
                if opened:
                    for button in self.page.locator(".views button.primary:visible, .room button.primary:visible").all():
                        self.first_press(f"{room} {opened[-1]}", button)
                tabs = [tab for tab in self.page.locator(".views [role=tab]:visible").all() if tab.inner_text() not in opened]
                if not tabs:
                    break
                opened.append(tabs[-1].inner_text())
                self.first_press(f"{room} tab", tabs[-1])

    def first_press(self, words: str, what: Any) -> None:
        """Press something, and look at what comes of it for a moment."""
        self.tally.begin(self.name, 0, words)
        try:
            what.click(force=True, timeout=3000)
            self.page.wait_for_timeout(300)
            self.tally.done("browser", "first press")
        except Error:
            self.tally.missed += 1


# ---- the run ----------------------------------------------------------------------------------------------------------


@contextmanager
def gallery(folder: Path) -> Iterator[tuple[str, psutil.Process, Path]]:
    """The page with its log in a file: its address, its process, the file."""
    log = folder / "log.txt"
    os.environ |= {"GRADIO_TEMP_DIR": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    command = ["sh", "-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", str(log), *GALLERY]
    with served(command) as (address, _, process):
        yield address, process, log


def watch(process: psutil.Process, tally: Tally) -> None:
    """Look at the server's memory twice a second until all is done or the time is up."""
    while not tally.over:
        tally.over = time.monotonic() > tally.until
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            tally.memory.append((tally.counts.total(), megabytes(process)))
        except psutil.NoSuchProcess:
            alive = process.is_running()  # a child may have ended in between
        if not alive:
            tally.fail("server", "all", "the server ended")
            tally.over = True
        time.sleep(0.5)


def started(work: Callable[..., Any], *values: Any) -> Thread:
    thread = Thread(target=work, args=values, daemon=True)
    thread.start()
    return thread


def play(address: str, process: psutil.Process, tally: Tally, seed: int, whole: bool, visitors: int = VISITORS) -> None:
    """All monkeys at once, until all is done."""
    callers = [Caller(address, place) for place in range(CALLERS)]
    verbs = callers[0].verbs()
    threads = [started(watch, process, tally)]
    learner = started(callers[0].first_round, tally, verbs, whole)
    with chromium() as browser:
        seen = [Visitor(browser, address, place, tally, seed) for place in range(visitors)]
        if seen and whole:
            seen[0].first_round()
        while seen and learner.is_alive() and not tally.over:
            seen[0].act()
        learner.join()
        threads += [started(caller.run, tally, verbs, seed, not seen) for caller in callers]
        while seen and not tally.over:
            for visitor in seen:
                visitor.act()
        for thread in threads:
            thread.join()


def show(tally: Tally) -> None:
    """The tables."""
    print(f"{'':34}{'actions':>8}{'refused':>8}{'failed':>7}{'p50':>8}{'p95':>8}   (ms)")
    for name, row in sorted(tally.rows.items(), key=lambda item: item[0].lower()):
        ordered = sorted(1000 * seconds for seconds in row.seconds)
        times = f"{ordered[len(ordered) // 2]:>8.0f}{ordered[int(0.95 * (len(ordered) - 1))]:>8.0f}"
        print(f"{name:34}{row.done:>8}{row.refused:>8}{row.failed:>7}{times}")
    print(f"{'in all':34}{tally.counts.total():>8}   ({tally.counts['browser']} in the browser, {tally.missed} more were missed)")
    for name in tally.barren:
        print(f"{name} never gave a result; it says: {tally.rows[name].said}")
    tenths = [[memory for part, memory in tally.samples if int(min(part, 0.999) * 10) == tenth] for tenth in range(10)]
    print("memory by tenths, MB: " + " ".join(f"{statistics.median(found):.0f}" if found else "-" for found in tenths))


def main() -> int:
    """Let the monkeys play, print the tables, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.monkey", description=__doc__)
    options.add_argument("--actions", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--visitors", type=int, default=VISITORS, help="monkeys in the browser; 0: only those at the API")
    options.add_argument("--minutes", type=float, default=60, help="the most that it may take")
    options.add_argument("--quick", action="store_true", help="500 actions without the first round; memory may grow more")
    given = options.parse_args()
    start = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the tables are printed, and the server ends
    tally = Tally(500 if given.quick else given.actions, start + 60 * given.minutes)
    with tempfile.TemporaryDirectory() as name, gallery(Path(name)) as (address, process, file):
        try:
            play(address, process, tally, given.seed, not given.quick, given.visitors)
        finally:
            tally.over = True
            print(f"seed {given.seed}, {time.monotonic() - start:.0f} s")
            show(tally)
            log = file.read_text(errors="replace", encoding="utf-8")
            for failure in tally.failures:
                print(failure)
            if bad := bad_lines(log):
                at = log.index(bad[0])
                print(f"the log, from the first of {len(bad)} bad lines on:\n{log[at : at + 4000]}")
    kinds = tally.kinds
    return report([
        Bar("actions", tally.counts.total(), tally.wanted, at_least=True),
        Bar("verbs that never gave a result", len(tally.barren), 0),
        Bar("server crashes", kinds["server"], 0),
        Bar("lines of the log that tell of an exception", len(bad), 0),
        Bar("answers of the API that are neither a result nor a plain sentence", kinds["api"], 0),
        Bar("errors in the browser", kinds["page"], 0),
        Bar("requests to the outside", kinds["outside"], 0),
        Bar("memory at the end, against that after the warm-up", growth(tally.samples), 1.5 if given.quick else GROWTH, "x"),
    ])  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
