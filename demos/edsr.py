"""The super-resolution room, for EDSR and SRGAN: a picture four times as large, its faces restored, held against the truth."""

from __future__ import annotations

import hashlib
import html
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos import _room
from demos._room import CheckedImage, Room, as_tensor, chosen, guarded, note_html, real, shape_of, token, told_size, whole
from gen_models import Draws, catalog, load, runtime, sets
from gen_models.degradation import BICUBIC, Damage, degrade, enlarge
from gen_models.faces import FEW, FEWEST, MANY, SEAM, Face, find, paste, restore, scale_for
from gen_models.sheets import PARTNERS, SAMPLES

MODELS = ("edsr", "srgan")
MODEL = MODELS[0]
FINDER = "finder-faces2photos"
FACES = {4: "faces", 8: "faces8"}
"""How many times a model of faces enlarges -> what its weights are called after the dash."""
TITLES = {"snapshots": "Snapshots with noise and JPEG"}
"""What the page calls weights that are not named after their data set."""
ENLARGE, COMPARE = MODES = ("Enlarge", "Shrink and compare")
SHRINKING = ("Bicubic", "Realistic")
OFF, ON = ENSEMBLE = ("Off", "On")
UPLOAD = "upload"
ALL, NONE = "all", "none"
"""Which faces, if not some by their numbers."""
SIZES = ("256", "512", "768", "1024")
"""Longest sides that larger pictures are reduced to before they are enlarged, in pixels."""
SHARP = 768
"""Longest side of a picture that is shrunk and compared."""
PREVIEW = 1280
"""Longest side of what the border is drawn over; saved pictures have all pixels."""
BLUREST, NOISIEST = 2.0, 25.0
"""Pixels of the small picture; grey levels."""
TOP = 48
"""Grey levels that have the brightest colour of the map of what was added."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
KEEP = 40_000_000
"""Pixels of enlarged pictures that are kept, so that another choice of faces need not make them again."""
BORDER = 4
ENLARGING = dict(
    concurrency_id="restorations", concurrency_limit=8, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
)
"""Each tile waits for its turn at the door, as in CycleGAN's room."""
BUNDLED = {"astronaut.png": (0, 0, 400, 400), "chelsea.png": None, "coffee.png": None, "rocket.jpg": None}
"""Photographs that scikit-image brings along, the first (NASA) and the last (SpaceX) in the public domain, the others CC0; what of
them is shown.
"""
PAPER = (243, 238, 228)
NOT_MEASURED = f"The truth is unknown here. Choose \u201c{COMPARE}\u201d to have a sharp picture shrunk and each version measured."
WARNING = (
    "A face made sharper is invented, not recovered. It is a likely face for these few pixels, drawn from other people's; it says "
    "nothing about who is in the picture."
)
PROTOCOL = (
    f"Both pictures in 8 bits, without {BORDER} pixels at each edge. Y: brightness from 16 to 235, as the papers have it; RGB: all "
    "three channels. SSIM: window 11 x 11, Gaussian of 1.5 pixels."
)
EXPLANATION = r"""
**EDSR** enlarges a picture bicubically and adds what a residual network finds to be missing. It learned from large pictures $x$
that were shrunk to $y$, by making the mean absolute difference small. Where many details would fit, it draws their average: true
to the pixels, but soft.

**SRGAN** goes on from there: a discriminator $D$ learns to tell photographs from restorations, and the generator $G$ learns to
pass. Now an average does not pass, so one likely face is drawn in full, pores and lashes included. A network that knows faces,
$\phi$, keeps it near the true one.

$$\text{EDSR:}\quad \mathbb{E}\,\lVert G(y) - x \rVert_1 \qquad
\text{SRGAN:}\quad \mathbb{E}\left[\lVert G(y) - x \rVert_1 + 0.1\,\lVert \phi(G(y)) - \phi(x) \rVert_1 - 0.02 \log D(G(y))\right]$$

**Between them.** Both networks have the same shape and SRGAN began as EDSR, so their weights can be mixed, $\theta = (1 -
\alpha)\,\theta_{\text{EDSR}} + \alpha\,\theta_{\text{SRGAN}}$, and every mixture works (Wang 2018): the slider is $\alpha$.

**Faces.** A small network trained here looks at every place of the picture, in every size, and says where a face is that is upright
and looks ahead (Garcia 2004). One that is @FEW to @MANY pixels wide goes through the network for faces in its own size (below @X8
through the one that enlarges eight times, whose result is reduced), and is pasted over the enlarged picture with a seam that fades
over @SEAM of its side; no colour is changed. Smaller ones hold too little to begin with, larger ones are sharp enough for the
general network. Everything else is the general network's.

**Any size.** The network looks @REACH pixels around itself. A large picture goes through in tiles that are read with such a
border, so that they fit together exactly.
"""


# ---- the weights and their examples -----------------------------------------------------------------------------------


def generals() -> list[str]:
    """Weights for any picture, those for clean photos first."""
    names = [name for name in catalog.trained(MODEL) if name.partition("-")[2] not in FACES.values()]
    return sorted(names, key=lambda name: name != f"{MODEL}-photos")


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, generals(), "Trained on")


def of_faces(model: str, scale: int) -> str | None:
    """The weights for faces of ``edsr`` or ``srgan``, if they are trained."""
    name = f"{model}-{FACES[scale]}"
    return name if name in catalog.trained(model) else None


def sharper(weights: str) -> str | None:
    """SRGAN's weights that go with EDSR's, if there are any."""
    name = f"srgan-{weights.partition('-')[2]}"
    return name if name in catalog.trained("srgan") else None


