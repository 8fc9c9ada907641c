"""The super-resolution room's own content: pictures of any shape enlarged, faces found, chosen and pasted, versions compared."""

from __future__ import annotations

import json
import re

import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal, smooth

from demos import edsr
from demos._families import restorers
from demos._kit.pictures import as_tensor, to_pil
from demos.edsr import COMPARE, PLAN
from gen_models import Draws, catalog, load, runtime
from gen_models.degradation import Damage, degrade
from gen_models.faces import Face, scale_for, seam
from gen_models.measures.fidelity import fidelities

PHOTOS = "edsr-photos"


def soft(number: int, size: tuple[int, int]) -> PIL.Image.Image:
    """A picture of soft colours."""
    return smooth(np.random.default_rng(number), max(size)).resize(size)


def raw(picture: PIL.Image.Image | None = None, **values) -> dict:
    """What the room's components hold: an upload or, without one, the example with a face in it; EDSR alone at first."""
    found = {name: [field.start(PHOTOS)] for name, field in PLAN.fields.items()} | {"weights": [PHOTOS], "sharpness": [0.0]}
    return found | {"source": ["upload", picture] if picture else ["example 1"]} | {key: [value] for key, value in values.items()}


def result(*given, **values) -> edsr.Result:
    return edsr.finished(PLAN.call(edsr.task_of, raw(*given, **values)))


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(int)


def exact(weights: str, picture: PIL.Image.Image, share: float = 0.0, **more) -> PIL.Image.Image:
    """What the model itself makes of a picture, mixed with a share of SRGAN's."""
    model = load(weights).towards(load(weights.replace("edsr", "srgan")), share) if share else load(weights)
    with torch.no_grad():
        return to_pil(model.upscale(as_tensor(picture), **more)[0])


@pytest.mark.parametrize("size, ensemble", [((60, 3), False), ((2, 2), True), ((33, 47), True)], ids=str)
def test_an_upload_of_any_shape_becomes_four_times_as_large(size, ensemble):
    *_, last = PLAN.call(PLAN.main.make, raw(soft(5, size), ensemble=ensemble))
    assert np.abs(pixels(last.after) - pixels(exact(PHOTOS, soft(5, size), ensemble=ensemble))).max() <= 2  # bfloat16
    assert f"{size[0]} x {size[1]} pixels became {4 * size[0]} x {4 * size[1]}. No face was found" in last.note
    assert last.sets["sharpness"]["interactive"] is False and not last.warning and "spot" not in json.loads(last.html())


def test_a_large_picture_is_reduced_comes_in_tiles_and_is_saved_with_all_pixels():
    shown = []
    for frame in PLAN.call(PLAN.main.make, raw(soft(6, (1400, 600)))):
        assert runtime._door.acquire(blocking=False), "others wait for more than a tile"
        runtime._door.release()
        shown.append(frame)
    passes = [found.groups() for frame in shown if (found := re.search(r"(\d+) of (\d+) passes", frame.note))]
    assert passes == [(str(number), str(len(passes) + 1)) for number in range(1, len(passes) + 1)] != []
    moved = [np.abs(pixels(frame.after) - pixels(shown[-1].after)).mean() for frame in shown]
    assert moved == sorted(moved, reverse=True) and moved[0] > 0, "more of it is there with every tile"
    assert "Your 1400 x 600 pixels were reduced to 512 x 219 first; these became 2048 x 876." in shown[-1].note
    assert shown[-1].frames()[0].size == (2048, 876) and restorers.preview(shown[-1].after).width == restorers.PREVIEW


def test_faces_that_are_ticked_are_restored_where_they_are_and_the_rest_is_cached(monkeypatch):
    face, photo = restorers.bundled("astronaut.png").crop((149, 35, 299, 185)), soft(3, (240, 240))
    places = [(5, 20, 34), (50, 120, 44), (105, 10, 56), (150, 150, 40), (190, 60, 30)]
    for left, top, side in places:
        photo.paste(face.resize((side, side), PIL.Image.Resampling.LANCZOS), (left, top))
    *_, last = PLAN.call(PLAN.main.make, raw(photo))
    monkeypatch.setattr(runtime, "fast_pass", None)
    plain, some = result(photo, picked="none"), result(photo, picked="2,5")
    assert [mark.number for mark in last.marks] == [1, 2, 3, 4, 5] and "5 faces found, 5 restored" in last.note
    assert last.warning and last.sets["sharpness"]["interactive"] is True and json.loads(last.html())["spot"][2] >= 1
    moved, outside = np.abs(pixels(last.after) - pixels(plain.picture)), np.ones((960, 960), bool)
    chosen = (pixels(some.picture) != pixels(plain.picture)).any(axis=2)
    for (number, face, *_), (left, top, side) in zip(last.marks, places, strict=True):
        assert max(abs(face.left + face.side / 2 - left - side / 2), abs(face.top + face.side / 2 - top - 0.57 * side)) < side / 8
        square = np.s_[4 * face.top : 4 * (face.top + face.side), 4 * face.left : 4 * (face.left + face.side)]
        outside[square] = False
        assert moved[square].mean() > 0.5 and chosen[square].any() == (number in (2, 5)), number
    assert moved[outside].max() == 0


