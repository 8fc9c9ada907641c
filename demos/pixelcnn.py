"""The PixelCNN room, for the plain and the gated model: begin a picture, let them finish it, and see what each pixel cost them."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch

from demos._families import autoregressive
from demos._families.autoregressive import MAX_COUNT, MODES, ORDERED, Growth, complete, nats, surprise_of_board
from demos._families.completions import Board, ClassChoice, MaskBoard, SentMask, SentPicture, as_pixels, mask, shape_of
from demos._kit.alone import alone
from demos._kit.charts import histograms
from demos._kit.checks import integer, number
from demos._kit.fields import MORE, Choice, Seed, Slider, Text
from demos._kit.pictures import png_uri, strip_image
from demos._kit.plan import Action, Api, Plan, Try, View
from demos._kit.running import Cache
from demos._kit.shipped import measures_by_key, sheet_tiles
from demos._kit.shown import Html
from demos._widgets import script
from gen_models import catalog, load, runtime
from gen_models.sets import record

KINDS = {"pixelcnn": "plain", "gated_pixelcnn": "gated"}
"""The models of this room and the word for each."""
SETS = {name: record(name).pictures for name in ("mnist", record("mnist").opposite)}
"""Those whose likelihoods are compared, and what they show."""
SIGHT = "completions.png"
"""In the folder of the weights: the completions of the board that the room opens with, by :func:`write_sight`."""
SEES, OTHERS = "What a pixel sees", "Pictures of another kind"
EXPLANATION = r"""
A picture is read like a page, and every pixel $x_t$ gets a **distribution** over its grey levels given all pixels before it. The
product of these is exactly the probability of the entire picture, its likelihood; training makes the likelihood of the training
pictures as large as it can. To sample, pixel after pixel is drawn from those distributions. A masked convolution, whose kernel is
cut off at the present pixel, gives all of them at once when the picture is known; that is why training is fast and sampling is
slow.

$$p(x) = \prod_{t=1}^{784} p(x_t \mid x_1, \dots, x_{t-1})$$

**A hole with known pixels after it.** In reading order the pixels $x_{\lt t}$ guide $x_t$; known pixels below and to the right do
not. The correct distribution of the hole $h$ given all known pixels $k$ is approximated by drawing several proposals $h_i$ in that
order (from $q$) and weighting each with the likelihood of the entire picture (importance sampling):

$$w_i = \frac{p(h_i, k)}{q(h_i)}, \qquad p(h \mid k) \approx \sum_i \frac{w_i}{\sum_j w_j} \, \delta(h - h_i)$$

**The blind spot.** Stacked masked convolutions never reach some pixels to the upper right, although these come earlier. The gated
model has one stack of convolutions for the rows above and one for the present row, and so it sees them; its gates, $\tanh(a) \odot
\sigma(b)$, decide what passes.
"""
PARADOX = """
A density model should find unusual pictures improbable. Often it does not: a model of clothes may give *digits*, which it has never
seen, a **higher** likelihood than clothes. Most of a digit is black, black pixels cost few bits, and little else has to be paid
for; clothes are full of texture, and every textured pixel costs bits. A likelihood sums over all pixels, so it says how *simple* a
picture is at least as much as what it shows. The other way round the test usually works: a model of digits finds clothes
improbable.
"""


def data_of(weights: str) -> str:
    """``gated_pixelcnn-fashion`` -> ``fashion``."""
    return weights.partition("-")[2]


def example_pictures(weights: str, count: int = 8) -> list[np.ndarray]:
    """Samples of the gallery's other models of the same data, (1, S, S) uint8: pictures that nobody drew."""
    _, side = shape_of(weights)
    return [as_pixels(one.resize((side, side)), 1) for one in sheet_of(data_of(weights), count)]


def sheet_of(data: str, count: int) -> list[PIL.Image.Image]:
    """Samples that a model of these data made when it was published."""
    return next(filter(None, (sheet_tiles(f"{model}-{data}", count) for model in ("dcgan", "vae", *KINDS))), [])


