"""The CycleGAN room: a picture of any shape there and back, the border between before and after, and what a translation hides."""

from __future__ import annotations

import hashlib
import html
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image

from demos import _room
from demos._room import CheckedImage, Room, as_tensor, chosen, guarded, note_html, real, shape_of, to_pil, token, told_size, whole
from gen_models import Draws, catalog, load, runtime, sets
from gen_models.sheets import BACK, INPUTS, PARTNERS, RESULT

MODEL = "cyclegan"
THERE, HOME = WAYS = ("A to B", "B to A")
UPLOAD = "upload"
SIZES = ("256", "512", "768", "1024")
"""Longest sides that larger pictures are reduced to, in pixels."""
SMALL = 256
"""Longest side of the pictures of those views that need many translations."""
TINY = 32
"""The network fills shorter sides up to this."""
NOISIEST = 32.0
"""Grey levels of the strongest noise."""
GREYS = (0, 1, 2, 4, 8, 16, 32)
"""Noise of the hidden traces' curve, in grey levels."""
TOP = 64
"""Grey levels of an error that has the brightest colour of its map."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
KEEP = 16_000_000
"""Pixels of translations that are kept, so that saving and the way back need not make them again."""
TRANSLATING = dict(
    concurrency_id="translations", concurrency_limit=8, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
)
"""Each tile waits for its turn at the door, so that several pictures may be on their way at once.

Whatever asks for the next one cancels the one before: in the other trigger modes the page would wait for it, in vain.
"""
PROOF = (
    "A good return proves little: a translation can hide traces of the original in details that nobody sees, and the way back "
    "reads them. Add a little noise before the way back and watch."
)
EXPLANATION = r"""
Two **generators** translate between two heaps of pictures, $G$ from kind $A$ to kind $B$ and $F$ back, and nobody ever showed them
the same picture as both. A **discriminator** for each kind learns to tell true pictures from translated ones, and the generators
learn to pass. That alone would allow any picture of the right kind, so what went there must **come back**: $F(G(a))$ shall be $a$,
and $G(F(b))$ shall be $b$. And a picture that is already of the right kind shall stay as it is, which keeps the colours.

$$\begin{aligned}
\text{pass:} \quad & \mathbb{E}_a\left[(D_B(G(a)) - 1)^2\right] + \mathbb{E}_b\left[(D_A(F(b)) - 1)^2\right] \\
\text{come back:} \quad & +\, 10 \left(\mathbb{E}_a \lVert F(G(a)) - a \rVert_1 + \mathbb{E}_b \lVert G(F(b)) - b \rVert_1\right) \\
\text{stay:} \quad & +\, 5 \left(\mathbb{E}_b \lVert G(b) - b \rVert_1 + \mathbb{E}_a \lVert F(a) - a \rVert_1\right)
\end{aligned}$$

