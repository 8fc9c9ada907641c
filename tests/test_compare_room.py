"""The room of all models without a browser: who takes part, by turns, what is shown, saved and refused.

Small untrained models stand on the shelf, so that nothing here depends on the published weights but where it says so.
"""

from __future__ import annotations

import base64
import io
import json
import re
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal, smooth

import app
from demos import compare
from demos._families import comparing
from demos._families.comparing import COMPLETE, FILL, RECONSTRUCT, SAMPLE
from demos._kit import lineup, shipped
from demos._kit.inputs import as_input
from demos._kit.lineup import Entry, Lineup
from demos._kit.measured import Score, scores
from demos._kit.pictures import as_text, enlarged, png_uri, to_pil
from demos._kit.recipes import Room, png_with_recipe, recipe_of, room_of
from demos._kit.shipped import sheet_tiles
from gen_models import Draws, catalog, load, runtime
from gen_models.base import GenerativeModel
from gen_models.degradation import degrade
from gen_models.sheets import save_grid

SIDE = 16
PROTOCOL = "10 samples (seed 0) against 10 pictures, 4 features of features-mnist (SHA-256 0{}); error: none."
SHELF = {
    "gmm-mnist": ("mnist", 1), "vae-mnist": ("mnist", 1), "dcgan-mnist": ("mnist", 1), "pixelcnn-mnist": ("mnist", 1),
    "ddpm-mnist": ("mnist", 1), "vae-bold": ("mnist", 1), "features-mnist": ("mnist", 1), "dcgan-mine": ("folder", 3),
    "vae-mine": ("folder", 3), "dcgan-faces": ("faces", 3), "edsr-faces": ("faces", 3),
}  # fmt: skip
DIGITS = ["gmm-mnist", "vae-bold", "vae-mnist", "dcgan-mnist", "pixelcnn-mnist", "ddpm-mnist"]
"""By year."""


def put(name: str, data: str, channels: int, shelf) -> None:
    """Small weights with a sheet of random pictures."""
    torch.manual_seed(len(name))
    kind = catalog.model_class(name.partition("-")[0])
    model = kind(**kind.tiny | ({"channels": channels} if "channels" in kind.tiny else {}))
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data += 0.1 * torch.randn_like(parameter)
    catalog.save(model, shelf / name, {"model": name.partition("-")[0], "data": data, "classes": {}})
    if isinstance(model, GenerativeModel):
        with torch.no_grad():
            save_grid(torch.rand(64, channels, SIDE, SIDE), shelf / name / "samples.png")


@pytest.fixture
def stocked(shelf):
    """Six models of digits, two of a visitor's own pictures, one of faces, and two that make no pictures from nothing."""
    for name, (data, channels) in SHELF.items():
        put(name, data, channels, shelf)
    for place, (name, value) in enumerate({"gmm-mnist": 9.5, "vae-mnist": 4.25, "dcgan-mnist": 5.0, "pixelcnn-mnist": 2.0}.items()):
        measure(name, value, PROTOCOL.format(", real pictures rounded to the model's 2 grey levels" if place == 3 else ""))
    return shelf


def measure(name: str, value: float, protocol: str, **more: Any) -> None:
    """Write a number down as if it had been measured."""
    entry = dict(measure="Frechet distance", key="frechet", value=value, error=0.1, unit="", protocol=protocol, real=0.05,
                 real_error=0.01, better="lower", quick={"value": value + 1, "error": 0.1}) | more  # fmt: skip
    content = {"sha256": catalog.config_of(name)["sha256"], "measures": [dict(entry, key="other", value=1.0), entry]}
    (catalog.WEIGHTS / name / "evaluation.json").write_text(json.dumps(content), encoding="utf-8")


def raw(**changed: Any) -> dict[str, list[Any]]:
    """The values of the room's components."""
    values = dict(weights="mnist", what=SAMPLE, seed=7, count=3, part=0.5, x=0.5, y=0.5, picture="example 0")
    assert set(changed) <= set(values)
    return {key: [value] for key, value in (values | changed).items()}


