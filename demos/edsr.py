"""The super-resolution room, for EDSR and SRGAN: a picture four times as large, its faces restored, compared with the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import PIL.Image

from demos._families import restorers
from demos._families.restorers import ALL, SIZES, WARNING, Given, Mark, Restoration, Source, as_picture
from demos._kit.alone import alone
from demos._kit.faces import faces_in
from demos._kit.fields import MORE, RESULT, Check, Choice, Seed, Slider, Text
from demos._kit.markup import note_html, size_text
from demos._kit.pictures import as_tensor, enlarged, strip_image, to_pil
from demos._kit.plan import Action, Api, Plan, Start, Try, View
from demos._kit.shipped import shape_of, sheet_tiles
from demos._kit.shown import Figures, Html
from gen_models import catalog, load, runtime
from gen_models.degradation import BICUBIC, Damage, upscale
from gen_models.faces import FEW, FEWEST, MANY, SEAM, Face, find, scale_for
from gen_models.sheets import PARTNERS, SAMPLES

MODEL, FINDER = "edsr", "finder-faces2photos"
FACES = {4: "faces", 8: "faces8"}
"""How many times a model of faces enlarges -> what its weights are called after the dash."""
ENLARGE, COMPARE = MODES = ("Enlarge", "Shrink and compare")
SHRINKING = ("Bicubic", "Realistic")
BLUREST, NOISIEST = 2.0, 25.0
"""Pixels of the small picture; grey levels."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
NOT_MEASURED = f"The true picture is unknown here. Choose “{COMPARE}” to have a sharp picture shrunk and each version measured."
MIXED, NO_FACES = "The weights of EDSR and SRGAN are mixed.", "No face here can be restored by the models of faces."
EXPLANATION = r"""
**EDSR** enlarges a picture bicubically and adds what a residual network predicts to be missing. It was trained on large pictures
$x$ that were shrunk to $y$, by minimising the mean absolute error. Where many details would fit, it draws their average: true to
the pixels, but soft.

**SRGAN** starts from there: a discriminator $D$ learns to tell photographs from restorations, and the generator $G$ learns to fool
it. An average no longer passes, so one plausible face is drawn in full, pores and lashes included. A network that knows faces,
$\phi$, keeps it close to the true one (perceptual loss).

$$\text{EDSR:}\quad \mathbb{E}\,\lVert G(y) - x \rVert_1 \qquad
\text{SRGAN:}\quad \mathbb{E}\left[\lVert G(y) - x \rVert_1 + 0.1\,\lVert \phi(G(y)) - \phi(x) \rVert_1 - 0.02 \log D(G(y))\right]$$

**Between them.** Both networks have the same shape and SRGAN was trained from EDSR's weights, so their weights can be mixed,
$\theta = (1 - \alpha)\,\theta_{\text{EDSR}} + \alpha\,\theta_{\text{SRGAN}}$, and every mixture works (network interpolation, Wang
2018): the slider is $\alpha$.

**Faces.** A small network trained here scans the picture, at every place and in every size, for faces that look ahead, tilted by
30 degrees at most (Garcia 2004). A face @FEW to @MANY pixels wide goes through the network for faces of its size (below @X8 through
the one that enlarges eight times, whose result is reduced), and is pasted over the enlarged picture with a seam that fades over
@SEAM of its side; no colour is changed. Smaller faces hold too little to begin with, and larger ones are sharp enough for the
general network, which does everything else.

**Any size.** The network's receptive field reaches 20 pixels to each side. A large picture is enlarged in tiles that are read with
such a border, so that they fit together exactly.
"""
for word, number in {"@FEW": FEWEST, "@MANY": MANY, "@X8": FEW, "@SEAM": f"{100 * SEAM:.0f} %"}.items():
    EXPLANATION = EXPLANATION.replace(word, str(number))


# ---- the weights and their examples -----------------------------------------------------------------------------------


def is_general(weights: str) -> bool:
    """Whether these are EDSR's weights for any picture."""
    model, _, data = weights.partition("-")
    return model == MODEL and data not in FACES.values()


def weights_for(face: Face) -> str | None:
    """EDSR's weights for a face, if there are any for its size."""
    name = f"{MODEL}-{FACES.get(scale_for(face.side) or 0)}"
    return name if name in catalog.trained(MODEL) else None