**Any size.** The generators are convolutions, so a picture may have any shape. One of more than 576 x 576 pixels goes through in
tiles that overlap. All of them are normalised by the statistics of one pass over the whole picture, reduced; so they agree where
they meet, and no seam shows.
"""


# ---- the weights and their examples -----------------------------------------------------------------------------------


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


def data_of(weights: str | None) -> str:
    """The data set of these weights."""
    try:
        return str(catalog.config_of(weights or "")["data"])
    except (catalog.WeightsError, KeyError):
        return ""  # the page opens all the same, and the first click says what is wrong


def kinds_of(weights: str | None) -> tuple[str, str]:
    """The words for the pictures of kind A and B."""
    return sets.record(data_of(weights)).kinds


def way_choice(weights: str | None, value: str | None = None) -> dict[str, Any]:
    """Settings of the choice of the way; without a value, the one to begin with."""
    value = value if value in WAYS else WAYS[sets.record(data_of(weights)).backwards]
    one, other = kinds_of(weights)
    words = (f"{one.capitalize()} to {other}", f"{other.capitalize()} to {one}")
    return dict(choices=list(zip(words, WAYS, strict=True)), value=value)


def names_of(weights: str | None, way: str) -> tuple[str, str]:
    """What the two pictures of a comparison are called."""
    return "Original", f"Translation: {kinds_of(weights)[way == THERE]}"


def examples_of(weights: str | None, way: str) -> list[PIL.Image.Image]:
    """Held-back pictures of the kind that this way begins with."""
    return _room.kept_pictures(weights, INPUTS, 0) if way == THERE else _room.kept_pictures(weights, PARTNERS, 2)


def examples_html(weights: str | None, way: str) -> str:
    """The examples to click."""
    small = [picture.resize((128, 128)) if picture.width > 128 else picture for picture in examples_of(weights, way)]
    return _room.tiles_html([_room.photo_uri(picture) for picture in small], columns=4, words="example")


def first_sight(weights: str | None, way: str) -> str:
    """The first example and its translation, made when the weights were published."""
    made = _room.kept_pictures(weights, RESULT, 1) if way == THERE else _room.kept_pictures(weights, BACK, 3)
    examples = examples_of(weights, way)
    return _room.compared(examples[0], made[0], names_of(weights, way)) if made and examples else ""


def first_note(weights: str | None, way: str) -> str:
    """The line under the first sight."""
    if weights is None:
        return note_html("These weights are not trained yet, so there is nothing to translate with.")
    if not examples_of(weights, way):
        return note_html("There are no examples for these weights: upload a picture.")
    return note_html("Drag the border. An example is translated by a click, a picture of yours once it is uploaded.")


# ---- what a visitor asks for ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """A picture to translate, checked and as large as it goes through."""

    weights: str
    way: str
    picture: PIL.Image.Image
    """RGB."""
    size: tuple[int, int]
    """Width and height of the picture as it came."""
    uploaded: bool = False

    @property
    def key(self) -> tuple:
        """What decides the translation."""
        content = hashlib.sha256(self.picture.tobytes()).hexdigest()
        return catalog.config_of(self.weights)["sha256"], self.way, self.picture.size, content

    @property
    def names(self) -> tuple[str, str]:
        """What the picture and its translation are called."""
        return names_of(self.weights, self.way)

    def home(self, picture: PIL.Image.Image) -> Task:
        """The way back, from a translation."""
        return replace(self, way=THERE if self.way == HOME else HOME, picture=picture)


def task_of(weights: str, way: str, source: str, size: str, upload: PIL.Image.Image | None) -> Task:
    """The controls' values as a task.

    Raises:
        gr.Error: with one sentence, if one of them makes no sense.
    """
    known(weights), chosen(way, WAYS, "Direction")
    side = int(chosen(size, SIZES, "Longest side"))
    uploaded = source == UPLOAD
    picture = upload if uploaded else example_of(weights, way, source)
    if picture is None:
        raise gr.Error("Upload a picture first, or take an example.")
    return Task(weights, way, reduced(picture, side, shape_of(weights)[0]), picture.size, uploaded)


def example_of(weights: str, way: str, source: Any) -> PIL.Image.Image:
    """The picture that ``example 3`` names."""
    examples = examples_of(weights, way)
    if not examples:
        raise gr.Error("There are no examples for these weights: upload a picture.")
    word, _, number = str(source).partition(" ")
    index = int(number) if word == "example" and number.isdecimal() and len(number) < 3 else None
    return examples[whole(index, 0, len(examples) - 1, "Example")]


def reduced(picture: PIL.Image.Image, side: int, channels: int = 3) -> PIL.Image.Image:
    """A picture as the model takes it: no side longer than ``side``, smaller ones as they are, grey where it knows one channel."""
    ratio = side / max(picture.size)
    if ratio < 1:
        small = [max(1, round(length * ratio)) for length in picture.size]
        picture = picture.resize((small[0], small[1]), PIL.Image.Resampling.LANCZOS)
    return (picture.convert("L") if channels == 1 else picture).convert("RGB")


# ---- translating ------------------------------------------------------------------------------------------------------

_made: _room.Kept[tuple[PIL.Image.Image, int]] = _room.Kept(KEEP, lambda made: made[0].width * made[0].height)
"""The latest translations, and the passes that each took."""


def translated(task: Task) -> Iterator[tuple[PIL.Image.Image, int, int]]:
    """The translation, RGB, as far as it has come, the rest as it was; passes done and in all."""
    key = task.key
    kept = _made.get(key)
    if kept is not None:
        yield kept[0], kept[1], kept[1]
        return
    steps = load(task.weights).trajectory(as_tensor(task.picture, shape_of(task.weights)[0]), task.way == HOME)
    while True:
        with runtime.forward_pass():  # one by one: others need not wait for a whole picture
            step = next(steps, None)
        if step is None:
            break
        made, done, total = to_pil(step[0][0]).convert("RGB"), *step[1:]
        yield made, done, total
    _made.put(key, (made, total))


def finished(task: Task) -> PIL.Image.Image:
    """The translation in the end."""
    *_, (made, _, _) = translated(task)
    return made


def told(task: Task, tiles: int) -> str:
    """The line under a finished translation."""
    small = min(task.picture.size) < TINY
    before = f", reduced from {told_size(task.size)}" * (task.picture.size != task.size)
    return note_html(
        f"{told_size(task.picture.size)} pixels{before}.", f"It went through in {tiles} tiles that overlap." * (tiles > 1),
        f"So small a picture is filled up to {TINY} pixels, and little can come of it." * small,
        "Your picture stays here: neither a link nor a saved picture brings it back." * task.uploaded,
    )  # fmt: skip


def translate(weights: str, way: str, source: str, size: str, upload: PIL.Image.Image | None) -> Iterator[list]:
    """The comparison and the line under it, again and again as tiles come in; views of the picture before are cleared."""
    task = task_of(weights, way, source, size, upload)
    words = f"Translating {told_size(task.picture.size)} pixels"
    yield [_room.compared(task.picture, task.picture, task.names, busy=True), note_html(words + "."), *[""] * 4]
    stay = [gr.skip()] * 4
    for made, done, total in translated(task):
        if done < total:
            busy = _room.compared(task.picture, made, task.names, busy=True)
            yield [busy, note_html(f"{words}: {done} of {total} passes."), *stay]
    yield [_room.compared(task.picture, made, task.names), told(task, total - 1), *stay]


# ---- handlers ---------------------------------------------------------------------------------------------------------


def take_example(event: gr.EventData, weights: str, way: str) -> list:
    """An example as the source, in place of an uploaded picture."""
    count = len(examples_of(known(weights), chosen(way, WAYS, "Direction")))
    return [f"example {whole(event.index, 0, count - 1, 'Example')}", token(), None]


def take_upload(upload: PIL.Image.Image | None) -> list:
    """An uploaded picture as the source."""
    if upload is None:
        raise gr.Error("Upload a picture first, or take an example.")
    return [UPLOAD, token()]


def turn(weights: str, way: str, source: str) -> list:
    """The other way: the examples of its kind, and the translation of the same upload or of an example."""
    examples = examples_of(known(weights), chosen(way, WAYS, "Direction"))
    if source == UPLOAD or not examples:
        return [examples_html(weights, way), source, token() if source == UPLOAD else gr.skip()]
    _, _, number = str(source).partition(" ")
    index = min(int(number), len(examples) - 1) if number.isdecimal() else 0  # the kinds may have different numbers of them
    return [examples_html(weights, way), f"example {index}", token()]


def switch(weights: str, source: str, upload: PIL.Image.Image | None) -> list:
    """Other weights: their way to begin with and their examples; an uploaded picture is translated by them."""
    choice = way_choice(known(weights))
    way = choice["value"]
    kept, seen = source == UPLOAD and upload is not None, first_sight(weights, way)
    begin = kept or (not seen and examples_of(weights, way))
    return [
        gr.Radio(**choice), examples_html(weights, way), UPLOAD if kept else "example 0", seen, first_note(weights, way),
        token() if begin else gr.skip(), "", "", "", "",
    ]  # fmt: skip


def restored(weights: str, way: str, source: str, size: str, strength: float, sigma: float, seed: float) -> list:
    """The room as a link or a saved picture describes it; the page then begins to translate by itself."""
    real(strength, 0, 1, "Strength"), noise_of(sigma, seed)
    if source == UPLOAD:
        gr.Warning("This was made of an uploaded picture, which stays with the one who has it; here is an example instead.")
        source = "example 0"
    task = task_of(weights, way, source, size, None)
    return [
        _room.compared(task.picture, task.picture, task.names, busy=True, strength=strength),
        note_html(f"Translating {told_size(task.picture.size)} pixels."), gr.Radio(**way_choice(weights, way)),
        examples_html(weights, way), source, token(),
    ]  # fmt: skip


def blended(
    weights: str, way: str, source: str, size: str, strength: float, _sigma: float, _seed: float, upload: PIL.Image.Image | None
) -> list[PIL.Image.Image]:  # fmt: skip
    """What is seen to the right of the border, to save."""
    task = task_of(weights, way, source, size, upload)
    return [PIL.Image.blend(task.picture, finished(task), real(strength, 0, 1, "Strength"))]


def side_by_side(weights: str, way: str, source: str, size: str, *rest: Any) -> list[PIL.Image.Image]:
    """Original and translation, to save."""
    original = task_of(weights, way, source, size, rest[-1]).picture
    return [_room.strip_image([original, *blended(weights, way, source, size, *rest)])]


# ---- the way back -----------------------------------------------------------------------------------------------------


def noise_of(sigma: float, seed: float) -> tuple[float, int]:
    """Standard deviation of the noise, in grey levels, and its seed, checked."""
    return real(sigma, 0, NOISIEST, "Noise"), whole(seed, 0, _room.MAX_SEED, "Seed")


def with_noise(picture: PIL.Image.Image, sigma: float, seed: int) -> PIL.Image.Image:
    """A picture with Gaussian noise of ``sigma`` grey levels, cut off at black and white, in 256 levels as any picture."""
    if sigma == 0:
        return picture
    noise = Draws(seed, 1).normal(picture.height, picture.width, 3)[0].numpy()
    values = np.asarray(picture, np.float32) + sigma * noise
    return PIL.Image.fromarray(values.round().clip(0, 255).astype(np.uint8))


def error_map(one: PIL.Image.Image, other: PIL.Image.Image) -> np.ndarray:
    """Absolute difference, (H, W), the mean over the channels, in grey levels."""
    return np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean(axis=2)


@dataclass(frozen=True)
class Return:
    """A picture, its translation with or without noise, and what it is translated back to."""

    original: PIL.Image.Image
    there: PIL.Image.Image
    back: PIL.Image.Image

    @property
    def error(self) -> np.ndarray:
        """Of the return, (H, W) grey levels."""
        return error_map(self.original, self.back)

    @property
    def pictures(self) -> list[PIL.Image.Image]:
        """All of it, with the map of the error."""
        return [self.original, self.there, self.back, _room.heat(self.error / TOP)]


def returning(task: Task, sigma: float, seed: int) -> Iterator[Return | str]:
    """There and back; sentences on how far it is, and in the end the return."""
    for there, done, total in translated(task):  # noqa: B007
        if done < total:
            yield f"Translating: {done} of {total} passes."
    noisy = with_noise(there, sigma, seed)
    for back, done, total in translated(task.home(noisy)):  # noqa: B007
        if done < total:
            yield f"Translating back: {done} of {total} passes."
    yield Return(task.picture, noisy, back)


def way_back(
    weights: str, way: str, source: str, size: str, upload: PIL.Image.Image | None, sigma: float, seed: float
) -> Iterator[list]:  # fmt: skip
    """The pictures of the way back, and the line above them."""
    sigma, seed = noise_of(sigma, seed)
    task = task_of(weights, way, source, size, upload)
    for part in returning(task, sigma, seed):
        if isinstance(part, str):
            yield [gr.skip(), note_html(part)]
            continue
        error, kinds = part.error, kinds_of(weights)
        there = f"translation to {kinds[way == THERE]}" + f", with noise of {sigma:g} grey levels" * (sigma > 0)
        captions = ["original", there, "the way back", f"error of the way back: {error.mean():.1f} grey levels on average"]
        legend = f'<p class="legend"><span>0 {_room.legend_bar()} {TOP} grey levels or more</span></p>'
        mean = f"On average a channel of a pixel comes back with an error of {error.mean():.1f} of 255 grey levels."
        yield [figures_html(part.pictures, captions) + legend, note_html(mean, PROOF)]


def figures_html(pictures: Sequence[PIL.Image.Image], captions: Sequence[str]) -> str:
    """Pictures of one shape side by side, with their captions."""
    figures = "".join(
        f'<figure><img src="{_room.photo_uri(picture)}" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for picture, caption in zip(pictures, captions, strict=True)
    )
    return f'<div class="figures{" few" * (pictures[0].width < _room.LARGE)}">{figures}</div>'


def there_and_back(
    weights: str, way: str, source: str, size: str, _strength: float, sigma: float, seed: float, upload: PIL.Image.Image | None
) -> list[PIL.Image.Image]:  # fmt: skip
    """The pictures of the way back in a row, to save."""
    *_, last = returning(task_of(weights, way, source, size, upload), *noise_of(sigma, seed))
    return [_room.strip_image(last.pictures)]


# ---- hidden traces ----------------------------------------------------------------------------------------------------


def as_jpeg(picture: PIL.Image.Image, quality: int = 75) -> PIL.Image.Image:
    """A picture after it was saved as JPEG."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    with PIL.Image.open(stream) as image:
        return image.convert("RGB")


