"""The room of all models without a browser: who takes part, by turns, what is shown, saved and refused.

Small untrained models stand on the shelf, so that nothing here depends on the published weights but where it says so.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import parse_qs

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal, smooth

import app
from demos import compare
from demos._kit import shipped
from demos._kit.inputs import as_input
from demos._kit.pictures import enlarged, png_uri, to_pil
from demos._kit.recipes import Room, png_with_recipe, recipe_of
from demos._kit.running import cancel
from demos._kit.shipped import sheet_tiles
from demos.compare import COMPLETE, FILL, RECONSTRUCT, SAMPLE
from gen_models import Draws, catalog, load, runtime
from gen_models.base import GenerativeModel
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
        protocol = PROTOCOL.format(", real pictures rounded to the model's 2 grey levels" if place == 3 else "")
        number = dict(measure="Frechet distance", key="frechet", value=value, error=0.1, unit="", protocol=protocol, real=0.05,
                      real_error=0.01)  # fmt: skip
        measures = {"measures": [dict(number, key="other", value=1.0), number]}
        (shelf / name / "evaluation.json").write_text(json.dumps(measures), encoding="utf-8")
    compare._results.clear()
    yield shelf
    compare._results.clear()


def controls(**changed) -> list:
    """The room's controls in their order."""
    values = dict(data="mnist", what=SAMPLE, seed=7, count=3, part=0.5, x=0.5, y=0.5, picture="")
    assert set(changed) <= set(values)
    return list((values | changed).values())


def ran(**changed) -> tuple[list[list[str]], list[compare.Entry]]:
    """All frames, and the rows at the end."""
    values = controls(**changed)
    return list(compare.compared("begin", *values)), compare._results.get(tuple(values))


def exact(pictures: torch.Tensor) -> list[bytes]:
    return [to_pil(picture).tobytes() for picture in pictures]


def images_in(text: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    return [np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(letters)))) for letters in found]


def clicked(**more) -> gr.EventData:
    return gr.EventData(None, more)


# ---- who takes part ---------------------------------------------------------------------------------------------------


def test_data_sets_are_those_of_two_models_that_make_pictures(stocked):
    assert compare.data_sets() == ["mnist", "mine"] and compare.is_open()
    put("vae-faces", "faces", 3, stocked)
    assert compare.data_sets() == ["mnist", "faces", "mine"]


def test_without_two_models_there_is_no_room(shelf):
    put("dcgan-faces", "faces", 3, shelf), put("features-faces", "faces", 3, shelf)
    assert not compare.is_open() and app.shared() == {}
    put("vae-faces", "faces", 3, shelf)
    assert list(app.shared()) == ["compare"]


def test_each_task_has_the_models_that_can_do_it_the_oldest_first(stocked):
    assert compare.entrants("mnist", SAMPLE) == DIGITS
    assert compare.entrants("mnist", RECONSTRUCT) == ["gmm-mnist", "vae-bold", "vae-mnist"]
    can = [name for name in DIGITS if name != "dcgan-mnist"]
    assert compare.entrants("mnist", COMPLETE) == compare.entrants("mnist", FILL) == can
    assert compare.entrants("mine", SAMPLE) == ["vae-mine", "dcgan-mine"]


def test_models_on_the_hub_are_named_and_not_fetched(stocked):
    entry = {"repository": "a/b", "commit": "c" * 40, "file": "model.safetensors"}
    catalog.TABLE.write_text(json.dumps({"autoencoder-mnist": entry}), encoding="utf-8")
    catalog.table.cache_clear()
    assert "autoencoder-mnist" in compare.entrants("mnist", SAMPLE)
    entry = next(entry for entry in compare.published("mnist") if entry.weights == "autoencoder-mnist")
    assert entry.numbers is None and entry.pictures == [] and entry.quality.remark == "not measured"


def test_a_folder_without_a_sound_config_does_not_close_the_room(stocked):
    (stocked / "vae-broken").mkdir()
    (stocked / "vae-broken" / "config.json").write_text("{", encoding="utf-8")
    (stocked / "nobody-mnist").mkdir()
    (stocked / "nobody-mnist" / "config.json").write_text("{}", encoding="utf-8")
    assert compare.entrants("mnist", SAMPLE) == DIGITS and compare.data_sets() == ["mnist", "mine"]
    (stocked / "vae-mnist" / "config.json").write_text("{", encoding="utf-8")
    assert compare.digest({"data": "mnist"}) == "" and len(compare.digest({"data": "mine"})) == 64
    assert compare.digest({"data": ["mnist"]}) == compare.digest({"data": "mine", "what": []}) == compare.digest({}) == ""
    assert {entry.weights: entry.state for entry in ran()[1]}["vae-mnist"] == "failed"