def sharper(weights: str) -> str | None:
    """SRGAN's weights that go with EDSR's, if there are any."""
    name = f"srgan-{weights.partition('-')[2]}"
    return name if name in catalog.trained("srgan") else None


def mixed(weights: str, share: float) -> Any:
    """EDSR's model, or that mixed with a share of SRGAN's where there is one."""
    model, other = load(weights), sharper(weights)
    return model.towards(load(other), share) if other and share else model


def undoes(weights: str) -> str:
    """What these weights were trained for, in a sentence."""
    damage = catalog.config_of(weights).get("degradation")
    return f"These weights were trained on pictures {damage}." if damage else ""


def examples(weights: str) -> list[PIL.Image.Image]:
    """Sharp pictures: faces held back from training, photographs of the public, held-back pictures of these weights' set."""
    faces, own = (sheet_tiles(name, 8, PARTNERS, 128) for name in (f"{MODEL}-faces", weights))
    found = [*map(restorers.page_of, filter(None, [faces])), *restorers.photographs(), *own]
    return [picture.convert("RGB") for picture in found[:8]]


def first_sight(weights: str, run: Restoration | None) -> Restoration | None:
    """Held-back pictures, enlarged bicubically and by the models, made when the weights were published; none after a ``run``: other
    weights then enlarge the same picture.
    """
    if run is not None:
        return None
    before, after = [], []
    for name in (weights, sharper(f"{MODEL}-faces") or f"{MODEL}-faces"):
        tiles = sheet_tiles(name, 24, SAMPLES)
        if len(tiles) == 24 and tiles[0].width == 128:
            before += tiles[8:12]
            after += tiles[16:20]
    if not before:
        return None
    one, other = (strip_image([tile.convert("RGB") for tile in tiles], columns=4) for tiles in (before, after))
    words = f"Drag the border. Click an example to enlarge it, or upload your own picture. {undoes(weights)}"
    return Restoration(one, other, ("Bicubic", "Restored"), marks=[], warning=WARNING, note=words)


def enlarged_face() -> tuple[PIL.Image.Image, PIL.Image.Image] | None:
    """The face of the first photograph that shows one, 32 pixels wide and enlarged."""
    shown = ((picture, found[0]) for picture in restorers.photographs() if (found := find(picture, load(FINDER))))
    portrait, face = next(shown, (None, None))
    if portrait is None:
        return None
    square = portrait.crop((face.left, face.top, face.left + face.side, face.top + face.side))
    small = square.resize((32, 32), PIL.Image.Resampling.BICUBIC)
    with runtime.forward_pass():
        large = mixed(f"{MODEL}-faces", 0.5).upscale(as_tensor(small))[0].cpu()
    return small, to_pil(large)


# ---- what a visitor asks for ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """A picture to enlarge, and how."""

    weights: str
    scale: int
    """How many times as wide the result is."""
    picture: restorers.Prepared
    compares: bool
    """Whether each version is measured against the sharp picture."""
    picked: str
    sharpness: float
    ensemble: bool

    @property
    def small(self) -> PIL.Image.Image:
        """What goes in, RGB."""
        return self.picture.small

    @property
    def key(self) -> tuple:
        """What decides the enlargement without faces."""
        share = self.sharpness if sharper(self.weights) else 0.0
        return catalog.config_of(self.weights)["sha256"], share, self.ensemble, self.picture.key


def task_of(
    weights: str, mode: str, source: Given, size: str, shrinking: str, blur: float, noise: float, quality: int, seed: int,
    picked: str, sharpness: float, ensemble: bool,
) -> Task:  # fmt: skip
    """The controls' values as a task."""
    damage = None if mode == ENLARGE and source.uploaded else BICUBIC  # examples are sharp, so they are shrunk in any case
    if mode == COMPARE and shrinking != SHRINKING[0]:
        damage = Damage((blur, blur), (noise / 255, noise / 255), (quality, quality))
    scale = int(catalog.config_of(weights)["arguments"]["scale"])
    picture = restorers.prepared(source, int(size), shape_of(weights)[0], scale, damage, seed)
    return Task(weights, scale, picture, mode == COMPARE, picked, sharpness, ensemble)


of_task = restorers.made_of(task_of)


# ---- enlarging --------------------------------------------------------------------------------------------------------


def bicubic_of(task: Task) -> PIL.Image.Image:
    """What all have to be better than."""
    return as_picture(upscale(as_tensor(task.small), task.scale))


