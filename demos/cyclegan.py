"""The CycleGAN room: a picture of any shape there and back, the border between before and after, and what a translation hides."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image

from demos._families import translators
from demos._families.translators import THERE, kinds, other, result, steps
from demos._kit.alone import alone
from demos._kit.charts import line_chart
from demos._kit.fields import Seed, Slider
from demos._kit.markup import legend_bar
from demos._kit.pictures import as_tensor, heat, png_uri, reduced, to_pil
from demos._kit.plan import Api, Plan, Try, View
from demos._kit.shipped import shape_of
from demos._kit.shown import Figures, Html
from demos._kit.widgets import compare
from gen_models import Draws, load, runtime

MODEL = "cyclegan"
SMALL = 256
"""Longest side of the pictures of those views that need many translations."""
NOISIEST = 32.0
"""Grey levels of the strongest noise."""
GREYS = (0, 1, 2, 4, 8, 16, 32)
"""Noise of the hidden traces' curve, in grey levels."""
TOP = 64
"""Grey levels of an error that has the brightest colour of its map."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
PROOF = (
    "A good return proves little: a translation can hide traces of the original in details too faint to see, and the way back "
    "reads them. Add a little noise before the way back and watch."
)
EXPLANATION = r"""
Two **generators** translate between two sets of pictures, $G$ from kind $A$ to kind $B$ and $F$ back, without ever seeing the same
picture as both (unpaired data). For each kind, a **discriminator** learns to tell real pictures from translated ones, and the
generators learn to fool it. That alone would allow any picture of the right kind, so a picture translated there and back must
**return** (cycle consistency): $F(G(a))$ should be $a$, and $G(F(b))$ should be $b$. And a picture that is already of the right
kind should stay as it is (identity loss), which keeps the colours.

$$\begin{aligned}
\text{fool:} \quad & \mathbb{E}_a\left[(D_B(G(a)) - 1)^2\right] + \mathbb{E}_b\left[(D_A(F(b)) - 1)^2\right] \\
\text{return:} \quad & +\, 10 \left(\mathbb{E}_a \lVert F(G(a)) - a \rVert_1 + \mathbb{E}_b \lVert G(F(b)) - b \rVert_1\right) \\
\text{stay:} \quad & +\, 5 \left(\mathbb{E}_b \lVert G(b) - b \rVert_1 + \mathbb{E}_a \lVert F(a) - a \rVert_1\right)
\end{aligned}$$

**Any size.** The generators are convolutional, so a picture may have any shape. One of more than 576 x 576 pixels is translated in
overlapping tiles. All tiles are normalised with the statistics of one pass over the entire picture at reduced size, so they agree
where they meet and no seam shows.
"""


# ---- there and back -----------------------------------------------------------------------------------------------------


def with_noise(picture: PIL.Image.Image, sigma: float, seed: int) -> PIL.Image.Image:
    """A picture with Gaussian noise of ``sigma`` grey levels, cut off at black and white, in 256 levels as any picture."""
    if sigma == 0:
        return picture
    noise = Draws(seed, 1).normal(picture.height, picture.width, 3)[0].numpy()
    return PIL.Image.fromarray((np.asarray(picture, np.float32) + sigma * noise).round().clip(0, 255).astype(np.uint8))


def error_map(one: PIL.Image.Image, other: PIL.Image.Image) -> np.ndarray:
    """Absolute difference, (H, W), the mean over the channels, in grey levels."""
    return np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean(axis=2)


def way_back(weights: str, way: str, source: PIL.Image.Image, size: str, sigma: float, seed: int) -> Iterator[Figures]:
    """Translate a picture and translate it back, with noise of so many grey levels in between."""
    small = reduced(source, int(size), shape_of(weights)[0])
    there = small
    for there, done, total in steps(weights, way, small):
        if done < total:
            yield Figures([small, there], ["original", "translation"], note=f"Translating: {done} of {total} passes.")
    there = with_noise(there, sigma, seed)
    words = f"translation to {kinds(weights)[way == THERE]}" + f", with noise of {sigma:g} grey levels" * (sigma > 0)
    for back, done, total in steps(weights, other(way), there):  # noqa: B007
        if done < total:
            yield Figures([small, there], ["original", words], note=f"Translating back: {done} of {total} passes.")
    error = error_map(small, back)
    captions = ["original", words, "the way back", f"error of the way back: {error.mean():.1f} grey levels on average"]
    legend = f'<p class="legend"><span>0 {legend_bar()} {TOP} grey levels or more</span></p>'
    mean = f"On average a channel of a pixel comes back with an error of {error.mean():.1f} of 255 grey levels. {PROOF}"
    yield Figures([small, there, back, heat(error / TOP)], captions, legend, mean)


def cycle(weights: str, way: str, source: PIL.Image.Image, size: str, sigma: float, seed: int) -> Html:
    """The same for callers of the API: the translation, what came back, and the mean error of the return."""
    *_, last = way_back(weights, way, source, size, sigma, seed)
    small, there, back, _ = last.pictures
    return Html("", data=(png_uri(there), png_uri(back), round(float(error_map(small, back).mean()), 3)))


def as_jpeg(picture: PIL.Image.Image, quality: int = 75) -> PIL.Image.Image:
    """A picture after it was saved as JPEG."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    with PIL.Image.open(stream) as image:
        return image.convert("RGB")