def test_parameters_are_counted_in_the_file(stocked):
    model = load("dcgan-mnist")
    assert compare.numbers_in("dcgan-mnist") == sum(value.numel() for value in model.state_dict().values())
    (stocked / "dcgan-mnist" / "model.safetensors").write_bytes(b"cut")
    assert compare.numbers_in("dcgan-mnist") is None


def test_a_number_of_another_protocol_is_not_held_against_the_others(stocked):
    found = compare.qualities(DIGITS)
    assert {name: found[name].remark for name in ("gmm-mnist", "vae-mnist", "dcgan-mnist")} == {
        "gmm-mnist": "", "vae-mnist": "", "dcgan-mnist": ""}  # fmt: skip
    assert found["pixelcnn-mnist"].remark == "not comparable: real pictures rounded to the model's 2 grey levels"
    assert found["ddpm-mnist"].remark == "not measured" and found["ddpm-mnist"].words == ""
    assert (found["vae-mnist"].words, found["vae-mnist"].real) == ("4.25", "0.050")
    assert compare.best_of(compare.entries_of("mnist", SAMPLE)) == 4.25, "2.0 does not count"
    shown = compare.first_sight("mnist")[0]
    assert "<b>4.25</b>" in shown and shown.count("<b>") == 1 and "not comparable: real pictures rounded" in shown
    words = compare.measured()
    assert "| Gaussian mixture | 9.50 | 0.050 |  |" in words and PROTOCOL.format("") in words