def ran(**changed: Any) -> list[Lineup]:
    """All frames; the entries of each are as they are at the end."""
    return list(compare.PLAN.call(compare.line_up, raw(**changed)))


def entries(**changed: Any) -> list[Entry]:
    """The rows at the end."""
    return list(ran(**changed)[-1].entries)


def exact(pictures: torch.Tensor) -> list[bytes]:
    return [to_pil(picture).tobytes() for picture in pictures]


def images_in(text: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    return [np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(letters)))) for letters in found]


# ---- who takes part ---------------------------------------------------------------------------------------------------


def test_data_sets_are_those_of_two_models_that_make_pictures(stocked):
    assert list(compare.data_sets()) == ["mnist", "mine"] and compare.is_open()
    put("vae-faces", "faces", 3, stocked)
    assert list(compare.data_sets()) == ["mnist", "faces", "mine"]


def test_without_two_models_there_is_no_room(shelf):
    put("dcgan-faces", "faces", 3, shelf), put("features-faces", "faces", 3, shelf)
    assert not compare.is_open() and app.shared() == {}
    put("vae-faces", "faces", 3, shelf)
    assert list(app.shared()) == ["compare"]


def test_each_task_has_the_models_that_can_do_it_the_oldest_first(stocked):
    can = [name for name in DIGITS if name != "dcgan-mnist"]
    found = compare.compared()
    assert found["mnist"] == {SAMPLE: DIGITS, RECONSTRUCT: ["gmm-mnist", "vae-bold", "vae-mnist"], COMPLETE: can, FILL: can}
    assert found["mine"] == {SAMPLE: ["vae-mine", "dcgan-mine"], RECONSTRUCT: ["vae-mine"]}
    rows = {entry.name: entry.facts[-1] for entry in compare.entries_of("mine", RECONSTRUCT)}
    least = f"no more than {compare.code_of('vae-mine')} numbers"
    assert rows == {"shrunk": least, "frequencies": least, "vae-mine": least.replace("no more than", "a code of")}
    (scale,) = (what for what in compare.able()["faces"] if what.startswith("Enlarge"))
    assert compare.entrants("faces", scale) == ["edsr-faces"] and comparing.KINDS[scale].scale == load("edsr-faces").scale


def test_every_task_of_the_published_weights_has_three_rows_and_every_data_set_four_models():
    found = compare.compared()
    assert {"mnist", "fashion", "faces"} <= set(found)
    for data, tasks in found.items():
        rows = {what: [entry.name for entry in compare.entries_of(data, what)] for what in tasks}
        assert min(map(len, rows.values())) >= 3, rows
        assert len({name for names in rows.values() for name in names}) >= 4, rows


def test_models_on_the_hub_are_named_and_not_fetched(stocked):
    entry = {"repository": "a/b", "commit": "c" * 40, "file": "model.safetensors"}
    catalog.TABLE.write_text(json.dumps({"autoencoder-mnist": entry}), encoding="utf-8")
    catalog.table.cache_clear()
    assert "autoencoder-mnist" in compare.entrants("mnist", SAMPLE)
    entry = next(entry for entry in sight().entries if entry.name == "autoencoder-mnist")
    assert entry.numbers is None and entry.pictures == [] and entry.score.remark == "not measured"


def test_a_folder_without_a_sound_config_does_not_close_the_room(stocked):
    (stocked / "vae-broken").mkdir()
    (stocked / "vae-broken" / "config.json").write_text("{", encoding="utf-8")
    (stocked / "nobody-mnist").mkdir()
    (stocked / "nobody-mnist" / "config.json").write_text("{}", encoding="utf-8")
    assert compare.entrants("mnist", SAMPLE) == DIGITS and list(compare.data_sets()) == ["mnist", "mine"]
    (stocked / "vae-mnist" / "config.json").write_text("{", encoding="utf-8")
    assert compare.digest({"data": "mnist"}) == "" and len(compare.digest({"data": "mine"})) == 64
    assert compare.digest({"data": ["mnist"]}) == compare.digest({"data": "mine", "what": []}) == compare.digest({}) == ""
    assert {entry.name: entry.state for entry in entries()}["vae-mnist"] == "failed"


