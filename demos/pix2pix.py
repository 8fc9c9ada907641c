"""The Pix2Pix room: paint a plan or draw a thing, see the photograph at the end of each stroke, ask the discriminator about it."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos import _room
from demos._room import CheckedImage, Room, as_tensor, chosen, guarded, is_empty, note_html, shape_of, to_pil, whole
from gen_models import Draws, catalog, load, runtime, sets
from gen_models.edges import framed, line_drawing
from gen_models.sets.facades import LABELS as FACADE_LABELS
from gen_models.sheets import INPUTS, PARTNERS, RESULT

MODEL = "pix2pix"
LABELS, LINES, COLOURS = "labels", "lines", "colours"
"""What one draws: areas in the colours of labels, pencil lines, anything."""
PALETTE = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in FACADE_LABELS.values()], np.uint8)
TOLERANCE = 16
"""A colour is outside the palette if one of its channels is further than this from every label's."""
OFF, ON = NOISE = ("Off", "On")
FEWEST, MOST = 4, 8
"""Results with noise."""
PATCH, STRIDE = 70, 8
"""Side of the patch behind a score, and how far apart patches are, in pixels; the first begins outside, at -23."""
TRACE, DRAWING = UPLOADS = ("A photo: trace its lines", "A drawing")
LONGEST = 6000
"""Letters of a drawing that a link can hold."""
LARGEST = 6_000_000
"""Letters of a board that are looked at."""
EMPTY = "The board is empty: draw something, or take an example."
UNKNOWN_BOARD = "The board cannot be read; clear it and begin again."
EXPLANATION = r"""
A **generator** $G$, a U-Net, turns a drawing $x$ into a photograph: it halves the picture again and again, doubles it back, and at
every size its *skip connections* hand over what the drawing showed there. The distance to the true photograph $y$ alone would teach
it the average of all photographs that fit, which is blurred. So a **discriminator** $D$ looks at drawing and photograph together,
patch by patch of 70 x 70 pixels, and learns to tell true pairs from made ones, while $G$ learns to pass. The noise $z$ is dropout
in the deepest levels; the network learns to do nearly without it, so the results for one drawing differ little.

$$\min_G \max_D \; \mathbb{E}_{x,y}\left[\log D(x, y)\right] + \mathbb{E}_{x,z}\left[\log\left(1 - D(x, G(x, z))\right)\right]
+ \lambda \, \mathbb{E}_{x,y,z}\left[\lVert y - G(x, z) \rVert_1\right]$$
"""


# ---- the weights and their examples -----------------------------------------------------------------------------------


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


def kind_of(weights: str | None) -> str:
    """What one draws for these weights."""
    try:
        return sets.record(catalog.config_of(weights or "")["data"]).drawing or (COLOURS if shape_of(weights)[0] == 3 else LINES)
    except (catalog.WeightsError, KeyError):
        return LABELS


def inputs_of(weights: str | None) -> list[PIL.Image.Image]:
    """Held-back drawings to begin with."""
    return _room.kept_pictures(weights, INPUTS, 0)


def partners_of(weights: str | None) -> list[PIL.Image.Image]:
    """The true photographs of these drawings."""
    return _room.kept_pictures(weights, PARTNERS, 2)


def result_of(weights: str | None) -> PIL.Image.Image | None:
    """What the first of these drawings is turned into, made when the weights were published."""
    return next(iter(_room.kept_pictures(weights, RESULT, 1)), None)


# ---- the board --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawing:
    """What is on the board: an RGB picture of the weights' size, and which example it is, -1: none."""

    picture: PIL.Image.Image
    example: int = -1


def pack(weights: str | None, drawing: Drawing) -> str:
    """A drawing as the board takes it."""
    kind, picture = kind_of(weights), drawing.picture
    if kind == LABELS:  # a third as large, and the first one is in the page
        few = PIL.Image.new("P", (1, 1))
        few.putpalette(PALETTE.tobytes())
        picture = picture.convert("RGB").quantize(palette=few, dither=PIL.Image.Dither.NONE)
    return json.dumps({"kind": kind, "picture": _room.png_uri(picture, 9), "example": drawing.example})


def unpack(weights: str, board: Any) -> Drawing:
    """The drawing that the board holds, in the size and the colours of the weights.

    Raises:
        gr.Error: if it is no board.
    """
    try:
        told = json.loads(str(board)[:LARGEST])
        picture, example = told["picture"], told.get("example", -1)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise gr.Error(UNKNOWN_BOARD) from error
    example = int(example) if _room.is_number(example, -1, 7) else -1
    return Drawing(on_board(weights, _room.sent_picture(picture, LARGEST)), example)