def sight(weights: str, board: Board) -> Growth | None:
    """Completions of the board that the room opens with, made when the weights were published; None for another board."""
    _, side = shape_of(weights)
    first = PLAN.fields["board"].first(weights)
    found = sheet_tiles(weights, 8, SIGHT, side)
    if not found or not (np.array_equal(first.pixels, board.pixels) and np.array_equal(first.hole, board.hole)):
        return None
    pictures = np.stack([np.asarray(one) for one in found])
    note = "Eight ways to complete this board, written when the model was published."
    return Growth(pictures, board.hole, int(board.hole.sum()), indices=tuple(range(len(found))), note=note, done=True)


def write_sight(weights: str) -> None:
    """Write what :func:`sight` shows; when the weights or the samples that are examples have changed."""
    *_, growth = complete(weights, PLAN.fields["board"].first(weights), 8, 1.0, None, 0, ORDERED)
    strip_image(growth.after(growth.steps)).convert("L").save(catalog.WEIGHTS / weights / SIGHT, optimize=True)


def surprise_of_pick(index: int, weights: str, board: Board, label: int | None, run: Growth | None) -> Html:
    """The surprise of the completion that was clicked."""
    return autoregressive.surprise_of_pick(index, weights, label, run if run is not None else sight(weights, board))


# ---- what a pixel sees ------------------------------------------------------------------------------------------------

SEEN, BLIND, FAR, LATER, HERE = (96, 94, 224), (238, 122, 38), (120, 116, 110), (36, 34, 32), (255, 255, 255)


@lru_cache(maxsize=8)
def skeleton(kind: str, arguments: str) -> Any:
    """A model without weights: what it sees depends on its shape alone."""
    with torch.device("meta"):
        return catalog.model_class(kind)(**json.loads(arguments))


def arguments_of(kind: str, data: str, side: int) -> str:
    """The constructor's arguments of the trained weights, or of the recipe where there are none of this size, as JSON."""
    name = f"{kind}-{data}"
    found = catalog.config_of(name)["arguments"] if name in catalog.trained(kind) else {}
    recipes = catalog.model_class(kind).recipes
    return json.dumps(found if found.get("size") == side else recipes.get(data, recipes["mnist"]).arguments | {"size": side})


def sees(weights: str, board: Board, pixel: tuple[int, int]) -> Html:
    """Both models' receptive fields of one pixel, drawn over the board's picture."""
    (row, column), grey = pixel, board.pixels[0]
    side = len(grey)
    before = np.arange(side * side).reshape(side, side) < row * side + column
    figures = []
    for kind in KINDS:
        field = skeleton(kind, arguments_of(kind, data_of(weights), side)).receptive_field(row, column).numpy()
        title = catalog.about(kind)["title"]
        # outside of the rows and columns over which the field extends a pixel is too far away to be in a blind spot
        blind = before & ~field & field.any(axis=1)[:, None] & field.any(axis=0)[None]
        drawn = png_uri(field_picture(grey, field, blind, before, row, column))
        figures.append(
            f'<figure><div class="map"><img src="{drawn}" alt="what the {title} sees for row {row}, column {column}"></div>'
            f"<figcaption><b>{title}</b>: sees {int(field.sum())} of the {int(before.sum())} pixels before it, "
            f"{int(blind.sum())} are in its blind spot, {int((before & ~field & ~blind).sum())} too far away</figcaption></figure>"
        )
    legend = "".join(
        f'<span><i style="background:rgb{colour}"></i>{words}</span>'
        for colour, words in (
            (SEEN, "seen"), (BLIND, "the blind spot: near enough, never seen"), (FAR, "too far away"), (LATER, "not written yet"),
        )
    )  # fmt: skip
    return Html(f'<div class="maps">{"".join(figures)}</div><p class="legend">{legend}</p>')


def field_picture(
    grey: np.ndarray, field: np.ndarray, blind: np.ndarray, before: np.ndarray, row: int, column: int
) -> PIL.Image.Image:
    """The picture (S, S) uint8 coloured by what is seen, the blind spot, what is too far away and what comes later."""
    kinds = [part[..., None] for part in (field, blind, before)]
    colours = np.select(kinds, [np.array(colour, np.float32) for colour in (SEEN, BLIND, FAR)], np.array(LATER, np.float32))
    strength = np.where(before, 0.62, 0.85)[..., None]
    values = strength * colours + (1 - strength) * grey[..., None]
    values[row, column] = HERE
    return PIL.Image.fromarray(values.round().astype(np.uint8))