def test_a_number_of_pictures_of_another_size_is_not_held_against_the_others(stocked):
    config = json.loads((stocked / "dcgan-mnist" / "config.json").read_text(encoding="utf-8"))
    config["arguments"]["size"] = 32
    (stocked / "dcgan-mnist" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert compare.qualities(DIGITS)["dcgan-mnist"].remark == "not comparable: pictures of 32 x 32 pixels"


@pytest.mark.parametrize("content", ["{", "[]", '{"measures": 3}', '{"measures": [{"key": "frechet"}]}', "null"])
def test_a_damaged_evaluation_is_not_measured(stocked, content):
    (stocked / "gmm-mnist" / "evaluation.json").write_text(content, encoding="utf-8")
    assert compare.qualities(["gmm-mnist", "vae-mnist"])["gmm-mnist"].remark == "not measured"


# ---- first sight ------------------------------------------------------------------------------------------------------


def test_the_first_sight_runs_no_model(stocked, monkeypatch):
    monkeypatch.setattr(compare, "load", None)
    with gr.Blocks():
        room = compare.room()
    assert room.controls["data"].value == "mnist"
    seen = images_in(compare.first_sight("mnist")[0])
    wanted = [np.asarray(tile) for name in DIGITS for tile in sheet_tiles(name, 8)]
    assert len(seen) == 48 and all(np.array_equal(left, right) for left, right in zip(seen, wanted, strict=True))
    assert compare.first_sight("mnist")[0].count('<a href="?room=') == len(DIGITS)


def test_every_row_leads_to_a_room_that_opens_with_these_weights(laid_out):
    """Of the weights in the repository."""
    built, tabs = laid_out
    names = [name for data in compare.data_sets() for name in compare.entrants(data, SAMPLE)]
    assert len(names) >= 18
    for name in names:
        query = {key: values[0] for key, values in parse_qs(compare.room_of(name)[1:]).items()}
        found = app.restore(SimpleNamespace(query_params=query), built, tabs)
        assert found[built[query["room"]].controls["weights"]] == name


# ---- running ----------------------------------------------------------------------------------------------------------


def test_samples_are_those_of_the_models(stocked):
    frames, entries = ran()
    assert [entry.weights for entry in entries] == DIGITS
    for entry in entries:
        with torch.no_grad():
            wanted = load(entry.weights).sample(Draws(7, 3))
        assert [picture.tobytes() for picture in entry.pictures] == exact(wanted), entry.weights
        assert entry.state == "done" and entry.seconds > 0
    assert ['aria-busy="true"' in frame[0] for frame in frames] == [True] * (len(frames) - 1) + [False]
    assert len(images_in(frames[-1][0])) == 18 and "6 models. The times are for 3 pictures on" in frames[-1][1]


def test_the_picture_of_a_seed_does_not_depend_on_the_count(stocked):
    few, many = ran(count=1)[1], ran(count=5)[1]
    for left, right in zip(few, many, strict=True):
        difference = np.asarray(left.pictures[0], int) - np.asarray(right.pictures[0], int)
        assert np.abs(difference).max() <= 1, left.weights


def test_reconstructions_come_with_their_difference(stocked):
    _, entries = ran(what=RECONSTRUCT, picture="example 2")
    given = torch.from_numpy(as_input(compare.example_pictures("mnist")[2], SIDE, 1, centre=False))[None]
    for entry in entries:
        with torch.no_grad():
            wanted = load(entry.weights).reconstruct(given)
        assert entry.pictures[0].tobytes() == exact(wanted)[0] and len(entry.pictures) == 2
        told = float(re.fullmatch(r"mean squared difference (\d\.\d{4})", entry.words)[1])
        assert told == pytest.approx(float((wanted - given).square().mean()), abs=6e-5)


@pytest.mark.parametrize("what, part, x, y", [(COMPLETE, 0.5, 0.5, 0.5), (COMPLETE, 0.25, 0, 1), (FILL, 0.5, 0.2, 0.7)])
def test_completions_are_those_of_the_models(stocked, what, part, x, y):
    frames, entries = ran(what=what, part=part, x=x, y=y, picture="example 1")
    picture = compare.example_pictures("mnist")[1]
    unknown = compare.hole(what, SIDE, part, x, y)
    given = torch.from_numpy(as_input(picture, SIDE, 1, centre=False))[None]
    for entry in entries:
        with torch.no_grad():
            wanted = load(entry.weights).complete(Draws(7, 3), given, torch.from_numpy(unknown))
        assert [made.tobytes() for made in entry.pictures] == exact(wanted), entry.weights
    first = images_in(frames[-1][0])[0]
    assert first.shape == (SIDE, SIDE, 3) and (np.ptp(first.astype(int), axis=2) > 0)[unknown].all()
    assert np.array_equal(first[~unknown][:, 0], np.asarray(picture)[~unknown])


def test_holes():
    lower = compare.hole(COMPLETE, 16, 0.25, 0.1, 0.1)
    assert lower[12:].all() and not lower[:12].any()
    for x, y in ((0, 0), (1, 1), (0.5, 0.3)):
        square = compare.hole(FILL, 16, 0.5, x, y)
        rows, columns = np.nonzero(square)
        assert square.sum() == 64 and np.ptp(rows) == np.ptp(columns) == 7
    assert square[:9, 4:12].sum() == 64 and rows.min() == 1
    for side in (8, 28, 64):
        for part in (0.1, 0.9):
            assert 0 < compare.hole(FILL, side, part, 0, 1).sum() < side**2 > compare.hole(COMPLETE, side, part, 0, 1).sum() > 0
    assert not compare.hole(SAMPLE, 8, 0.5, 0.5, 0.5).any()


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
    monkeypatch.setattr(compare, "SLICE", 0.0)
    frames, entries = ran()
    slow = [place for place, name in enumerate(log) if name in ("PixelCNN", "DDPM")]
    assert max(place for place, name in enumerate(log) if name in ("GMM", "VAE", "DCGAN")) < slow[6]
    assert set(log[slow[10] : slow[14]]) == {"PixelCNN", "DDPM"}, "by turns"
    assert log.count("DDPM") == 51 and log.count("PixelCNN") == SIDE**2
    assert all(entry.state == "done" for entry in entries)
    assert len(frames) < 40, "not every stage is a frame"


def test_models_under_way_stay_within_the_memory_budget(stocked, monkeypatch):
    log: list[str] = []
    for name in ("pixelcnn-mnist", "ddpm-mnist"):
        recorded(monkeypatch, name, log)
    monkeypatch.setattr(compare, "SLICE", 0.0)
    monkeypatch.setattr(catalog, "BUDGET", 100)
    _, entries = ran()
    assert log == sorted(log, reverse=True) and len(set(log)) == 2, "one after the other"
    assert all(entry.state == "done" for entry in entries) and len(catalog._loaded) == 1


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
    monkeypatch.setattr(compare, "load", lambda name: loads.append(inside[0]) or load(name))
    ran()
    assert loads == [False] * len(DIGITS)


def test_one_that_is_stopped_ends_at_once_and_keeps_what_is_done(stocked, monkeypatch):
    log: list[str] = []
    recorded(monkeypatch, "pixelcnn-mnist", log)
    monkeypatch.setattr(compare, "SLICE", 0.0)
    values = controls()
    frames = compare.compared("stop me", *values)
    for shown, _ in frames:
        if shown.count('data-state="done"') == 4:
            break
    cancel("stop me")
    (last,) = list(frames)
    count = len(log)
    states = [entry.state for entry in compare._results.get(tuple(values))]
    assert states == ["done"] * 4 + ["stopped"] * 2 and count < 40
    assert 'aria-busy="false"' in last[0] and "Stopped; 4 of 6 models were done." in last[1]
    assert last[0].count("then stopped") == 2
    assert compare.poster(*values)[0].width == 1280 and len(log) == count, "what was seen is saved, nothing is made anew"


def test_damaged_weights_fail_alone(stocked):
    (stocked / "vae-mnist" / "model.safetensors").write_bytes(b"nonsense")
    frames, entries = ran()
    states = {entry.weights: entry.state for entry in entries}
    assert states.pop("vae-mnist") == "failed" and set(states.values()) == {"done"}
    assert "the weights vae-mnist are damaged" in frames[-1][0]


def test_times_are_told_with_digits_that_mean_something(stocked):
    entry = compare.entries_of("mnist", SAMPLE)[0]
    for seconds, state, words in (
        (0.00005, "done", "0.05 ms"), (0.0042, "done", "4.2 ms"), (0.0424, "busy", "42 ms so far"),
        (2.34, "stopped", "2.3 s, then stopped"), (None, "waiting", "waiting"), (None, "published", ""),
    ):  # fmt: skip
        entry.seconds, entry.state = seconds, state
        assert compare.time_words(entry) == words


# ---- the picture ------------------------------------------------------------------------------------------------------


def test_an_uploaded_picture_fits_into_a_link_and_stays_the_same(stocked):
    noise = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8))
    photo = smooth(np.random.default_rng(0), 64)
    for data, image in (("mine", noise), ("mine", photo), ("mnist", photo)):
        text = compare.take_upload(data, image)
        assert len(text) <= compare.MAX_TEXT
        assert compare.given(data, text).tobytes() == compare.given(data, text).tobytes()
        frames, entries = ran(data=data, what=RECONSTRUCT, picture=text)
        assert all(entry.state == "done" for entry in entries)
    drawing = PIL.Image.new("L", (60, 90), 255)
    drawing.paste(0, (10, 20, 20, 80))
    shown = np.asarray(compare.given("mnist", compare.take_upload("mnist", drawing.convert("RGB"))))
    assert shown[0, 0].max() == 0 and shown.max() > 200, "dark on light is turned round"
    assert "Upload a picture first" in refusal(compare.take_upload, "mnist", None)
    assert "Data must be one of" in refusal(compare.take_upload, "faces", drawing)