def test_parameters_are_counted_in_the_file(stocked):
    model = load("dcgan-mnist")
    assert shipped.numbers_in("dcgan-mnist") == sum(value.numel() for value in model.state_dict().values())
    (stocked / "dcgan-mnist" / "model.safetensors").write_bytes(b"cut")
    assert shipped.numbers_in("dcgan-mnist") is None


def test_a_number_of_another_protocol_is_not_shown_beside_the_others(stocked):
    found = scores(DIGITS, "frechet", "Distance")
    assert [found[name].remark for name in ("gmm-mnist", "vae-mnist", "dcgan-mnist")] == ["", "", ""]
    assert found["pixelcnn-mnist"].line == "Distance: not comparable (real pictures rounded to the model's 2 grey levels)"
    assert found["ddpm-mnist"].line == "Distance: not measured"
    assert (found["vae-mnist"].line, found["vae-mnist"].real) == ("Distance 4.25", "0.050")
    shown = sight()
    assert shown.best == 4.25, "2.0 does not count"
    page = shown.html()
    assert page.count("<b>") == 1 and "samples 4.25</b>" in page and "not comparable (real pictures rounded" in page
    assert "2.00" not in page and "10 samples" in shown.note
    words = compare.measured()
    assert "| Gaussian mixture | 9.50 |  |" in words and "| real pictures | 0.050 | |" in words
    assert "2.00" not in words and PROTOCOL.format("") in words


def test_numbers_of_unequal_counts_are_replaced_by_those_of_equal_ones(stocked):
    measure("ddpm-mnist", 3.0, PROTOCOL.format("").replace("10 samples", "2 samples"))
    found = scores(DIGITS, "frechet", "Distance")
    assert [found[name].line for name in ("vae-mnist", "ddpm-mnist")] == ["Distance 5.25", "Distance 4.00"]
    assert found["vae-mnist"].protocol.startswith("500 samples of each")
    assert all(entry.score.value == found[entry.name].value for entry in compare.entries_of("mnist", RECONSTRUCT))