@dataclass(frozen=True)
class Trace:
    """What became of a return after something was done to the translation; errors in grey levels."""

    words: str
    damage: float
    """How much the translation was changed."""
    error: float
    """How far the way back is from the original."""


def traces(weights: str, way: str, source: str, upload: PIL.Image.Image | None, seed: float) -> Iterator[str]:
    """The error of the way back against the noise in the translation, as a curve that grows."""
    _, seed = noise_of(0, seed)
    task = task_of(weights, way, source, str(SMALL), upload)
    there = finished(task)
    changed = {f"with noise of {grey}": with_noise(there, grey, seed) for grey in GREYS}
    changed |= {"saved as JPEG of quality 75": as_jpeg(there)}
    found: list[Trace] = []
    for words, picture in changed.items():
        back = finished(task.home(picture))
        found.append(Trace(words, float(error_map(there, picture).mean()), float(error_map(task.picture, back).mean())))
        yield traces_html(found, len(found) == len(changed))


def traces_html(found: Sequence[Trace], done: bool) -> str:
    """The curve, the numbers and, in the end, what they say."""
    rows = "".join(
        f"<tr><td>{html.escape(trace.words if trace.damage else 'as it is')}</td><td>{trace.damage:.1f}</td>"
        f"<td>{trace.error:.1f}</td></tr>"
        for trace in found
    )
    head = "<tr><td>The translation</td><td>changed by</td><td>error of the return</td></tr>"
    return (
        f'<div class="traces" aria-busy="{"false" if done else "true"}"><div>{curve(found[: len(GREYS)])}</div>'
        f'<table class="facts">{head}{rows}</table></div><p>{verdict(found) if done else ""}</p>'
    )