def traces(weights: str, way: str, source: PIL.Image.Image, seed: int) -> Iterator[Html]:
    """The error of the way back against what was done to the translation: noise, as a curve that grows, and JPEG."""
    small = reduced(source, SMALL, shape_of(weights)[0])
    there = result(weights, way, small)
    changed = {f"with noise of {grey}" if grey else "as it is": with_noise(there, grey, seed) for grey in GREYS}
    found: list[tuple[str, float, float]] = []
    for words, picture in (changed | {"saved as JPEG of quality 75": as_jpeg(there)}).items():
        back = result(weights, other(way), picture)
        found.append((words, float(error_map(there, picture).mean()), float(error_map(small, back).mean())))
        yield Html(traces_html(found), note=verdict(found) if len(found) == len(changed) + 1 else "")


def traces_html(found: list[tuple[str, float, float]]) -> str:
    """The curve and the numbers."""
    noisy = found[: len(GREYS)]
    lines = [("error of the way back", [row[2] for row in noisy]), ("the noise itself", [row[1] for row in noisy])]
    chart = line_chart([str(grey) for grey in GREYS], lines, "noise in the translation, grey levels", at_least=8)
    rows = "".join(f"<tr><td>{words}</td><td>{damage:.1f}</td><td>{error:.1f}</td></tr>" for words, damage, error in found)
    head = "<tr><td>The translation</td><td>changed by</td><td>error of the return</td></tr>"
    return f'<div class="traces"><div>{chart}</div><table class="facts">{head}{rows}</table></div>'


def verdict(found: list[tuple[str, float, float]]) -> str:
    """In a sentence, whether the return lived on traces that noise wipes out."""
    (_, _, clean), (_, damage, noisy) = found[0], found[GREYS.index(8)]
    numbers = f"Noise that changes the translation by {damage:.1f} grey levels makes the error of the way back "
    if noisy > clean + damage:
        words = "more than the noise itself: the return relied on traces too faint to see, which noise wipes out."
    else:
        words = "no more than the noise itself: this return relies on what is visible, or on traces that survive some noise."
    return f"{numbers}grow by {max(0.0, noisy - clean):.1f}, {words}"


def blocks(weights: str, way: str, source: PIL.Image.Image) -> Iterator[Figures]:
    """Translations with a share of what the residual blocks add, one after the other."""
    small, made = reduced(source, SMALL, shape_of(weights)[0]), []
    for share in SHARES:
        with runtime.forward_pass():
            found = load(weights).translate(as_tensor(small, shape_of(weights)[0]), way != THERE, strength=share)
        made.append(to_pil(found[0]).convert("RGB"))
        yield Figures(list(made), [f"{100 * part:.0f} % of what the blocks add" for part in SHARES[: len(made)]])