def test_a_number_of_pictures_of_another_size_is_not_shown_beside_the_others(stocked):
    config = json.loads((stocked / "dcgan-mnist" / "config.json").read_text(encoding="utf-8"))
    config["arguments"]["size"] = 32
    (stocked / "dcgan-mnist" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert scores(DIGITS, "frechet", "")["dcgan-mnist"].remark == "not comparable (pictures of 32 x 32 pixels)"


@pytest.mark.parametrize("content", ["{", "[]", '{"measures": 3}', '{"measures": [{"key": "frechet"}]}', "null"])
def test_a_damaged_evaluation_is_not_measured(stocked, content):
    sha = catalog.config_of("gmm-mnist")["sha256"]
    content = content.replace('{"measures"', f'{{"sha256": "{sha}", "measures"')
    (stocked / "gmm-mnist" / "evaluation.json").write_text(content, encoding="utf-8")
    assert scores(["gmm-mnist", "vae-mnist"], "frechet", "")["gmm-mnist"].remark == "not measured"


def test_the_minutes_of_training_stand_beside_each_model(stocked):
    config = json.loads((stocked / "vae-mnist" / "config.json").read_text(encoding="utf-8"))
    for minutes, words in ((0.2, "less than a minute"), (41.5, "42 min")):
        config["training"] = {"minutes": minutes, "hardware": "CPU, 1 cores"}
        (stocked / "vae-mnist" / "config.json").write_text(json.dumps(config), encoding="utf-8")
        assert f"trained for {words} on CPU, 1 core" in compare.entry_of("vae-mnist", "mnist", SAMPLE, Score()).facts


# ---- first sight ------------------------------------------------------------------------------------------------------


def sight(**changed: Any) -> Lineup:
    return compare.PLAN.call(compare.published, raw(**{"seed": 0, "count": 8} | changed))


def test_the_first_sight_runs_no_model(stocked, monkeypatch):
    monkeypatch.setattr(comparing, "load", None)
    with gr.Blocks():
        room = compare.room()
    assert room.controls["data"].value == "mnist"
    seen = images_in(sight().html())
    wanted = [np.asarray(tile) for name in DIGITS for tile in sheet_tiles(name, 8)]
    assert len(seen) == 48 and all(np.array_equal(left, right) for left, right in zip(seen, wanted, strict=True))
    assert sight().html().count('<a href="?room=') == len(DIGITS)
    assert sight(seed=3) is sight(what=FILL) is None


def test_every_row_leads_to_a_room_that_opens_with_these_weights(laid_out):
    """Of the weights in the repository."""
    built, tabs = laid_out
    names = [name for data in compare.data_sets() for name in compare.entrants(data, SAMPLE)]
    assert len(names) >= 18
    for name in names:
        query = {key: values[0] for key, values in parse_qs(room_of(name)[1:]).items()}
        found = app.restore(SimpleNamespace(query_params=query), built, tabs)
        assert found[built[query["room"]].controls["weights"]] == name


# ---- running ----------------------------------------------------------------------------------------------------------


def test_samples_are_those_of_the_models(stocked):
    frames = ran()
    assert [entry.name for entry in frames[-1].entries] == DIGITS
    for entry in frames[-1].entries:
        with torch.no_grad():
            wanted = load(entry.name).sample(Draws(7, 3))
        assert [picture.tobytes() for picture in entry.pictures] == exact(wanted), entry.name
        assert entry.state == "done" and entry.seconds > 0
    assert [frame.busy for frame in frames] == [True] * (len(frames) - 1) + [False]
    assert len(images_in(frames[-1].html())) == 18 and "6 rows. The times are for 3 pictures on" in frames[-1].note


def test_the_picture_of_a_seed_does_not_depend_on_the_count(stocked):
    for left, right in zip(entries(count=1), entries(count=5), strict=True):
        difference = np.asarray(left.pictures[0], int) - np.asarray(right.pictures[0], int)
        assert np.abs(difference).max() <= 1, left.name


def test_reconstructions_come_with_their_difference(stocked):
    given = torch.from_numpy(as_input(compare.examples("mnist")[2], SIDE, 1, centre=False))[None]
    for entry in entries(what=RECONSTRUCT, picture="example 2"):
        with torch.no_grad():
            wanted = load(entry.name).reconstruct(given)
        assert entry.pictures[0].tobytes() == exact(wanted)[0] and len(entry.pictures) == 2
        difference = float(re.fullmatch(r"mean squared difference (\d\.\d{4})", entry.words)[1])
        assert difference == pytest.approx(float((wanted - given).square().mean()), abs=6e-5)


@pytest.mark.parametrize("what, part, x, y", [(COMPLETE, 0.5, 0.5, 0.5), (COMPLETE, 0.25, 0, 1), (FILL, 0.5, 0.2, 0.7)])
def test_completions_are_those_of_the_models(stocked, what, part, x, y):
    frames = ran(what=what, part=part, x=x, y=y, picture="example 1")
    picture = compare.examples("mnist")[1]
    unknown = comparing.hole(what, SIDE, part, x, y)
    given = torch.from_numpy(as_input(picture, SIDE, 1, centre=False))[None]
    for entry in frames[-1].entries:
        with torch.no_grad():
            wanted = load(entry.name).complete(Draws(7, 3), given, torch.from_numpy(unknown))
        assert [made.tobytes() for made in entry.pictures] == exact(wanted), entry.name
    first = images_in(frames[-1].html())[0]
    assert first.shape == (SIDE, SIDE, 3) and (np.ptp(first.astype(int), axis=2) > 0)[unknown].all()
    assert np.array_equal(first[~unknown][:, 0], np.asarray(picture)[~unknown])


def test_enlargements_are_those_of_the_models_beside_what_needs_none(stocked, monkeypatch):
    monkeypatch.setattr(compare, "own_picture", lambda weights, picture: picture)  # no face is sought in it
    put("vae-faces", "faces", 3, stocked), put("srgan-faces", "faces", 3, stocked)
    (what,) = (what for what in compare.compared()["faces"] if comparing.KINDS[what].scale)
    photo = kept("faces", smooth(np.random.default_rng(1), 160))
    shown = ran(weights="faces", what=what, picture=photo)[-1]
    true = torch.from_numpy(as_input(compare.PLAN.fields["picture"].check("faces", photo), 128, 3, centre=False))[None]
    small = degrade(true, comparing.KINDS[what].scale)
    assert [entry.name for entry in shown.entries] == ["nearest", "bicubic", "srgan-faces", "edsr-faces"]
    with torch.no_grad():
        wanted = [load(entry.name).upscale(small) for entry in shown.entries[2:]]
    assert [entry.pictures[0].tobytes() for entry in shown.entries[2:]] == [exact(made)[0] for made in wanted]
    ratios = [float(re.fullmatch(r"(\d+\.\d) dB for this picture", entry.words)[1]) for entry in shown.entries[:2]]
    assert ratios[0] < ratios[1], "of a smooth picture"
    assert [entry.title for entry in shown.given] == ["Given", "The true picture"]
    assert np.array_equal(np.asarray(shown.given[1].pictures[0]), np.asarray(to_pil(true[0])))


def test_baselines_keep_no_more_numbers_than_a_code_and_what_is_known():
    picture = PIL.Image.blend(PIL.Image.new("RGB", (32, 32), "grey"), smooth(np.random.default_rng(2), 32), 0.3)
    task = comparing.Task(COMPLETE, 0, 1, 0.5, 0.5, 0.5, picture, (3, 32), 48)
    true = task.images(3, 32)
    for make in (comparing.shrunk, comparing.frequencies):
        made = make(task, 3, 32)
        assert made.shape == true.shape and torch.linalg.matrix_rank(made[0, 0].double(), atol=1e-4) <= 6
        assert (made - true).square().mean() < true.var(), "better than one colour"
    known = torch.from_numpy(~task.unknown(32))
    filled = comparing.smooth(task, 3, 32)
    assert torch.equal(filled[..., known], true[..., known]) and filled.min() >= 0 and filled.max() <= 1


def test_holes():
    lower = comparing.hole(COMPLETE, 16, 0.25, 0.1, 0.1)
    assert lower[12:].all() and not lower[:12].any()
    for x, y in ((0, 0), (1, 1), (0.5, 0.3)):
        square = comparing.hole(FILL, 16, 0.5, x, y)
        rows, columns = np.nonzero(square)
        assert square.sum() == 64 and np.ptp(rows) == np.ptp(columns) == 7
    assert square[:9, 4:12].sum() == 64 and rows.min() == 1
    for side in (8, 28, 64):
        for part in (0.1, 0.9):
            assert 0 < comparing.hole(FILL, side, part, 0, 1).sum() < side**2 > comparing.hole(COMPLETE, side, part, 0, 1).sum() > 0
    assert not comparing.hole(SAMPLE, 8, 0.5, 0.5, 0.5).any()


def recorded(monkeypatch, name: str, log: list) -> None:
    """Each stage of a model leaves its name in ``log``."""
    kind = type(load(name))
    sample_steps = kind.sample_steps

    def run(self, *values):
        for made in sample_steps(self, *values):
            assert torch.is_inference_mode_enabled(), "a pass without the door"
            log.append(kind.__name__)
            yield made

    monkeypatch.setattr(kind, "sample_steps", run)


def test_slow_models_take_turns_and_the_fast_ones_come_first(stocked, monkeypatch):
    log: list[str] = []
    for name in ("gmm-mnist", "vae-mnist", "dcgan-mnist", "pixelcnn-mnist", "ddpm-mnist"):
        recorded(monkeypatch, name, log)
    monkeypatch.setattr(comparing, "SLICE", 0.0)
    frames = ran()
    slow = [place for place, name in enumerate(log) if name in ("PixelCNN", "DDPM")]
    assert max(place for place, name in enumerate(log) if name in ("GMM", "VAE", "DCGAN")) < slow[6]
    assert set(log[slow[10] : slow[14]]) == {"PixelCNN", "DDPM"}, "by turns"
    assert log.count("DDPM") == 51 and log.count("PixelCNN") == SIDE**2
    assert all(entry.state == "done" for entry in frames[-1].entries)
    assert len(frames) < SIDE**2, "not every stage is a frame"


def test_models_under_way_stay_within_the_memory_budget(stocked, monkeypatch):
    log: list[str] = []
    for name in ("pixelcnn-mnist", "ddpm-mnist"):
        recorded(monkeypatch, name, log)
    monkeypatch.setattr(comparing, "SLICE", 0.0)
    monkeypatch.setattr(catalog, "BUDGET", 100)
    assert all(entry.state == "done" for entry in entries())
    assert log == sorted(log, reverse=True) and len(set(log)) == 2, "one after the other"
    assert len(catalog._loaded) == 1


def test_models_are_loaded_before_their_turn_at_the_door(stocked, monkeypatch):
    inside, loads = [False], []

    @contextmanager
    def door():
        with forward_pass():
            inside[0] = True
            yield
            inside[0] = False

    forward_pass = runtime.forward_pass
    monkeypatch.setattr(runtime, "forward_pass", door)
    monkeypatch.setattr(comparing, "load", lambda name: loads.append(inside[0]) or load(name))
    ran()
    assert loads == [False] * len(DIGITS)


def test_one_that_is_stopped_ends_at_once_and_keeps_what_is_done(stocked, monkeypatch):
    log: list[str] = []
    recorded(monkeypatch, "pixelcnn-mnist", log)
    monkeypatch.setattr(comparing, "SLICE", 0.0)
    stopped: list[bool] = []
    frames = compare.PLAN.call(compare.line_up, raw(), SimpleNamespace(goes_on=lambda: not stopped))
    next(shown for shown in frames if sum(entry.state == "done" for entry in shown.entries) == 4)
    stopped.append(True)
    (last,) = list(frames)
    assert [entry.state for entry in last.entries] == ["done"] * 4 + ["stopped"] * 2 and len(log) < 40
    assert not last.busy and last.note.startswith("Stopped; 4 of 6 models were done.")
    assert last.html().count("then stopped") == 2


def test_damaged_weights_fail_alone(stocked):
    (stocked / "vae-mnist" / "model.safetensors").write_bytes(b"nonsense")
    shown = ran()[-1]
    states = {entry.name: entry.state for entry in shown.entries}
    assert states.pop("vae-mnist") == "failed" and set(states.values()) == {"done"}
    assert "the weights vae-mnist are damaged" in shown.html()


def test_times_have_digits_that_mean_something():
    for seconds, state, words in (
        (0.00005, "done", "0.05 ms"), (0.0042, "done", "4.2 ms"), (0.0424, "busy", "42 ms so far"),
        (2.34, "stopped", "2.3 s, then stopped"), (None, "waiting", "waiting"), (None, "published", ""),
    ):  # fmt: skip
        assert Entry("a", "A", seconds=seconds, state=state).time == words


def test_equal_pictures_are_shown_as_one_that_says_so():
    entry = Entry("a", "A", state="busy")
    entry.show([PIL.Image.new("L", (4, 4), 9)] * 8)
    shown = Lineup("a task", [entry])
    assert len(images_in(shown.html())) == 8, "it is still at work"
    entry.state = "done"
    assert len(images_in(shown.html())) == 1 and lineup.ALIKE in shown.html() and len(shown.json()[0]["pictures"]) == 8
    entry.show([*entry.pictures[:7], PIL.Image.new("L", (4, 4), 10)])
    assert len(images_in(shown.html())) == 8 and lineup.ALIKE not in shown.html()


# ---- the picture ------------------------------------------------------------------------------------------------------


def kept(data: str, image: PIL.Image.Image) -> str:
    """The text of an uploaded picture."""
    field = compare.PLAN.fields["picture"]
    with gr.Blocks():
        change = field.changes(field.build(data))[1]
    return change.value(data, image)


def test_an_uploaded_picture_fits_into_a_link_and_stays_the_same(stocked):
    put("srgan-mine", "folder", 3, stocked)
    noise = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8))
    photo, field = smooth(np.random.default_rng(0), 64), compare.PLAN.fields["picture"]
    for data, image in (("mine", noise), ("mine", photo), ("mnist", photo)):
        text = kept(data, image)
        assert len(text) <= 4500
        assert field.check(data, text).tobytes() == field.check(data, text).tobytes()
        assert all(entry.state == "done" for entry in entries(weights=data, what=RECONSTRUCT, picture=text))
    drawing = PIL.Image.new("L", (60, 90), 255)
    drawing.paste(0, (10, 20, 20, 80))
    shown = np.asarray(field.check("mnist", kept("mnist", drawing.convert("RGB"))))
    assert shown[0, 0].max() == 0 and shown.max() > 200, "dark on light is turned round"
    assert "Upload a picture first" in refusal(kept, "mnist", None)
    large = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
    assert len(as_text(large, 4500)) <= 4500


