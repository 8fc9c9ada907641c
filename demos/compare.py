"""The room of all models: one seed or one picture through every model of a data set, side by side."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from demos._kit import recipes, shipped
from demos._kit.checks import integer, number, one_of
from demos._kit.events import BESIDE, QUICK, ROLL_JS, error_boundary
from demos._kit.faces import own_picture
from demos._kit.inputs import CheckedImage, as_input, sent_picture
from demos._kit.layout import explanation, seed_row
from demos._kit.markup import tiles_html
from demos._kit.pictures import LARGE, enlarged, heat, png_uri, to_pil
from demos._kit.recipes import MAX_SEED, Room, link_button, save_button
from demos._kit.running import Cache, cancel, is_cancelled, while_awaited
from demos._kit.widgets import BEGIN_JS, starter, tiles
from gen_models import Draws, catalog, load, runtime, sets
from gen_models.base import GenerativeModel

NAME, TITLE = "compare", "Compare"
SUMMARY = "One seed, or one picture, through all models of a data set side by side, from the oldest to the newest."
SAMPLE, RECONSTRUCT, COMPLETE, FILL = ("Sample", "Reconstruct", "Complete", "Fill in")
VERBS = {SAMPLE: "sample", RECONSTRUCT: "reconstruct", COMPLETE: "complete", FILL: "complete"}
"""What a visitor may ask for -> the verb of the models."""
MAX_COUNT = 8
QUALITY = "frechet"
"""The key of the number that models of all kinds have on their cards."""
SLICE = 0.1
"""Seconds of computing before it is the next model's turn."""
FRAME = 0.25
"""Seconds between two frames, unless a model is done."""
BRIEF, REPEATS = 0.1, 3
"""What takes fewer seconds is done so many times, and the fastest counts: the first time also sets up the network."""
MAX_TEXT = 4500
"""Letters of a visitor's picture in a link."""
TINT = (163, 161, 236)
"""Unknown pixels."""
COMPARING = dict(
    concurrency_id="comparing", concurrency_limit=4, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
)
"""Each slice waits for its turn at the door, so that several visitors' comparisons may be on their way at once."""
EXPLANATION = r"""
Every model of the data set gets the same task: the same seed, or the same picture. Those that need one pass answer at once; those
that write pixel after pixel or take noise off step by step go on by turns, a tenth of a second each, so that nobody waits for the
slowest. The times are those of the computing alone, for all pictures of a row together; loading and waiting are left out. The
parameters are the numbers in the file of the weights, fixed statistics among them.

**Reconstruct** squeezes the picture into the model's own description and paints it back. Only models with an encoder can. The
mixtures' description are principal coordinates: the same for all of them, and what straight directions can do.

**Complete** and **Fill in** draw the unknown part $x_u$ given the known part $x_k$, each model in its own way:

$$x_u \sim p(x_u \mid x_k), \qquad \text{mixture: } p(z \mid x_k) = \sum_j \frac{w_j\, p(x_k \mid j)}{\sum_i w_i\, p(x_k \mid i)}\,
\mathcal{N}\!\left(z \mid m_j(x_k), C_j\right)$$

A mixture conditions its Gaussians, exactly, with what its coordinates leave out taken for noise. A variational autoencoder draws
latents given the picture and the unknown part given the latents, in turns. An autoregressive model writes in reading order: known
pixels *after* a hole do not guide it, which **Fill in** shows and **Complete** does not. A diffusion model mends its guess where
the picture is known, at every step. A model with neither an encoder nor a density, such as a plain adversarial one, can do none
of it.

**The number.** The Frechet distance between the features of samples and of unseen real pictures, by our own feature network: means
and covariances of both, $\lVert \mu - \mu' \rVert^2 + \mathrm{tr}\left(\Sigma + \Sigma' - 2 (\Sigma \Sigma')^{1/2}\right)$. Lower
is better. It was measured when the weights were published, of samples, whatever is asked for here.
"""


# ---- who takes part ---------------------------------------------------------------------------------------------------


def data_of(weights: str) -> str:
    """The data set of trained weights; of a visitor's own pictures, what stands behind the dash."""
    _, _, suffix = weights.partition("-")
    if not (catalog.WEIGHTS / weights / "config.json").is_file():
        return suffix  # on the Hub, from which nothing is fetched for this
    try:
        data = str(catalog.config_of(weights).get("data"))
    except catalog.WeightsError:
        return suffix
    return suffix if data in ("folder", "paired", "unpaired") else data


def able(verb: str) -> list[str]:
    """All weights whose models have a verb."""
    models = {model for model in catalog.names() if verb in catalog.methods(model)}
    return [name for name in catalog.trained() if name.partition("-")[0] in models]


def entrants(data: str, what: str) -> list[str]:
    """The weights of a data set whose models have the verb for ``what``, the oldest model first."""

    def age(name: str) -> tuple:
        facts = catalog.about(name.partition("-")[0])
        return facts["year"], facts["paper"], name  # the addresses of two papers of a year are often numbered, too

    return sorted((name for name in able(VERBS[what]) if data_of(name) == data), key=age)