def translate(weights: str, way: str, source: PIL.Image.Image, size: str, strength: float) -> Iterator[translators.BeforeAfter]:
    """Translate a picture of any shape."""
    return (yield from translators.translate(weights, way, source, size, strength))


def both(weights: str, way: str, source: PIL.Image.Image, size: str, strength: float) -> Figures:
    """Original and translation side by side."""
    *_, last = translate(weights, way, source, size, strength)
    return Figures([last.before, *last.frames()], last.names)


def migrate(controls: dict[str, Any]) -> dict[str, Any]:
    """Older links may ask for faces as portraits, which the gallery no longer has: they lightened skin and misplaced eyes."""
    if controls.get("weights") != f"{MODEL}-faces2portraits":
        return controls
    gr.Warning("Faces are no longer turned into portraits here; these are paintings and photographs.")
    return controls | {"weights": f"{MODEL}-monet2photo"}


BACK, HIDDEN, INSIDE, PAIR = "The way back", "Hidden traces", "Strength inside the network", "Both side by side"
GROUP = dict(group="translations")
PLAN = Plan(
    MODEL, "monet2photo", explanation=EXPLANATION, migrate=migrate,
    fields=dict(
        way=translators.direction(), source=translators.Source(examples=translators.examples), size=translators.working_size(),
        strength=translators.strength(f"{MODEL}-main"),
        sigma=Slider("Noise before the way back", 0.0, "Standard deviation in grey levels of 255; below 4 it is barely visible.",
                     place=BACK, high=NOISIEST, step=0.5, live=False),
        seed=Seed(place=BACK),
    ),
    tour=[
        Try("Choose another picture, or upload one of your own.", "source"),
        Try("Translate it back: how much of the original returns?", "The way back"),
        Try("Break it: wipe out the traces it has hidden in the picture.", "Hidden traces"),
    ],
    views=[
        View("", translate, live=True, keep="Save picture", component=compare, sight=translators.first_sight, **GROUP),
        View(BACK, way_back, "Translate it back", keep="Save the way back", **GROUP,
             intro="The translation is translated back. Where does the result differ from the original?"),
        View(HIDDEN, traces, "Wipe the traces out", **GROUP,
             intro="A translation lacks details of the original, yet the way back restores them. So it must carry them as faint "
             "patterns ([Chu, Zhmoginov, Sandler 2017](https://arxiv.org/abs/1712.02950)). Noise wipes these out: if the error "
             f"grows by more than the noise, the return relied on them. On a copy of at most {SMALL} pixels."),
        View(INSIDE, blocks, "Blend inside", **GROUP,
             intro="The slider above blends two pictures. Here the blend is in feature space: each of the network's residual "
             "blocks adds something to its input, and only this share of it is added. At 0 % the picture is merely encoded and "
             f"decoded; beyond 100 % the translation is exaggerated. On a copy of at most {SMALL} pixels."),
        View(PAIR, both, "Show both", keep="Save both", **GROUP),
    ],
    api=[
        Api("cyclegan_translate", translate,
            dict(weights="cyclegan-monet2photo", picture="", direction="B to A", strength=1.0, size=512), returns=str,
            names={"picture": "source", "direction": "way"},
            words="Translate a picture of any shape. picture: a picture file in base64 or a data URI; none: the first example. "
            "direction: A to B or B to A; for monet2photo, A is a painting and B a photograph. strength: share of the translation "
            "in every pixel, 0 to 1. size: 256, 512, 768 or 1024; a longer side is reduced to it. Returns a PNG data URI."),
        Api("cyclegan_cycle", cycle,
            dict(weights="cyclegan-monet2photo", picture="", direction="B to A", noise=0.0, seed=0, size=512),
            returns=Any, names={"picture": "source", "direction": "way", "noise": "sigma"},
            words="Translate a picture and translate it back. picture, direction, size: as for cyclegan_translate. noise: standard "
            "deviation of what is added in between, 0 to 32 grey levels; seed: of the noise. Returns the translation with its "
            "noise and what came back, PNG data URIs, and the mean absolute error of the return in grey levels."),
    ],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
