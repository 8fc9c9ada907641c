"""The Pix2Pix room: paint a plan or draw a thing, see the photograph at the end of each stroke, ask the discriminator about it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos._families import drawings, translators
from demos._families.drawings import EMPTY, filled
from demos._kit.alone import alone
from demos._kit.boards import Drawing
from demos._kit.checks import integer
from demos._kit.fields import RESULT, Choice, Field, Hidden, Seed, Slider
from demos._kit.inputs import sent_picture
from demos._kit.markup import legend_bar, picture_html, tiles_html
from demos._kit.pictures import as_tensor, heat, is_empty, png_uri, to_pil
from demos._kit.plan import Action, Api, Plan, Start, Try, View
from demos._kit.shipped import shape_of
from demos._kit.shown import Figures, Html, Rows, Shown, Single, Tiles
from demos._kit.widgets import tiles
from demos._widgets import script
from gen_models import Draws, load, runtime
from gen_models.sets.facades import LABELS

MODEL = "pix2pix"
DRAWN = drawings.DrawingBoard(labels=LABELS)
OFF, ON = NOISE = ("Off", "On")
FEWEST, MOST = 4, 8
"""Results with noise."""
PATCH, STRIDE = 70, 8
"""Side of the patch behind a score, and how far apart patches are, in pixels; the first begins outside, at -23."""
EXPLANATION = r"""
A **generator** $G$, a U-Net, turns a drawing $x$ into a photograph: it halves the resolution again and again, doubles it back, and
at every resolution its *skip connections* pass on what the drawing showed there. The distance to the true photograph $y$ alone
would teach it the average of all photographs that fit, which is blurred. So a **discriminator** $D$ looks at drawing and photograph
together, patch by patch of 70 x 70 pixels, and learns to tell real pairs from generated ones, while $G$ learns to fool it. The
noise $z$ is dropout in the deepest levels; the network learns almost to ignore it, so the results for one drawing differ little.

$$\min_G \max_D \; \mathbb{E}_{x,y}\left[\log D(x, y)\right] + \mathbb{E}_{x,z}\left[\log\left(1 - D(x, G(x, z))\right)\right]
+ \lambda \, \mathbb{E}_{x,y,z}\left[\lVert y - G(x, z) \rVert_1\right]$$
"""


# ---- translating --------------------------------------------------------------------------------------------------------


def translated(weights: str, picture: PIL.Image.Image, rows: Sequence[int | None], seed: int = 0) -> Iterator[Tensor]:
    """A result (C, H, W) in [0, 1] for each row of the seed's noise; None: without noise."""
    model, inputs = load(weights), as_tensor(picture, shape_of(weights)[0])
    for row in rows:
        draws = None if row is None else Draws(seed, 1, first=row, device=runtime.device())
        with runtime.forward_pass():  # one by one: others need not wait for all of them, and their number changes nothing
            result = model.translate(inputs, draws)[0].float().cpu()
        yield result


@dataclass
class Results(Shown):
    """What becomes of a drawing: one result large and, if there are several, all of them under it."""

    pictures: Sequence[PIL.Image.Image]
    """Empty: of an empty board."""
    pick: int = 0
    """Which one is large."""
    note: str = ""

    def html(self) -> str:
        if not self.pictures:
            return '<div class="picture"></div>'
        several = tiles_html(self.pictures, marks={self.pick: "shown"}, columns=min(4, len(self.pictures)), words="result")
        return picture_html(self.pictures[self.pick], "the result") + several * (len(self.pictures) > 1)

    def frames(self):
        if not self.pictures:
            raise gr.Error(EMPTY)
        return [self.pictures[self.pick]]

    def json(self):
        return [png_uri(picture) for picture in self.pictures]


def paint(weights: str, drawing: Drawing, noise: str, count: int, seed: int, pick: int) -> Results:
    """What becomes of the drawing on the board, without noise or with that of a seed."""
    if is_empty(drawing.picture):
        return Results([], note=EMPTY)
    rows, pick = (list(range(count)), min(pick, count - 1)) if noise == ON else ([None], 0)
    said = [drawing.words, "Without noise, a drawing always gives the same result."]
    if noise == ON:
        said[1] = f"{count} results of seed {seed} for the same drawing; click one to see it large."
    if not drawing.text:
        said.append("This drawing has too much detail for a link: neither a link nor a saved picture can bring it back.")
    return Results([to_pil(one) for one in translated(weights, drawing.picture, rows, seed)], pick, " ".join(filter(None, said)))