def marked(task: Task) -> list[Mark]:
    """The faces with their numbers, and which of them are restored."""
    found, numbers = enumerate(faces_in(task.small, FINDER), 1), task.picked.split(",")
    return [Mark(number, face, bool(weights_for(face)), task.picked == ALL or str(number) in numbers) for number, face in found]


def without_faces(task: Task) -> Iterator[tuple[PIL.Image.Image, int, int]]:
    """The picture without its faces as far as it has come, the rest bicubic; passes done and in all."""

    def begin() -> Iterator[Any]:
        small = as_tensor(task.small, shape_of(task.weights)[0])
        return mixed(task.weights, task.sharpness).trajectory(small, task.ensemble)

    return restorers.steps(task.key, begin, bicubic_of(task), 8 if task.ensemble else 1)


@dataclass(frozen=True)
class Result:
    """A picture enlarged, with its faces."""

    task: Task
    marks: list[Mark]
    picture: PIL.Image.Image
    passes: int

    @property
    def faces(self) -> list[Face]:
        """Those that were to be restored."""
        return [mark.face for mark in self.marks if mark.fit and mark.on]

    def with_share(self, share: float) -> PIL.Image.Image:
        """The picture whose faces have another share of SRGAN; where all has, all of it."""
        return finished(replace(self.task, sharpness=share)).picture


def working(task: Task) -> Iterator[tuple[PIL.Image.Image, str] | list[Mark] | Result]:
    """Everything for a task: the faces found, pictures so far with a sentence on how far it is, and in the end the result."""
    marks = marked(task)
    yield marks
    words = f"Enlarging {size_text(task.small.size)} pixels"
    for plain, done, total in without_faces(task):
        if done < total:
            yield plain, f"{words}: {done} of {total} passes."
    picture, faces = plain, [mark.face for mark in marks if mark.fit and mark.on]
    names = {face: weights_for(face) or "" for face in faces}
    models = {name: mixed(name, task.sharpness) for name in set(names.values())}
    by_face = {face: models[name] for face, name in names.items()}
    under_way = restorers.with_faces((task.key, task.sharpness), plain, task.small, by_face)
    for number, picture in enumerate(under_way, 1):
        yield picture, f"Restoring faces: {number} of {len(faces)}."
    yield Result(task, marks, picture, total)


def finished(task: Task) -> Result:
    """The result alone."""
    *_, result = working(task)
    return result


# ---- verbs --------------------------------------------------------------------------------------------------------------


@of_task
def enlarge_picture(task: Task) -> Iterator[Restoration]:
    """Bicubic and restored, again and again as tiles come in."""
    before = bicubic_of(task)
    shown = Restoration(before, before, ("Bicubic", "Restored"), True, size=task.small.size, note="Looking for faces.")
    yield shown
    for part in working(task):
        if isinstance(part, list):
            fit = any(mark.fit for mark in part)
            slider = dict(interactive=fit, info=MIXED if fit else NO_FACES)
            words = f"Enlarging {size_text(task.small.size)} pixels."
            shown = replace(shown, marks=part, warning=WARNING * fit, sets=dict(sharpness=slider), note=words)
        elif isinstance(part, Result):
            shown = replace(shown, after=part.picture, busy=False, note=in_words(part))
        else:
            shown = replace(shown, after=part[0], note=part[1])
        yield shown


def in_words(result: Result) -> str:
    """The line under a finished picture."""
    given, made = result.task.picture, result.picture.size
    before = f"{size_text(given.small.size)} pixels became {size_text(made)}."
    if given.damage:
        before = f"The sharp picture was {given.damage}. {before}"
    elif given.small.size != given.came:
        before = f"Your {size_text(given.came)} pixels were reduced to {size_text(given.small.size)} first; these became "
        before += f"{size_text(made)}."
        if made[0] <= given.came[0]:
            before += " That is no more than you had: cut out the part you want larger, or choose a larger working size."
    return " ".join(filter(None, [
        before, faces_in_words(result), f"It took {result.passes} passes." * (result.passes > 1),
        "Your picture is part of neither links nor saved pictures." * given.uploaded, undoes(result.task.weights),
    ]))  # fmt: skip