def verdict(found: Sequence[Trace]) -> str:
    """In a sentence, whether the return lived on traces that noise wipes out."""
    clean, noisy = found[0], found[GREYS.index(8)]
    numbers = f"Noise that changes the translation by {noisy.damage:.1f} grey levels makes the error of the way back "
    if noisy.error > clean.error + noisy.damage:
        return (
            f"{numbers}grow by {noisy.error - clean.error:.1f}, more than the noise itself: the return lived on traces that nobody "
            "sees and that noise wipes out."
        )
    return (
        f"{numbers}grow by {max(0.0, noisy.error - clean.error):.1f}, no more than the noise itself: this return lives on what "
        "one sees, or on traces that bear some noise."
    )


def curve(found: Sequence[Trace]) -> str:
    """Errors over the noise as an SVG: those of the way back, and the noise itself."""
    width, height, left, base = 640, 240, 44, 200
    top = max(8.0, *(max(trace.error, trace.damage) for trace in found))

    def place(index: int, value: float) -> str:
        return f"{left + index * (width - left - 20) / (len(GREYS) - 1):.1f},{base - value / top * (base - 16):.1f}"

    lines = "".join(
        f'<polyline class="{kind}" points="{" ".join(place(index, value) for index, value in enumerate(values))}"/>'
        for kind, values in (("set1", [trace.damage for trace in found]), ("set0", [trace.error for trace in found]))
    )
    dots = "".join(
        f'<circle class="set0" cx="{x}" cy="{y}" r="4"/>'
        for x, y in (place(index, trace.error).split(",") for index, trace in enumerate(found))
    )
    marks = "".join(
        f'<text x="{place(index, 0).split(",")[0]}" y="{base + 18}" text-anchor="middle">{grey}</text>'
        for index, grey in enumerate(GREYS)
    )
    scale = "".join(
        f'<text x="{left - 6}" y="{float(place(0, value).split(",")[1]) + 4:.1f}" text-anchor="end">{value:.0f}</text>'
        for value in (0, top / 2, top)
    )
    return (
        f'<svg class="histograms" viewBox="0 0 {width} {height}" role="img" aria-label="error of the way back over the noise">'
        f'<line x1="{left}" x2="{width - 20}" y1="{base}" y2="{base}"/>{lines}{dots}{marks}{scale}'
        f'<text x="{(width + left) / 2}" y="{height - 4}" text-anchor="middle">noise in the translation, grey levels</text></svg>'
        '<p class="legend"><span><i class="set0"></i>error of the way back</span>'
        '<span><i class="set1"></i>the noise itself</span></p>'
    )