def first_sight(weights: str) -> Results | None:
    """What the first example is turned into, made when the weights were published."""
    made = translators.shipped(weights)
    return Results(made[:1], note="Paint on the board: the result follows at the end of every stroke.") if made else None


def example_and_result() -> tuple[PIL.Image.Image, PIL.Image.Image] | None:
    """The drawing with which the room opens, and what it is turned into."""
    weights = f"{MODEL}-{PLAN.first}"
    made = translators.shipped(weights)
    return (PLAN.fields["drawing"].first(weights).picture, made[0]) if made else None


def large(weights: str, drawing: Drawing, noise: str, count: int, seed: int, pick: int) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """The drawing, which must not be empty, and the result that is shown large."""
    filled(drawing.picture)
    row = min(pick, count - 1) if noise == ON else None
    (result,) = translated(weights, drawing.picture, [row], seed)
    return drawing.picture, to_pil(result)


def both(weights: str, drawing: Drawing, noise: str, count: int, seed: int, pick: int) -> Figures:
    """The drawing and its result."""
    return Figures(large(weights, drawing, noise, count, seed, pick), ["drawing", "result"])


def choose(index: int, count: int) -> dict[str, int]:
    """One of the several results is shown large."""
    return {"pick": integer(index, 0, count - 1, "Result")}


def with_noise() -> dict[str, str]:
    """Another seed shows nothing unless there is noise."""
    return {"noise": ON}


# ---- looking inside -----------------------------------------------------------------------------------------------------


def judge(weights: str, drawing: Drawing, noise: str, count: int, seed: int, pick: int) -> Html:
    """The discriminator's probabilities over the result and, of an untouched example, over the true photograph."""
    drawn, result = large(weights, drawing, noise, count, seed, pick)
    pictures, partners = {"the result": result}, translators.examples(weights, translators.HOME)
    if 0 <= drawing.example < len(partners):
        pictures["the true photograph"] = partners[drawing.example]
    figures = "".join(judged_figure(weights, drawn, picture, words) for words, picture in pictures.items())
    legend = f'<p class="legend"><span>{legend_bar()} fake, 0 %, to real, 100 %</span></p>'
    return Html(f'<div class="judged"><div class="maps">{figures}</div>{legend}<p class="where">Point at a patch.</p></div>')


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
    over = heat(wide).resize(size, PIL.Image.Resampling.BICUBIC)
    mean = f"<b>{100 * scores.mean():.0f} %</b> real on average over {scores.size} patches"
    data = html.escape(json.dumps(scores.round(3).tolist()), quote=True)
    return (
        f'<figure><div class="map" data-scores="{data}" data-patch="{PATCH * scale:.3f}" data-stride="{STRIDE * scale:.3f}" '
        f'data-words="{words}"><img src="{png_uri(picture)}" alt="{words}">'
        f'<img class="over" src="{png_uri(over)}" alt="probability of being real, patch by patch"><i hidden></i></div>'
        f"<figcaption>{words[0].upper() + words[1:]}: {mean}</figcaption></figure>"
    )


def levels(weights: str, drawing: Drawing) -> Iterator[Rows]:
    """The result without what one level of the U-Net found, and with that alone, level by level, as they come in."""
    model, inputs = load(weights), as_tensor(filled(drawing.picture), shape_of(weights)[0])
    every, side = range(len(model.widths)), shape_of(weights)[1]
    names = [f"{side >> level + 1} × {side >> level + 1}" for level in every]
    rows: list[Tiles] = []
    closings = {"Without one level": [{level} for level in every], "With one level alone": [{*every} - {level} for level in every]}
    for title, closed in closings.items():
        made: list[Tensor] = []
        for part in closed:
            with runtime.forward_pass():
                made.append(model.translate(inputs, closed=part)[0].float().cpu())
            yield Rows([*rows, Tiles(list(made), names, f"{title.lower()}, level", len(names), title=title)])
        rows.append(Tiles(made, names, f"{title.lower()}, level", len(names), title=title))


def spread(weights: str, drawing: Drawing, seed: int) -> Figures:
    """How far eight results with noise differ, pixel by pixel, beside their mean."""
    pictures = torch.stack(list(translated(weights, filled(drawing.picture), range(MOST), seed)))
    away = pictures.std(dim=0, correction=0).mean(dim=0).numpy() * 255
    top = max(1.0, float(away.max()))
    return Figures(
        [to_pil(pictures.mean(dim=0)), heat(away / top)],
        [f"the mean of {MOST} results", f"how far they differ: standard deviation, 0 to {top:.0f} of 255 grey levels"],
        note=f"On average over all pixels, the results of seed {seed} differ by {away.mean():.1f} of 255 grey levels.",
    )


