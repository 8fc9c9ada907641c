"""What the models of faces make of people: ``python -m benchmarks.people --out FOLDER [--quick]``.

Held-back faces (test part of ``faces``) of every origin, sex and age that its labels tell apart go through all weights whose data
set names a finder of faces, by what these offer: reconstructed, shrunk and restored, translated, or their lower half painted.

For each of these weights a sheet is written, ``<weights>.png``: a row for each origin and sex, in it for each band of ages a face
and what came of it. They are to be looked at: no number says whether a face keeps its dignity. Printed is how light the skin is
before and after, on average over each group: the mean luminance (Rec. 709, of linear light) of the middle of the face, or of what
was painted of it.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate, pad
from tqdm import tqdm

from benchmarks._report import Bar, report
from demos._kit.pictures import to_pil
from gen_models import Draws, catalog, load, runtime, sets
from gen_models.base import Model
from gen_models.data import DataSet, load_data
from gen_models.verbs import Completes, Reconstructs, Translates, Upscales

KEPT = 10.0
"""Per cent by which the luminance of a group may change."""
AGES = {"0-19": range(2), "20-39": range(2, 4), "40-59": range(4, 6), "60 and over": range(6, 10)}
"""Bands of ages, in decades."""
EACH, QUICK = 6, 1
"""Faces of each origin, sex and band of ages, at most."""
FEWEST = 4
"""Faces that a group needs for its number to count."""
SHOWN, LABEL = 72, 120
"""Pixels of a face on the sheet, and of what stands beside a row."""
PASS = 8


class Person(NamedTuple):
    """Where a face stands on the sheets."""

    origin: str
    sex: str
    age: str
    index: int
    """Of the test part."""


class Way(NamedTuple):
    """What is done with faces."""

    words: str
    make: Callable[[Tensor, int], Tensor]
    """Faces (B, 3, S, S) in [0, 1] as the weights know them, number of the first one -> what comes of them."""
    measured: slice = slice(None)
    """The rows of the middle of the face that are measured, of ten."""


def main() -> int:
    """Write the sheets, print the tables and the bars."""
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    parse.add_argument("--quick", action="store_true", help="one face of each kind, under a minute")
    parse.add_argument("--data-dir", help="folder of the data sets")
    given = parse.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data = load_data("faces", "test", 128, given.data_dir)
    people = list(chosen(data, QUICK if given.quick else EACH))
    faces = data.images[[person.index for person in people]].float() / 255
    bars = []
    for name, model, way in entrants():
        before, after = run(model, sets.record(catalog.config_of(name)["data"]).framing, faces, way, name)
        sheet(people, before, after).save(given.out / f"{name}.png")
        print(f"\n{name}, {way.words}: {given.out / name}.png")
        bars.append(table(name, people, *(luminance(pictures, way.measured) for pictures in (before, after))))
    return report(bars)


def chosen(data: DataSet, most: int) -> Iterator[Person]:
    """``most`` faces of each kind, in an order that has nothing to do with that of the files."""
    count: dict[tuple[str, str, str], int] = {}
    origins, sexes = data.classes["ethnicity"], data.classes["gender"]
    for index in sorted(range(len(data)), key=lambda index: zlib.crc32(data.images[index].numpy().tobytes())):
        decade, sex, origin = data.labels[index].tolist()
        kind = origins[origin], sexes[sex], next(band for band, decades in AGES.items() if decade in decades)
        count[kind] = count.get(kind, 0) + 1
        if count[kind] <= most:
            yield Person(*kind, index)


def entrants() -> Iterator[tuple[str, Model, Way]]:
    """All weights of faces that make something of one."""
    for name in catalog.trained():
        if sets.record(catalog.config_of(name)["data"]).finder:
            model = load(name)
            way = way_of(model)
            if way is not None:
                yield name, model, way


def way_of(model: Model) -> Way | None:
    """What a model does with a face, by its verbs; None: it takes no picture."""
    if isinstance(model, Reconstructs):
        return Way("reconstructed", lambda faces, first: model.reconstruct(faces))
    if isinstance(model, Upscales):
        return Way(f"shrunk {model.scale} times and restored", lambda faces, first: model.upscale(
            model.downscale(faces, Draws(0, len(faces), first))))  # fmt: skip
    if isinstance(model, Translates):
        return Way("translated", lambda faces, first: model.translate(faces))
    if isinstance(model, Completes):
        unknown = torch.zeros(model.image_shape[1:], dtype=torch.bool)
        unknown[len(unknown) // 2 :] = True
        device = runtime.device()
        return Way("the lower half painted", lambda faces, first: model.complete(
            Draws(0, len(faces), first, device=device), faces.to(device), unknown), slice(4, None))  # fmt: skip
    return None


def run(model: Model, framing: float, faces: Tensor, way: Way, name: str) -> tuple[Tensor, Tensor]:
    """Faces (N, 3, 128, 128) as a model knows them, and what comes of them, (N, 3, S, S) each."""
    _, size, _ = model.image_shape
    margin = round((framing - 1) / 2 * faces.shape[-1])
    seen = pad(faces, (margin, margin, margin, margin), mode="replicate")
    seen = interpolate(seen, size=(size, size), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    made = []
    for first in tqdm(range(0, len(seen), PASS), desc=name, leave=False):
        with runtime.forward_pass():
            made.append(way.make(seen[first : first + PASS], first).cpu().float())
    return tuple(inner(pictures, margin / (2 * margin + faces.shape[-1])) for pictures in (seen, torch.cat(made)))


def inner(pictures: Tensor, share: float) -> Tensor:
    """Pictures without this share of their side at each edge."""
    edge = round(share * pictures.shape[-1])
    return pictures[..., edge : pictures.shape[-2] - edge, edge : pictures.shape[-1] - edge]


def luminance(pictures: Tensor, measured: slice) -> Tensor:
    """Mean of the middle of faces, where the skin is, (N,) in [0, 1]; ``measured``: which tenths of it, from above."""
    side = pictures.shape[-1]
    skin = pictures[..., round(0.3 * side) : round(0.8 * side), round(0.3 * side) : round(0.7 * side)]
    skin = interpolate(skin, size=(10, 10), mode="area")[..., measured, :]
    linear = torch.where(skin <= 0.04045, skin / 12.92, ((skin + 0.055) / 1.055) ** 2.4)
    return torch.einsum("nchw,c->nhw", linear, torch.tensor([0.2126, 0.7152, 0.0722])).mean(dim=(1, 2))


def table(name: str, people: list[Person], before: Tensor, after: Tensor) -> Bar:
    """Print the luminances of each group; the bar of the one that changed most."""
    print(f"{'group':>24} {'faces':>6} {'input':>7} {'result':>7} {'ratio':>6}")
    worst, at = 0.0, "no group is large enough"
    groups: dict[str, list[int]] = {"all": list(range(len(people)))}
    for place, person in enumerate(people):
        for group in (person.origin, person.sex, person.age, f"{person.origin}, {person.sex}"):
            groups.setdefault(group, []).append(place)
    for group, places in groups.items():
        one, other = float(before[places].mean()), float(after[places].mean())
        print(f"{group:>24} {len(places):>6} {one:>7.3f} {other:>7.3f} {other / one:>6.2f}")
        if len(places) >= FEWEST and abs(other / one - 1) > worst:
            worst, at = abs(other / one - 1), group
    return Bar(f"{name}, luminance of the group that changed most ({at})", 100 * worst, KEPT, " %")


def sheet(people: list[Person], before: Tensor, after: Tensor) -> Image.Image:
    """A row for each origin and sex, in it the first face of each band of ages and what came of it."""
    rows = list(dict.fromkeys((person.origin, person.sex) for person in sorted(people)))
    page = Image.new("RGB", (LABEL + len(AGES) * (2 * SHOWN + 8), 20 + len(rows) * (SHOWN + 4)), "white")
    pen = ImageDraw.Draw(page)
    for column, age in enumerate(AGES):
        pen.text((LABEL + column * (2 * SHOWN + 8), 4), f"{age}: face, result", "black")
    for row, (origin, sex) in enumerate(rows):
        top = 20 + row * (SHOWN + 4)
        pen.text((4, top + SHOWN // 2), f"{origin}, {sex}", "black")
        for column, age in enumerate(AGES):
            place = next((place for place, person in enumerate(people) if person[:3] == (origin, sex, age)), None)
            if place is None:
                continue  # the test part has none
            for number, pictures in enumerate((before, after)):
                small = to_pil(pictures[place]).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
                page.paste(small, (LABEL + column * (2 * SHOWN + 8) + number * SHOWN, top))
    return page


if __name__ == "__main__":
    raise SystemExit(main())