def test_a_large_colour_picture_is_kept_small(stocked, monkeypatch):
    monkeypatch.setattr(shipped, "shape_of", lambda name: (3, 256))
    monkeypatch.setattr(shipped, "picture_for", lambda name, image: torch.rand(1, 3, 256, 256))
    assert len(compare.as_text("mine", PIL.Image.new("RGB", (9, 9)))) <= compare.MAX_TEXT


@pytest.mark.parametrize("text", ["example 8", "example 99", "nonsense", "AAAA", None, 7, ["x"], "x" * 5000], ids=repr)
def test_a_text_that_is_no_picture_is_refused(stocked, text):
    refusal(compare.compared, "begin", *controls(what=RECONSTRUCT, picture=text))


def test_without_examples_a_picture_is_asked_for(stocked):
    for name in ("vae-mine", "dcgan-mine"):
        (stocked / name / "samples.png").unlink()
    assert "Upload a picture first" in refusal(compare.looked, *controls(data="mine", what=FILL))


# ---- handlers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key, values, sentence",
    [
        ("data", ["faces", "", None, 3, ["mnist"]], "Data must be one of mnist, mine."),
        ("what", ["sample", "", None, 3, []], "Task must be one of Sample"),
        ("seed", [-1, 2**31, math.nan, "7", None, True], "Seed must be a number"),
        ("count", [0, 9, math.inf, "3", None], "Pictures must be a number"),
        ("part", [0, 1, math.nan, "x"], "Unknown part must be a number"),
        ("x", [-0.1, 1.1, None], "Across must be a number"),
        ("y", [-0.1, 1.1, None], "Down must be a number"),
    ],
)
def test_a_bad_value_is_refused_by_name(stocked, key, values, sentence):
    for value in values:
        assert sentence in refusal(compare.compared, "begin", *controls(**{key: value}))
        assert sentence in refusal(compare.restored, *controls(**{key: value}))
        assert sentence in refusal(compare.poster, *controls(**{key: value}))