def on_board(weights: str, picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture in the size of the weights; with their labels' colours only, grey where they know one channel."""
    channels, side = shape_of(weights)
    if kind_of(weights) == LABELS:
        return snapped(fitted(picture, side, tuple(PALETTE[0].tolist()), PIL.Image.Resampling.NEAREST))[0]
    picture = fitted(picture, side, (255, 255, 255))
    return picture.convert("L").convert("RGB") if channels == 1 else picture


def filled(weights: str, board: Any) -> Drawing:
    """The drawing on the board, which must not be empty."""
    drawing = unpack(known(weights), board)
    if is_empty(drawing.picture):
        raise gr.Error(EMPTY)
    return drawing


def fitted(
    picture: PIL.Image.Image, side: int, ground: tuple[int, int, int],
    method: PIL.Image.Resampling = PIL.Image.Resampling.LANCZOS,
) -> PIL.Image.Image:  # fmt: skip
    """A picture of any shape in the middle of a square, neither cut nor squashed."""
    if picture.size == (side, side):
        return picture
    ratio = side / max(picture.size)
    small = picture.resize(tuple(max(1, round(length * ratio)) for length in picture.size), method)
    square = PIL.Image.new("RGB", (side, side), ground)
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square


def snapped(picture: PIL.Image.Image) -> tuple[PIL.Image.Image, float]:
    """A picture with every pixel in the nearest label's colour, and the share of pixels that were outside the palette."""
    pixels = np.asarray(picture.convert("RGB"))
    found, places = np.unique(pixels.reshape(-1, 3) @ np.array([65536, 256, 1]), return_inverse=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    away = np.abs(colours[:, None] - PALETTE[None].astype(int))
    nearest = (away**2).sum(axis=2).argmin(axis=1)
    outside = away.max(axis=2).min(axis=1) > TOLERANCE
    return PIL.Image.fromarray(PALETTE[nearest][places].reshape(pixels.shape)), float(outside[places].mean())


def first_drawing(weights: str | None) -> Drawing:
    """The first example; without examples, a plan that anyone might draw, or an empty sheet."""
    examples = inputs_of(weights)
    if examples:
        return Drawing(examples[0], 0)
    side = shape_of(weights)[1]
    return Drawing(plan(side) if kind_of(weights) == LABELS else PIL.Image.new("RGB", (side, side), "white"))


def plan(side: int) -> PIL.Image.Image:
    """A house front of four floors, in sixteenths of the side."""
    parts = [("facade", 1, 1, 15, 16), ("cornice", 1, 1, 15, 1.6), ("shop", 2, 13, 9, 16), ("door", 10.5, 12.8, 13, 16)]
    for top in (2.6, 6, 9.4):
        for left in (2.2, 5.6, 9, 12.4):
            parts += [("window", left, top, left + 1.6, top + 2.2), ("sill", left, top + 2.2, left + 1.6, top + 2.5)]
    labels = np.zeros((side, side), int)
    for label, *box in parts:
        left, top, right, bottom = (round(place * side / 16) for place in box)
        labels[top:bottom, left:right] = list(FACADE_LABELS).index(label)
    return PIL.Image.fromarray(PALETTE[labels])


def as_text(drawing: Drawing) -> str:
    """A drawing as few letters for links and saved pictures; "" if they would be too many."""
    if drawing.example >= 0:
        return f"example {drawing.example}"
    stream = io.BytesIO()
    drawing.picture.save(stream, "WEBP", lossless=True, quality=50, method=2)
    text = base64.urlsafe_b64encode(stream.getvalue()).decode()
    return text if len(text) <= LONGEST else ""


def from_text(weights: str, text: str) -> Drawing:
    """The drawing that :func:`as_text` wrote.

    Raises:
        gr.Error: if it is none.
    """
    word, _, number = str(text).partition(" ")
    if word == "example":
        examples = inputs_of(weights)
        index = whole(int(number) if number.isdecimal() and len(number) < 3 else None, 0, max(len(examples) - 1, 0), "Example")
        return Drawing(examples[index], index) if examples else first_drawing(weights)
    picture = _room.sent_picture(text.replace("-", "+").replace("_", "/"), LONGEST)
    return Drawing(on_board(weights, picture))


def from_upload(weights: str, image: PIL.Image.Image | None, how: str) -> tuple[Drawing, str]:
    """An uploaded picture as a drawing, and in words what was done to it."""
    if image is None:
        raise gr.Error("Upload a picture first.")
    kind, (_, side) = kind_of(known(weights)), shape_of(weights)
    if kind == LABELS:
        fit = fitted(image, side, tuple(PALETTE[0].tolist()), PIL.Image.Resampling.NEAREST)
        picture, outside = snapped(fit)
        share = f"{100 * outside:.0f} %" if outside == 0 or outside >= 0.005 else "Less than 1 %"
        words = f"{share} of the pixels had colours outside the palette" + "; each took the nearest label's." * (outside > 0)
        return Drawing(picture), words.rstrip(".") + "."
    if kind == COLOURS:
        return Drawing(on_board(weights, image)), ""
    if chosen(how, UPLOADS, "The picture") == TRACE:
        return Drawing(traced(image, side)), "The lines are found as they were for the training pictures."
    return Drawing(as_lines(image, side)), ""


def traced(image: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """The lines of a photograph, framed and found as for the training pictures."""
    small = image.copy()
    small.thumbnail((1024, 1024))
    lines = line_drawing(framed(small, side))
    if is_empty(lines):
        raise gr.Error("No lines were found in this photo; it works best with one thing on a white ground.")
    return lines


def as_lines(image: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """Somebody's drawing as black lines on white; light lines on a dark ground are turned round."""
    grey = np.asarray(image.convert("L"))
    if np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])) < 128:
        image = PIL.Image.fromarray(255 - grey)
    values = np.asarray(fitted(image.convert("L").convert("RGB"), side, (255, 255, 255)).convert("L"), np.float32)
    if values.max() - values.min() < 16:
        raise gr.Error("The picture is empty: draw or upload something first.")
    values = 255 - (255 - values) * (255 / (255 - values.min()))  # a thin line is pale once it is small
    return PIL.Image.fromarray(values.round().astype(np.uint8)).convert("RGB")


# ---- translating ------------------------------------------------------------------------------------------------------


def translated(weights: str, drawing: Drawing, rows: list[int | None], seed: int) -> Iterator[Tensor]:
    """A result (C, H, W) in [0, 1] for each row of the seed's noise; None: without noise."""
    model, inputs = load(weights), as_tensor(drawing.picture, shape_of(weights)[0])
    for row in rows:
        draws = None if row is None else Draws(seed, 1, first=row, device=runtime.device())
        with runtime.forward_pass():  # one by one: others need not wait for all of them, and their number changes nothing
            result = model.translate(inputs, draws)[0].float().cpu()
        yield result


@dataclass(frozen=True)
class Wish:
    """What a visitor asks for, checked."""

    noisy: bool
    count: int
    seed: int
    pick: int

    @property
    def rows(self) -> list[int | None]:
        """Of each result, its row of noise."""
        return list(range(self.count)) if self.noisy else [None]

    @property
    def row(self) -> int | None:
        """The row of the result that is shown large."""
        return self.pick if self.noisy else None


def wish(noise: str, count: float, seed: float, pick: float) -> Wish:
    """The controls' values, checked.

    Raises:
        gr.Error: with one sentence, if one of them makes no sense.
    """
    noisy, count = chosen(noise, NOISE, "Dropout noise") == ON, whole(count, FEWEST, MOST, "Results")
    return Wish(noisy, count, whole(seed, 0, _room.MAX_SEED, "Seed"), min(whole(pick, 0, MOST - 1, "Result"), count - 1))


def shown(weights: str, drawing: Drawing, wanted: Wish, words: str = "") -> list:
    """The result, the several results, the line under them, the drawing as text and the number of the result shown large."""
    if is_empty(drawing.picture):
        return ['<div class="picture"></div>', "", note_html(EMPTY), as_text(drawing), 0]
    pictures = [to_pil(picture) for picture in translated(weights, drawing, wanted.rows, wanted.seed)]
    text = as_text(drawing)
    tiles = ""
    if wanted.noisy:
        told = f"{wanted.count} results of seed {wanted.seed} for the same drawing; click one to see it large."
        tiles = _room.tiles_html(pictures, marks={wanted.pick: "shown"}, columns=min(4, wanted.count), words="result")
    else:
        told = "Without noise, a drawing always gives the same result."
    lost = "" if text else "This drawing has too much detail for a link: neither a link nor a saved picture can bring it back."
    place = wanted.pick if wanted.noisy else 0
    return [_room.picture_html(pictures[place], "the result"), tiles, note_html(words, told, lost), text, wanted.pick]


# ---- handlers ---------------------------------------------------------------------------------------------------------


def painted(weights: str, board: str, noise: str, count: float, seed: float, pick: float) -> list:
    """:func:`shown` for what is on the board; the board is told of an empty one without a fuss."""
    return shown(weights, unpack(known(weights), board), wish(noise, count, seed, pick))


def reseeded(weights: str, board: str, count: float, seed: float, pick: float) -> list:
    """Other noise, which is switched on for it, and what it makes of the board."""
    return [ON, *painted(weights, board, ON, count, seed, pick)]


def take_result(event: gr.EventData, weights: str, board: str, count: float, seed: float) -> list:
    """:func:`shown` with one of the several results large."""
    index = whole(event.index, 0, whole(count, FEWEST, MOST, "Results") - 1, "Result")
    return shown(weights, filled(weights, board), wish(ON, count, seed, index))


def take_example(event: gr.EventData, weights: str, noise: str, count: float, seed: float, pick: float) -> list:
    """The board with an example on it, and :func:`shown` for it."""
    examples = inputs_of(known(weights))
    index = whole(event.index, 0, len(examples) - 1, "Example")
    drawing = Drawing(examples[index], index)
    return [pack(weights, drawing), *shown(weights, drawing, wish(noise, count, seed, pick))]


def take_upload(
    weights: str, image: PIL.Image.Image | None, how: str, noise: str, count: float, seed: float, pick: float
) -> list:  # fmt: skip
    """The board with an uploaded picture on it, and :func:`shown` for it."""
    drawing, words = from_upload(weights, image, how)
    if is_empty(drawing.picture):
        raise gr.Error("This picture is of one colour only; there is nothing in it to start from.")
    return [pack(weights, drawing), *shown(weights, drawing, wish(noise, count, seed, pick), words)]


def retake_upload(weights: str, image: PIL.Image.Image | None, *rest: Any) -> list:
    """:func:`take_upload` once more after the visitor said what the picture is; nothing if there is none yet."""
    return [gr.skip()] * 6 if image is None else take_upload(weights, image, *rest)


def upload_choice(weights: str | None, value: str = TRACE) -> dict[str, Any]:
    """Settings of the choice between photo and drawing, which only pencil lines leave open."""
    return dict(value=value, visible=kind_of(weights) == LINES)


def upload_words(weights: str | None) -> str:
    """What may be uploaded."""
    return {
        LABELS: "A plan in the colours of the labels; other colours become the nearest label's. It is fitted to the square.",
        LINES: "A thing on white, whose lines are traced, or a line drawing. It is fitted to the square.",
        COLOURS: "A picture of the kind that these weights were trained on. It is fitted to the square.",
    }[kind_of(weights)] + " Links and saved pictures carry the drawing made of it, not the picture itself."


def examples_html(weights: str | None) -> str:
    """The examples to click."""
    return _room.tiles_html(inputs_of(weights), words="example")


def first_sight(weights: str | None) -> str:
    """What the first example is turned into, made when the weights were published."""
    made = result_of(weights)
    return _room.picture_html(made, "the result") if made else ""


def switch(weights: str, before: str, board: str, noise: str, count: float, seed: float, pick: float) -> list:
    """Other weights: their examples, and the visitor's own drawing if they know its like, else their first example."""
    drawing, wanted = first_drawing(known(weights)), wish(noise, count, seed, pick)
    alike = before in catalog.trained(MODEL) and (kind_of(before), shape_of(before)) == (kind_of(weights), shape_of(weights))
    if alike:
        drawn = unpack(before, board)
        if drawn.example < 0 and not is_empty(drawn.picture):
            drawing = drawn
    return [
        pack(weights, drawing), *shown(weights, drawing, wanted), examples_html(weights), gr.Radio(**upload_choice(weights)),
        upload_words(weights), weights, "", "", "",
    ]  # fmt: skip


def restored(weights: str, noise: str, count: float, seed: float, pick: float, drawing: str) -> list:
    """The room as a link or a saved picture describes it."""
    known(weights)
    if drawing:
        drawn = from_text(weights, drawing)
    else:
        gr.Warning("The drawing had too much detail for the link; here is an example instead.")
        drawn = first_drawing(weights)
    result, tiles, note, text, _ = shown(weights, drawn, wish(noise, count, seed, pick))
    return [
        result, tiles, note, pack(weights, drawn), examples_html(weights), gr.Radio(**upload_choice(weights)),
        upload_words(weights), weights, text,
    ]  # fmt: skip


def made(weights: str, noise: str, count: float, seed: float, pick: float, _text: str, board: str) -> list[PIL.Image.Image]:
    """The result that is shown large, to save."""
    drawing, wanted = filled(weights, board), wish(noise, count, seed, pick)
    return [to_pil(picture) for picture in translated(weights, drawing, [wanted.row], wanted.seed)]


def side_by_side(*values: Any) -> list[PIL.Image.Image]:
    """The drawing and its result, to save."""
    weights, *_, board = values
    drawing = filled(weights, board).picture
    return [_room.strip_image([drawing, *(picture.convert("RGB") for picture in made(*values))])]


# ---- the discriminator's eye ------------------------------------------------------------------------------------------


def judged(weights: str, board: str, noise: str, count: float, seed: float, pick: float) -> str:
    """The discriminator's probabilities over the result and, of an untouched example, over the true photograph."""
    drawing, wanted = filled(weights, board), wish(noise, count, seed, pick)
    (result,) = translated(weights, drawing, [wanted.row], wanted.seed)
    pictures = {"the result": to_pil(result)}
    partners = partners_of(weights)
    if 0 <= drawing.example < len(partners):
        pictures["the true photograph"] = partners[drawing.example]
    figures = "".join(judged_figure(weights, drawing.picture, picture, words) for words, picture in pictures.items())
    legend = f'<p class="legend"><span>{_room.legend_bar()} fake, 0 %, to real, 100 %</span></p>'
    return f'<div class="judged"><div class="maps">{figures}</div>{legend}<p class="where">Point at a patch.</p></div>'


def patch_map(weights: str, drawing: PIL.Image.Image, picture: PIL.Image.Image) -> np.ndarray:
    """Probabilities (H', W') that the patches of ``picture`` are of a true photograph of ``drawing``."""
    model, channels = load(weights), shape_of(weights)[0]
    with runtime.forward_pass():
        return model.patch_map(as_tensor(drawing, channels), as_tensor(picture, channels))[0].float().cpu().numpy()


def judged_figure(weights: str, drawing: PIL.Image.Image, picture: PIL.Image.Image, words: str) -> str:
    """A picture with its patch map as translucent heat, and the mean in words."""
    scores = patch_map(weights, drawing, picture)
    scale = 100 / picture.width
    # a score stands in the middle of its patch; beyond the outermost ones the map goes on as it ends
    wide = np.pad(scores, 1, mode="edge")
    size = tuple(STRIDE * length for length in reversed(wide.shape))
    heat = _room.heat(wide).resize(size, PIL.Image.Resampling.BICUBIC)
    told = f"<b>{100 * scores.mean():.0f} %</b> real on average over {scores.size} patches"
    data = html.escape(json.dumps(scores.round(3).tolist()), quote=True)
    return (
        f'<figure><div class="map" data-scores="{data}" data-patch="{PATCH * scale:.3f}" data-stride="{STRIDE * scale:.3f}" '
        f'data-words="{words}"><img src="{_room.png_uri(picture)}" alt="{words}">'
        f'<img class="over" src="{_room.png_uri(heat)}" alt="probability of being real, patch by patch"><i hidden></i></div>'
        f"<figcaption>{words[0].upper() + words[1:]}: {told}</figcaption></figure>"
    )


# ---- what the levels carry, what the noise changes --------------------------------------------------------------------


def levels_view(weights: str, board: str) -> Iterator[str]:
    """The result without what one level of the U-Net found, and with that alone, level by level, as they come in."""
    drawing = filled(weights, board)
    model, inputs = load(weights), as_tensor(drawing.picture, shape_of(weights)[0])
    every = range(len(model.widths))
    side = shape_of(weights)[1]
    names = [f"{side >> level + 1} × {side >> level + 1}" for level in every]
    rows = {"Without one level": [{level} for level in every], "With one level alone": [{*every} - {level} for level in every]}
    found: dict[str, list[PIL.Image.Image]] = {words: [] for words in rows}
    for words, closings in rows.items():
        for closed in closings:
            with runtime.forward_pass():
                result = model.translate(inputs, closed=closed)[0].float().cpu()
            found[words].append(to_pil(result))
            yield "".join(
                f"<p><b>{row}</b></p>" + _room.tiles_html(pictures, names, columns=len(names), words=f"{row.lower()}, level")
                for row, pictures in found.items()
                if pictures
            )


def noise_view(weights: str, board: str, seed: float) -> str:
    """How far eight results with noise differ, pixel by pixel, beside their mean."""
    drawing, wanted = filled(weights, board), wish(ON, MOST, seed, 0)
    pictures = torch.stack(list(translated(weights, drawing, wanted.rows, wanted.seed)))
    spread = pictures.std(dim=0, correction=0).mean(dim=0).numpy() * 255
    top = max(1.0, float(spread.max()))
    figures = "".join(
        f'<figure><div class="map"><img src="{_room.png_uri(image)}" alt="{words}"></div><figcaption>{words}</figcaption></figure>'
        for image, words in (
            (to_pil(pictures.mean(dim=0)), f"the mean of {MOST} results"),
            (_room.heat(spread / top), f"how far they differ: standard deviation, 0 to {top:.0f} of 255 grey levels"),
        )
    )
    told = f"On average over all pixels, the results of seed {wanted.seed} differ by {spread.mean():.1f} of 255 grey levels."
    return f'<div class="maps">{figures}</div>{note_html(told)}'


# ---- verbs for the API ------------------------------------------------------------------------------------------------


def sent_drawing(weights: str, text: Any) -> Drawing:
    """A caller's drawing, in the size and colours of the weights; an empty text is the first example."""
    if not text:
        return first_drawing(weights)
    drawing = Drawing(on_board(weights, _room.sent_picture(text)))
    if is_empty(drawing.picture):
        raise gr.Error("The picture is empty: send one with something on it.")
    return drawing


@guarded
def pix2pix_translate(weights: str = "pix2pix-facades", picture: str = "", seed: int = 0, count: int = 0) -> list[str]:
    """Turn a drawing into photographs. picture: a picture file in base64 or a data URI; none: the first example.

    It is fitted to the square. Facades: a plan in the labels' colours, others become the nearest. Shoes and bags: black lines on
    white. count: 0 for the one result without noise, or how many with dropout noise, at most 8. A seed always gives the same ones.
    Returns PNG data URIs.
    """
    drawing, seed = sent_drawing(known(weights), picture), whole(seed, 0, _room.MAX_SEED, "Seed")
    rows = list(range(whole(count, 0, MOST, "Results"))) or [None]
    return [_room.png_uri(result) for result in translated(weights, drawing, rows, seed)]


@guarded
def pix2pix_judge(weights: str = "pix2pix-facades", picture: str = "", photo: str = "") -> list[list[float]]:
    """How real the discriminator finds each patch of 70 x 70 pixels of a photo for a drawing, rows of probabilities.

    picture, photo: picture files in base64 or data URIs; without a picture the first example, without a photo the model's result.
    """
    drawing = sent_drawing(known(weights), picture)
    if photo:
        image = fitted(_room.sent_picture(photo), shape_of(weights)[1], (255, 255, 255))
    else:
        (result,) = translated(weights, drawing, [None], 0)
        image = to_pil(result)
    return patch_map(weights, drawing.picture, image).astype(float).round(4).tolist()


@guarded
def pix2pix_trace(picture: str = "", size: int = 128) -> str:
    """The line drawing of a photo of one thing on white, made as the training drawings of shoes and bags were.

    picture: a picture file in base64 or a data URI. size: side of the drawing in pixels, 32 to 512. Returns a PNG data URI.
    """
    return _room.png_uri(traced(_room.sent_picture(picture), whole(size, 32, 512, "Size")))


# ---- the room ---------------------------------------------------------------------------------------------------------

BOARD_HTML = """<div class="board painting">
<div class="sheet"><canvas width="256" height="256" aria-label="drawing board"></canvas><i hidden></i></div>
<div class="chips" role="group" aria-label="Label" data-for="labels">THE_LABELS</div>
<div class="chips" role="group" aria-label="Tool">
<button type="button" data-tool="box" data-for="labels colours">Rectangle</button>
<button type="button" data-tool="brush" data-for="labels colours">Brush</button>
<button type="button" data-tool="brush" data-for="lines">Pencil</button>
<button type="button" data-tool="eraser">Eraser</button>
<label data-for="colours">Colour <input type="color" value="#3b3a8f"></label>
<label>Width <input type="range" min="1" max="32" value="1" step="1" aria-label="Width of brush and eraser"></label>
</div>
<div class="chips" role="group" aria-label="Steps">
<button type="button" data-do="undo">Undo</button>
<button type="button" data-do="redo">Redo</button>
<button type="button" data-do="clear">Clear</button>
</div></div>""".replace(
    "THE_LABELS",
    "".join(
        f'<button type="button" data-colour="#{colour}"><i style="background:#{colour}"></i>{name}</button>'
        for name, colour in FACADE_LABELS.items()
    ),
)

BOARD_JS = """const canvas = element.querySelector('canvas'), frame = element.querySelector('.sheet i');
const context = canvas.getContext('2d', {willReadFrequently: true});
const width = element.querySelector('[type=range]'), picker = element.querySelector('[type=color]');
const WIDTHS = {labels: [10, 16], lines: [1, 8], colours: [5, 16]};  // of brush and eraser
let kind = '', text = '', tool = 'brush', colour = '#000000', widths = [1, 8];
let pixels = null, before = null, cover = null, from = null, box = null, grip = null;
const past = [], future = [];
const ground = () => kind === 'labels' ? 'THE_GROUND' : '#ffffff';
const mark = () => {
  element.querySelectorAll('[data-for]').forEach(part => { part.hidden = !part.dataset.for.split(' ').includes(kind); });
  element.querySelectorAll('[data-tool]').forEach(part => part.setAttribute('aria-pressed', part.dataset.tool === tool));
  element.querySelectorAll('[data-colour]').forEach(part => part.setAttribute('aria-pressed', part.dataset.colour === colour));
  element.querySelector('[data-do=undo]').disabled = !past.length;
  element.querySelector('[data-do=redo]').disabled = !future.length;
  width.value = widths[tool === 'eraser' ? 1 : 0];
  width.disabled = tool === 'box';
  frame.hidden = !box;
  if (box) {
    const share = value => 100 * value / canvas.width + '%';
    Object.assign(frame.style, {left: share(box.x), top: share(box.y), width: share(box.w), height: share(box.h)});
  }
};
const show = () => context.putImageData(pixels, 0, 0);
const copy = () => new Uint8ClampedArray(pixels.data);
const room = () => Math.max(8, Math.floor(2 ** 24 / pixels.data.length));
const remember = old => { past.push(old); if (past.length > room()) past.shift(); future.length = 0; };
const tell = () => {
  show(); mark();
  text = JSON.stringify({kind, picture: canvas.toDataURL('image/png'), example: -1});
  props.value = text;
  trigger('stroke');
};
const read = value => {  // what the server put there
  const told = JSON.parse(value), image = new Image();
  text = value;
  image.onload = () => {
    if (text !== value) return;
    const same = pixels && kind === told.kind && canvas.width === image.naturalWidth;
    if (same) remember(copy()); else { past.length = 0; future.length = 0; }
    if (kind !== told.kind) {
      kind = told.kind; widths = [...WIDTHS[kind]];
      tool = kind === 'labels' ? 'box' : 'brush';
      colour = kind === 'labels' ? 'THE_WINDOW' : kind === 'lines' ? '#000000' : picker.value;
    }
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    canvas.dataset.kind = kind;
    context.drawImage(image, 0, 0);
    pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    box = null; from = null; before = null;
    mark();
  };
  image.src = told.picture;
};
const rgb = name => [1, 3, 5].map(at => parseInt(name.slice(at, at + 2), 16));
const put = (i, ink, share) => {
  for (let part = 0; part < 3; part++) pixels.data[i + part] = before[i + part] * (1 - share) + ink[part] * share;
};
// all pixels near the way from a to b; labels have hard edges, a pencil's are soft as in the training drawings
const line = (a, b) => {
  const side = canvas.width, reach = width.value / 2 + 0.9, ink = rgb(tool === 'eraser' ? ground() : colour);
  const dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy || 1;
  const low = value => Math.max(0, Math.floor(value - reach - 1)), high = value => Math.min(side, Math.ceil(value + reach + 1));
  for (let y = low(Math.min(a.y, b.y)); y < high(Math.max(a.y, b.y)); y++)
    for (let x = low(Math.min(a.x, b.x)); x < high(Math.max(a.x, b.x)); x++) {
      const px = x + 0.5 - a.x, py = y + 0.5 - a.y, part = Math.min(1, Math.max(0, (px * dx + py * dy) / square));
      let share = Math.min(1, Math.max(0, reach - Math.hypot(px - part * dx, py - part * dy)));
      if (kind === 'labels') share = share > 0.5 ? 1 : 0;
      const i = side * y + x;
      if (share > cover[i]) { cover[i] = share; put(4 * i, ink, share); }
    }
};
const fill = () => {
  const side = canvas.width, ink = rgb(box.colour);
  pixels.data.set(before);
  for (let y = Math.max(0, box.y); y < Math.min(side, box.y + box.h); y++)
    for (let x = Math.max(0, box.x); x < Math.min(side, box.x + box.w); x++) put(4 * (side * y + x), ink, 1);
};
const place = event => {
  const bounds = canvas.getBoundingClientRect(), scale = canvas.width / bounds.width;
  return {x: (event.clientX - bounds.left) * scale, y: (event.clientY - bounds.top) * scale};
};
const within = at => box && at.x >= box.x && at.x < box.x + box.w && at.y >= box.y && at.y < box.y + box.h;
const move = at => {
  if (tool !== 'box') { line(from, at); from = at; }
  else if (grip) { box.x = Math.round(at.x - grip.x); box.y = Math.round(at.y - grip.y); fill(); }
  else {
    const side = canvas.width, edge = value => Math.min(side, Math.max(0, Math.round(value)));
    const [left, right] = [edge(from.x), edge(at.x)].sort((a, b) => a - b);
    const [top, bottom] = [edge(from.y), edge(at.y)].sort((a, b) => a - b);
    box = {x: left, y: top, w: right - left, h: bottom - top, colour};
    fill();
  }
  show(); mark();
};
let start = null;  // the picture as it was when the pointer came down
canvas.addEventListener('pointerdown', event => {
  if (!event.isPrimary || event.button || !pixels) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  from = place(event); start = copy();
  grip = tool === 'box' && within(from) ? {x: from.x - box.x, y: from.y - box.y} : null;
  if (!grip) { before = copy(); cover = new Float32Array(canvas.width * canvas.height); box = null; }
  if (tool !== 'box') move(from);
});
canvas.addEventListener('pointermove', event => {
  if (from && event.isPrimary) {
    // a quick hand: all the places in between, not the last alone
    const places = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    (tool !== 'box' && places.length ? places : [event]).forEach(each => move(place(each)));
  } else canvas.style.cursor = tool === 'box' && within(place(event)) ? 'move' : 'crosshair';
});
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, event => {
  if (!from || !event.isPrimary) return;
  from = null; grip = null;
  if (box && (box.w < 2 || box.h < 2)) { box = null; pixels.data.set(before); show(); mark(); }
  if (pixels.data.some((value, i) => value !== start[i])) { remember(start); tell(); }
});
const step = (here, there) => {
  if (!here.length) return;
  there.push(copy());
  pixels.data.set(here.pop());
  box = null;
  tell();
};
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (!button || !pixels) return;
  const wanted = button.dataset;
  if (wanted.tool) { tool = wanted.tool; box = null; }
  else if (wanted.colour) { colour = wanted.colour; if (tool === 'eraser') tool = 'brush'; box = null; }
  else if (wanted.do === 'undo') step(past, future);
  else if (wanted.do === 'redo') step(future, past);
  else {
    remember(copy());
    const ink = rgb(ground());
    for (let i = 0; i < pixels.data.length; i += 4) pixels.data.set(ink, i);
    box = null;
    tell();
  }
  mark();
});
width.addEventListener('input', () => { widths[tool === 'eraser' ? 1 : 0] = Number(width.value); });
picker.addEventListener('input', () => { colour = picker.value; if (tool === 'eraser') tool = 'brush'; mark(); });
const arrived = () => { if (props.value && props.value !== text) read(props.value); };
watch('value', arrived);
arrived();""".replace("THE_GROUND", "#" + FACADE_LABELS["background"]).replace("THE_WINDOW", "#" + FACADE_LABELS["window"])

JUDGED_JS = """const at = event => {
  const map = event.target.closest('.map');
  if (!map) return;
  const scores = JSON.parse(map.dataset.scores), patch = Number(map.dataset.patch), stride = Number(map.dataset.stride);
  const bounds = map.getBoundingClientRect();
  // patch number n begins 23 pixels before n strides of 8, and so its middle is at n + 1.5 strides
  const index = (value, size, count) => Math.min(count - 1, Math.max(0, Math.round(100 * value / size / stride - 1.5)));
  const row = index(event.clientY - bounds.top, bounds.height, scores.length);
  const column = index(event.clientX - bounds.left, bounds.width, scores[0].length);
  const frame = map.querySelector('i'), begin = place => (place - 23 / 8) * stride;
  element.querySelectorAll('.map i').forEach(other => { other.hidden = other !== frame; });
  const cut = place => [Math.max(0, begin(place)), Math.min(100, begin(place) + patch)];
  const [left, right] = cut(column), [top, bottom] = cut(row);
  Object.assign(frame.style, {left: left + '%', top: top + '%', width: right - left + '%', height: bottom - top + '%'});
  element.querySelector('.where').textContent =
    `This patch of ${map.dataset.words}: ${(100 * scores[row][column]).toFixed(0)} % real.`;
};
element.addEventListener('pointermove', at);
element.addEventListener('pointerdown', at);"""


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    with gr.Row(elem_classes=["room", "in-order"]):
        with gr.Column(scale=5, min_width=300):
            weights = _room.weights_choice(MODEL, "facades")
        with gr.Column(scale=5, min_width=300):
            examples = _room.tiles(examples_html(weights.value), elem_classes=["strip", "smooth"])
    with gr.Row(elem_classes=["room", "in-order"]):
        with gr.Column(scale=5, min_width=300):
            board = gr.HTML(pack(weights.value, first_drawing(weights.value)), html_template=BOARD_HTML, js_on_load=BOARD_JS)
            with gr.Accordion("Upload a picture", open=False):
                words = gr.Markdown(upload_words(weights.value))
                how = gr.Radio(list(UPLOADS), label="The picture", elem_classes=["chips"], **upload_choice(weights.value))
                upload = CheckedImage(show_label=False, height=180)
        with gr.Column(scale=5, min_width=300):
            result = gr.HTML(first_sight(weights.value), elem_classes=["result"], js_on_load=None, min_height=200)
            start = "Paint on the board: the result follows at the end of every stroke."
            if weights.value is None:
                start = "No weights of this model are here yet; the board has nobody to paint for."
            note = gr.HTML(note_html(start), js_on_load=None)
            tiles = _room.tiles("", elem_classes=["smooth"])
            with gr.Row():
                noise = gr.Radio(list(NOISE), value=OFF, label="Dropout noise", info="On, as in the paper: several results",
                                 elem_classes=["chips"], min_width=140)  # fmt: skip
                count = gr.Slider(FEWEST, MOST, 6, step=1, label="Results", info="with noise", min_width=140)
            seed, dice = _room.seed_row(0)
            pick = gr.Number(0, minimum=0, maximum=MOST - 1, visible="hidden", show_label=False)
            drawing = gr.Textbox(as_text(first_drawing(weights.value)), visible="hidden", show_label=False)
            before = gr.Textbox(weights.value, visible="hidden", show_label=False)
            room_ = Room(MODEL, dict(weights=weights, noise=noise, count=count, seed=seed, pick=pick, drawing=drawing))
            with gr.Row(elem_classes=["keep"]):
                _room.save_button(room_, made, [board])
                _room.save_button(room_, side_by_side, [board], label="Save both", view="pair")
                _room.link_button(room_)
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("The discriminator's eye"):
            gr.Markdown("How real it finds every patch of 70 x 70 pixels, together with the drawing. An example that nobody "
                        "painted on has a true photograph to compare with.")  # fmt: skip
            judge = gr.Button("Judge the result", size="sm", elem_classes=["quiet"])
            eye = gr.HTML("", js_on_load=JUDGED_JS)
        with gr.Tab("What each level carries"):
            gr.Markdown("The U-Net looks at the drawing in every size. What becomes of the result when the decoder is not shown "
                        "what one level found, and when it is shown that level alone? The last one is the bottleneck.")  # fmt: skip
            take_away = gr.Button("Take levels away", size="sm", elem_classes=["quiet"])
            levels = _room.tiles("", elem_classes=["smooth"])
        with gr.Tab("What the noise changes"):
            gr.Markdown("Eight results for the same drawing with dropout noise: their mean, and where they differ.")
            spread = gr.Button("Compare eight results", size="sm", elem_classes=["quiet"])
            differences = gr.HTML("", js_on_load=None)
    _room.explanation(MODEL, EXPLANATION)

    settings, outputs = [noise, count, seed, pick], [result, tiles, note, drawing, pick]
    told = _room.QUICK | dict(show_progress_on=note)
    inputs = [weights, board, *settings]
    board.stroke(guarded(painted), inputs, outputs, **told)
    noise.input(guarded(painted), inputs, outputs, **told)
    count.input(guarded(painted), inputs, outputs, **told)
    again = ([weights, board, count, seed, pick], [noise, *outputs])
    seed.submit(guarded(reseeded), *again, **told)
    dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then(guarded(reseeded), *again, **told)
    tiles.pick(guarded(take_result), [weights, board, count, seed], outputs, **told)
    examples.pick(guarded(take_example), [weights, *settings], [board, *outputs], **told)
    for sent, take in ((upload.upload, take_upload), (how.input, retake_upload)):
        # through the queue: what is refused without it leaves an error in the browser's log
        sent(guarded(take), [weights, upload, how, *settings], [board, *outputs], show_progress_on=result, **_room.HEAVY)
    weights.input(
        guarded(switch), [weights, before, board, *settings],
        [board, *outputs, examples, how, words, before, eye, levels, differences], **_room.HEAVY,
    )  # fmt: skip
    room_.show, room_.shown = restored, [result, tiles, note, board, examples, how, words, before, drawing]
    judge.click(guarded(judged), inputs, eye, **_room.HEAVY)
    take_away.click(guarded(levels_view), [weights, board], levels, **_room.HEAVY)
    spread.click(guarded(noise_view), [weights, board, seed], differences, **_room.HEAVY)
    for verb in (pix2pix_translate, pix2pix_judge, pix2pix_trace):
        gr.api(verb, api_name=verb.__name__, concurrency_id="models")
    return room_
