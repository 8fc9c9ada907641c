"""The room of all models: one seed or one picture through every model of a data set, side by side."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import PIL.Image

from demos._families.comparing import COMPLETE, DRAWN, FILL, KINDS, RECONSTRUCT, SAMPLE, SHARP, Baseline, Task, hatched, hole, work
from demos._kit import shipped
from demos._kit.alone import alone
from demos._kit.checks import number
from demos._kit.faces import own_picture
from demos._kit.fields import Choice, Seed, Slider, SmallPicture
from demos._kit.lineup import BUSY, DONE, PUBLISHED, STOPPED, WAITING, Entry, Lineup, by_turns
from demos._kit.measured import Score, scores
from demos._kit.pictures import to_pil
from demos._kit.plan import Action, Api, Plan, Try, View
from demos._kit.recipes import room_of
from demos._kit.shown import Single
from demos._kit.subjects import Subjects
from demos._kit.widgets import spot
from gen_models import catalog, runtime, sets
from gen_models.sheets import PARTNERS

NAME, TITLE = "compare", "Compare"
SUMMARY = "One seed, or one picture, through all models of a data set side by side, from the oldest to the newest."
MAX_COUNT = 8
FEWEST = 3
"""Rows that a task has at least, unless two models do it; baselines stand beside fewer models."""
FRAME = 0.25
"""Seconds between two frames, unless a model is done."""
EXPLANATION = r"""
Every model of the data set gets the same task: the same seed, or the same picture. Those that need one pass answer at once; those
that write pixel after pixel or take noise off step by step go on by turns, a tenth of a second each, so that nobody waits for the
slowest. The times are those of the computing alone, for all pictures of a row together; loading and waiting are left out. The
parameters are the numbers in the file of the weights, fixed statistics among them. Where only one or two models can do a task,
what one would do without a model stands beside them.

**Reconstruct** squeezes the picture into the model's own description and paints it back. Only models with an encoder can. The
mixtures' description are principal coordinates: the same for all of them, and what straight directions can do. The baselines keep
no more numbers than the models: the pixels of a tiny picture, or the lowest frequencies, as JPEG does.

**Complete** and **Fill in** draw the unknown part $x_u$ given the known part $x_k$, each model in its own way:

$$x_u \sim p(x_u \mid x_k), \qquad \text{mixture: } p(z \mid x_k) = \sum_j \frac{w_j\, p(x_k \mid j)}{\sum_i w_i\, p(x_k \mid i)}\,
\mathcal{N}\!\left(z \mid m_j(x_k), C_j\right)$$

A mixture conditions its Gaussians, exactly, with what its coordinates leave out taken for noise. A variational autoencoder draws
latents given the picture and the unknown part given the latents, in turns. An autoregressive model writes in reading order: known
pixels *after* a hole do not guide it, which **Fill in** shows and **Complete** does not. A diffusion model corrects its guess where
the picture is known, at every step. A model with neither an encoder nor a density, such as a plain adversarial one, can do none
of it.

**Enlarge** shrinks a sharp picture first, so that the result can be held against it: a higher signal-to-noise ratio is nearer to
the true pixels, which is not the same as looking sharper.

