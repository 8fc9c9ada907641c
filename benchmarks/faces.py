"""How many faces are found, and how many where there are none: ``python -m benchmarks.faces``.

Held-back faces (test part of ``faces``) stand in rows of four on plain paper, as on the page of the super-resolution room, and are
shrunk bicubically to 16, 32 and 64 pixels. A face is found if the centre of a square is less than a quarter of the face's width
from its own. Squares that are found in the test part of ``photos`` (paintings, flowers, textures, landscapes, 256 pixels wide) are
false, even where a painter painted a face.

Group photos: five different held-back faces, 20 to 56 pixels wide, each a disc with a soft edge, stand in a held-back photograph.
All five must be found, and nothing else.
"""

from __future__ import annotations

import argparse
import time

import torch
from PIL import Image
from tqdm import tqdm

from benchmarks._report import Bar, report
from demos._families.restorers import page_of
from demos._kit.pictures import as_tensor, to_pil
from demos.edsr import FINDER
from gen_models import load
from gen_models.data import load_data
from gen_models.degradation import BICUBIC, degrade
from gen_models.evaluation.finder import Finder
from gen_models.faces import find

FOUND = {16: 90.0, 32: 97.0, 64: 97.0}
"""Pixels of a face -> per cent that must be found."""
FALSE = 3.0
"""Per cent of pictures without one in which one may be."""
GROUPS = 90.0
"""Per cent of the group photos in which exactly the five faces must be found."""
ROW, SHEET = 4, 8
PLACES = ((50, 60), (128, 45), (205, 65), (80, 180), (180, 185))
"""Middles of the faces of a group photo of 256 pixels, across and down, moved by up to ``JITTER`` pixels."""
JITTER = 10


def main() -> int:
    """Print the table and the bars."""
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--quick", action="store_true", help="few pictures, under a minute")
    parse.add_argument("--data-dir", help="folder of the data sets")
    given = parse.parse_args()
    finder = load(FINDER)
    torch.set_grad_enabled(False)
    count = 40 if given.quick else 400
    faces = load_data("faces", "test", 128, given.data_dir).images[:count]
    photos = load_data("photos", "test", 256, given.data_dir).images
    photos = photos[torch.randperm(len(photos), generator=torch.Generator().manual_seed(0))[: count // 2]]
    print(f"{len(faces)} faces, {len(photos)} pictures without, of the test parts")
    print(f"{'width, px':>10} {'found, %':>9} {'ms a sheet':>11}")
    shares: dict[int, float] = {}
    for width in FOUND:
        found, began = 0, time.perf_counter()
        for sheet in tqdm(faces.split(SHEET), desc=f"{width} px", leave=False):
            found += found_on(sheet, width, finder)
        spent = (time.perf_counter() - began) / (len(faces) / SHEET)
        shares[width] = 100 * found / len(faces)
        print(f"{width:>10} {shares[width]:>9.1f} {1000 * spent:>11.0f}")
    wrong = [len(find(to_pil(photo.float() / 255), finder)) for photo in tqdm(photos, desc="photos", leave=False)]
    false = 100 * sum(map(bool, wrong)) / len(wrong)
    print(f"false squares: {sum(wrong)} in {sum(map(bool, wrong))} of {len(wrong)} pictures")
    pairs = list(zip(faces.split(5), photos, strict=False))
    groups = [group_found(five, photo, seed, finder) for seed, (five, photo) in enumerate(tqdm(pairs, desc="groups", leave=False))]
    exact = 100 * sum(one == (5, 0) for one in groups) / len(groups)
    found, others = (sum(column) for column in zip(*groups, strict=True))
    print(f"group photos: {found} of {5 * len(groups)} faces found and {others} other squares in {len(groups)} photos")
    return report([
        Bar("group photos in which exactly the five faces are found", exact, GROUPS, " %", at_least=True),
        *(Bar(f"faces of {width} pixels found", shares[width], least, " %", at_least=True) for width, least in FOUND.items()),
        Bar("pictures in which a face is found though none is there", false, FALSE, " %"),
    ])  # fmt: skip


def found_on(faces: torch.Tensor, width: int, finder: Finder) -> int:
    """How many of up to eight faces (B, 3, 128, 128), bytes, are found on a sheet on which each is ``width`` pixels wide."""
    side = faces.shape[-1]
    page = page_of([to_pil(face.float() / 255) for face in faces], ROW)
    small = to_pil(degrade(as_tensor(page), side // width, BICUBIC)[0])
    squares = [(face.left + face.side / 2, face.top + face.side / 2) for face in find(small, finder)]
    gap, step = width / 4, width + width / 4
    centres = [(gap + width / 2 + number % ROW * step, gap + width / 2 + number // ROW * step) for number in range(len(faces))]
    return sum(any(max(abs(x - a), abs(y - b)) < width / 4 for a, b in squares) for x, y in centres)


def group_found(faces: torch.Tensor, photo: torch.Tensor, seed: int, finder: Finder) -> tuple[int, int]:
    """How many of five faces (5, 3, 128, 128), bytes, are found in a photo (3, 256, 256) of them, and how many other squares."""
    draws = torch.Generator().manual_seed(seed)
    across = torch.linspace(-1, 1, faces.shape[-1])
    edge = ((1 - (across[:, None] ** 2 + across**2).sqrt()) / 0.2).clamp(0, 1)
    mask, group = to_pil(edge[None]), to_pil(photo.float() / 255)
    places = []
    for face, (x, y) in zip(faces, PLACES, strict=True):
        side = int(torch.randint(20, 57, (), generator=draws))
        left, top = (int(middle + torch.randint(-JITTER, JITTER + 1, (), generator=draws)) - side // 2 for middle in (x, y))
        small, soft = (image.resize((side, side), Image.Resampling.LANCZOS) for image in (to_pil(face.float() / 255), mask))
        group.paste(small, (left, top), soft)
        places.append((left + side / 2, top + side / 2, side))
    squares = [(face.left + face.side / 2, face.top + face.side / 2) for face in find(group, finder)]
    hits = [any(max(abs(x - a), abs(y - b)) < side / 4 for a, b in squares) for x, y, side in places]
    return sum(hits), len(squares) - sum(hits)


if __name__ == "__main__":
    raise SystemExit(main())