@pytest.mark.parametrize("text", ["example 8", "example 99", "nonsense", "AAAA", None, 7, ["x"], "x" * 5000], ids=repr)
def test_a_text_that_is_no_picture_is_refused(stocked, text):
    refusal(compare.PLAN.fields["picture"].check, "mnist", text)


def test_without_examples_a_picture_is_asked_for_and_samples_need_none(stocked):
    for name in ("vae-mine", "dcgan-mine"):
        (stocked / name / "samples.png").unlink()
    assert "upload a picture" in refusal(lambda: ran(weights="mine", what=RECONSTRUCT))
    assert all(entry.state == "done" for entry in entries(weights="mine"))


def test_a_click_places_the_hole():
    assert compare.place(0.25, 0.75, FILL) == {"x": 0.25, "y": 0.75}
    assert compare.place(0.25, 0.75, COMPLETE) == {"part": 0.25} and compare.place(0, 1, COMPLETE) == {"part": 0.1}
    assert compare.place(0.25, 0.75, RECONSTRUCT) == {}
    for across, down in ((-0.1, 0.5), (0.5, 1.1), ("x", 0.5), (0.5, None)):
        assert "must be a number" in refusal(compare.place, across, down, FILL)


def test_a_task_stays_where_another_data_set_has_it(stocked):
    follow = compare.PLAN.fields["what"].follow
    assert follow("mine", RECONSTRUCT) == RECONSTRUCT and follow("mine", FILL) == SAMPLE
    assert "Task must be one of Sample, Reconstruct." in refusal(lambda: ran(weights="mine", what=FILL))