# ---- strength inside the network --------------------------------------------------------------------------------------


def blocks_view(weights: str, way: str, source: str, upload: PIL.Image.Image | None) -> Iterator[str]:
    """Translations with a share of what the residual blocks add, one after the other."""
    task = task_of(weights, way, source, str(SMALL), upload)
    model, inputs = load(weights), as_tensor(task.picture, shape_of(weights)[0])
    pictures = []
    for share in SHARES:
        with runtime.forward_pass():
            made = model.translate(inputs, way == HOME, strength=share)
        pictures.append(to_pil(made[0]).convert("RGB"))
        captions = [f"{100 * part:.0f} % of what the blocks add" for part in SHARES[: len(pictures)]]
        yield figures_html(pictures, captions)


# ---- verbs for the API ------------------------------------------------------------------------------------------------


def task_for(weights: str, picture: str, direction: str, size: int) -> Task:
    """A caller's picture, a data URI or plain base64 of a picture file, as a task; an empty text is the first example."""
    upload = _room.sent_picture(picture) if picture else None
    return task_of(weights, direction, UPLOAD if picture else "example 0", str(size), upload)


@guarded
def cyclegan_translate(
    weights: str = "cyclegan-monet2photo", picture: str = "", direction: str = "B to A", strength: float = 1.0, size: int = 512
) -> str:  # fmt: skip
    """Translate a picture of any shape. picture: a picture file in base64 or a data URI; none: the first example.

    direction: A to B or B to A; for monet2photo, A is a painting and B a photograph. strength: share of the translation in every
    pixel, 0 to 1. size: 256, 512, 768 or 1024; a longer side is reduced to it. Returns a PNG data URI.
    """
    share, task = real(strength, 0, 1, "Strength"), task_for(weights, picture, direction, size)
    return _room.png_uri(PIL.Image.blend(task.picture, finished(task), share))