def faces_in_words(result: Result) -> str:
    """What became of the faces, in sentences."""
    faces = [mark.face for mark in result.marks]
    if not faces:
        missing = "The network that finds faces is not trained yet. " * (FINDER not in catalog.trained("finder"))
        return f"{missing}No face was found, so the general model did everything."
    sentences = [f"{len(faces)} face{'s' * (len(faces) > 1)} found, {len(result.faces)} restored by the face model."]
    for words, count in (
        (f"smaller than {FEWEST} pixels, too few to restore a face from", sum(face.side < FEWEST for face in faces)),
        (f"wider than {MANY} pixels, sharp enough for the general model", sum(face.side > MANY for face in faces)),
    ):
        sentences += [f"{count} {'is' if count == 1 else 'are'} {words}."] * bool(count)
    missing = any(FEWEST <= mark.face.side <= MANY and not mark.fit for mark in result.marks)
    sentences += ["The model for faces is not trained yet."] * missing
    if result.faces and not any(sharper(f"{MODEL}-{kind}") for kind in FACES.values()):
        sentences.append("SRGAN is not trained yet, so sharpness changes nothing.")
    return " ".join(sentences)


def versions(result: Result) -> Iterator[tuple[str, PIL.Image.Image]]:
    """What is held side by side: name and picture, all of one size."""
    task = result.task
    if task.compares:
        yield "Sharp picture", task.picture.sharp
    yield "Nearest pixel", enlarged(task.small, task.scale)
    yield "Bicubic", bicubic_of(task)
    if not any(map(sharper, [task.weights, *(weights_for(face) or "" for face in result.faces)])):
        yield "EDSR", result.picture
        return
    yield "EDSR", result.picture if task.sharpness == 0 else result.with_share(0.0)
    if 0 < task.sharpness < 1:
        yield f"{100 * task.sharpness:.0f} % SRGAN", result.picture
    yield "SRGAN", result.picture if task.sharpness == 1 else result.with_share(1.0)


@of_task
def same_spot(task: Task) -> restorers.Panes:
    """All versions, and how near each is to the truth where that is known."""
    result = finished(task)
    pictures, faces = list(versions(result)), [face.inside(*task.small.size) for face in result.faces]
    places = [tuple(task.scale * edge for edge in face) for face in faces]
    numbers = restorers.fidelity_table(task.picture.sharp, pictures, places) if task.compares else note_html(NOT_MEASURED)
    return restorers.Panes(pictures, ("Nearest pixel", task.small), result.faces, numbers)


@of_task
def shrunk(task: Task) -> Figures | Html:
    """The sharp picture beside what becomes of it."""
    sharp, small = task.picture.sharp, task.small
    if sharp is None:
        return Html(note_html(f"Your picture goes in as it is. Choose “{COMPARE}” to have it shrunk."))
    names = [f"sharp, {size_text(sharp.size)}", f"{task.picture.damage}: {size_text(small.size)}"]
    return Figures([sharp, enlarged(small, task.scale)], names)


@of_task
def mixtures(task: Task) -> Iterator[Figures]:
    """The first face that is restored, by mixtures of the two models."""
    result = finished(task)
    if not result.faces:
        raise gr.Error("No face is restored in this picture; take one with a face, such as the first example.")
    face, made = result.faces[0], []
    if sharper(weights_for(face) or "") is None:
        raise gr.Error("SRGAN is not trained yet, so there is nothing to mix.")
    left, top, right, below = (task.scale * edge for edge in face.inside(*task.small.size))
    for share in SHARES:
        cut = result.with_share(share).crop((left, top, right, below))
        made.append(cut.resize((256, round(256 * cut.height / cut.width)), PIL.Image.Resampling.BICUBIC))
        names = [{0.0: "EDSR", 1.0: "SRGAN"}.get(part, f"{100 * part:.0f} % SRGAN") for part in SHARES[: len(made)]]
        yield Figures(list(made), names)


@of_task
def added(task: Task) -> Figures:
    """What was added to the bicubic enlargement."""
    return restorers.added(bicubic_of(task), finished(task).picture)


@of_task
def squares(task: Task) -> Html:
    """Left, top and side of a square around each face."""
    return Html("", data=[[face.left, face.top, face.side] for face in faces_in(task.small, FINDER)])