# ---- keeping it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [SAMPLE, RECONSTRUCT, COMPLETE, FILL])
def test_the_saved_picture_holds_what_was_seen(stocked, what):
    shown = ran(what=what, count=8)[-1]
    (sheet,) = shown.frames()
    assert sheet.width == 1280
    values = np.asarray(sheet)
    times = 7 if what != RECONSTRUCT else 10
    found = np.asarray(enlarged(shown.entries[-1].pictures[0].convert("RGB"), times))
    left, side = lineup.MARGIN + lineup.COLUMN, times * SIDE
    column = values[:, left : left + side]
    assert any(np.array_equal(column[top : top + side], found) for top in range(sheet.height - side)), "the last model's picture"
    assert (values[:, : left - 8].min(axis=2) < 120).any(axis=1).sum() > 100, "text stands beside"


def alone() -> tuple[Room, gr.Tabs, gr.Blocks]:
    with gr.Blocks() as page, gr.Tabs() as tabs, gr.Tab("Compare"):
        return compare.room(), tabs, page


def test_what_was_never_run_is_saved_as_published_or_made(stocked, monkeypatch):
    room, _, page = alone()
    save = next(event.fn for event in page.fns.values() if event.fn and event.fn.__name__ == "save")
    drawn: list[Lineup] = []
    monkeypatch.setattr(Lineup, "frames", lambda self: drawn.append(self) or [PIL.Image.new("L", (4, 4))])
    for seed in (0, 3):
        save(*({"seed": seed, "count": 2}.get(key, part.value) for key, part in room.controls.items()), None, "")
    assert [{entry.state for entry in shown.entries} for shown in drawn] == [{"published"}, {"done"}]
    assert {len(entry.pictures) for shown in drawn for entry in shown.entries} == {2}