def data_sets() -> list[str]:
    """The data sets of which two or more trained models make pictures, those with the most models first."""
    counts = Counter(map(data_of, able(VERBS[SAMPLE])))
    return sorted((data for data in counts if counts[data] > 1), key=lambda data: (-counts[data], data))


def is_open() -> bool:
    """Whether there is anything to compare."""
    return bool(data_sets())


def title_of(weights: str, data: str) -> str:
    """The model's title, and the weights' own name where it is not that of the data set."""
    model, _, suffix = weights.partition("-")
    return catalog.about(model)["title"] + (f" · {suffix}" if suffix != data else "")


def room_of(weights: str) -> str:
    """The query of the link to a model's room: its own, else the first one of its family."""
    model = weights.partition("-")[0]
    family, rooms = catalog.names()[model], recipes.rooms()
    near = [name for name in rooms if catalog.names().get(name) == family]
    name = model if model in rooms else min(near, key=lambda name: catalog.about(name)["year"], default="")
    return "?" + urlencode({"room": name, "state": json.dumps({"weights": weights})}) if name else ""


def numbers_in(weights: str) -> int | None:
    """How many numbers are in the file of the weights, read from its head; None if it is not here or damaged."""
    try:
        with safe_open(catalog.WEIGHTS / weights / "model.safetensors", "pt") as file:
            return sum(int(np.prod(file.get_slice(key).get_shape())) for key in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


@dataclass(frozen=True)
class Quality:
    """A model's number."""

    value: float | None = None
    words: str = ""
    """The number as it is shown."""
    remark: str = ""
    """Why it cannot be held against the others'; "": it can."""
    protocol: str = ""
    real: str = ""
    """The same for real pictures."""


def qualities(names: Sequence[str]) -> dict[str, Quality]:
    """The number of each of these weights, held against the protocol and size of pictures that most of them share."""
    from gen_models.cards import shown

    found: dict[str, Mapping[str, Any]] = {}
    for name in names:
        try:
            measures = json.loads((catalog.WEIGHTS / name / "evaluation.json").read_text(encoding="utf-8"))["measures"]
            number = next(number for number in measures if number["key"] == QUALITY)
            numbers = {key: float(number[key]) for key in ("value", "error")}
            found[name] = number | numbers | {"protocol": str(number["protocol"]), "side": shipped.shape_of(name)[1]}
        except (OSError, ValueError, KeyError, TypeError, StopIteration):
            continue
    common = Counter((number["protocol"], number["side"]) for number in found.values()).most_common(1)
    shared, side = common[0][0] if common else ("", 0)
    made = {}
    for name in names:
        if name not in found:
            made[name] = Quality(remark="not measured")
            continue
        number, protocol = found[name], found[name]["protocol"]
        size = "measured otherwise" if number["side"] == side else f"pictures of {number['side']} x {number['side']} pixels"
        alike = (protocol, number["side"]) == (shared, side)
        first = next((part for part in clauses(protocol) if part not in clauses(shared)), size)
        remark = "" if alike else f"not comparable: {first}"
        floor = shown(number["real"], number["real_error"]).split(" ± ")[0] if "real" in number else ""
        words = shown(number["value"], number["error"]).split(" ± ")[0]
        made[name] = Quality(number["value"], words, remark, protocol, floor)
    return made


def clauses(protocol: str) -> list[str]:
    """The parts of a protocol between commas, semicolons and brackets."""
    return [part.strip(" .") for part in re.split("[,;()]", protocol) if part.strip(" .")]


# ---- the picture ------------------------------------------------------------------------------------------------------


def shape_of(data: str) -> tuple[int, int]:
    """Channels and side of the largest pictures that models of a data set make."""
    return max((shipped.shape_of(name) for name in entrants(data, SAMPLE)), key=lambda shape: shape[1])


def example_pictures(data: str) -> list[PIL.Image.Image]:
    """Pictures of this kind that are nobody's."""
    found = (shipped.example_pictures(name) for name in entrants(data, SAMPLE))
    return next((pictures for pictures in found if pictures), [])


def examples_html(data: str) -> str:
    """The examples to click."""
    return tiles_html(example_pictures(data), words="example")


def given(data: str, text: Any) -> PIL.Image.Image:
    """The picture that a text stands for: ``example 3``, or a picture file as :func:`as_text` writes it; "": the first example.

    Raises:
        gr.Error: if there is no such example or it is no picture.
    """
    examples = example_pictures(data)
    text = text if isinstance(text, str) else "nothing"
    named = re.fullmatch(r"example (\d{1,3})", text or "example 0")
    if named:
        if int(named[1]) >= len(examples):
            raise gr.Error("Upload a picture first." if not examples else f"There is no example {named[1]}.")
        return examples[int(named[1])]
    if len(text) > MAX_TEXT:
        raise gr.Error("This picture is too large for a link; upload it.")
    return sent_picture(text)


def as_text(data: str, image: PIL.Image.Image) -> str:
    """A visitor's picture as models of the data set know theirs, as text that fits into a link."""
    largest = max(entrants(data, SAMPLE), key=lambda name: shipped.shape_of(name)[1])
    picture = to_pil(shipped.picture_for(largest, own_picture(largest, image))[0])
    while True:
        for kind, more in (("PNG", {}), *(("JPEG", {"quality": quality}) for quality in (92, 80, 60, 40))):
            stream = io.BytesIO()
            picture.save(stream, kind, **more)
            text = base64.b64encode(stream.getvalue()).decode()
            if len(text) <= MAX_TEXT:
                return text
        picture = picture.resize((picture.width // 2, picture.height // 2), PIL.Image.Resampling.BOX)


def hole(what: str, side: int, part: float, x: float, y: float) -> np.ndarray:
    """What is unknown of a picture, (side, side) bool: the lower ``part`` of it, or a square of the side ``part`` around (x, y)."""
    unknown = np.zeros((side, side), bool)
    long = min(max(round(part * side), 1), side - 1)
    if what == COMPLETE:
        unknown[side - long :] = True
    elif what == FILL:
        left, top = (min(max(round(middle * side - long / 2), 0), side - long) for middle in (x, y))
        unknown[top : top + long, left : left + long] = True
    return unknown


def hatched(picture: PIL.Image.Image, unknown: np.ndarray) -> PIL.Image.Image:
    """The picture with what is unknown in a colour of its own."""
    if not unknown.any():
        return picture
    values = np.array(picture.convert("RGB"))
    rows, columns = np.nonzero(unknown)
    stripe = ((rows + columns) // 2 % 2).astype(bool)
    values[unknown] = np.where(stripe[:, None], TINT, (198, 197, 245))
    return PIL.Image.fromarray(values)


# ---- what a visitor asks for ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What every model is to do, checked."""

    data: str
    what: str
    seed: int
    count: int
    part: float
    x: float
    y: float
    picture: PIL.Image.Image | None

    def images(self, channels: int, size: int) -> Tensor:
        """The picture for a model, (1, C, size, size) in [0, 1]."""
        return torch.from_numpy(as_input(self.picture, size, channels, centre=False))[None]

    def unknown(self, size: int) -> np.ndarray:
        """What the models are to make up, (size, size) bool."""
        return hole(self.what, size, self.part, self.x, self.y)

    def turns(self, model: GenerativeModel) -> Iterator[Tensor]:
        """What the model does for it, stage by stage; the last pictures (N, C, H, W) in [0, 1] are the finished ones."""
        channels, size, _ = model.image_shape
        if self.what == RECONSTRUCT:
            return (model.reconstruct(images) for images in [self.images(channels, size)])
        draws = Draws(self.seed, self.count, device=runtime.device())
        if self.what == SAMPLE:
            return model.sample_steps(draws)
        return model.sample_steps(draws, self.images(channels, size), torch.from_numpy(self.unknown(size)))

    def words(self) -> str:
        """The task in a line, for the saved picture."""
        parts = [sets.record(self.data).title, self.what.lower()]
        parts += [f"seed {self.seed}"] if self.what != RECONSTRUCT else []
        return " · ".join(parts)


def task_of(data: str, what: str, seed: float, count: float, part: float, x: float, y: float, picture: str) -> Task:
    """The controls' values as a task.

    Raises:
        gr.Error: with one sentence, if one of them makes no sense.
    """
    data, what = one_of(data, data_sets(), "Data"), one_of(what, list(VERBS), "Task")
    seed, count = integer(seed, 0, MAX_SEED, "Seed"), integer(count, 1, MAX_COUNT, "Pictures")
    part, x, y = number(part, 0.1, 0.9, "Unknown part"), number(x, 0, 1, "Across"), number(y, 0, 1, "Down")
    if not entrants(data, what):
        raise gr.Error(f"No model of this data set can do this yet: {what.lower()}.")
    return Task(data, what, seed, count, part, x, y, None if what == SAMPLE else given(data, picture))


# ---- running them -----------------------------------------------------------------------------------------------------


@dataclass
class Entry:
    """One model's row, as far as it is."""

    weights: str
    title: str
    year: int
    numbers: int | None
    quality: Quality
    pictures: list[PIL.Image.Image] = field(default_factory=list)
    seconds: float | None = None
    """Of computing so far."""
    state: str = "waiting"
    """``waiting``, ``busy``, ``done``, ``stopped``, ``failed``, or ``published``: as the weights' sheet of samples has it."""
    words: str = ""
    """What else is to be said."""
    uris: list[str] = field(default_factory=list)
    """The pictures as the page has them."""

    def show(self, pictures: Sequence[PIL.Image.Image]) -> None:
        """Other pictures."""
        self.pictures, self.uris = list(pictures), [png_uri(picture) for picture in pictures]


def entries_of(data: str, what: str) -> list[Entry]:
    """A row for each model that can do it, nothing done yet."""
    names = entrants(data, what)
    numbers = qualities(names)
    return [
        Entry(name, title_of(name, data), catalog.about(name.partition("-")[0])["year"], numbers_in(name), numbers[name])
        for name in names
    ]


def blank(task: Task) -> list[Entry]:
    """The rows before anything is done, with as many grey pictures as there will be."""
    entries = entries_of(task.data, task.what)
    for entry in entries:
        entry.show([PIL.Image.new("L", (8, 8), 128)] * (1 if task.what == RECONSTRUCT else task.count))
    return entries


def published(data: str) -> list[Entry]:
    """The rows from the sheets that the models made when their weights were published; no model runs."""
    entries = entries_of(data, SAMPLE)
    for entry in entries:
        entry.state = "published"
        entry.show(shipped.sheet_tiles(entry.weights, MAX_COUNT))
    return entries


def memory_of(weights: str) -> int:
    """Bytes that these weights take in use."""
    return 4 * (numbers_in(weights) or 0)


def run(task: Task, entries: Sequence[Entry]) -> Iterator[bool]:
    """Let the models do the task by turns; yields whether one of them was done, again and again.

    Those of one pass come first. Together the models under way take no more memory than the catalog keeps models in, but for a
    single one.
    """
    many = {entry.weights: "sample_steps" in catalog.methods(entry.weights.partition("-")[0]) for entry in entries}
    waiting = deque(sorted(entries, key=lambda entry: many[entry.weights]))
    active: list[tuple[Entry, Iterator[bool]]] = []
    while waiting or active:
        taken = sum(memory_of(entry.weights) for entry, _ in active)
        while waiting and (not active or taken + memory_of(waiting[0].weights) <= catalog.BUDGET):
            entry = waiting.popleft()
            taken += memory_of(entry.weights)
            active.append((entry, work(task, entry)))
        for entry, slices in list(active):
            done = next(slices, True)
            if done:
                active.remove((entry, slices))
            yield done


def work(task: Task, entry: Entry) -> Iterator[bool]:
    """One model's work, a slice at a time; yields whether it is done."""
    try:
        model = load(entry.weights)  # before the door: nobody should wait for it
    except catalog.WeightsError as error:
        entry.state, entry.words = "failed", str(error)
        yield True
        return
    entry.state, entry.seconds = "busy", 0.0
    sample_steps, slices = task.turns(model), 0
    while entry.state == "busy":
        made = None
        with runtime.forward_pass():
            began = time.perf_counter()
            while (passed := time.perf_counter() - began) < SLICE or made is None:
                made, before = next(sample_steps, None), made
                if made is None:
                    made, entry.state = before, "done"
                    break
            passed = time.perf_counter() - began
            slices += 1
            if entry.state == "done" and slices == 1 and passed < BRIEF:
                passed = min([passed, *(timed(task, model) for _ in range(REPEATS - 1))])
            made = made if made is None else made.cpu()
        entry.seconds += passed
        if made is not None:
            entry.show(finished(task, entry, made))
        yield entry.state == "done"


def timed(task: Task, model: GenerativeModel) -> float:
    """Seconds that the task takes; the door is held."""
    began = time.perf_counter()
    deque(task.turns(model), maxlen=0)
    return time.perf_counter() - began


def finished(task: Task, entry: Entry, made: Tensor) -> list[PIL.Image.Image]:
    """What a row shows of pictures (N, C, H, W); of a reconstruction, its difference from the picture, too."""
    pictures = [to_pil(picture) for picture in made]
    if task.what == RECONSTRUCT:
        difference = (made.float() - task.images(*made.shape[1:3])).square()[0]
        entry.words = f"mean squared difference {float(difference.mean()):.4f}"
        pictures.append(heat(difference.mean(dim=0).sqrt().numpy()))
    return pictures


_results: Cache[list[Entry]] = Cache(16)
"""The latest comparisons by the values of the controls, as far as they are, to be saved as they were seen."""


def compared(token: str, *controls: Any) -> Iterator[list[str]]:
    """The rows and the line above them, again and again as the models answer; ends early once ``token`` is halted."""
    task = task_of(*controls)
    entries = blank(task)
    _results.put(controls, entries)
    yield [lineup_html(task, entries, busy=True), note_html("The models take their turns.")]
    due = time.perf_counter() + FRAME
    for done in run(task, entries):
        if is_cancelled(token):
            for entry in entries:
                entry.state = entry.state if entry.state in ("done", "failed") else "stopped"
            finished_ = sum(entry.state == "done" for entry in entries)
            words = f"Stopped; {finished_} of {len(entries)} models were done."
            yield [lineup_html(task, entries, busy=False), note_html(words)]
            return
        if done or time.perf_counter() > due:
            yield [lineup_html(task, entries, busy=True), gr.skip()]
            due = time.perf_counter() + FRAME
    yield [lineup_html(task, entries, busy=False), note_html(told(task, entries))]


def told(task: Task, entries: Sequence[Entry]) -> str:
    """What was measured on what, in a line."""
    count = 1 if task.what == RECONSTRUCT else task.count
    pictures = "one picture" if count == 1 else f"{count} pictures"
    models = "One model" if len(entries) == 1 else f"{len(entries)} models"
    return f"{models}. The times are for {pictures} on {runtime.hardware()}, without loading and waiting."


# ---- what is shown ----------------------------------------------------------------------------------------------------


def note_html(words: str) -> str:
    """A line."""
    return f'<p class="note">{html.escape(words)}</p>'


def size_words(numbers: int | None) -> str:
    """``1.3 million parameters``"""
    if numbers is None:
        return "not here yet"
    return f"{numbers / 1e6:.{1 if numbers >= 1e5 else 2}f} million parameters"


def time_words(entry: Entry) -> str:
    """``12 ms``, and whether that is all."""
    if entry.state == "failed":
        return "failed"
    if not entry.seconds:
        return {"waiting": "waiting", "stopped": "stopped"}.get(entry.state, "")
    milliseconds = 1000 * entry.seconds
    places = 0 if milliseconds >= 10 else 1 if milliseconds >= 1 else 2
    took = f"{milliseconds:.{places}f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
    return took + {"busy": " so far", "stopped": ", then stopped"}.get(entry.state, "")


def best_of(entries: Sequence[Entry]) -> float | None:
    """The best of the numbers that can be held against each other, if there are two or more."""
    values = [entry.quality.value for entry in entries if entry.quality.value is not None and not entry.quality.remark]
    return min(values) if len(values) > 1 else None


def picture_words(task: Task) -> list[str]:
    """What the pictures of a row are."""
    return ["reconstruction", "difference"] if task.what == RECONSTRUCT else ["sample" if task.what == SAMPLE else "completion"]


def strip_html(uris: Sequence[str], columns: int, words: Sequence[str], smooth: bool) -> str:
    """Pictures in a row; ``words`` say what they show, one for all or one for each."""
    images = "".join(
        f'<img src="{uri}" alt="{html.escape(words[min(place, len(words) - 1)])} {place}">' for place, uri in enumerate(uris)
    )
    return f'<div class="answers{" smooth" * smooth}" style="--columns:{columns}">{images}</div>'


def lineup_html(task: Task, entries: Sequence[Entry], busy: bool) -> str:
    """A row per model: who it is, what it costs, its number, its pictures."""
    columns = 4 if task.what == RECONSTRUCT else MAX_COUNT
    rows, best = [], best_of(entries)
    if task.picture is not None:
        shown = hatched(task.picture, task.unknown(task.picture.width))
        strip = strip_html([png_uri(shown)], columns, ["given picture"], shown.width >= LARGE)
        rows.append(f'<div class="entry"><div class="who"><strong>Given</strong></div>{strip}</div>')
    for entry in entries:
        number = entry.quality
        value = f"<b>{number.words}</b>" if best is not None and number.value == best else number.words
        quality = f"Frechet distance {value}" if number.words else "Frechet distance"
        remark = f", <em>{html.escape(number.remark)}</em>" if number.remark else ""
        facts = " · ".join(filter(None, (size_words(entry.numbers), time_words(entry))))
        more = f"<span>{html.escape(entry.words)}</span>" if entry.words else ""
        link = room_of(entry.weights)
        name = html.escape(entry.title)
        name = f'<a href="{html.escape(link)}">{name}</a>' if link else name
        smooth = bool(entry.pictures) and entry.pictures[0].width >= LARGE
        rows.append(
            f'<div class="entry" data-weights="{html.escape(entry.weights)}" data-state="{entry.state}">'
            f'<div class="who"><strong>{name} <small>{entry.year}</small></strong>'
            f"<span>{html.escape(facts)}</span>{more}<span>{quality}{remark}</span></div>"
            f"{strip_html(entry.uris, columns, picture_words(task), smooth)}</div>"
        )
    return f'<div class="lineup" data-task="{task.what}" aria-busy="{"true" if busy else "false"}">{"".join(rows)}</div>'


def first_sight(data: str) -> list[str]:
    """The rows as the weights' sheets have them, and the line above; no model runs."""
    task = Task(data, SAMPLE, 0, MAX_COUNT, 0.5, 0.5, 0.5, None)
    return [
        lineup_html(task, published(data), busy=False),
        note_html("Made when the weights were published. Compare makes them here and measures how long each model takes."),
    ]


def look_html(data: str, what: str, part: float, x: float, y: float, picture: str) -> str:
    """The given picture with its hole, to be clicked."""
    if what == SAMPLE:
        return ""
    shown = given(data, picture)
    shown = hatched(shown, hole(what, shown.width, part, x, y))
    words = {COMPLETE: "Click where the unknown part begins.", FILL: "Click where the hole is to be."}.get(what, "")
    large = " large" * (shown.width >= LARGE)
    return (
        f'<div class="spot"><img class="picture{large}" src="{png_uri(shown)}" alt="given; striped: unknown"></div>'
        f'<p class="note">{words}</p>'
    )


# ---- handlers ---------------------------------------------------------------------------------------------------------


def looked(data: str, what: str, _seed: float, _count: float, part: float, x: float, y: float, picture: str) -> str:
    """The given picture with its hole after a control has changed."""
    task = task_of(data, what, 0, 1, part, x, y, picture)
    return look_html(task.data, task.what, task.part, task.x, task.y, picture)


def parts_for(data: str, what: str, part: float, x: float, y: float, picture: str) -> list:
    """The controls that a task needs: those of the picture, the given picture, size and place of its hole."""
    return [
        gr.Column(visible=what != SAMPLE), look_html(data, what, part, x, y, picture),
        gr.Slider(value=part, visible=what in (COMPLETE, FILL)),
        *(gr.Slider(value=middle, visible=what == FILL) for middle in (x, y)),
    ]  # fmt: skip


def choose_task(data: str, what: str, _seed: float, _count: float, part: float, x: float, y: float, picture: str) -> list:
    """The controls of another task."""
    task = task_of(data, what, 0, 1, part, x, y, picture)
    return parts_for(task.data, task.what, task.part, task.x, task.y, picture)


def choose_data(data: str, what: str, _seed: float, _count: float, part: float, x: float, y: float) -> list:
    """Another data set: its examples, the first of which is the given picture."""
    task = task_of(data, what, 0, 1, part, x, y, "")
    return [examples_html(task.data), "", *parts_for(task.data, task.what, task.part, task.x, task.y, "")]


def take_example(event: gr.EventData, data: str) -> str:
    """The text of the example that was clicked."""
    count = len(example_pictures(one_of(data, data_sets(), "Data")))
    return f"example {integer(event.index, 0, count - 1, 'Example')}"


def take_upload(data: str, image: PIL.Image.Image | None) -> str:
    """The text of an uploaded picture."""
    if image is None:
        raise gr.Error("Upload a picture first.")
    return as_text(one_of(data, data_sets(), "Data"), image)


def place(event: gr.EventData, what: str, part: float, x: float, y: float) -> list[float]:
    """Size and place of the hole after a click on the given picture."""
    across, down = number(event.x, 0, 1, "Across"), number(event.y, 0, 1, "Down")
    if what == COMPLETE:
        return [round(min(max(1 - down, 0.1), 0.9), 2), x, y]
    return [part, round(across, 2), round(down, 2)] if what == FILL else [part, x, y]


def restored(*controls: Any) -> list:
    """The room as a link or a saved picture describes it; the page then begins by itself."""
    task = task_of(*controls)
    *_, part, x, y, picture = controls
    return [
        lineup_html(task, blank(task), busy=True), "", examples_html(task.data),
        *parts_for(task.data, task.what, part, x, y, picture), f"link {time.time_ns()}",
    ]  # fmt: skip


def digest(controls: Mapping[str, Any]) -> str:
    """The hash of all weights that take part."""
    if controls.get("data") not in data_sets() or controls.get("what", SAMPLE) not in list(VERBS):
        return ""
    names = entrants(controls["data"], controls.get("what", SAMPLE))
    try:
        hashes = [catalog.table().get(name, {}).get("sha256") or catalog.config_of(name)["sha256"] for name in names]
    except catalog.WeightsError:
        return ""  # whoever runs them is told
    return hashlib.sha256(" ".join(map(str, hashes)).encode()).hexdigest()


# ---- one picture to keep ----------------------------------------------------------------------------------------------

WIDTH, MARGIN, COLUMN, GAP = 1280, 28, 290, 4
PAPER, INK, GREY, ACCENT = "#ffffff", "#1c1917", "#57534e", "#3b3a8f"


def entries_seen(controls: tuple) -> tuple[Task, list[Entry]]:
    """What the page shows for the controls: as it was compared, as it was published, or compared now."""
    task = task_of(*controls)
    seen = _results.get(controls)
    if seen is not None:
        return task, seen
    if task.what == SAMPLE and task.seed == 0:
        entries = published(task.data)
        for entry in entries:
            entry.pictures = entry.pictures[: task.count]
        return task, entries
    return task, all_of(task)


def all_of(task: Task) -> list[Entry]:
    """The task done by every model, while somebody waits for it."""
    entries = entries_of(task.data, task.what)
    deque(while_awaited(run(task, entries)), maxlen=0)
    return entries


def poster(*controls: Any) -> list[PIL.Image.Image]:
    """The comparison as one picture with captions, to save."""
    return [drawn(*entries_seen(controls))]


def drawn(task: Task, entries: Sequence[Entry]) -> PIL.Image.Image:
    """Rows of text and pictures on white, 1280 pixels wide."""
    large, medium, small = (PIL.ImageFont.load_default(size) for size in (30, 22, 16))
    room = WIDTH - 2 * MARGIN - COLUMN
    count = max([len(entry.pictures) for entry in entries] + [1])
    side = min((room - (count - 1) * GAP) // count, 160)
    foot = wrapped(footnote(task, entries), small, WIDTH - 2 * MARGIN)
    rows: list[tuple[str, str, list[str], list[PIL.Image.Image]]] = []
    if task.picture is not None:
        rows.append(("Given", "", [], [hatched(task.picture, task.unknown(task.picture.width))]))
    for entry in entries:
        facts = [size_words(entry.numbers), time_words(entry), entry.words]
        quality = f"Frechet distance {entry.quality.words}" if entry.quality.words else "Frechet distance"
        facts += [quality + (f" - {entry.quality.remark}" if entry.quality.remark else "")]
        lines = [line for fact in facts if fact for line in wrapped(fact, small, COLUMN - 20)]
        rows.append((entry.title, str(entry.year), lines, entry.pictures))
    fitted = [[scaled(picture, side) for picture in pictures] for *_, pictures in rows]
    heights = [
        16 + max([30 + 20 * len(lines), *(picture.height for picture in own)])
        for (_, _, lines, _), own in zip(rows, fitted, strict=True)
    ]
    sheet = PIL.Image.new("RGB", (WIDTH, 2 * MARGIN + 60 + sum(heights) + 20 * len(foot) + 10), PAPER)
    brush = PIL.ImageDraw.Draw(sheet)
    brush.text((MARGIN, MARGIN), task.words(), INK, large)
    top = MARGIN + 60
    for (title, year, lines, _), pictures, height in zip(rows, fitted, heights, strict=True):
        brush.line((MARGIN, top - 8, WIDTH - MARGIN, top - 8), "#e7e5e4")
        brush.text((MARGIN, top), title, ACCENT, medium)
        brush.text((MARGIN + medium.getlength(title) + 10, top + 6), year, GREY, small)
        for row, line in enumerate(lines):
            brush.text((MARGIN, top + 30 + 20 * row), line, GREY, small)
        for column, picture in enumerate(pictures):
            sheet.paste(picture, (MARGIN + COLUMN + column * (side + GAP), top))
        top += height
    for row, line in enumerate(foot):
        brush.text((MARGIN, top + 10 + 20 * row), line, GREY, small)
    return sheet


def scaled(picture: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """The picture in a square of ``side``: each pixel a whole number of times as large, or smoothly if it would stay as it is."""
    picture = picture.convert("RGB")
    times = side // picture.width
    return enlarged(picture, times) if times > 1 else picture.resize((side, side), PIL.Image.Resampling.LANCZOS)


def footnote(task: Task, entries: Sequence[Entry]) -> str:
    """What the numbers are."""
    shared = next((entry.quality for entry in entries if entry.quality.protocol and not entry.quality.remark), None)
    words = [told(task, entries)] if any(entry.seconds for entry in entries) else []
    if shared is not None:
        words.append(f"Frechet distance, lower is better: {shared.protocol}")
    return " ".join(words)


def wrapped(text: str, font: Any, width: int) -> list[str]:
    """A text in lines of at most ``width`` pixels."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines


def measured() -> str:
    """A table of the numbers for each data set, with the protocol."""
    parts = []
    for data in data_sets():
        numbers = qualities(entrants(data, SAMPLE))
        rows = [
            f"| {title_of(name, data)} | {number.words or '-'} | {number.real or '-'} | {number.remark} |"
            for name, number in numbers.items()
        ]
        head = "| model | Frechet distance | real pictures against real ones | remark |\n| --- | --- | --- | --- |"
        protocol = next((number.protocol for number in numbers.values() if number.protocol and not number.remark), "")
        parts += [f"**{sets.record(data).title}**", "\n".join([head, *rows]), protocol]
    return "\n\n".join(parts)


# ---- verbs for the API ------------------------------------------------------------------------------------------------


def answers(task: Task) -> list[dict[str, Any]]:
    """What every model made of a task, the oldest first."""
    return [
        {
            "weights": entry.weights, "title": entry.title, "year": entry.year, "parameters": entry.numbers,
            "milliseconds": None if entry.seconds is None else round(1000 * entry.seconds, 2),
            "frechet": entry.quality.value, "remark": entry.quality.remark, "words": entry.words, "pictures": entry.uris,
        }
        for entry in all_of(task)
    ]  # fmt: skip


def sent(data: str, picture: str) -> tuple[str, str]:
    """A data set, by default the first, and a caller's picture as the controls hold it."""
    data = one_of(data or next(iter(data_sets()), ""), data_sets(), "Data")
    example = picture == "" or re.fullmatch(r"example \d{1,3}", str(picture))
    return data, str(picture) if example else as_text(data, sent_picture(picture))


@error_boundary
def compare_sample(data: str = "", seed: int = 7, count: int = 4) -> list[dict]:
    """The same seed through all models of a data set, the oldest first; no data set: the one with the most models.

    count: 1 to 8 pictures of each. Returns for each its weights, title, year, parameters, milliseconds, Frechet distance with a
    remark if that cannot be held against the others', and its pictures as PNG data URIs.
    """
    return answers(task_of(sent(data, "")[0], SAMPLE, seed, count, 0.5, 0.5, 0.5, ""))


@error_boundary
def compare_reconstruct(data: str = "", picture: str = "") -> list[dict]:
    """The same picture through all models that have an encoder. picture: a file in base64 or a data URI, or example 0 to example 7.

    Returns as compare_sample does; the pictures are the reconstruction and a map of its difference.
    """
    data, picture = sent(data, picture)
    return answers(task_of(data, RECONSTRUCT, 0, 1, 0.5, 0.5, 0.5, picture))


@error_boundary
def compare_complete(data: str = "", picture: str = "", part: float = 0.5, seed: int = 7, count: int = 4) -> list[dict]:
    """The lower part of a picture made up by all models that can. part: how much of it, 0.1 to 0.9.

    The others as for compare_reconstruct and compare_sample, and so is what it returns.
    """
    data, picture = sent(data, picture)
    return answers(task_of(data, COMPLETE, seed, count, part, 0.5, 0.5, picture))


@error_boundary
def compare_fill(
    data: str = "", picture: str = "", part: float = 0.5, x: float = 0.5, y: float = 0.5, seed: int = 7, count: int = 4
) -> list[dict]:
    """A square hole in a picture filled by all models that can. part: its side, 0.1 to 0.9 of the picture's.

    x, y: its middle, 0 to 1. The others as for compare_complete, and so is what it returns.
    """
    data, picture = sent(data, picture)
    return answers(task_of(data, FILL, seed, count, part, x, y, picture))


# ---- the room ---------------------------------------------------------------------------------------------------------

SPOT_JS = """element.addEventListener('click', event => {
  const picture = event.target.closest('.spot img');
  if (!picture) return;
  const box = picture.getBoundingClientRect();
  const share = (at, low, size) => Math.min(1, Math.max(0, (at - low) / size));
  trigger('place', {x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height)});
});"""


def room() -> Room:
    """Lay out the widgets."""
    gr.HTML(
        f'<header class="room-header" data-room="{NAME}"><div><h2>{TITLE}</h2><p>{html.escape(SUMMARY)}</p></div></header>'
    )
    known = data_sets()
    rows, words = first_sight(known[0])
    with gr.Row(elem_classes=["room", "in-order"]):
        with gr.Column(scale=3, min_width=280):
            data = gr.Radio([(sets.record(name).title, name) for name in known], value=known[0], label="Data",
                            elem_classes=["chips"])  # fmt: skip
            what = gr.Radio(list(VERBS), value=SAMPLE, label="Task", elem_classes=["chips"])
            with gr.Column(visible=False) as pictured:
                examples = tiles(examples_html(known[0]), elem_classes=["strip"])
                spot = gr.HTML("", js_on_load=SPOT_JS)
                with gr.Accordion("Upload a picture", open=False):
                    upload = CheckedImage(label="Any picture; it is kept small enough for a link", height=180)
                part = gr.Slider(0.1, 0.9, 0.5, step=0.01, label="Unknown part", visible=False)
            seed, dice = seed_row(0)
            with gr.Accordion("More", open=False):
                count = gr.Slider(1, MAX_COUNT, MAX_COUNT, step=1, label="Pictures of each model")
                x = gr.Slider(0, 1, 0.5, step=0.01, label="Hole, across", visible=False)
                y = gr.Slider(0, 1, 0.5, step=0.01, label="Hole, down", visible=False)
            picture = gr.Textbox("", visible="hidden", show_label=False)
        with gr.Column(scale=7, min_width=300):
            with gr.Row(elem_classes=["keep"]):
                go = gr.Button("Compare", variant="primary", elem_classes=["quiet"])
                stop = gr.Button("Stop", variant="stop", elem_classes=["quiet"])
            note = gr.HTML(words, js_on_load=None)
            shown = gr.HTML(rows, js_on_load=None, elem_classes=["result"], min_height=200)
            keep = gr.Row(elem_classes=["keep"])
    begin = starter()
    controls = dict(data=data, what=what, seed=seed, count=count, part=part, x=x, y=y, picture=picture)
    room_ = Room(NAME, controls, digest=digest)
    with keep:
        save_button(room_, poster)
        link_button(room_)
    explanation([], EXPLANATION, measured)

    inputs = list(controls.values())
    own = [pictured, spot, part, x, y]
    comparing = begin.submit(error_boundary(compared), [begin, *inputs], [shown, note], **COMPARING)
    # whoever asks for the next comparison does not wait for the one before
    again = dict(js=BEGIN_JS, cancels=[comparing], api_visibility="private")
    stop.click(cancel, begin, None, **BESIDE)
    gr.on([go.click, seed.submit, count.release], None, None, begin, **again)
    dice.click(None, None, seed, js=ROLL_JS, api_visibility="private").then(None, None, begin, **again)

    def then_begin(event: Any) -> None:
        event.success(None, None, begin, **again)

    then_begin(data.input(error_boundary(choose_data), inputs[:-1], [examples, picture, *own], **QUICK))
    then_begin(what.input(error_boundary(choose_task), inputs, own, **QUICK))
    for chosen_ in (
        examples.pick(error_boundary(take_example), data, picture, **QUICK),
        upload.upload(error_boundary(take_upload), [data, upload], picture, **QUICK),
        spot.place(error_boundary(place), [what, part, x, y], [part, x, y], **QUICK),
    ):
        then_begin(chosen_.success(error_boundary(looked), inputs, spot, **QUICK))
    for slider in (part, x, y):
        slider.input(error_boundary(looked), inputs, spot, **QUICK)
        slider.release(None, None, begin, **again)
    room_.show, room_.shown = restored, [shown, note, examples, *own, begin]
    for verb in (compare_sample, compare_reconstruct, compare_complete, compare_fill):
        gr.api(verb, api_name=verb.__name__, concurrency_id="models")
    return room_