def look(x: float, y: float, weights: str) -> dict[str, str]:
    """The pixel that was touched, at ``x`` and ``y`` from 0 to 1."""
    _, side = shape_of(weights)
    row, column = (min(side - 1, int(side * number(place, 0, 1, "The place"))) for place in (y, x))
    return {"pixel": f"{row},{column}"}


def pixel_of(weights: str, text: str) -> tuple[int, int]:
    """``15,11`` -> row and column."""
    _, side = shape_of(weights)
    parts = [int(part) if part.isdecimal() and len(part) < 5 else None for part in text.split(",")]
    row, column = (integer(part, 0, side - 1, "The pixel") for part in (parts if len(parts) == 2 else [None, None]))
    return row, column


def touch_map(value: str = "", **settings: Any) -> gr.HTML:
    """A component with a ``.map``; its event ``pick`` carries ``x`` and ``y`` of the place that is touched, 0 to 1."""
    return gr.HTML(value, js_on_load=script("maps"), **settings)


# ---- pictures of another kind -----------------------------------------------------------------------------------------

_measured: Cache[dict[str, list[float]]] = Cache(100)
"""Weights and class -> log-likelihoods of the example pictures; they never change while the program runs."""


def others(weights: str, label: int | None) -> Iterator[Html]:
    """The likelihoods of digits and clothes under the model as histograms, as they come in."""
    model = load(weights)
    count, side = 24 if model.classes and label is None else 64, model.size
    sets = {data: [as_pixels(one.resize((side, side)), 1) for one in sheet_of(data, count)] for data in SETS}
    if not all(sets.values()):
        raise gr.Error("There are no pictures of another kind to compare with: the sample sheets of the other models are missing.")
    found = _measured.get((weights, label))
    if found is None:
        found = {data: [] for data in sets}
        for start in range(0, max(map(len, sets.values())), 2):
            for data, pictures in sets.items():
                if pictures[start : start + 2]:
                    chunk = torch.from_numpy(np.stack(pictures[start : start + 2])).float() / 255
                    with runtime.forward_pass():
                        found[data] += model.log_likelihood(chunk, label=label).cpu().tolist()
            yield compared(weights, found)
        _measured.put((weights, label), found)
    yield compared(weights, found)


def compared(weights: str, found: dict[str, list[float]]) -> Html:
    """Two histograms over the same axis, and in words what they say."""
    own = catalog.config_of(weights)["data"]
    means = {data: sum(values) / len(values) for data, values in found.items()}
    rows = [(f"{len(found[data])} pictures of {SETS[data]}{', its own kind' * (data == own)}", f"{nats(mean)} on average")
            for data, mean in means.items()]  # fmt: skip
    words = ""
    if own in means:
        (other,) = (data for data in means if data != own)
        if means[other] > means[own]:
            words = f"The paradox: it was trained on {SETS[own]} and finds {SETS[other]} likelier."
        else:
            words = f"Here likelihood tells them apart: {SETS[other]} are less likely than the {SETS[own]} it was trained on."
    entry = measures_by_key(weights).get("nll-other")  # real test pictures of the other kind
    if entry:
        rows.append((entry["measure"], f"{entry['value']:.1f} ± {entry['error']:.1f} {entry['unit']}"))
    table = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows)
    chart = histograms({SETS[data]: values for data, values in found.items()}, "log p of the picture, nats (right: likelier)",
                       "log-likelihood of the pictures")  # fmt: skip
    return Html(f"{chart}<table class='facts'>{table}</table><p>{words}</p>")


# ---- verbs of the API -------------------------------------------------------------------------------------------------


def sample(weights: str, seed: int, count: int, temperature: float, label: int | None) -> Iterator[Growth | None]:
    """Write pictures with a PixelCNN or Gated PixelCNN, the likeliest first. A seed always gives the same pictures.

    label: a class by its name or number, for the gated model. Returns PNG data URIs.
    """
    _, side = shape_of(weights)
    board = Board(np.zeros((1, side, side), np.uint8), mask("everything", side))
    return complete(weights, board, count, temperature, label, seed, ORDERED)