def test_a_saved_picture_and_a_link_restore_the_room(stocked, tmp_path):
    room, tabs, _ = alone()
    held = dict(data="mnist", what=FILL, seed=31, count=3, part=0.5, x=0.25, y=0.5, picture="example 4")
    file = tmp_path / "saved.png"
    recipe = recipe_of("compare", list(held), list(held.values()), room.digest)
    file.write_bytes(png_with_recipe([PIL.Image.new("L", (4, 4))], recipe))
    query = {key: found[0] for key, found in parse_qs(app.link_of(str(file))[1:]).items()}
    assert list(room.controls) == list(held) and len(query["sha"]) == 16
    found = app.restore(SimpleNamespace(query_params=query), {"compare": room}, tabs)
    assert found[tabs].selected == "compare"
    now = {key: found[part] for key, part in room.controls.items()}
    assert {key: getattr(value, "value", value) for key, value in now.items()} == held
    assert re.fullmatch("[0-9a-f]{8}", found[room.shown[-1]]), "it begins"
    put("vi_gmm-mnist", "mnist", 1, stocked)
    with pytest.warns(UserWarning, match="retrained"):
        app.restore(SimpleNamespace(query_params=query), {"compare": room}, tabs)


def test_a_link_may_name_a_task_that_the_first_data_set_lacks():
    """Of the weights in the repository."""
    room, tabs, _ = alone()
    what = next(what for what in compare.compared()["faces"] if comparing.KINDS[what].scale)
    assert what not in [value for _, value in room.controls["what"].choices]
    for data, opens in (("faces", True), ("mnist", False)):
        query = {"room": "compare", "state": json.dumps({"data": data, "what": what})}
        if opens:
            found = app.restore(SimpleNamespace(query_params=query), {"compare": room}, tabs)
            assert (found[room.controls["what"]].value, what in dict(found[room.controls["what"]].choices).values()) == (what, True)
        else:
            with pytest.warns(UserWarning, match="This link does not fit: Task must be one of"):
                assert list(app.restore(SimpleNamespace(query_params=query), {"compare": room}, tabs)) == [tabs]