def mixed(weights: str, share: float) -> Any:
    """EDSR's model, or that mixed with a share of SRGAN's where there is one."""
    model, other = load(weights), sharper(weights)
    return model.towards(load(other), share) if other and share else model


def undoes(weights: str | None) -> str:
    """What these weights were trained for, in a sentence."""
    try:
        told = catalog.config_of(weights or "").get("degradation")
    except (catalog.WeightsError, KeyError):
        return ""
    return f"Trained on pictures {told}." if told else ""


@cache
def bundled(file: str) -> PIL.Image.Image | None:
    """A photograph that scikit-image brings along; None if it does not."""
    found = importlib.util.find_spec("skimage")
    path = Path(next(iter(found.submodule_search_locations or [""]))) / "data" / file if found else Path()
    if not path.is_file():
        return None
    with PIL.Image.open(path) as image:
        return image.convert("RGB").crop(BUNDLED[file])


def page_of(faces: Sequence[PIL.Image.Image], columns: int = 4) -> PIL.Image.Image:
    """Faces on a sheet of paper, as in a yearbook."""
    side = faces[0].width
    gap, rows = side // 4, -(-len(faces) // columns)
    page = PIL.Image.new("RGB", (columns * (side + gap) + gap, rows * (side + gap) + gap), PAPER)
    for number, face in enumerate(faces):
        page.paste(face, (gap + number % columns * (side + gap), gap + number // columns * (side + gap)))
    return page


def examples_of(weights: str | None) -> list[PIL.Image.Image]:
    """Sharp pictures: faces held back from training, photographs of the public, held-back pictures of these weights' set."""
    faces = _room.sheet_tiles(f"{MODEL}-faces", 8, PARTNERS, 128)
    found = [page_of(faces)] if faces else []
    found += [picture for picture in map(bundled, BUNDLED) if picture is not None]
    own = _room.sheet_tiles(weights or "", 8, PARTNERS, 128)
    return [picture.convert("RGB") for picture in (found + own)[:8]]


def examples_html(weights: str | None) -> str:
    """The examples to click."""
    side = 128
    small = []
    for picture in examples_of(weights):
        cut = min(picture.size)
        left, top = (picture.width - cut) // 2, (picture.height - cut) // 2
        small.append(picture.resize((side, side), PIL.Image.Resampling.LANCZOS, (left, top, left + cut, top + cut)))
    return _room.tiles_html([_room.photo_uri(picture) for picture in small], columns=4, words="example")


def first_sight(weights: str | None) -> str:
    """Held-back pictures, enlarged bicubically and by the models, made when the weights were published."""
    sheets = [(weights, 4), (sharper(f"{MODEL}-faces") or f"{MODEL}-faces", 4)]
    rows: dict[str, list[PIL.Image.Image]] = {"bicubic": [], "restored": []}
    for name, count in sheets:
        tiles = _room.sheet_tiles(name or "", 24, SAMPLES)
        if len(tiles) == 24 and tiles[0].width == 128:
            rows["bicubic"] += tiles[8 : 8 + count]
            rows["restored"] += tiles[16 : 16 + count]
    if not rows["bicubic"]:
        return ""
    before, after = (_room.strip_image([tile.convert("RGB") for tile in tiles], columns=4) for tiles in rows.values())
    return _room.compared(before, after, ("Bicubic", "Restored"))


def first_note(weights: str | None) -> str:
    """The line under the first sight."""
    if weights is None:
        return note_html("These weights are not trained yet, so there is nothing to enlarge with.")
    return note_html("Drag the border. An example is enlarged by a click, a picture of yours once it is uploaded.")


# ---- what a visitor asks for ------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """The controls' values, as they come."""

    weights: str
    mode: str
    source: str
    size: str
    shrinking: str
    blur: float
    noise: float
    quality: float
    seed: float
    picked: str
    sharpness: float
    ensemble: str
    upload: PIL.Image.Image | None = None


@dataclass(frozen=True)
class Task:
    """A picture to enlarge, checked and as large as it goes through."""

    weights: str
    small: PIL.Image.Image
    """RGB."""
    came: tuple[int, int]
    """Width and height of the picture as it came."""
    true: PIL.Image.Image | None = None
    """The sharp picture that was shrunk, if it was."""
    damage: str = ""
    picked: str = ALL
    sharpness: float = 0.0
    ensemble: bool = False
    uploaded: bool = False

    @property
    def scale(self) -> int:
        """How many times as wide the result is."""
        return int(catalog.config_of(self.weights)["arguments"]["scale"])

    @property
    def picture_key(self) -> tuple:
        """What decides where faces are."""
        return self.small.size, hashlib.sha256(self.small.tobytes()).hexdigest()

    @property
    def key(self) -> tuple:
        """What decides the enlargement without faces."""
        share = self.sharpness if sharper(self.weights) else 0.0
        return catalog.config_of(self.weights)["sha256"], share, self.ensemble, *self.picture_key

    def takes(self, number: int) -> bool:
        """Whether a face is to be restored."""
        return self.picked == ALL or str(number) in self.picked.split(",")


def task_of(asked: Asked) -> Task:
    """The controls' values as a task.

    Raises:
        gr.Error: with one sentence, if one of them makes no sense.
    """
    known(asked.weights), chosen(asked.mode, MODES, "Job"), chosen(asked.ensemble, ENSEMBLE, "Self-ensemble")
    side = int(chosen(asked.size, SIZES, "Longest side"))
    damage, seed = damage_of(asked), whole(asked.seed, 0, _room.MAX_SEED, "Seed")
    sharpness, picked = real(asked.sharpness, 0, 1, "Sharpness"), numbers_of(asked.picked)
    uploaded = asked.source == UPLOAD
    picture = asked.upload if uploaded else example_of(asked.weights, asked.source)
    if picture is None:
        raise gr.Error("Upload a picture first, or take an example.")
    task = Task(
        asked.weights, picture, picture.size, picked=picked, sharpness=sharpness, ensemble=asked.ensemble == ON, uploaded=uploaded
    )
    grey = shape_of(asked.weights)[0] == 1
    if asked.mode == ENLARGE and uploaded:
        return replace(task, small=reduced(picture, side, grey))
    true = reduced(picture, SHARP, grey)
    across, down = (length // task.scale * task.scale for length in true.size)
    if not across or not down:
        raise gr.Error(f"To be shrunk {task.scale} times, a picture needs {task.scale} pixels each way; this one has fewer.")
    true = true.crop((0, 0, across, down))
    kind = damage if asked.mode == COMPARE else BICUBIC  # examples are sharp, so they are shrunk in any case
    small = degrade(as_tensor(true), task.scale, kind, Draws(seed, 1))
    return replace(task, small=_room.to_pil(small[0]), true=true if asked.mode == COMPARE else None, damage=str(kind))


def damage_of(asked: Asked) -> Damage:
    """What happens to a picture that is shrunk, checked."""
    chosen(asked.shrinking, SHRINKING, "Shrinking")
    blur, noise = real(asked.blur, 0, BLUREST, "Blur"), real(asked.noise, 0, NOISIEST, "Noise") / 255
    quality = whole(asked.quality, 10, 100, "JPEG")
    return BICUBIC if asked.shrinking == SHRINKING[0] else Damage((blur, blur), (noise, noise), (quality, quality))


def numbers_of(picked: Any) -> str:
    """``all``, ``none`` or numbers of faces, checked."""
    if picked in (ALL, NONE):
        return str(picked)
    numbers = str(picked).split(",")
    if not all(number.isascii() and number.isdecimal() and len(number) < 3 for number in numbers):
        raise gr.Error("Faces must be all, none, or numbers with commas between.")
    return ",".join(numbers)


def example_of(weights: str, source: Any) -> PIL.Image.Image:
    """The picture that ``example 3`` names."""
    examples = examples_of(weights)
    if not examples:
        raise gr.Error("There are no examples for these weights: upload a picture.")
    word, _, number = str(source).partition(" ")
    index = int(number) if word == "example" and number.isdecimal() and len(number) < 3 else None
    return examples[whole(index, 0, len(examples) - 1, "Example")]


def reduced(picture: PIL.Image.Image, side: int, grey: bool = False) -> PIL.Image.Image:
    """A picture with no side longer than ``side``, smaller ones as they are."""
    ratio = side / max(picture.size)
    if ratio < 1:
        small = [max(1, round(length * ratio)) for length in picture.size]
        picture = picture.resize((small[0], small[1]), PIL.Image.Resampling.LANCZOS)
    return (picture.convert("L") if grey else picture).convert("RGB")


# ---- enlarging --------------------------------------------------------------------------------------------------------

_made: _room.Kept[tuple[PIL.Image.Image, int]] = _room.Kept(KEEP, lambda made: made[0].width * made[0].height)
"""The latest enlargements, and the passes that each took."""
_found: _room.Kept[list[Face]] = _room.Kept(64)
"""Where faces are in the latest pictures."""


def as_picture(images: Tensor) -> PIL.Image.Image:
    """The first of pictures (B, C, H, W) in [0, 1], RGB."""
    return _room.to_pil(images[0]).convert("RGB")


def bicubic_of(task: Task) -> PIL.Image.Image:
    """What all have to be better than."""
    return as_picture(enlarge(as_tensor(task.small), task.scale))


def faces_in(task: Task) -> list[Face]:
    """The faces in the small picture; none without the network that knows them."""
    if FINDER not in catalog.trained("finder"):
        return []
    key = task.picture_key
    found = _found.get(key)
    if found is not None:
        return found
    finder = load(FINDER)  # before a turn is taken: others need not wait while a file is read
    with runtime.fast_pass():
        found = find(task.small, finder)
    _found.put(key, found)
    return found


def suited(found: Sequence[Face]) -> dict[int, Face]:
    """Number -> face, of those that a model for faces is there for."""
    return {
        number: face for number, face in enumerate(found, 1)
        if (scale := scale_for(face.side)) is not None and of_faces(MODEL, scale) is not None
    }  # fmt: skip


def enlarged(task: Task) -> Iterator[tuple[PIL.Image.Image, int, int]]:
    """The picture without its faces, RGB, as far as it has come, the rest bicubic; passes done and in all."""
    key = task.key
    kept = _made.get(key)
    if kept is not None:
        yield kept[0], kept[1], kept[1]
        return
    model = mixed(task.weights, task.sharpness)
    steps = model.trajectory(as_tensor(task.small, shape_of(task.weights)[0]), task.ensemble)
    made, ways = bicubic_of(task), 8 if task.ensemble else 1
    while True:
        with runtime.fast_pass():  # one by one: others need not wait for a whole picture
            step = next(steps, None)
        if step is None:
            break
        done, total = step[1:]
        if done % ways == 0:  # a tile is there
            made = as_picture(step[0])
        yield made, done, total
    _made.put(key, (made, total))


def with_faces(task: Task, picture: PIL.Image.Image, faces: Sequence[Face], share: float) -> Iterator[PIL.Image.Image]:
    """The enlarged picture with more and more of its faces restored, ``share`` of SRGAN in them."""
    pixels, small = np.array(picture), as_tensor(task.small)
    models: dict[int, Any] = {}
    for face in faces:
        scale = scale_for(face.side) or 4
        if scale not in models:
            models[scale] = mixed(of_faces(MODEL, scale) or "", share)
        with runtime.forward_pass():
            paste(pixels, restore(models[scale], small, face, task.scale), face, task.scale)
        yield PIL.Image.fromarray(pixels)


@dataclass(frozen=True)
class Result:
    """A picture enlarged, without and with its faces."""

    task: Task
    found: list[Face]
    plain: PIL.Image.Image
    picture: PIL.Image.Image
    passes: int

    @cached_property
    def bicubic(self) -> PIL.Image.Image:
        """What it has to be better than."""
        return bicubic_of(self.task)

    @property
    def restored(self) -> list[Face]:
        """The faces that were to be restored."""
        return [face for number, face in suited(self.found).items() if self.task.takes(number)]

    def with_share(self, share: float) -> PIL.Image.Image:
        """The picture whose faces have another share of SRGAN; where all has, all of it."""
        task = replace(self.task, sharpness=share)
        *_, (plain, _, _) = enlarged(task)
        picture = plain
        for picture in with_faces(task, plain, self.restored, share):  # noqa: B007
            pass
        return picture


def working(task: Task) -> Iterator[tuple[PIL.Image.Image, str] | list[Face] | Result]:
    """Everything for a task: the faces found, pictures so far with a sentence on how far it is, and in the end the result."""
    found = faces_in(task)
    yield found
    words = f"Enlarging {told_size(task.small.size)} pixels"
    for plain, done, total in enlarged(task):
        if done < total:
            yield plain, f"{words}: {done} of {total} passes."
    picture, faces = plain, [face for number, face in suited(found).items() if task.takes(number)]
    for number, picture in enumerate(with_faces(task, plain, faces, task.sharpness), 1):
        yield picture, f"Restoring faces: {number} of {len(faces)}."
    yield Result(task, found, plain, picture, total)


def finished(task: Task) -> Result:
    """The result alone."""
    *_, result = working(task)
    assert isinstance(result, Result)
    return result


# ---- what is said and shown -------------------------------------------------------------------------------------------


def preview(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture to look at as a whole."""
    return reduced(picture, PREVIEW)


def compared(before: PIL.Image.Image, after: PIL.Image.Image, busy: bool) -> str:
    """Bicubic and restored, to drag a border over."""
    return _room.compared(preview(before), preview(after), ("Bicubic", "Restored"), busy=busy)


def told(result: Result) -> str:
    """The line under a finished picture."""
    task, made = result.task, result.picture.size
    before = f"{told_size(task.small.size)} pixels became {told_size(made)}."
    if task.uploaded and not task.damage and task.small.size != task.came:
        before = f"Your {told_size(task.came)} pixels were reduced to {told_size(task.small.size)} first; these became "
        before += f"{told_size(made)}."
        if made[0] <= task.came[0]:
            before += " That is no more than you had: cut out the part you want larger, or choose a larger working size."
    if task.damage:
        before = f"The sharp picture was {task.damage}. {before}"
    return note_html(
        before, faces_told(result), f"It went through in {result.passes} passes." * (result.passes > 1),
        "Your picture stays here: neither a link nor a saved picture brings it back." * task.uploaded,
    )  # fmt: skip


def faces_told(result: Result) -> str:
    """What became of the faces, in sentences."""
    found, fit = result.found, suited(result.found)
    if not found:
        missing = "The network that finds faces is not trained yet. " * (FINDER not in catalog.trained("finder"))
        return f"{missing}No face was found, so the general model did all of it."
    sentences = [f"{len(found)} face{'s' * (len(found) > 1)} found, {len(result.restored)} restored by the face model."]
    for words, faces in (
        (f"smaller than {FEWEST} pixels, too few to restore a face from", [face for face in found if face.side < FEWEST]),
        (f"wider than {MANY} pixels, sharp enough for the general model", [face for face in found if face.side > MANY]),
    ):
        if faces:
            sentences.append(f"{len(faces)} {'is' if len(faces) == 1 else 'are'} {words}.")
    missing = [face for number, face in enumerate(found, 1) if FEWEST <= face.side <= MANY and number not in fit]
    sentences += ["The model for faces is not trained yet."] * bool(missing)
    if result.restored and not any(sharper(f"{MODEL}-{kind}") for kind in FACES.values()):
        sentences.append("SRGAN is not trained yet, so sharpness changes nothing.")
    return " ".join(sentences)


def boxes_html(task: Task, found: Sequence[Face]) -> str:
    """The small picture with a numbered box around each face; dashed: it is left to the general model."""
    if not found:
        return ""
    width, height = task.small.size
    fit = suited(found)
    boxes = []
    for number, face in enumerate(found, 1):
        left, top, right, below = face.inside(width, height)
        place = (
            f"left:{100 * left / width:.2f}%;top:{100 * top / height:.2f}%;"
            f"width:{100 * (right - left) / width:.2f}%;height:{100 * (below - top) / height:.2f}%"
        )
        kind = "taken" if number in fit and task.takes(number) else "left"
        boxes.append(f'<i class="{kind}" style="{place}"><b>{number}</b></i>')
    few = " few" * (max(task.small.size) < 2 * _room.LARGE)
    return (
        f'<div class="found{few}" style="--ratio:{width / height:.4f}"><img src="{_room.photo_uri(task.small)}" '
        f'alt="the small picture, {len(found)} faces marked">{"".join(boxes)}</div>'
    )


def group_of(task: Task, found: Sequence[Face]) -> Any:
    """The choice of faces."""
    fit = suited(found)
    choices = [(f"{number}: {face.side} px", str(number)) for number, face in fit.items()]
    return gr.CheckboxGroup(choices, value=[str(number) for number in fit if task.takes(number)], visible=bool(fit))


# ---- side by side -----------------------------------------------------------------------------------------------------


def versions(result: Result) -> Iterator[tuple[str, PIL.Image.Image]]:
    """What is held side by side: name and picture, all of one size."""
    task = result.task
    if task.true is not None:
        yield "Sharp picture", task.true
    size = result.picture.size
    yield "Nearest pixel", task.small.resize(size, PIL.Image.Resampling.NEAREST)
    yield "Bicubic", result.bicubic
    mixes = bool(sharper(task.weights)) or any(sharper(f"{MODEL}-{FACES[scale_for(face.side) or 4]}") for face in result.restored)
    if not mixes:
        yield "EDSR", result.picture
        return
    yield "EDSR", result.picture if task.sharpness == 0 else result.with_share(0.0)
    if 0 < task.sharpness < 1:
        yield f"{100 * task.sharpness:.0f} % SRGAN", result.picture
    yield "SRGAN", result.picture if task.sharpness == 1 else result.with_share(1.0)


def panes_of(pictures: Sequence[tuple[str, PIL.Image.Image]], result: Result) -> str:
    """Pictures for the panes, which show the first restored face at first; the small picture is enlarged by the browser."""
    shown, task = [], result.task
    width, height = task.small.size
    spot = [0.5, 0.5, 1.0]
    for face in result.restored[:1]:
        near = max(1.0, min(8.0, 0.75 * min(width, height) / face.side))
        spot = [(face.left + face.side / 2) / width, (face.top + face.side / 2) / height, near]
    for name, picture in pictures:
        crisp = name == "Nearest pixel"
        shown.append({"name": name, "source": _room.photo_uri(task.small if crisp else picture), "crisp": crisp})
    return json.dumps({"panes": shown, "spot": spot, "of": task.picture_key[1], "ratio": width / height})


def numbers_html(pictures: Sequence[tuple[str, PIL.Image.Image]], result: Result) -> str:
    """PSNR and SSIM of each version against the sharp picture."""
    true = result.task.true
    if true is None:
        return ""
    if min(true.size) < 2 * BORDER + 11:
        return note_html("The picture is too small to be measured: a window of 11 pixels must fit.")
    from gen_models.measures.fidelity import fidelities, luma, noise_ratios

    faces = [face.inside(*result.task.small.size) for face in result.restored]
    rows = []
    for name, picture in pictures:
        if picture is true:
            continue
        one, other = (torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in (picture, true))
        psnr_y, ssim_y, psnr, ssim = fidelities(one, other, BORDER).tolist()
        cells = [f"{psnr_y:.2f} dB", f"{ssim_y:.3f}", f"{psnr:.2f} dB", f"{ssim:.3f}"]
        if faces:
            cut = [tuple(result.task.scale * edge for edge in face) for face in faces]
            parts = [
                torch.cat([luma(image)[:, top:below, left:right].flatten() for left, top, right, below in cut])[None]
                for image in (one, other)
            ]
            cells.append(f"{float(noise_ratios(*parts)):.2f} dB")
        rows.append(f"<tr><td>{html.escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = ["", "PSNR, Y", "SSIM, Y", "PSNR, RGB", "SSIM, RGB", *["PSNR in the faces, Y"] * bool(faces)]
    head = "".join(f"<td>{text}</td>" for text in heads)
    return f'<div class="scores"><table class="facts"><tr>{head}</tr>{"".join(rows)}</table></div>{note_html(PROTOCOL)}'


def added_html(result: Result) -> str:
    """What was added to the bicubic enlargement, as a map."""
    before, after = (np.asarray(preview(picture), np.float32) for picture in (result.bicubic, result.picture))
    error = np.abs(after - before).mean(axis=2)
    legend = f'<p class="legend"><span>0 {_room.legend_bar()} {TOP} grey levels or more</span></p>'
    return (
        f'<div class="added"><img src="{_room.photo_uri(_room.heat(error / TOP))}" alt="map of what was added"></div>{legend}'
        + note_html(f"On average a channel of a pixel was changed by {error.mean():.1f} of 255 grey levels.")
    )


def enlarge_picture(*values: Any) -> Iterator[list]:
    """All that is shown for a picture, again and again as tiles come in."""
    task = task_of(Asked(*values))
    before = bicubic_of(task)
    stay = gr.skip()
    of = json.dumps({"of": task.picture_key[1]})
    yield [compared(before, before, True), note_html("Looking for faces."), stay, stay, of, "", "", ""]
    for part in working(task):
        if isinstance(part, list):
            words = note_html(f"Enlarging {told_size(task.small.size)} pixels.")
            yield [stay, words, boxes_html(task, part), group_of(task, part), *[stay] * 4]
        elif isinstance(part, Result):
            result = part
        else:
            yield [compared(before, part[0], True), note_html(part[1]), *[stay] * 6]
    yield [compared(before, result.picture, False), told(result), *[stay] * 6]
    pictures = list(versions(result))
    yield [stay, stay, stay, stay, panes_of(pictures, result), stay, added_html(result), stay]
    yield [*[stay] * 5, numbers_html(pictures, result) or note_html(NOT_MEASURED), stay, stay]


def mixtures(*values: Any) -> Iterator[str]:
    """The first face that is restored, by mixtures of the two models."""
    result = finished(task_of(Asked(*values)))
    if not result.restored:
        raise gr.Error("No face is restored in this picture; take one with a face, such as the first example.")
    face, task = result.restored[0], result.task
    name = f"{MODEL}-{FACES[scale_for(face.side) or 4]}"
    if sharper(name) is None:
        raise gr.Error("SRGAN is not trained yet, so there is nothing to mix.")
    place = [task.scale * edge for edge in face.inside(*task.small.size)]
    figures = []
    for share in SHARES:
        cut = result.with_share(share).crop((place[0], place[1], place[2], place[3]))
        words = {0.0: "EDSR", 1.0: "SRGAN"}.get(share, f"{100 * share:.0f} % SRGAN")
        uri = _room.png_uri(cut.resize((256, round(256 * cut.height / cut.width)), PIL.Image.Resampling.BICUBIC))
        figures.append(f'<figure><img src="{uri}" alt="{words}"><figcaption>{words}</figcaption></figure>')
        yield f'<div class="figures">{"".join(figures)}</div>'


# ---- handlers ---------------------------------------------------------------------------------------------------------


def take_example(event: gr.EventData, weights: str) -> list:
    """An example as the source, in place of an uploaded picture, with all its faces."""
    count = len(examples_of(known(weights)))
    return [f"example {whole(event.index, 0, count - 1, 'Example')}", ALL, token(), None]


def take_upload(upload: PIL.Image.Image | None) -> list:
    """An uploaded picture as the source, with all its faces."""
    if upload is None:
        raise gr.Error("Upload a picture first, or take an example.")
    return [UPLOAD, ALL, token()]


def pick(numbers: Sequence[str] | None) -> list:
    """The faces that are ticked."""
    return [numbers_of(",".join(map(str, numbers)) if numbers else NONE), token()]


def switch(weights: str, source: str, upload: PIL.Image.Image | None) -> list:
    """Other weights: what they were trained for, their examples, and the same picture enlarged by them."""
    examples = examples_of(known(weights))
    if source == UPLOAD and upload is None:
        source = "example 0"
    _, _, number = str(source).partition(" ")
    if source != UPLOAD and not (number.isdecimal() and int(number) < len(examples)):
        source = "example 0"
    return [undoes_html(weights), examples_html(weights), source, token()]


def undoes_html(weights: str | None) -> str:
    """What these weights were trained for."""
    return note_html(undoes(weights))


def restored(*values: Any) -> list:
    """The room as a link or a saved picture describes it; the page then begins by itself."""
    asked = Asked(*values)
    if asked.source == UPLOAD:
        gr.Warning("This was made of an uploaded picture, which stays with the one who has it; here is an example instead.")
        asked = asked._replace(source="example 0", picked=ALL)
    task = task_of(asked)
    before = bicubic_of(task)
    return [
        compared(before, before, True), note_html("Looking for faces."), examples_html(asked.weights), undoes_html(asked.weights),
        asked.source, asked.picked, token(),
    ]  # fmt: skip


def picture_to_save(*values: Any) -> list[PIL.Image.Image]:
    """The result with all its pixels."""
    return [finished(task_of(Asked(*values))).picture]


def all_to_save(*values: Any) -> list[PIL.Image.Image]:
    """All that is held side by side."""
    return [_room.strip_image([picture for _, picture in versions(finished(task_of(Asked(*values))))], columns=3)]


# ---- verbs for the API ------------------------------------------------------------------------------------------------


def asked_for(weights: str, picture: str, **more: Any) -> Asked:
    """A caller's picture, a data URI or plain base64 of a picture file, with plain settings; an empty text is the first example."""
    upload = _room.sent_picture(picture) if picture else None
    plain = Asked(weights, ENLARGE, UPLOAD if picture else "example 0", "512", SHRINKING[0], 0, 0, 100, 0, ALL, 0, OFF, upload)
    return plain._replace(**more)


@guarded
def edsr_enlarge(
    weights: str = "edsr-photos", picture: str = "", faces: str = ALL, sharpness: float = 0.5, ensemble: bool = False,
    size: int = 512,
) -> str:  # fmt: skip
    """Enlarge a picture four times, its faces by a model for faces. picture: a file in base64 or a data URI; none: an example.

    faces: all, none, or numbers with commas between, counted from the left. sharpness: 0 (EDSR, true to the pixels) to 1 (SRGAN).
    ensemble: mean over the eight ways to turn and mirror. size: 256, 512, 768 or 1024; a longer side is reduced to it first.
    Returns a PNG data URI. Faces made sharper are invented, not recovered.
    """
    switched = ON if ensemble is True else OFF
    asked = asked_for(weights, picture, picked=faces, sharpness=sharpness, ensemble=switched, size=str(size))
    return _room.png_uri(finished(task_of(asked)).picture)


@guarded
def edsr_faces(picture: str = "", size: int = 512) -> list[list[int]]:
    """Faces in a picture, as for edsr_enlarge, from left to right: left, top and side of a square around each, in pixels."""
    weights = next(iter(generals()), "")
    return [[*face] for face in faces_in(task_of(asked_for(weights, picture, size=str(size))))]


# ---- the room ---------------------------------------------------------------------------------------------------------

VIEW, NOTE = "edsr-view", "edsr-note"
PANES_HTML = """<div class="panes" hidden><div class="bar">
<button type="button" data-do="out" aria-label="smaller">\u2212</button><output>1\u00d7</output>
<button type="button" data-do="in" aria-label="larger">+</button><button type="button" data-do="fit">Whole picture</button>
<span>Drag to move, turn the wheel to zoom: all show the same spot.</span></div><div class="grid"></div></div>"""
PANES_JS = """const shown = element.querySelector('.panes'), grid = shown.querySelector('.grid');
const told = shown.querySelector('output');
const MOST = 16;
let zoom = 1, x = 0.5, y = 0.5, seen = '', grasped = null;
const place = () => {
  const half = 0.5 / zoom, keep = at => Math.min(1 - half, Math.max(half, at));
  x = keep(x); y = keep(y);
  told.textContent = zoom.toFixed(zoom < 10 && zoom % 1 ? 1 : 0) + '\\u00d7';
  grid.style.setProperty('--zoom', zoom);
  grid.style.setProperty('--x', 100 * (half - x) * zoom + '%');
  grid.style.setProperty('--y', 100 * (half - y) * zoom + '%');
  grid.classList.toggle('near', zoom > 1);
};
const at = (view, event) => {
  const box = view.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
};
const to = (next, px = 0.5, py = 0.5) => {
  next = Math.min(MOST, Math.max(1, next));
  x += (px - 0.5) / zoom - (px - 0.5) / next;
  y += (py - 0.5) / zoom - (py - 0.5) / next;
  zoom = next;
  place();
};
shown.addEventListener('click', event => {
  const wish = event.target.closest('[data-do]')?.dataset.do;
  if (wish) to({in: zoom * 1.5, out: zoom / 1.5, fit: 1}[wish]);
});
grid.addEventListener('wheel', event => {
  const view = event.target.closest('.view');
  if (!view) return;
  if (zoom === 1 && event.deltaY > 0) return;  // the page may scroll on
  event.preventDefault();
  to(zoom * Math.exp(-event.deltaY / 400), ...at(view, event));
}, {passive: false});
grid.addEventListener('dblclick', event => {
  const view = event.target.closest('.view');
  if (view) to(zoom > 1 ? 1 : 4, ...at(view, event));
});
grid.addEventListener('pointerdown', event => {
  const view = event.target.closest('.view');
  if (!view || !event.isPrimary || event.button) return;
  grasped = [event.clientX, event.clientY, view.getBoundingClientRect()];
  view.setPointerCapture(event.pointerId);
});
grid.addEventListener('pointermove', event => {
  if (!grasped || !event.isPrimary) return;
  const [left, top, box] = grasped;
  x -= (event.clientX - left) / box.width / zoom;
  y -= (event.clientY - top) / box.height / zoom;
  grasped = [event.clientX, event.clientY, box];
  place();
});
for (const end of ['pointerup', 'pointercancel']) grid.addEventListener(end, () => { grasped = null; });
grid.addEventListener('keydown', event => {
  const ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}, way = ways[event.key];
  if (event.key === '+' || event.key === '-') to(event.key === '+' ? zoom * 1.5 : zoom / 1.5);
  else if (way && zoom > 1) { x += 0.1 * way[0] / zoom; y += 0.1 * way[1] / zoom; place(); }
  else return;
  event.preventDefault();
});
const arrived = () => {
  shown.hidden = !props.value;
  if (!props.value) return;
  const {panes, spot, of, ratio} = JSON.parse(props.value);
  if (!panes) { shown.hidden = seen !== of; return; }  // those of the same picture stay until the new ones come
  grid.style.setProperty('--ratio', ratio);
  grid.style.setProperty('--columns', panes.length === 4 ? 4 : 3);
  grid.replaceChildren(...panes.map(pane => {
    const figure = document.createElement('figure'), view = document.createElement('div'), image = new Image();
    const name = document.createElement('figcaption');
    view.className = 'view'; view.tabIndex = 0; view.setAttribute('role', 'img'); view.setAttribute('aria-label', pane.name);
    image.className = pane.crisp ? 'crisp' : ''; image.alt = ''; image.draggable = false; image.src = pane.source;
    name.textContent = pane.name;
    view.append(image); figure.append(view, name);
    return figure;
  }));
  if (seen !== of) { seen = of; [x, y, zoom] = spot; }  // another picture
  place();
};
watch('value', arrived);
arrived();"""


def weights_choice() -> gr.Radio:
    """Which weights enlarge what is no face."""
    names = generals()
    data = [name.partition("-")[2] for name in names]
    choices = [(TITLES.get(word) or sets.record(word).title, name) for word, name in zip(data, names, strict=True)]
    return gr.Radio(choices, value=names[0] if names else None, label="Trained on", elem_classes=["chips"])


def room() -> Room:
    """Lay out the widgets."""
    _room.header(*MODELS)
    has_sharper = any(sharper(f"{MODEL}-{kind}") for kind in FACES.values())
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=4, min_width=300):
            mode = gr.Radio(
                list(MODES), value=ENLARGE, label="Job", elem_classes=["chips"],
                info="Comparing needs a sharp picture: it is shrunk, and each version is measured against it.",
            )  # fmt: skip
            weights = weights_choice()
            fit = gr.HTML(undoes_html(weights.value), js_on_load=None, padding=False)
            examples = _room.tiles(examples_html(weights.value), elem_classes=["smooth"])
            upload = CheckedImage(label="Your picture, of any shape", height=170)
            boxes = gr.HTML("", js_on_load=None, elem_classes=["smooth"])
            group = gr.CheckboxGroup([], label="Faces to restore", visible=False, elem_classes=["chips"])
            with gr.Accordion("Size and quality", open=False):
                size = gr.Radio(
                    list(SIZES), value="512", label="Working size: longest side, pixels", elem_classes=["chips"],
                    info="Larger pictures are reduced to it before they are enlarged, smaller ones go in as they are.",
                )  # fmt: skip
                ensemble = gr.Radio(
                    list(ENSEMBLE), value=OFF, label="Self-ensemble", elem_classes=["chips"],
                    info="The mean over the eight ways to turn and mirror the picture: a little truer, eight times the work.",
                )  # fmt: skip
        with gr.Column(scale=6, min_width=300):
            view = _room.compare(first_sight(weights.value), elem_id=VIEW, min_height=160)
            note = gr.HTML(first_note(weights.value), js_on_load=None, padding=False, elem_id=NOTE)
            gr.HTML(f'<p class="warning">{html.escape(WARNING)}</p>', js_on_load=None, padding=False)
            sharpness = gr.Slider(
                0, 1, 0.5, step=0.05, label="Faces: true to the pixels (0) or sharp (1)",
                info="The weights of EDSR and SRGAN are mixed." if has_sharper else "SRGAN is not trained yet.",
            )  # fmt: skip
            keep = gr.Row(elem_classes=["keep"])
    source, picked = (gr.Textbox(value, visible="hidden", show_label=False) for value in ("example 0", ALL))
    begin = _room.starter()
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("The same spot in all"):
            panes = gr.HTML("", html_template=PANES_HTML, js_on_load=PANES_JS)
            table = gr.HTML(note_html("Take an example or upload a picture; its versions will stand here."), js_on_load=None)
        with gr.Tab("How it is shrunk"):
            gr.Markdown(
                f"What happens to the sharp picture of \u201c{COMPARE}\u201d, as in training: blur, shrinking, noise, JPEG. A "
                "model trained on bicubic shrinking alone takes noise and JPEG for detail; that for snapshots learned to undo them."
            )
            with gr.Row():
                shrinking = gr.Radio(list(SHRINKING), value=SHRINKING[0], label="Shrinking", elem_classes=["chips"], min_width=200)
                blur = gr.Slider(0, BLUREST, 0.5, step=0.1, label="Blur", info="pixels of the small picture", min_width=160)
                noise = gr.Slider(0, NOISIEST, 4, step=0.5, label="Noise", info="grey levels of 255", min_width=160)
                quality = gr.Slider(10, 100, 70, step=5, label="JPEG", info="quality; 100: not compressed", min_width=160)
                with gr.Column(min_width=200):
                    seed, dice = _room.seed_row(0)
        with gr.Tab("Between EDSR and SRGAN"):
            gr.Markdown("The first face that is restored, by mixtures of the two models' weights.")
            mix = gr.Button("Mix the models", size="sm", elem_classes=["quiet"])
            row = gr.HTML("", js_on_load=None)
        with gr.Tab("What was added"):
            gr.Markdown("How far the result is from the bicubic enlargement: the network works at edges and in texture.")
            added = gr.HTML("", js_on_load=None)
    controls = dict(
        weights=weights, mode=mode, source=source, size=size, shrinking=shrinking, blur=blur, noise=noise, quality=quality,
        seed=seed, picked=picked, sharpness=sharpness, ensemble=ensemble,
    )  # fmt: skip
    room_ = Room(MODEL, controls)
    with keep:
        stop = gr.Button("Stop", variant="stop", size="sm", elem_classes=["quiet"])
        _room.save_button(room_, picture_to_save, [upload])
        _room.save_button(room_, all_to_save, [upload], label="Save side by side", view="all")
        _room.link_button(room_)
    _room.explanation([model for model in MODELS], explained())

    inputs = [*controls.values(), upload]
    outputs = [view, note, boxes, group, panes, table, added, row]
    run = begin.submit(guarded(_room.haltable(enlarge_picture)), [begin, *inputs], outputs, **ENLARGING)
    mixing = mix.click(guarded(mixtures), inputs, row, **ENLARGING)
    dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then(
        None, None, begin, js=_room.BEGIN_JS, cancels=[run, mixing], api_visibility="private"
    )
    # whoever asks for the next picture does not wait for the one before; the page goes through the listeners one by one
    sliders = [slider.release for slider in (sharpness, blur, noise, quality)]
    again = [mode.input, size.input, ensemble.input, shrinking.input, seed.submit, *sliders]
    for asked in (examples.pick, upload.upload, weights.input, group.input, *again):
        asked(None, None, None, cancels=[run, mixing], api_visibility="private")
    examples.pick(guarded(take_example), weights, [source, picked, begin, upload], **_room.QUICK)
    # what cannot be read does not stay
    upload.upload(guarded(take_upload), upload, [source, picked, begin], **_room.QUICK).failure(
        None, None, upload, js="() => null", api_visibility="private"
    )
    group.input(guarded(pick), group, [picked, begin], **_room.QUICK)
    weights.input(guarded(switch), [weights, source, upload], [fit, examples, source, begin], **_room.QUICK)
    gr.on(again, None, None, begin, js=_room.BEGIN_JS, api_visibility="private")
    _room.stops(stop, VIEW, note, "Stopped: what was not reached yet is bicubic.", begin, [run, mixing])
    room_.show, room_.shown = restored, [view, note, examples, fit, source, picked, begin]
    for verb in (edsr_enlarge, edsr_faces):
        gr.api(verb, api_name=verb.__name__, concurrency_id="models")
    return room_


def explained() -> str:
    """:data:`EXPLANATION` with the numbers of the code in it."""
    numbers = {"@FEW": FEWEST, "@MANY": MANY, "@X8": FEW, "@SEAM": f"{100 * SEAM:.0f} %", "@REACH": 20}
    text = EXPLANATION
    for word, number in numbers.items():
        text = text.replace(word, str(number))
    return text
