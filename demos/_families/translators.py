"""What rooms of translators share: a picture there and, where the model has a way, back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import PIL.Image

from demos._kit.fields import MORE, RESULT, Choice, Picture, Slider
from demos._kit.markup import size_text
from demos._kit.pictures import as_tensor, reduced, to_pil
from demos._kit.running import Cache
from demos._kit.shipped import kept_pictures, shape_of
from demos._kit.shown import BeforeAfter
from gen_models import catalog, load, runtime, sets
from gen_models.sheets import BACK, INPUTS, PARTNERS
from gen_models.sheets import RESULT as MADE

THERE, HOME = WAYS = ("A to B", "B to A")
SIZES = ("256", "512", "768", "1024")
"""Longest sides that larger pictures are reduced to, in pixels."""
TINY = 32
"""The networks fill shorter sides up to this."""
_made: Cache[tuple[PIL.Image.Image, int]] = Cache(16_000_000, lambda made: made[0].width * made[0].height)
"""The latest translations and the passes that each took, so that saving and the way back need not make them again."""


def kinds(weights: str) -> tuple[str, str]:
    """The words for the pictures of kind A and B."""
    try:
        return sets.record(str(catalog.config_of(weights)["data"])).kinds
    except (catalog.WeightsError, KeyError):
        return "A", "B"  # the page opens all the same, and the first click says what is wrong


def begins(weights: str) -> str:
    """The direction that a visitor wants to see first."""
    try:
        return WAYS[sets.record(str(catalog.config_of(weights)["data"])).backwards]
    except (catalog.WeightsError, KeyError):
        return THERE


def other(way: str) -> str:
    """The other direction."""
    return HOME if way == THERE else THERE


def direction() -> Choice:
    """The choice of the direction, in the words of the weights' two kinds."""

    def words(weights: str) -> dict[str, Any]:
        a, b = kinds(weights)
        names = (f"{a.capitalize()} to {b}", f"{b.capitalize()} to {a}")
        return dict(choices=list(zip(names, WAYS, strict=True)), value=begins(weights))

    return Choice("Direction", THERE, options=WAYS, of=words)


def examples(weights: str, way: str = THERE) -> list[PIL.Image.Image]:
    """Held-back pictures of the kind that this direction begins with."""
    return kept_pictures(weights, INPUTS, 0) if way == THERE else kept_pictures(weights, PARTNERS, 2)


def shipped(weights: str, way: str = THERE) -> list[PIL.Image.Image]:
    """The translation of the first of these, made when the weights were published; [] if there is none."""
    return kept_pictures(weights, MADE, 1) if way == THERE else kept_pictures(weights, BACK, 3)


@dataclass
class Source(Picture):
    """The picture to translate; its examples are of the kind that the direction begins with."""

    label: str = "Your picture, of any shape"
    needs: tuple[str, ...] = ("way",)

    def at_first(self, weights: str) -> dict[str, Any]:
        return {"way": begins(weights)}

    def own(self, weights, picture, way=THERE):
        return super().own(weights, picture) if way == THERE else picture


def working_size() -> Choice:
    """How large a picture goes through."""
    return Choice(
        "Longest side, pixels", "512", "Larger pictures are reduced to it. Large ones take a while.", place=MORE, options=SIZES,
    )  # fmt: skip


def strength(view: str) -> Slider:
    """A blend of original and translation, drawn in the browser; ``view``: the id of the comparison."""
    return Slider(
        "Strength", 1.0, "A blend in image space: this share of every pixel is the translation, the rest the original.",
        place=RESULT, redo=False,
        in_page=f"(value) => document.querySelector('#{view} .frame')?.style.setProperty('--strength', value)",
    )  # fmt: skip


def first_sight(weights: str) -> BeforeAfter | None:
    """The first example and its translation, made when the weights were published."""
    way = begins(weights)
    there, found = shipped(weights, way), examples(weights, way)
    words = "Drag the border. Click an example to translate it, or upload your own picture."
    return BeforeAfter(found[0], there[0], names(weights, way), note=words) if there and found else None


def names(weights: str, way: str) -> tuple[str, str]:
    """What the two pictures of a comparison are called."""
    return "Original", f"Translation: {kinds(weights)[way == THERE]}"


def steps(weights: str, way: str, picture: PIL.Image.Image, **options: Any) -> Iterator[tuple[PIL.Image.Image, int, int]]:
    """The translation, RGB, as far as it has come, the rest as it was; passes done and in all. ``options``: of the model's verb."""
    content = hashlib.sha256(picture.tobytes()).hexdigest()
    key = catalog.config_of(weights)["sha256"], way, picture.size, content, *options.items()
    kept = _made.get(key)
    if kept is not None:
        yield kept[0], kept[1], kept[1]
        return
    backwards = {"backwards": True} if way == HOME else {}
    under_way = load(weights).trajectory(as_tensor(picture, shape_of(weights)[0]), **backwards, **options)
    while True:
        with runtime.forward_pass():  # one by one: others need not wait for a whole picture
            step = next(under_way, None)
        if step is None:
            break
        made, done, total = to_pil(step[0][0]).convert("RGB"), *step[1:]
        yield made, done, total
    _made.put(key, (made, total))


def result(weights: str, way: str, picture: PIL.Image.Image, **options: Any) -> PIL.Image.Image:
    """The translation in the end."""
    *_, (made, _, _) = steps(weights, way, picture, **options)
    return made


def translate(weights: str, way: str, picture: PIL.Image.Image, size: str, strength: float) -> Iterator[BeforeAfter]:
    """The comparison, again and again as tiles come in."""
    small = reduced(picture, int(size), shape_of(weights)[0])
    called, words = names(weights, way), f"Translating {size_text(small.size)} pixels"
    yield BeforeAfter(small, small, called, busy=True, note=f"{words}.")
    for made, done, total in steps(weights, way, small):
        if done < total:
            yield BeforeAfter(small, made, called, busy=True, note=f"{words}: {done} of {total} passes.")
    said = [f"{size_text(small.size)} pixels" + f", reduced from {size_text(picture.size)}" * (small.size != picture.size) + "."]
    said += [f"It was translated in {total - 1} overlapping tiles."] * (total > 2)
    said += [f"A picture this small is padded to {TINY} pixels; do not expect much of it."] * (min(small.size) < TINY)
    yield BeforeAfter(small, made, called, strength=strength, note=" ".join(said))