# ---- verbs ------------------------------------------------------------------------------------------------------------


def verb(name: str) -> Any:
    return next(event.fn for event in alone()[2].fns.values() if event.api_name == f"compare_{name}")


def test_the_verbs_answer(stocked):
    found = verb("sample")("mnist", 7, 3)
    assert [answer["weights"] for answer in found] == DIGITS
    years = [answer["year"] for answer in found]
    assert years == sorted(years) and all(answer["milliseconds"] > 0 and answer["parameters"] > 0 for answer in found)
    with torch.no_grad():
        wanted = load("dcgan-mnist").sample(Draws(7, 3))
    assert [images_in(uri)[0].tobytes() for uri in found[3]["pictures"]] == exact(wanted)
    assert (found[0]["frechet"], found[4]["remark"][:14], found[5]["frechet"]) == (9.5, "not comparable", None)
    assert json.loads(json.dumps(found)) == found
    sent = png_uri(smooth(np.random.default_rng(0), 40))
    assert [answer["weights"] for answer in verb("reconstruct")("mnist", sent)] == ["gmm-mnist", "vae-bold", "vae-mnist"]
    assert len(verb("complete")("mnist", "example 1", 0.3, 7, 2)[0]["pictures"]) == 2
    assert len(verb("fill")("", sent, 0.3, 0.2, 0.8, 7, 1)) == 5


@pytest.mark.parametrize(
    "name, values, sentence",
    [
        ("sample", ("nobody",), "Data must be one of"), ("sample", ("", -1), "Seed must be"),
        ("sample", ("", 7, 10**6), "Pictures of each model must be"), ("reconstruct", ("", "x"), "picture"),
        ("complete", ("", "", 2), "Unknown part must be"), ("fill", ("", "", 0.5, 7), "Hole, across must be"),
        ("reconstruct", ("", None), "picture"), ("complete", ("", "example 70"), "Example must be"),
    ],
)  # fmt: skip
def test_a_verb_refuses_in_one_sentence(stocked, name, values, sentence):
    assert sentence in refusal(verb(name), *values)