def test_a_task_that_nobody_can_do_says_so(stocked):
    for name in ("gmm-mnist", "vae-mnist", "vae-bold"):
        (stocked / name / "config.json").unlink()
    assert "No model of this data set can do this yet: reconstruct" in refusal(compare.compared, "", *controls(what=RECONSTRUCT))


def test_the_controls_follow_the_task_and_the_data(stocked):
    for what, shown in ((SAMPLE, [False] * 4), (RECONSTRUCT, [True, False, False, False]), (COMPLETE, [True, True, False, False]),
                        (FILL, [True] * 4)):  # fmt: skip
        column, look, *sliders = compare.choose_task(*controls(what=what))
        assert [component.visible for component in (column, *sliders)] == shown
        assert len(images_in(look)) == (what != SAMPLE)
    examples, picture, *rest = compare.choose_data(*controls(data="mine", what=FILL)[:-1])
    assert len(images_in(examples)) == 8 and picture == "" and images_in(rest[1])[0].shape == (SIDE, SIDE, 3)
    assert images_in(compare.looked(*controls(what=COMPLETE, picture="example 3")))
    assert "Task must be" in refusal(compare.choose_task, *controls(what="x"))
    assert "Data must be" in refusal(compare.choose_data, *controls(data="x")[:-1])


def test_examples_and_places_are_taken(stocked):
    assert compare.take_example(clicked(index=3), "mnist") == "example 3"
    for index in (8, -1, None, "1", math.nan):
        assert "Example must be a number" in refusal(compare.take_example, clicked(index=index), "mnist")
    assert "Data must be" in refusal(compare.take_example, clicked(index=0), "x")
    assert compare.place(clicked(x=0.25, y=0.75), FILL, 0.5, 0.5, 0.5) == [0.5, 0.25, 0.75]
    assert compare.place(clicked(x=0.25, y=0.75), COMPLETE, 0.5, 0.5, 0.5) == [0.25, 0.5, 0.5]
    assert compare.place(clicked(x=0, y=1), COMPLETE, 0.5, 0.5, 0.5)[0] == 0.1
    assert compare.place(clicked(x=0.25, y=0.75), RECONSTRUCT, 0.5, 0.5, 0.5) == [0.5, 0.5, 0.5]
    for x, y in ((-0.1, 0.5), (0.5, 1.1), ("x", 0.5), (0.5, None)):
        assert "must be a number" in refusal(compare.place, clicked(x=x, y=y), FILL, 0.5, 0.5, 0.5)
    refusal(compare.place, clicked(), FILL, 0.5, 0.5, 0.5)


# ---- keeping it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [SAMPLE, RECONSTRUCT, COMPLETE, FILL])
def test_the_saved_picture_holds_what_was_seen(stocked, monkeypatch, what):
    _, entries = ran(what=what, count=8)
    monkeypatch.setattr(compare, "load", None)
    (sheet,) = compare.poster(*controls(what=what, count=8))
    assert sheet.width == 1280
    values = np.asarray(sheet)
    times = 7 if what != RECONSTRUCT else 10
    found = np.asarray(enlarged(entries[-1].pictures[0].convert("RGB"), times))
    left, side = compare.MARGIN + compare.COLUMN, times * SIDE
    column = values[:, left : left + side]
    assert any(np.array_equal(column[top : top + side], found) for top in range(sheet.height - side)), "the last model's picture"
    assert (values[:, : left - 8].min(axis=2) < 120).any(axis=1).sum() > 100, "text stands beside"


def test_what_was_never_run_is_saved_as_published_or_made(stocked, monkeypatch):
    _, entries = compare.entries_seen(tuple(controls(seed=0, count=2)))
    assert {entry.state for entry in entries} == {"published"} and {len(entry.pictures) for entry in entries} == {2}
    _, entries = compare.entries_seen(tuple(controls(seed=3, count=2)))
    assert {entry.state for entry in entries} == {"done"}


def alone() -> tuple[Room, gr.Tabs]:
    with gr.Blocks(), gr.Tabs() as tabs, gr.Tab("Compare"):
        return compare.room(), tabs