def completed(
    weights: str, picture: np.ndarray, unknown: np.ndarray, seed: int, count: int, temperature: float, label: int | None, mode: str
) -> Iterator[Growth | None]:
    """Complete a picture. picture: a picture file in base64 or a data URI, made grey and 28 x 28; none: black.

    unknown: lower half, right half, hole, everything, or 784 zeros and ones, row by row, 1 where a pixel is to be written.
    mode: In reading order, or Weighted proposals. Returns PNG data URIs, the likeliest or weightiest first.
    """
    return complete(weights, Board(picture, unknown), count, temperature, label, seed, mode)


def bits(weights: str, picture: np.ndarray, label: int | None) -> Html:
    """Bits that every pixel of a picture costs, 28 rows of 28; the sum is -log2 of the picture's probability.

    picture: a picture file in base64 or a data URI, made grey and 28 x 28; none: black.
    """
    with runtime.forward_pass():
        found = -load(weights).pixel_log_likelihood(Board(picture, None).picture, label)[0].cpu() / math.log(2)
    return Html("", data=[[round(value, 4) for value in row] for row in found.tolist()])


def migrate(controls: dict) -> dict:
    """Boards of older links do not say that they are grey, 28 x 28."""
    board = controls.get("board")
    return controls | {"board": f"1.28.{board}"} if isinstance(board, str) and board.count(".") == 1 else controls


GIVEN = dict(seed=7, count=4, temperature=1.0, label="any")
SENT = dict(picture=SentPicture("Picture", centre=False, black=True),
            unknown=SentMask("Unknown", names=("lower half", "right half", "hole", "everything")))  # fmt: skip
COMPLETING = dict(group="completions", limit=16)

PLAN = Plan(
    KINDS, "mnist", explanation=EXPLANATION,
    fields=dict(
        board=MaskBoard(
            examples=example_pictures, masks=("lower half", "right half", "hole", "everything", "nothing"),
            upload="A drawing, a digit, a piece of clothing",
        ),
        label=ClassChoice(info="What to write"),
        mode=Choice("A hole with known pixels after it", ORDERED, options=MODES, info="In reading order, a pixel "
                    "depends on those before it; known ones further on do not guide it: an approximation. "
                    "Weighted proposals are better: many are written, and those that fit the entire picture count more."),
        seed=Seed(),
        temperature=Slider("Temperature", 1, "Lower: keeps to more likely pixels", low=0.05, high=2, step=0.05, place=MORE),
        count=Slider("Completions", 8, low=1, high=MAX_COUNT, step=1, place=MORE),
        pixel=Text("The pixel", "15,11", read=pixel_of, kept=False),
    ),
    order=["weights", "board", "count", "temperature", "label", "seed", "mode"],
    tour=[
        Try("Take away the right half and see eight ways to go on.", "board"),
        Try("Measure the board: which pixels surprise the model?", "Surprise"),
        Try("Break it: let it judge pictures of another kind.", OTHERS),
    ],
    views=[
        View("", complete, "Complete", live=True, keep="Save picture", film="Save the growth", scrub="Back to any pixel",
             pace=1 / 25, pick=surprise_of_pick, into="Surprise", sight=sight, **COMPLETING),
        View("Surprise", surprise_of_board, "Measure the board", component=autoregressive.surprise_map,
             intro="How many bits each pixel cost. Click a completion above, or measure the board; then point at a pixel."),
        View(SEES, sees, live=True, component=touch_map,
             intro="Touch a pixel to see which ones each network uses to predict it."),
        View(OTHERS, others, "Compare digits and clothes", **COMPLETING,
             intro="Does the model find pictures of a kind that it was not trained on improbable?\n" + PARADOX),
    ],
    actions=[Action(look, ["pixel"], on=(SEES, "pick"))],
    api=[
        Api("pixelcnn_sample", sample, dict(weights="pixelcnn-mnist") | GIVEN, returns=list[str]),
        Api("pixelcnn_complete", completed, dict(weights="pixelcnn-mnist", picture="", unknown="lower half") | GIVEN
            | dict(mode=ORDERED), returns=list[str], fields=SENT),
        Api("pixelcnn_bits", bits, dict(weights="pixelcnn-mnist", picture="", label="any"), returns=list[list[float]], fields=SENT),
    ],
    migrate=migrate,
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