def migrate(controls: dict[str, Any]) -> dict[str, Any]:
    """Older links say On and Off; and the faces that were chosen in an upload are not those of the example in its place."""
    ensemble = {"On": True, "Off": False}.get(str(controls.get("ensemble")), controls.get("ensemble"))
    faces = {"picked": ALL} if controls.get("source") == "upload" else {}
    return controls | {"ensemble": ensemble} | faces


SPOT, HOW, BETWEEN, ADDED = "The same spot in all", "How it is shrunk", "Between EDSR and SRGAN", "What was added"
GROUP = dict(group="restorations")
PLAN = Plan(
    {MODEL: "", "srgan": "SRGAN"}, "photos", explanation=EXPLANATION, offers=is_general, migrate=migrate,
    titles={"snapshots": "Snapshots with noise and JPEG"},
    fields=dict(
        mode=Choice("Job", ENLARGE, "Comparing needs a sharp picture: it is shrunk, and each version is measured against it.",
                    options=MODES),
        source=Source(examples=examples),
        size=Choice("Longest side, pixels", "512", "Larger pictures are reduced to it before they are enlarged.", place=MORE,
                    options=SIZES),
        ensemble=Check("Self-ensemble", place=MORE, info="The mean over the eight rotations and mirror images of the picture: "
                       "a little more accurate, eight times the work."),
        picked=Text("Faces", ALL, read=restorers.numbers_of),
        sharpness=Slider("Faces: true to the pixels (0) or sharp (1)", 0.5, MIXED, place=RESULT, step=0.05, live=False),
        shrinking=Choice("Shrinking", SHRINKING[0], options=SHRINKING, place=HOW),
        blur=Slider("Blur", 0.5, "pixels of the small picture", place=HOW, high=BLUREST, step=0.1, live=False),
        noise=Slider("Noise", 4, "grey levels of 255", place=HOW, high=NOISIEST, step=0.5, live=False),
        quality=Slider("JPEG", 70, "quality; 100: not compressed", place=HOW, low=10, high=100, step=5, live=False),
        seed=Seed(place=HOW),
    ),
    order=["weights", "mode", "source", "size", "shrinking", "blur", "noise", "quality", "seed", "picked", "sharpness", "ensemble"],
    tour=[
        Try("Choose another picture, and drag the border across it.", "source"),
        Try("Move the faces from true to sharp: what is invented?", "sharpness"),
        Try("Break it: shrink a picture with noise, and compare.", "noise"),
    ],
    views=[
        View("", enlarge_picture, live=True, keep="Save picture", component=restorers.restoration, sight=first_sight,
             sets=["sharpness"], **GROUP),
        View(SPOT, same_spot, after=True, keep="Save side by side", component=restorers.panes, **GROUP,
             intro="All versions of the picture that you chose, each at the same spot."),
        View(HOW, shrunk, after=True, **GROUP,
             intro=f"What happens to the sharp picture of “{COMPARE}”, as in training: blur, shrinking, noise, JPEG. A model "
             "trained on bicubic shrinking alone takes noise and JPEG for detail; the one for snapshots learned to undo them."),
        View(BETWEEN, mixtures, "Mix the models", **GROUP,
             intro="The first restored face, with the weights of the two models mixed."),
        View(ADDED, added, after=True, **GROUP,
             intro="How far the result is from the bicubic enlargement: the network works at edges and in texture."),
    ],
    actions=[Action(restorers.all_faces, ["picked"], on="source"), Action(restorers.choose, ["picked"], on=("", "pick"))],
    api=[
        Api("edsr_enlarge", enlarge_picture,
            dict(weights="edsr-photos", picture="", faces=ALL, sharpness=0.5, ensemble=False, size=512), returns=str,
            names={"picture": "source", "faces": "picked"},
            words="Enlarge a picture four times, its faces by a model for faces. picture: a file in base64 or a data URI; none: an "
            "example. faces: all, none, or numbers with commas between, counted from the left. sharpness: 0 (EDSR, true to the "
            "pixels) to 1 (SRGAN). ensemble: mean over the eight ways to turn and mirror. size: 256, 512, 768 or 1024; a longer "
            "side is reduced to it first. Returns a PNG data URI. Faces made sharper are invented, not recovered."),
        Api("edsr_faces", squares, dict(picture="", size=512), names={"picture": "source"},
            words="Faces in a picture, as for edsr_enlarge, from left to right: left, top and side of a square around each, in "
            "pixels."),
    ],
)  # fmt: skip
START = Start("Enlarge a face", enlarged_face)
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