**The number.** The Frechet distance between the features of samples and of unseen real pictures, by our own feature network: means
and covariances of both, $\lVert \mu - \mu' \rVert^2 + \mathrm{tr}\left(\Sigma + \Sigma' - 2 (\Sigma \Sigma')^{1/2}\right)$. Lower
is better. It was measured when the weights were published, of samples, whatever is asked for here. Only numbers of as many
pictures, of one size and under one protocol stand beside each other.
"""


# ---- who takes part ---------------------------------------------------------------------------------------------------


def config_of(weights: str) -> dict[str, Any]:
    """The configuration of weights; {} of those on the Hub, from which nothing is fetched for this, and of damaged ones."""
    try:
        return catalog.config_of(weights) if (catalog.WEIGHTS / weights / "config.json").is_file() else {}
    except catalog.WeightsError:
        return {}


def able() -> dict[str, dict[str, list[str]]]:
    """Data set -> task -> weights whose models can do it, the oldest model first; a user's own sets are called as the weights."""

    def age(name: str) -> tuple:
        facts = catalog.about(name.partition("-")[0])
        return facts["year"], facts["paper"], name  # the addresses of two papers of a year are often numbered, too

    found: dict[str, dict[str, list[str]]] = {}
    for name in sorted((name for name in catalog.trained() if name.partition("-")[0] in catalog.names()), key=age):
        model, _, suffix = name.partition("-")
        config = config_of(name)
        data = str(config.get("data", suffix))
        if data in sets.names() and sets.record(data).own:
            data = suffix
        for what, kind in KINDS.items():
            if kind.verb in catalog.methods(model) and kind.scale in (0, config.get("arguments", {}).get("scale")):
                found.setdefault(data, {}).setdefault(what, []).append(name)
    return found


def entrants(data: str, what: str) -> list[str]:
    """The weights that take part in a task, the oldest model first."""
    return able().get(data, {}).get(what, [])


def baselines(what: str, names: Sequence[str]) -> Sequence[Baseline]:
    """What stands beside these weights in a task: nothing, unless they are few."""
    return KINDS[what].baselines if len(names) < FEWEST else ()


def compared() -> dict[str, dict[str, list[str]]]:
    """Data set -> task -> weights, where there is something to compare: two models or three rows; sets of most weights first."""
    found = {
        data: {what: held[what] for what in KINDS if what in held
               if len(held[what]) > 1 or len(held[what]) + len(baselines(what, held[what])) >= FEWEST}
        for data, held in able().items()
    }  # fmt: skip
    counts = {data: len({name for names in held.values() for name in names}) for data, held in found.items()}
    return {data: found[data] for data in sorted(found, key=lambda data: (-counts[data], data)) if counts[data] > 1}


def data_sets() -> dict[str, str]:
    """The data sets that can be chosen -> their titles."""
    return {data: sets.record(data).title for data in compared()}


def is_open() -> bool:
    """Whether there is anything to compare."""
    return bool(compared())


def code_of(weights: str) -> int:
    """How many numbers are in the code that a model makes of a picture; 0: it makes none."""
    return config_of(weights).get("arguments", {}).get("latent_dim", 0)


def entry_of(weights: str, data: str, what: str, score: Score) -> Entry:
    """The row of a model, nothing done yet."""
    model, _, suffix = weights.partition("-")
    about, count, training = catalog.about(model), shipped.numbers_in(weights), config_of(weights).get("training", {})
    facts = ["not here yet" if count is None else f"{count / 1e6:.{1 if count >= 1e5 else 2}f} million parameters"]
    if {"minutes", "hardware"} <= training.keys():
        time_ = f"{training['minutes']:.0f} min" if training["minutes"] >= 0.95 else "less than a minute"
        facts.append(f"trained for {time_} on {training['hardware'].replace(' 1 cores', ' 1 core')}")
    facts += [f"a code of {code_of(weights)} numbers"] if what == RECONSTRUCT and code_of(weights) else []
    title = about["title"] + (f" · {suffix.removeprefix(f'{data}_')}" if suffix != data else "")
    return Entry(weights, title, about["year"], room_of(weights), count, facts, score, 4 * (count or 0))


def entries_of(data: str, what: str) -> list[Entry]:
    """A row for each baseline and each model of a task, nothing done yet."""
    names, kind = entrants(data, what), KINDS[what]
    key, measure = kind.measure
    # a model has the same number at every task
    found = scores(names if kind.scale else list(dict.fromkeys([*entrants(data, SAMPLE), *names])), key, measure)
    first = next((name for name in names if not found[name].remark), "")
    facts = ["no training", *([f"no more than {max(map(code_of, names))} numbers"] if what == RECONSTRUCT else [])]
    rows = []
    for one in baselines(what, names):
        score = scores([first], one.key, measure)[first] if one.key and first else Score(key)
        rows.append(Entry(one.name, one.title, facts=facts, score=score))
    return rows + [entry_of(name, data, what, found[name]) for name in names]


def digest(controls: Mapping[str, Any]) -> str:
    """The hash of all weights that take part."""
    try:
        names = compared()[controls["data"]][controls.get("what", SAMPLE)]
        hashes = [catalog.table().get(name, {}).get("sha256") or catalog.config_of(name)["sha256"] for name in names]
    except (KeyError, TypeError, catalog.WeightsError):
        return ""  # whoever runs them is told
    return hashlib.sha256(" ".join(map(str, hashes)).encode()).hexdigest()


def protocol(entries: Sequence[Entry]) -> str:
    """How the numbers were measured that are compared."""
    return next((entry.score.protocol for entry in entries if entry.score.text and not entry.score.remark), "")


def measured() -> str:
    """A table of the numbers of each task for each data set, with the protocol."""
    parts = []
    for data, title in data_sets().items():
        for what in [what for what in compared()[data] if what == SAMPLE or KINDS[what].scale]:
            entries = [entry for entry in entries_of(data, what) if entry.score.measure]
            rows = [f"| {one.title} | {'' if one.score.remark else one.score.text} | {one.score.remark} |" for one in entries]
            real = next((one.score.real for one in entries if one.score.real and not one.score.remark), "")
            rows += [f"| real pictures | {real} | |"] if real else []
            head = f"| model | {KINDS[what].measure[1]} | remark |\n| --- | --- | --- |"
            parts += [f"**{title}: {what.lower()}**", "\n".join([head, *rows]), protocol(entries)]
    return "\n\n".join(parts)


# ---- verbs ------------------------------------------------------------------------------------------------------------


def lineup(data: str, task: Task, entries: Sequence[Entry], note: str, busy: bool = False) -> Lineup:
    """The rows as they are."""
    drawn = task.what in DRAWN
    title = " · ".join([sets.record(data).title, task.what.lower(), *([f"seed {task.seed}"] if drawn else [])])
    words = ["sample" if task.what == SAMPLE else "completion"] if drawn else ["result", "difference"]
    how = protocol(entries).partition(";")[0]
    note += f" {task.kind.measure[1]}: {how.rstrip('.')}." if how and not busy else ""
    return Lineup(title, entries, task.what, task.given(), words, MAX_COUNT if drawn else 4, busy, note)


def line_up(
    data: str, what: str, seed: int, count: int, part: float, x: float, y: float, picture: PIL.Image.Image | None,
    goes_on: Callable[[], bool] = lambda: True,
) -> Iterator[Lineup]:  # fmt: skip
    """Every model of a data set does the same task; the rows fill by turns, those first that need one pass."""
    names, entries = entrants(data, what), entries_of(data, what)
    shape = max(map(shipped.shape_of, names), key=lambda shape: shape[1])
    task = Task(what, seed, count, part, x, y, picture, shape, max(map(code_of, names)))
    for entry in entries:
        entry.show([PIL.Image.new("L", (8, 8), 128)] * (count if what in DRAWN else 1))
    yield lineup(data, task, entries, "The models take their turns.", busy=True)
    due = time.perf_counter() + FRAME
    slow = {name for name in names if "sample_steps" in catalog.methods(name.partition("-")[0])}
    for done in by_turns(sorted(entries, key=lambda entry: entry.name in slow), partial(work, task), catalog.BUDGET):
        if not goes_on():
            for entry in entries:
                entry.state = STOPPED if entry.state in (WAITING, BUSY) else entry.state
            finished = sum(entry.state == DONE for entry in entries)
            yield lineup(data, task, entries, f"Stopped; {finished} of {len(entries)} models were done.")
            return
        if done or time.perf_counter() > due:
            yield lineup(data, task, entries, "The models take their turns.", busy=True)
            due = time.perf_counter() + FRAME
    pictures = "one picture" if what not in DRAWN or count == 1 else f"{count} pictures"
    note = f"{len(entries)} rows. The times are for {pictures} on {runtime.hardware()}, without loading and waiting."
    yield lineup(data, task, entries, note)


def published(data: str, what: str, seed: int, count: int, part: float, x: float, y: float, picture: None) -> Lineup | None:
    """The samples that the models made when their weights were published; no model runs."""
    if what != SAMPLE or seed:
        return None
    entries = entries_of(data, what)
    for entry in entries:
        entry.state = PUBLISHED
        entry.show(shipped.sheet_tiles(entry.name, count))
    note = "Made when the weights were published. Compare makes them here and measures how long each model takes."
    return lineup(data, Task(what, seed, count, part, x, y, None), entries, note)


def look(what: str, part: float, x: float, y: float, picture: PIL.Image.Image | None) -> Single:
    """The given picture with its hole, to be clicked."""
    shown = picture or PIL.Image.new("L", (8, 8))
    words = {COMPLETE: "Click where the unknown part begins.", FILL: "Click where the hole is to be."}.get(what, "")
    return Single(hatched(shown, hole(what, shown.width, part, x, y)), "given; striped: unknown", note=words)


def place(across: Any, down: Any, what: str) -> dict[str, float]:
    """Size and place of the hole after a click on the given picture."""
    across, down = number(across, 0, 1, "Across"), number(down, 0, 1, "Down")
    if what == COMPLETE:
        return {"part": round(min(max(1 - down, 0.1), 0.9), 2)}
    return {"x": round(across, 2), "y": round(down, 2)} if what == FILL else {}


# ---- the room ---------------------------------------------------------------------------------------------------------


class Tasks(Choice):
    """The task, which stays the same where another data set has it, too."""

    def follow(self, weights, value, *extras, **needs):
        return value if value in compared()[weights] else self.start(weights)


class Given(SmallPicture):
    """The picture of a task; verbs get None for a task that has none."""

    def at_first(self, weights):
        return {"what": offered(weights)["value"]}

    def check(self, weights, value, upload=None, board=None, **needs):
        return None if needs.get("what") == SAMPLE else super().check(weights, value, upload, **needs)


def offered(data: str) -> dict[str, Any]:
    """The tasks as the page has them."""
    found = list(compared().get(data, ()))
    return dict(choices=found, value=next(iter(found), None))


def examples(data: str, what: str = RECONSTRUCT) -> list[PIL.Image.Image]:
    """Pictures of this kind: to enlarge, those held back from training, else samples."""
    if what in KINDS and KINDS[what].scale:
        return next(filter(None, (shipped.sheet_tiles(name, 8, PARTNERS, SHARP) for name in entrants(data, what))), [])
    return next(filter(None, map(shipped.example_pictures, entrants(data, SAMPLE))), [])


def small(data: str, picture: PIL.Image.Image) -> PIL.Image.Image:
    """A visitor's picture as the models that make the largest pictures know theirs."""
    names = {name for held in compared()[data].values() for name in held}
    largest = max(names, key=lambda name: (shipped.shape_of(name)[1], name))
    made = to_pil(shipped.picture_for(largest, own_picture(largest, picture))[0])
    return made if made.width <= SHARP else made.resize((SHARP, SHARP), PIL.Image.Resampling.LANCZOS)


PICTURED = [what for what in KINDS if what != SAMPLE]
PICTURE = "picture: a file in base64 or a data URI, or example 0 to example 7."
ANSWERS = (
    "Returns for each model, the oldest first, its weights, title, year, parameters, milliseconds, Frechet distance with a remark "
    "if that cannot be compared, and its pictures as PNG data URIs."
)


def verb(name: str, what: str, words: str, **defaults: Any) -> Api:
    """A task for callers of the API; without a data set that with the most models does it."""
    return Api(f"compare_{name}", line_up, dict(data="") | defaults, list[dict], f"{words} {ANSWERS}", given=dict(what=what))


PLAN = Plan(
    Subjects(NAME, TITLE, SUMMARY, "data", "Data", data_sets, digest, measured), "", explanation=EXPLANATION,
    fields=dict(
        what=Tasks("Task", options=list(KINDS), of=offered),
        picture=Given("Any picture; it is kept small enough for a link", examples=examples, small=small, needs=("what",),
                      when=("what", PICTURED), columns=8),
        part=Slider("Unknown part", 0.5, low=0.1, high=0.9, when=("what", [COMPLETE, FILL])),
        x=Slider("Hole, across", 0.5, when=("what", [FILL])), y=Slider("Hole, down", 0.5, when=("what", [FILL])),
        seed=Seed(when=("what", DRAWN)),
        count=Slider("Pictures of each model", MAX_COUNT, low=1, high=MAX_COUNT, step=1, live=False, when=("what", DRAWN)),
    ),
    order=["data", "what", "seed", "count", "part", "x", "y", "picture"],
    tour=[
        Try("Press Compare: who is done first, and who is worth the wait?", ""),
        Try("Choose another task: who can do it at all?", "what"),
        Try("Break it: draw new seeds until the best model makes a bad picture.", "seed"),
    ],
    views=[
        View("", line_up, "Compare", keep="Save picture", live=True, sight=published, group="comparing", limit=4),
        View("Given", look, live=True, within="picture", component=spot),
    ],
    actions=[Action(place, ["part", "x", "y"], on=("Given", "place"))],
    api=[
        verb("sample", SAMPLE, "The same seed through all models of a data set.", seed=7, count=4),
        verb("reconstruct", RECONSTRUCT, f"The same picture through all models that have an encoder, with a map of the difference. "
             f"{PICTURE}", picture=""),
        verb("complete", COMPLETE, f"The lower part of a picture, 0.1 to 0.9 of it, made up by all models that can. {PICTURE}",
             picture="", part=0.5, seed=7, count=4),
        verb("fill", FILL, f"A square in a picture, its side 0.1 to 0.9 of the picture's, its middle at x, y, filled by all models "
             f"that can. {PICTURE}", picture="", part=0.5, x=0.5, y=0.5, seed=7, count=4),
    ],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
