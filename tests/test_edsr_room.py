"""The super-resolution room without a browser: pictures of any shape, faces found, chosen and pasted, versions side by side.

Small untrained models stand on the shelf, so that nothing here depends on the published weights.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
import shutil

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal, smooth

from demos import _room, edsr
from demos.edsr import ALL, COMPARE, ENLARGE, NONE, OFF, ON, UPLOAD, Asked
from gen_models import Draws, catalog, load, runtime, sheets
from gen_models.degradation import BICUBIC, Damage, degrade, enlarge
from gen_models.faces import Face, scale_for, seam
from gen_models.measures.fidelity import fidelities

PHOTOS, SNAPSHOTS, GREY = "edsr-photos", "edsr-snapshots", "edsr-mine"
WEIGHTS = catalog.WEIGHTS
UNREAD = "The picture must be a picture file|This file is not a picture"
PERSON = 1
"""The example with a face in it; before it stands the sheet of faces."""


@pytest.fixture
def stocked(shelf):
    """Small models of all kinds; the colour ones with what is published beside them, a user's own for grey pictures without."""
    for place, name in enumerate((PHOTOS, SNAPSHOTS, GREY, "edsr-faces", "edsr-faces8", "srgan-faces", "srgan-faces8")):
        torch.manual_seed(place)
        kind, data = name.split("-")
        more = {"discriminator_width": 4} if kind == "srgan" else {}
        model = catalog.model_class(kind)(
            size=32, crop=32, width=6, blocks=1, channels=1 if name == GREY else 3, scale=8 if data == "faces8" else 4,
            realistic=name == SNAPSHOTS, **more,
        )  # fmt: skip
        catalog.save(model, shelf / name, {"model": kind, "data": data, "degradation": str(model.damage)})
    shutil.copytree(WEIGHTS / edsr.FINDER, shelf / edsr.FINDER)
    faces = [cut_face().resize((128, 128), PIL.Image.Resampling.BICUBIC)] * 8
    _room.strip_image(faces).save(shelf / "edsr-faces" / sheets.PARTNERS, lossless=True)
    _room.strip_image([example(number, (128, 128)) for number in range(3)]).save(shelf / PHOTOS / sheets.PARTNERS, lossless=True)
    for name in (PHOTOS, "srgan-faces"):
        sheet = _room.strip_image([example(number, (128, 128)) for number in range(32)], columns=8)
        sheet.save(shelf / name / sheets.SAMPLES)
    forget()
    yield shelf
    forget()


def forget() -> None:
    """Nothing is known of earlier pictures."""
    edsr._made.clear(), edsr._found.clear()


def example(number: int = 0, size: tuple[int, int] = (48, 48)) -> PIL.Image.Image:
    """A picture of soft colours."""
    return smooth(np.random.default_rng(number), max(size)).resize(size)


def cut_face() -> PIL.Image.Image:
    """A face with some hair around it, 150 pixels wide."""
    return edsr.bundled("astronaut.png").crop((149, 35, 299, 185))


def crowd() -> tuple[PIL.Image.Image, list[tuple[int, int, int]]]:
    """A photo with five faces of different widths, and (left, top, side) of each."""
    photo = example(3, (240, 240))
    places = [(5, 20, 34), (50, 120, 44), (105, 10, 56), (150, 150, 40), (190, 60, 30)]
    for number, (left, top, side) in enumerate(places):
        small = cut_face().resize((side, side), PIL.Image.Resampling.LANCZOS)
        photo.paste(small.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else small, (left, top))
    return photo, places


def asked(**more) -> Asked:
    """Controls as they stand at first, for the picture with a face."""
    plain = Asked(PHOTOS, ENLARGE, f"example {PERSON}", "512", "Bicubic", 0.5, 4, 70, 0, ALL, 0.0, OFF, None)
    return plain._replace(**more)


def uploaded(picture: PIL.Image.Image, **more) -> Asked:
    return asked(source=UPLOAD, upload=picture, **more)