@guarded
def cyclegan_cycle(
    weights: str = "cyclegan-monet2photo", picture: str = "", direction: str = "B to A", noise: float = 0.0, seed: int = 0,
    size: int = 512,
) -> tuple[str, str, float]:  # fmt: skip
    """Translate a picture and translate it back. picture, direction, size: as for cyclegan_translate.

    noise: standard deviation of what is added in between, 0 to 32 grey levels; seed: of the noise. Returns the translation with its
    noise and what came back, PNG data URIs, and the mean absolute error of the return in grey levels.
    """
    level, seed = noise_of(noise, seed)
    *_, found = returning(task_for(weights, picture, direction, size), level, seed)
    return _room.png_uri(found.there), _room.png_uri(found.back), round(float(found.error.mean()), 3)


# ---- the room ---------------------------------------------------------------------------------------------------------

VIEW = "cyclegan-view"
STRENGTH_JS = f"""(value) => {{
  document.querySelector('#{VIEW} .frame')?.style.setProperty('--strength', value);
}}"""


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=4, min_width=300):
            weights = _room.weights_choice(MODEL, "monet2photo")
            first = way_choice(weights.value)
            way = gr.Radio(label="Direction", elem_classes=["chips"], **first)
            examples = _room.tiles(examples_html(weights.value, way.value), elem_classes=["smooth"])
            upload = CheckedImage(label="Your picture, of any shape", height=170)
            with gr.Accordion("Working size", open=False):
                size = gr.Radio(
                    list(SIZES), value="512", label="Longest side, pixels", elem_classes=["chips"],
                    info="Larger pictures are reduced to it, smaller ones go through as they are. Large ones take a while.",
                )  # fmt: skip
        with gr.Column(scale=6, min_width=300):
            view = _room.compare(first_sight(weights.value, way.value), elem_id=VIEW, min_height=160)
            note = gr.HTML(first_note(weights.value, way.value), js_on_load=None)
            strength = gr.Slider(
                0, 1, 1, step=0.01, label="Strength",
                info="A blend in image space: this share of every pixel is the translation, the rest the original.",
            )  # fmt: skip
            keep = gr.Row(elem_classes=["keep"])
    source = gr.Textbox("example 0", visible="hidden", show_label=False)
    begin, begin_back = _room.starter(), _room.starter()
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("The way back"):
            gr.Markdown("The translation is translated back. Where does what comes back differ from the original?")
            with gr.Row():
                sigma = gr.Slider(
                    0, NOISIEST, 0, step=0.5, label="Noise before the way back", min_width=200,
                    info="Standard deviation in grey levels of 255; below 4 it is hardly seen.",
                )  # fmt: skip
                with gr.Column(min_width=200):
                    seed, dice = _room.seed_row(0)
            back_row = gr.Row(elem_classes=["keep"])
            back_note = gr.HTML("", js_on_load=None)
            returned = gr.HTML("", js_on_load=None)
        with gr.Tab("Hidden traces"):
            gr.Markdown(
                "A translation lacks details of the original, yet the way back restores them. So it must carry them as faint "
                "patterns ([Chu, Zhmoginov, Sandler 2017](https://arxiv.org/abs/1712.02950)). Noise wipes these out: if the error "
                f"grows by more than the noise, the return lived on them. On a copy of at most {SMALL} pixels."
            )
            wipe = gr.Button("Wipe the traces out", size="sm", elem_classes=["quiet"])
            hidden = gr.HTML("", js_on_load=None)
        with gr.Tab("Strength inside the network"):
            gr.Markdown(
                "The slider above blends two pictures. Here the blend is in feature space: each of the network's residual blocks "
                "adds what it found to what came in, and only a share of that is added. At 0 % the picture is taken apart and put "
                f"together again; beyond 100 % it is overdone. On a copy of at most {SMALL} pixels."
            )
            share = gr.Button("Blend inside", size="sm", elem_classes=["quiet"])
            blends = gr.HTML("", js_on_load=None)
    room_ = Room(MODEL, dict(weights=weights, way=way, source=source, size=size, strength=strength, sigma=sigma, seed=seed))
    with keep:
        stop = gr.Button("Stop", variant="stop", size="sm", elem_classes=["quiet"])
        _room.save_button(room_, blended, [upload])
        _room.save_button(room_, side_by_side, [upload], label="Save both", view="pair")
        _room.link_button(room_)
    with back_row:
        back = gr.Button("Translate it back", size="sm", elem_classes=["quiet"])
        halt = gr.Button("Stop the way back", variant="stop", size="sm", elem_classes=["quiet"])
        _room.save_button(room_, there_and_back, [upload], label="Save the way back", view="back")
    _room.explanation(MODEL, EXPLANATION)

    picture, views = [weights, way, source, size, upload], [returned, back_note, hidden, blends]
    inputs, outputs = [*picture, sigma, seed], [returned, back_note]
    run = begin.submit(guarded(_room.haltable(translate)), [begin, *picture], [view, note, *views], **TRANSLATING)
    backs = [
        begin_back.submit(guarded(way_back), inputs, outputs, **TRANSLATING),
        wipe.click(guarded(traces), [weights, way, source, upload, seed], hidden, **TRANSLATING),
        share.click(guarded(blocks_view), [weights, way, source, upload], blends, **TRANSLATING),
    ]
    again = dict(js=_room.BEGIN_JS, cancels=backs[:1], api_visibility="private")
    gr.on([back.click, sigma.release, seed.submit], None, None, begin_back, **again)
    dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then(None, None, begin_back, **again)
    # whoever asks for the next picture does not wait for the one before; the page goes through the listeners one by one
    for asked in (examples.pick, upload.upload, way.input, size.input, weights.input):
        asked(None, None, None, cancels=[run, *backs], api_visibility="private")
    examples.pick(guarded(take_example), [weights, way], [source, begin, upload], **_room.QUICK)
    # what cannot be read does not stay
    upload.upload(guarded(take_upload), upload, [source, begin], **_room.QUICK).failure(
        None, None, upload, js="() => null", api_visibility="private"
    )
    way.input(guarded(turn), [weights, way, source], [examples, source, begin], **_room.QUICK)
    size.input(None, None, begin, js=_room.BEGIN_JS, api_visibility="private")
    weights.input(
        guarded(switch), [weights, source, upload], [way, examples, source, view, note, begin, *views], **_room.QUICK
    )  # fmt: skip
    strength.change(None, strength, None, js=STRENGTH_JS, api_visibility="private")
    _room.stops(stop, VIEW, note, "Stopped: what was not reached yet shows the original.", begin, [run, *backs])
    halt.click(None, None, back_note, js="() => ''", cancels=backs, api_visibility="private")
    room_.show, room_.shown = restored, [view, note, way, examples, source, begin]
    for verb in (cyclegan_translate, cyclegan_cycle):
        gr.api(verb, api_name=verb.__name__, concurrency_id="models")
    return room_