# ---- verbs for the API --------------------------------------------------------------------------------------------------


@dataclass
class Sent(Field):
    """A picture that a caller sends in base64; "": none. Verbs get it as RGB."""

    default: str = ""

    def check(self, weights, value):
        return sent_picture(value) if value else None


def translate(weights: str, picture: PIL.Image.Image | None, seed: int, count: int) -> Results:
    """Turn a drawing into photographs."""
    rows = list(range(count)) or [None]
    return Results([to_pil(one) for one in translated(weights, DRAWN.sent(weights, picture), rows, seed)])


def judge_sent(weights: str, picture: PIL.Image.Image | None, photo: PIL.Image.Image | None) -> Html:
    """How real the discriminator finds each patch of a photo, or of the result, for a drawing."""
    drawing = DRAWN.sent(weights, picture)
    image = drawings.fitted(photo, shape_of(weights)[1]) if photo else to_pil(next(translated(weights, drawing, [None])))
    return Html("", data=patch_map(weights, drawing, image).astype(float).round(4).tolist())


def trace(picture: PIL.Image.Image | None, size: int) -> Single:
    """The line drawing of a photo of one thing on white."""
    return Single(drawings.traced(picture or sent_picture(""), size), "lines")


# ---- the room -----------------------------------------------------------------------------------------------------------

SENT = dict(picture=Sent(), photo=Sent())
PLAN = Plan(
    MODEL, "facades", explanation=EXPLANATION,
    fields=dict(
        noise=Choice("Dropout noise", OFF, "On, as in the paper: several results", RESULT, options=NOISE),
        count=Slider("Results", 6, "with noise", RESULT, low=FEWEST, high=MOST, step=1),
        seed=Seed(place=RESULT),
        pick=Hidden("Result", 0, high=MOST - 1),
        drawing=DRAWN,
    ),
    tour=[
        Try("Paint a window, or take one away.", "drawing"),
        Try("Turn the dropout noise on: what changes?", "noise"),
        Try("Break it: take levels of the U-Net away.", "What each level carries"),
    ],
    views=[
        View("", paint, keep="Save picture", live=True, sight=first_sight, component=partial(tiles, elem_classes=["smooth"])),
        View("The discriminator's eye", judge, "Judge the result", component=partial(gr.HTML, js_on_load=script("patches")),
             intro=f"How real it finds every patch of {PATCH} x {PATCH} pixels, together with the drawing. An unchanged example "
                   "has a true photograph to compare with."),
        View("What each level carries", levels, "Take levels away", component=partial(tiles, elem_classes=["smooth"]),
             intro="The U-Net sees the drawing at every resolution. How does the result change when the decoder lacks what "
             "one level found, and when it gets that level alone? The last one is the bottleneck."),
        View("What the noise changes", spread, "Compare eight results",
             intro="Eight results for the same drawing with dropout noise: their mean, and where they differ."),
        View("Both side by side", both, "Show both", keep="Save both"),
    ],
    actions=[Action(with_noise, ["noise"], on="seed"), Action(choose, ["pick"], on=("", "pick"))],
    api=[
        Api("pix2pix_translate", translate, dict(weights="pix2pix-facades", picture="", seed=0, count=0), returns=list[str],
            fields=SENT | dict(count=Slider("Results", 0, low=0, high=MOST, step=1)),
            words="Turn a drawing into photographs. picture: a picture file in base64 or a data URI; none: the first example. It "
            "is fitted to the square. Facades: a plan in the labels' colours, others become the nearest. Shoes and bags: black "
            "lines on white. count: 0 for the one result without noise, or how many with dropout noise, at most 8. A seed always "
            "gives the same ones. Returns PNG data URIs."),
        Api("pix2pix_judge", judge_sent, dict(weights="pix2pix-facades", picture="", photo=""), returns=list[list[float]],
            fields=SENT,
            words="How real the discriminator finds each patch of 70 x 70 pixels of a photo for a drawing, rows of probabilities. "
            "picture, photo: picture files in base64 or data URIs; without a picture the first example, without a photo the "
            "model's result."),
        Api("pix2pix_trace", trace, dict(picture="", size=128), returns=str,
            fields=SENT | dict(size=Slider("Size", 128, low=32, high=512, step=1)),
            words="The line drawing of a photo of one thing on white, made as the training drawings of shoes and bags were. "
            "picture: a picture file in base64 or a data URI. size: side of the drawing in pixels, 32 to 512. Returns a PNG data "
            "URI."),
    ],
)  # fmt: skip
START = Start("Paint a house", example_and_result)
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