@pytest.mark.parametrize("face, share", [(Face(10, 10, 30), 0.0), (Face(9, 10, 30), 0.3), (Face(-6, 8, 16), 1.0)], ids=str)
def test_a_face_is_what_the_mixed_models_make_of_it(monkeypatch, face, share):
    monkeypatch.setattr(edsr, "faces_in", lambda picture, finder: [face])
    picture, (left, top, right, below) = soft(face.left + face.side, (64, 50)), face.inside(64, 50)
    own = exact(f"edsr-{edsr.FACES[scale_for(face.side)]}", picture.crop((left, top, right, below)), share)
    own = own.resize((4 * (right - left), 4 * (below - top)), PIL.Image.Resampling.BICUBIC)
    place, weight = np.s_[4 * top : 4 * below, 4 * left : 4 * right], seam(face, 4, 64, 50)[..., None]
    wanted = (1 - weight) * pixels(result(picture, picked="none").picture)[place] + weight * pixels(own)
    assert np.abs(pixels(result(picture, sharpness=share).picture)[place] - wanted).max() <= 4
    *_, last = PLAN.call(edsr.mixtures, raw(picture))
    assert last.captions == ["EDSR", "25 % SRGAN", "50 % SRGAN", "75 % SRGAN", "SRGAN"]
    assert len({made.tobytes() for made in last.pictures}) == 5


def test_a_sharp_picture_is_shrunk_as_in_training_and_each_version_is_measured():
    values = dict(mode=COMPARE, shrinking="Realistic", blur=1.0, noise=8, quality=40, seed=5)
    task, damage = PLAN.call(edsr.task_of, raw(soft(9, (130, 90)), **values)), Damage((1.0, 1.0), (8 / 255, 8 / 255), (40, 40))
    assert np.array_equal(pixels(task.picture.sharp), pixels(soft(9, (130, 90)))[:88, :128]), "what is left over is cut off"
    assert task.small == to_pil(degrade(as_tensor(task.picture.sharp), 4, damage, Draws(5, 1))[0])
    panes = PLAN.call(edsr.same_spot, raw(mode=COMPARE, sharpness=0.5))
    rows, versions = dict(re.findall(r"<tr><td>([^<]+)</td>(.*?)</tr>", panes.numbers)), dict(panes.versions)
    true = versions.pop("Sharp picture")
    assert list(rows) == list(versions) == ["Nearest pixel", "Bicubic", "EDSR", "50 % SRGAN", "SRGAN"]
    for name, picture in versions.items():
        one, other = (torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in (picture, true))
        numbers = [float(number) for number in re.findall(r"<td>([\d.]+)", rows[name])]
        assert numbers[:4] == pytest.approx(fidelities(one, other, 4).tolist(), abs=6e-3) and len(numbers) == 5
    assert panes.frames()[0].size == (1200, 800) and json.loads(panes.html())["spot"][2] > 1
    assert refusal(PLAN.call, edsr.same_spot, raw(soft(1, (90, 3)), mode=COMPARE)).startswith("To be shrunk 4 times, a picture")


def test_older_links_and_the_numbers_in_the_words():
    assert edsr.migrate({"ensemble": "On", "source": "upload", "picked": "3"}) == dict(ensemble=True, source="upload", picked="all")
    assert "12 to 64 pixels wide" in edsr.EXPLANATION and "@" not in edsr.EXPLANATION
    with torch.device("meta"):
        published = catalog.model_class("edsr")(**catalog.model_class("edsr").recipes["photos"].arguments)
    assert f"receptive field reaches {published.network.reach} pixels to each side" in edsr.EXPLANATION