def test_a_saved_picture_and_a_link_restore_the_room(stocked, tmp_path):
    room, tabs = alone()
    values = controls(what=FILL, seed=31, picture="example 4", x=0.25)
    file = tmp_path / "saved.png"
    recipe = recipe_of("compare", list(room.controls), values, room.digest)
    file.write_bytes(png_with_recipe(compare.poster(*values), recipe))
    query = {key: found[0] for key, found in parse_qs(app.link_of(str(file))[1:]).items()}
    assert len(query["sha"]) == 16
    found = app.restore(SimpleNamespace(query_params=query), {"compare": room}, tabs)
    assert found[tabs].selected == "compare"
    held = dict(zip(room.controls, values, strict=True))
    assert {key: found[room.controls[key]].value if hasattr(found[room.controls[key]], "value") else found[room.controls[key]]
            for key in ("data", "what", "seed", "count", "picture")} == {
        key: held[key] for key in ("data", "what", "seed", "count", "picture")}  # fmt: skip
    assert 'aria-busy="true"' in found[room.shown[0]] and found[room.shown[-1]].startswith("link ")
    assert found[room.controls["x"]].value == 0.25 and found[room.controls["part"]].value == 0.5
    put("vi_gmm-mnist", "mnist", 1, stocked)
    with pytest.warns(UserWarning, match="retrained"):
        app.restore(SimpleNamespace(query_params=query), {"compare": room}, tabs)


@pytest.mark.parametrize("state", [{"data": "nobody"}, {"what": "x"}, {"seed": -1}, {"count": 99}, {"x": "1"}, {"picture": 3}])
def test_a_value_out_of_range_in_a_link_is_ignored(stocked, state):
    room, tabs = alone()
    found = app.restore(SimpleNamespace(query_params={"room": "compare", "state": json.dumps(state)}), {"compare": room}, tabs)
    component = room.controls[next(iter(state))]
    assert getattr(found.get(component), "value", component.value) == component.value and found[tabs].selected == "compare"


def test_a_link_with_no_picture_says_so_and_opens_the_room(stocked):
    room, tabs = alone()
    state = json.dumps({"what": FILL, "picture": "nonsense"})
    with pytest.warns(UserWarning, match="This link does not fit"):
        found = app.restore(SimpleNamespace(query_params={"room": "compare", "state": state}), {"compare": room}, tabs)
    assert list(found) == [tabs]


# ---- verbs ------------------------------------------------------------------------------------------------------------


def test_the_verbs_answer(stocked):
    found = compare.compare_sample("mnist", 7, 3)
    assert [answer["weights"] for answer in found] == DIGITS
    years = [answer["year"] for answer in found]
    assert years == sorted(years) and all(answer["milliseconds"] > 0 and answer["parameters"] > 0 for answer in found)
    with torch.no_grad():
        wanted = load("dcgan-mnist").sample(Draws(7, 3))
    assert [images_in(uri)[0].tobytes() for uri in found[3]["pictures"]] == exact(wanted)
    assert (found[0]["frechet"], found[4]["remark"][:14], found[5]["frechet"]) == (9.5, "not comparable", None)
    assert json.loads(json.dumps(found)) == found
    sent = png_uri(smooth(np.random.default_rng(0), 40))
    assert [answer["weights"] for answer in compare.compare_reconstruct("mnist", sent)] == ["gmm-mnist", "vae-bold", "vae-mnist"]
    assert len(compare.compare_complete("mnist", "example 1", 0.3, 7, 2)[0]["pictures"]) == 2
    assert len(compare.compare_fill("", sent, 0.3, 0.2, 0.8, 7, 1)) == 5


@pytest.mark.parametrize(
    "verb, values, sentence",
    [
        (compare.compare_sample, ("nobody",), "Data must be one of"), (compare.compare_sample, ("", -1), "Seed must be"),
        (compare.compare_sample, ("", 7, 10**6), "Pictures must be"), (compare.compare_reconstruct, ("", "x"), "picture"),
        (compare.compare_complete, ("", "", 2), "Unknown part must be"), (compare.compare_fill, ("", "", 0.5, 7), "Across must be"),
        (compare.compare_reconstruct, ("", None), "picture"), (compare.compare_complete, ("", "example 70"), "no example 70"),
    ],
)  # fmt: skip
def test_a_verb_refuses_in_one_sentence(stocked, verb, values, sentence):
    assert sentence in refusal(verb, *values)