def done(values: Asked) -> list:
    """What is shown in the end: the last word on every part of the page."""
    shown: list = [None] * 8
    for frame in edsr.enlarge_picture(*values):
        assert len(frame) == len(shown)
        shown = [old if isinstance(new, dict) and new.get("__type__") == "update" and len(new) == 1 else new
                 for old, new in zip(shown, frame, strict=True)]  # fmt: skip
    return shown


def result_of(values: Asked) -> edsr.Result:
    return edsr.finished(edsr.task_of(values))


def exact(weights: str, picture: PIL.Image.Image, **more) -> np.ndarray:
    """What the model itself makes of a picture, (H, W, 3) bytes."""
    model = load(weights)
    with torch.no_grad():
        return pixels(_room.to_pil(model.enlarge(edsr.as_tensor(picture, model.image_shape[0]), **more)[0]))


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def images_in(text: str) -> list[PIL.Image.Image]:
    """The pictures in a piece of the page."""
    found = re.findall(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)", text)
    return [PIL.Image.open(io.BytesIO(base64.b64decode(letters))) for letters in found]


def sent(picture: PIL.Image.Image, kind: str = "PNG") -> str:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode()


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Alike but for one level, which rounding in bfloat16 may cost."""
    return one.shape == other.shape and np.abs(one.astype(int) - other).max() <= 1


# ---- enlarging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 3), (3, 60), (2, 2), (33, 47), (200, 10)], ids=str)
@pytest.mark.parametrize("weights", [PHOTOS, GREY])
def test_an_upload_of_any_shape_becomes_four_times_as_large(stocked, size, weights):
    picture = example(5, size)
    shown = done(uploaded(picture, weights=weights))
    made = result_of(uploaded(picture, weights=weights)).picture
    assert made.size == (4 * size[0], 4 * size[1])
    assert near(pixels(made), exact(weights, picture.convert("L" if weights == GREY else "RGB").convert("RGB")))
    assert json.loads(shown[0])["busy"] == "false" and json.loads(shown[0])["names"] == ["Bicubic", "Restored"]
    assert f"{size[0]} x {size[1]} pixels became {4 * size[0]} x {4 * size[1]}." in shown[1]
    assert "No face was found, so the general model did all of it." in shown[1]
    assert "neither a link nor a saved picture brings it back" in shown[1]
    assert shown[2] == "" and not shown[3].visible
    assert "The truth is unknown here" in shown[5]


def test_a_large_upload_is_reduced_and_that_is_said(stocked):
    photo = example(5, (1500, 750))
    shown = done(uploaded(photo, size="256"))
    assert "Your 1500 x 750 pixels were reduced to 256 x 128 first; these became 1024 x 512." in shown[1]
    assert "That is no more than you had" in shown[1]
    assert images_in(shown[0])[1].size == (1024, 512)
    words = done(uploaded(example(5, (600, 300)), size="256"))[1]
    assert "reduced to 256 x 128 first" in words and "no more than you had" not in words


def test_what_is_looked_at_is_bounded_and_what_is_saved_is_not(stocked):
    picture = example(5, (500, 20))
    assert images_in(done(uploaded(picture))[0])[1].size == (edsr.PREVIEW, round(edsr.PREVIEW / 25))
    (saved,) = edsr.picture_to_save(*uploaded(picture))
    assert saved.size == (2000, 80)


def test_a_large_picture_comes_tile_by_tile_and_the_door_is_open_in_between(stocked):
    picture = example(6, (700, 300))
    values = uploaded(picture, size="768", weights=GREY)
    frames = []
    for frame in edsr.enlarge_picture(*values):
        assert runtime._door.acquire(blocking=False)
        runtime._door.release()
        frames.append(frame)
    words = [frame[1] for frame in frames if isinstance(frame[1], str)]
    passes = [found.groups() for word in words if (found := re.search(r"(\d+) of (\d+) passes", word))]
    assert passes == [(str(number), "6") for number in range(1, 6)] and "It went through in 6 passes." in words[-1]
    shown = [pixels(images_in(frame[0])[1]).astype(int) for frame in frames if isinstance(frame[0], str)]
    moved = [np.abs(one - shown[-1]).mean() for one in shown]
    assert moved == sorted(moved, reverse=True) and moved[0] > 1, "more of it is there with every tile"
    assert near(pixels(result_of(values).picture), exact(GREY, picture.convert("L").convert("RGB")))


def test_an_enlargement_is_kept_and_the_oldest_goes_first(stocked, monkeypatch):
    passes = []
    door = runtime.fast_pass
    monkeypatch.setattr(runtime, "fast_pass", lambda: passes.append(1) or door())
    first = result_of(asked())
    made = len(passes)
    assert result_of(asked()).picture == first.picture and len(passes) == made > 0
    assert result_of(asked(picked=NONE)).picture == first.plain and len(passes) == made, "another choice of faces is quick"
    assert result_of(asked(sharpness=1.0)).plain == first.plain and len(passes) == made, "sharpness is for faces"
    result_of(asked(ensemble=ON))
    assert len(passes) > made
    monkeypatch.setattr(edsr._made, "most", 1)
    result_of(asked(source="example 2"))
    assert len(edsr._made) == 1


def test_the_ensemble_is_the_models_own(stocked):
    picture = example(4, (20, 30))
    plain, mean = (result_of(uploaded(picture, ensemble=kind)) for kind in (OFF, ON))
    assert mean.passes == 8 * plain.passes
    assert near(pixels(mean.picture), exact(PHOTOS, picture, ensemble=True)) and mean.picture != plain.picture


# ---- faces ------------------------------------------------------------------------------------------------------------


def test_five_faces_in_a_photo_are_restored_and_none_is_moved(stocked):
    photo, places = crowd()
    values = uploaded(photo)
    result = result_of(values)
    assert len(result.found) == len(result.restored) == 5
    for face, (left, top, side) in zip(result.found, places, strict=True):
        assert abs(face.left + face.side / 2 - left - side / 2) < side / 8
        assert abs(face.top + face.side / 2 - top - 0.57 * side) < side / 8
    before, after = pixels(result.plain).astype(int), pixels(result.picture).astype(int)
    outside = np.ones(before.shape[:2], bool)
    for face in result.found:
        left, top, side = 4 * face.left, 4 * face.top, 4 * face.side
        outside[top : top + side, left : left + side] = False
        square = np.s_[top : top + side, left : left + side]
        moved = np.abs(after[square] - before[square])
        assert moved[side // 4 : -side // 4, side // 4 : -side // 4].mean() > 1, "the face was not restored"
        for edge in (moved[0], moved[-1], moved[:, 0], moved[:, -1]):
            assert edge.max() == 0, "a seam"
    assert np.array_equal(after[outside], before[outside])
    shown = done(values)
    assert "5 faces found, 5 restored by the face model." in shown[1]
    assert shown[2].count("<i class=\"taken\"") == 5
    assert [value for _, value in shown[3].choices] == shown[3].value == ["1", "2", "3", "4", "5"]


def test_a_restored_face_is_the_face_models_own(stocked):
    result = result_of(asked())
    (face,) = result.restored
    assert scale_for(face.side) == 4
    left, top, right, below = face.inside(*result.task.small.size)
    own = exact("edsr-faces", result.task.small.crop((left, top, right, below)))
    share = seam(face, 4, *result.task.small.size)[..., None]
    place = np.s_[4 * top : 4 * below, 4 * left : 4 * right]
    wanted = (1 - share) * pixels(result.plain)[place] + share * own
    assert np.abs(pixels(result.picture)[place] - wanted).max() <= 1.01


def test_only_those_that_are_ticked_are_restored(stocked):
    photo, _ = crowd()
    whole = result_of(uploaded(photo))
    some = result_of(uploaded(photo, picked="2,5"))
    assert some.restored == [whole.found[1], whole.found[4]]
    same = (pixels(some.picture) == pixels(whole.picture)).all(axis=2)
    for number, face in enumerate(whole.found, 1):
        square = same[4 * face.top : 4 * (face.top + face.side), 4 * face.left : 4 * (face.left + face.side)]
        assert square.all() == (number in (2, 5))
    shown = done(uploaded(photo, picked="2,5"))
    assert shown[3].value == ["2", "5"] and shown[2].count('class="taken"') == 2 and shown[2].count('class="left"') == 3
    assert result_of(uploaded(photo, picked=NONE)).picture == whole.plain


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_sharpness_mixes_the_two_face_models(stocked, share):
    result = result_of(asked(sharpness=share))
    (face,) = result.restored
    left, top, right, below = face.inside(*result.task.small.size)
    mixed = load("edsr-faces").towards(load("srgan-faces"), share)
    with torch.no_grad():
        own = mixed.enlarge(edsr.as_tensor(result.task.small.crop((left, top, right, below))))[0]
    middle = slice(face.side, 3 * face.side)
    place = np.s_[4 * top : 4 * below, 4 * left : 4 * right]
    assert near(pixels(result.picture)[place][middle, middle], pixels(_room.to_pil(own))[middle, middle])


def test_where_all_has_a_sharper_model_sharpness_is_for_all(stocked):
    catalog.save(load("srgan-faces"), stocked / "srgan-photos", {"model": "srgan", "data": "photos"})
    picture = example(8, (20, 20))
    plain, sharp = (result_of(uploaded(picture, sharpness=share)).picture for share in (0, 1))
    assert plain != sharp and near(pixels(sharp), exact("srgan-photos", picture))


@pytest.mark.parametrize("side, words", [
    (8, "1 is smaller than 12 pixels, too few to restore a face from"),
    (100, "1 is wider than 64 pixels, sharp enough for the general model"),
])  # fmt: skip
def test_a_face_that_does_not_fit_is_left_to_the_general_model(stocked, monkeypatch, side, words):
    monkeypatch.setattr(edsr, "find", lambda picture, finder: [Face(4, 4, side)])
    result = result_of(uploaded(example(2, (120, 110))))
    assert result.picture == result.plain and result.restored == []
    shown = done(uploaded(example(2, (120, 110))))
    assert "1 face found, 0 restored by the face model." in shown[1] and words in shown[1]
    assert 'class="left"' in shown[2] and not shown[3].visible


@pytest.mark.parametrize("face", [Face(-6, 3, 20), Face(50, 40, 30), Face(10, -8, 16)], ids=str)
def test_a_face_cut_by_the_border_is_restored_as_far_as_it_is_there(stocked, monkeypatch, face):
    monkeypatch.setattr(edsr, "find", lambda picture, finder: [face])
    result = result_of(uploaded(example(2, (64, 50))))
    assert result.picture.size == (256, 200)
    changed = (pixels(result.picture) != pixels(result.plain)).any(axis=2)
    left, top, right, below = (4 * edge for edge in face.inside(64, 50))
    assert changed[top:below, left:right].mean() > 0.3
    changed[top:below, left:right] = False
    assert not changed.any()


def test_without_the_finder_no_face_is_found_and_that_is_said(stocked):
    shutil.rmtree(stocked / edsr.FINDER)
    shown = done(asked())
    assert "The network that finds faces is not trained yet. No face was found" in shown[1]


def test_a_small_face_goes_through_the_model_for_eight_times(stocked, monkeypatch):
    monkeypatch.setattr(edsr, "find", lambda picture, finder: [Face(10, 10, 16)])
    picture = example(2, (48, 40))
    result = result_of(uploaded(picture))
    large = exact("edsr-faces8", picture.crop((10, 10, 26, 26)))
    assert large.shape == (128, 128, 3)
    own = np.asarray(PIL.Image.fromarray(large).resize((64, 64), PIL.Image.Resampling.BICUBIC))
    assert np.abs(pixels(result.picture)[56:88, 56:88].astype(int) - own[16:48, 16:48]).max() <= 2


def test_without_face_models_faces_are_left_and_that_is_said(stocked):
    for name in ("edsr-faces", "edsr-faces8", "srgan-faces", "srgan-faces8"):
        (stocked / name / "config.json").unlink()
    number = len(edsr.examples_of(PHOTOS)) - 7  # the sheet of faces is gone
    shown = done(asked(source=f"example {number}", sharpness=0.5))
    assert "1 face found, 0 restored by the face model. The model for faces is not trained yet." in shown[1]


def test_without_srgan_sharpness_changes_nothing_and_that_is_said(stocked):
    plain = result_of(asked()).picture
    for name in ("srgan-faces", "srgan-faces8"):
        (stocked / name / "config.json").unlink()
    assert result_of(asked(sharpness=1.0)).picture == plain
    assert "SRGAN is not trained yet, so sharpness changes nothing." in done(asked(sharpness=1.0))[1]
    assert refusal(edsr.mixtures, *asked()).startswith("SRGAN is not trained yet")


# ---- shrinking and comparing ------------------------------------------------------------------------------------------


def test_a_sharp_picture_is_shrunk_as_in_training(stocked):
    picture = example(9, (130, 90))
    task = edsr.task_of(uploaded(picture, mode=COMPARE))
    assert task.true.size == (128, 88) and task.small.size == (32, 22), "what is left over is cut off"
    assert np.array_equal(pixels(task.true), pixels(picture)[:88, :128])
    tensor = edsr.as_tensor(task.true)
    assert np.array_equal(pixels(task.small), pixels(_room.to_pil(degrade(tensor, 4, BICUBIC)[0])))
    real = edsr.task_of(uploaded(picture, mode=COMPARE, shrinking="Realistic", blur=1.0, noise=8, quality=40, seed=5))
    damage = Damage((1.0, 1.0), (8 / 255, 8 / 255), (40, 40))
    assert np.array_equal(pixels(real.small), pixels(_room.to_pil(degrade(tensor, 4, damage, Draws(5, 1))[0])))
    other = edsr.task_of(uploaded(picture, mode=COMPARE, shrinking="Realistic", blur=1.0, noise=8, quality=40, seed=6))
    assert other.small != real.small
    large = edsr.task_of(uploaded(example(9, (2000, 1000)), mode=COMPARE))
    assert large.true.size == (768, 384)


def test_an_example_is_sharp_so_it_is_shrunk_in_any_case(stocked):
    one, other = (edsr.task_of(asked(mode=mode)) for mode in (ENLARGE, COMPARE))
    assert one.small == other.small and one.true is None and other.true is not None
    assert "The sharp picture was shrunk bicubically." in done(asked())[1]


def test_all_versions_stand_side_by_side_and_are_measured(stocked):
    values = asked(mode=COMPARE, sharpness=0.5)
    shown = done(values)
    panes = json.loads(shown[4])["panes"]
    names = ["Sharp picture", "Nearest pixel", "Bicubic", "EDSR", "50 % SRGAN", "SRGAN"]
    assert [pane["name"] for pane in panes] == names
    result = result_of(values)
    sizes = [images_in(pane["source"])[0].size for pane in panes]
    assert sizes == [(400, 400), (100, 100), *[(400, 400)] * 4] and [pane["crisp"] for pane in panes] == [False, True, *[False] * 4]
    x, y, zoom = json.loads(shown[4])["spot"]
    face = result.found[0]
    assert zoom > 1 and face.left < 100 * x < face.left + face.side and face.top < 100 * y < face.top + face.side
    rows = re.findall(r"<tr><td>([^<]+)</td>(.*?)</tr>", shown[5])
    assert [name for name, _ in rows] == names[1:]
    versions = dict(edsr.versions(result))
    for name, cells in rows:
        one, other = (torch.from_numpy(np.array(picture)).permute(2, 0, 1) for picture in (versions[name], result.task.true))
        numbers = [float(number) for number in re.findall(r"<td>([\d.]+)", cells)]
        assert numbers[:4] == pytest.approx(fidelities(one, other, 4).tolist(), abs=6e-3)
        assert len(numbers) == 5
    assert "without 4 pixels at each edge" in shown[5]
    assert np.array_equal(pixels(versions["Bicubic"]), pixels(_room.to_pil(enlarge(edsr.as_tensor(result.task.small), 4)[0])))
    assert np.array_equal(pixels(versions["Nearest pixel"])[::4, ::4], pixels(result.task.small))
    assert versions["50 % SRGAN"] == result.picture and len({picture.tobytes() for picture in versions.values()}) == 6


@pytest.mark.parametrize("share, names", [(0.0, ["EDSR", "SRGAN"]), (1.0, ["EDSR", "SRGAN"])])
def test_what_is_shown_already_is_not_shown_twice(stocked, share, names):
    result = result_of(asked(sharpness=share))
    versions = dict(edsr.versions(result))
    assert list(versions) == ["Nearest pixel", "Bicubic", *names]
    assert versions[names[int(share)]] is result.picture
    assert list(dict(edsr.versions(result_of(asked(source="example 3"))))) == ["Nearest pixel", "Bicubic", "EDSR"]


def test_a_picture_too_small_to_be_measured_is_still_enlarged(stocked):
    shown = done(uploaded(example(1, (16, 12)), mode=COMPARE))
    assert "too small to be measured" in shown[5] and images_in(shown[0])[1].size == (16, 12)
    assert refusal(edsr.enlarge_picture, *uploaded(example(1, (90, 3)), mode=COMPARE)).startswith("To be shrunk 4 times, a picture")


def test_what_was_added_is_a_map(stocked):
    shown = done(uploaded(example(4, (40, 30))))
    result = result_of(uploaded(example(4, (40, 30))))
    error = np.abs(pixels(result.picture).astype(float) - pixels(edsr.bicubic_of(result.task))).mean()
    assert f"changed by {error:.1f} of 255 grey levels" in shown[6] and images_in(shown[6])[0].size == (160, 120)


def test_the_first_face_is_mixed_in_five_steps(stocked):
    *_, last = edsr.mixtures(*asked(sharpness=0.3))
    pictures = images_in(last)
    assert len({picture.tobytes() for picture in pictures}) == len(edsr.SHARES)
    assert re.findall("<figcaption>([^<]+)", last) == ["EDSR", "25 % SRGAN", "50 % SRGAN", "75 % SRGAN", "SRGAN"]
    assert refusal(edsr.mixtures, *uploaded(example(1))).startswith("No face is restored in this picture")


# ---- what makes no sense ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, start",
    [
        *(({"weights": value}, "Trained on must be one of") for value in ("nobody", None, "edsr-faces", "srgan-faces", "vae-x")),
        *(({"mode": value}, "Job must be one of") for value in ("", None, 1)),
        *(({"source": value}, "Example must be a number") for value in
          ("example 8", "example -1", "example", "", None, 7, "../x", "example \u00b2")),
        *(({"size": value}, "Longest side must be one of") for value in ("2048", "", None, 512)),
        ({"shrinking": "Both"}, "Shrinking must be one of"),
        *(({"blur": value}, "Blur must be a number") for value in (-1, 9, math.nan, None, "1", True)),
        *(({"noise": value}, "Noise must be a number") for value in (-1, 99, math.inf, None)),
        *(({"quality": value}, "JPEG must be a number") for value in (0, 101, math.nan, None, "70")),
        *(({"seed": value}, "Seed must be a number") for value in (-1, 2**31, None, "7")),
        *(({"picked": value}, "Faces must be all, none") for value in ("", None, "1,,2", "-1", "1;2", "100", "\u00b2", ["1"])),
        *(({"sharpness": value}, "Sharpness must be a number") for value in (-0.1, 1.1, math.nan, None, "1", True)),
        *(({"ensemble": value}, "Self-ensemble must be one of") for value in (True, None, "on")),
        ({"source": UPLOAD}, "Upload a picture first"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_makes_no_sense_is_refused(stocked, changes, start):
    values = asked(**changes)
    assert refusal(edsr.enlarge_picture, *values).startswith(start)
    assert refusal(edsr.picture_to_save, *values).startswith(start)
    assert refusal(edsr.mixtures, *values).startswith(start)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "LA", "CMYK"])
def test_grey_and_transparent_pictures_arrive_as_seen(stocked, mode):
    stream = io.BytesIO()
    example(2, (30, 20)).convert("RGB" if mode in ("P", "CMYK") else mode.replace("A", "")).convert(mode).save(
        stream, "TIFF" if mode == "CMYK" else "PNG"
    )  # fmt: skip
    picture = _room.read_picture(stream)
    assert result_of(uploaded(picture)).picture.size == (120, 80)


def test_a_picture_of_fifty_megapixels_is_refused_in_one_sentence(tmp_path):
    PIL.Image.new("1", (10_000, 5_000)).save(tmp_path / "huge.png")
    assert refusal(_room.read_picture, tmp_path / "huge.png").startswith("This picture has more than 25 million pixels")


# ---- controls ---------------------------------------------------------------------------------------------------------


def clicked(index) -> gr.EventData:
    return gr.EventData(None, {"index": index})


def test_an_example_takes_the_place_of_an_upload(stocked):
    source, picked, begin, upload = edsr.take_example(clicked(1), PHOTOS)
    assert (source, picked, upload) == ("example 1", ALL, None)
    assert begin and begin != edsr.take_example(clicked(1), PHOTOS)[2], "the same example again begins again"
    for index in (-1, 8, None, "1", math.nan, True):
        assert "Example must be" in refusal(edsr.take_example, clicked(index), PHOTOS)
    assert edsr.take_upload(example())[:2] == [UPLOAD, ALL]
    assert refusal(edsr.take_upload, None).startswith("Upload a picture first")


def test_ticks_become_numbers(stocked):
    assert edsr.pick(["3", "1"])[0] == "3,1" and edsr.pick([])[0] == edsr.pick(None)[0] == NONE
    assert refusal(edsr.pick, ["x"]).startswith("Faces must be")


def test_examples_are_faces_photographs_and_the_sets_own(stocked):
    examples = edsr.examples_of(PHOTOS)
    assert [picture.size for picture in examples] == [
        (672, 352), (400, 400), (451, 300), (600, 400), (640, 427), (128, 128), (128, 128), (128, 128)
    ]  # fmt: skip
    assert len(images_in(edsr.examples_html(PHOTOS))) == 8 and len(edsr.examples_of(GREY)) == 5
    sheet = pixels(examples[0])
    assert np.array_equal(sheet[0, 0], edsr.PAPER) and np.array_equal(sheet[32:160, 32:160], sheet[192:320, 512:640])


def test_other_weights_say_what_they_undo_and_take_the_same_picture(stocked):
    fit, tiles, source, begin = edsr.switch(SNAPSHOTS, "example 2", None)
    assert "JPEG" in fit and source == "example 2" and begin and len(images_in(tiles)) == 5
    assert "shrunk bicubically" in edsr.switch(PHOTOS, "example 2", None)[0]
    assert edsr.switch(GREY, "example 7", None)[2] == "example 0", "there are fewer"
    assert edsr.switch(GREY, UPLOAD, example())[2] == UPLOAD and edsr.switch(GREY, UPLOAD, None)[2] == "example 0"
    assert refusal(edsr.switch, "edsr-faces", "example 0", None).startswith("Trained on must be")


def test_the_first_sight_is_of_published_pictures(stocked):
    before, after = (pixels(picture) for picture in images_in(edsr.first_sight(PHOTOS)))
    assert before.shape == after.shape == (256, 512, 3)
    assert np.abs(after[:128, :128].astype(int) - pixels(example(16, (128, 128)))).mean() < 3
    assert np.abs(before[128:, 384:].astype(int) - pixels(example(11, (128, 128)))).mean() < 3
    assert edsr.first_sight(GREY) != "", "faces alone"
    (stocked / "srgan-faces" / sheets.SAMPLES).unlink()
    assert edsr.first_sight(GREY) == ""


def test_a_link_restores_what_was_seen(stocked, recwarn):
    found = edsr.restored(*asked(source="example 2", picked="1")[:-1])
    assert json.loads(found[0])["busy"] == "true" and found[4:6] == ["example 2", "1"] and found[6]
    assert not recwarn.list
    found = edsr.restored(*asked(source=UPLOAD, picked="3")[:-1])
    assert found[4:6] == ["example 0", ALL]
    assert any("stays with the one who has it" in str(warning.message) for warning in recwarn)


def test_saved_pictures_have_all_pixels(stocked):
    values = asked(mode=COMPARE, sharpness=0.5)
    (saved,) = edsr.picture_to_save(*values)
    assert saved == result_of(values).picture and saved.size == (400, 400)
    (sheet,) = edsr.all_to_save(*values)
    assert sheet.size == (1200, 800)
    assert np.array_equal(pixels(sheet)[400:, 400:800], pixels(saved))


# ---- verbs ------------------------------------------------------------------------------------------------------------


def test_the_verbs_of_the_api(stocked):
    photo, _ = crowd()
    (made,) = images_in(edsr.edsr_enlarge(PHOTOS, sent(photo), "2", 0.5))
    assert np.array_equal(pixels(made), pixels(result_of(uploaded(photo, picked="2", sharpness=0.5)).picture))
    assert images_in(edsr.edsr_enlarge(PHOTOS, "data:image/png;base64," + sent(example()), NONE, 0, True))[0].size == (192, 192)
    assert images_in(edsr.edsr_enlarge())[0].size == (672, 352)
    squares = edsr.edsr_faces(sent(photo))
    assert squares == [list(face) for face in result_of(uploaded(photo)).found] and len(squares) == 5


@pytest.mark.parametrize(
    "verb, values, start",
    [
        *(("enlarge", (value,), "Trained on must be") for value in ("nobody", None)),
        *(("enlarge", (PHOTOS, value), UNREAD) for value in ("x", "AAAA", 7, "/etc/passwd")),
        *(("enlarge", (PHOTOS, "", value), "Faces must be") for value in ("", None, "x")),
        *(("enlarge", (PHOTOS, "", ALL, value), "Sharpness must be") for value in (-1, 2, None, math.nan)),
        *(("enlarge", (PHOTOS, "", ALL, 0, False, value), "Longest side must be") for value in (0, 4096, None)),
        *(("faces", (value,), UNREAD) for value in ("x", "AAAA", 7)),
        ("faces", ("", 99), "Longest side must be"),
    ],
    ids=lambda part: repr(part)[:40],
)  # fmt: skip
def test_a_verb_refuses_what_makes_no_sense(stocked, verb, values, start):
    assert re.match(start, refusal(getattr(edsr, f"edsr_{verb}"), *values))


def test_without_weights_the_page_opens_and_a_click_is_told(shelf):
    with gr.Blocks():
        room = edsr.room()
    assert room.controls["weights"].value is None
    assert refusal(edsr.enlarge_picture, *asked(weights=None)).startswith("Trained on must be one of (none")
    assert refusal(edsr.edsr_faces).startswith("Trained on must be one of (none")


def test_no_setting_is_forgotten_in_a_link(stocked):
    with gr.Blocks():
        room = edsr.room()
    assert list(room.controls) == list(Asked._fields[:-1])
    assert room.controls["weights"].value == PHOTOS and room.controls["mode"].value == ENLARGE
    values = [component.value for component in room.controls.values()]
    assert len(room.show(*values)) == len(room.shown)


def test_how_it_works_names_the_numbers_of_the_code(stocked):
    text = " ".join(edsr.explained().split())
    assert "@" not in text and "12 to 64 pixels wide" in text and "below 24 through" in text
    with torch.device("meta"):
        published = catalog.model_class("edsr")(**catalog.model_class("edsr").recipes["photos"].arguments)
    assert f"looks {published.network.reach} pixels around itself" in text
