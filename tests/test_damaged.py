"""Damaged files beside weights: each room opens or says why by itself, and the others do not notice."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import gradio as gr
import httpx
import PIL.Image
import pytest
from conftest import ROOT
from test_room import raw_png

import app
from demos._kit.boundary import laid_out
from demos._kit.recipes import Room
from demos._kit.shipped import sheet_tiles
from demos._server import covers, talk
from gen_models import catalog
from gen_models.cards import numbers_table

NAMES = ("gmm-mnist", "vae-mnist", "dcgan-fashion")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * b"0" + b"\nsize 12345\n"
PICTURES = {
    "empty": b"", "text": b"milk, bread\n" * 20, "pointer": POINTER, "huge": raw_png(30000, 30000, 1, 0, bytes(3750)),
    "narrow": raw_png(1, 64, 8, 0, bytes(1)), "cut": None,
}  # fmt: skip
NUMBERS = {
    "deep": "[" * 100_000, "deep object": '{"measures":' * 100_000, "list": "[]", "null": "null", "words": '{"measures": "many"}',
    "empty": '{"measures": [{}]}', "nothing": '{"measures": null}', "odd": '{"measures": [7, {"key": 1, "value": "x"}]}',
    "not finite": '{"measures": [{"key": "a", "measure": "a", "unit": "", "value": NaN, "error": 1}]}',
}  # fmt: skip


@pytest.fixture
def stocked(shelf):
    """A weights folder with the weights of three rooms."""
    for name in NAMES:
        shutil.copytree(ROOT / "weights" / name, shelf / name)
    for cached in (covers.cover, talk.prepared):
        cached.cache_clear()
    yield shelf
    for cached in (covers.cover, talk.prepared):
        cached.cache_clear()


def texts(page: gr.Blocks) -> str:
    return json.dumps([component["props"].get("value") for component in page.get_config_file()["components"]], default=str)


@pytest.mark.parametrize("kind", PICTURES)
def test_the_page_opens_with_a_damaged_sheet(kind, stocked, caplog):
    for name in NAMES:
        file = stocked / name / "samples.png"
        content = PICTURES[kind]
        file.write_bytes(file.read_bytes()[:1000] if content is None else content)
    page = app.build()
    assert "cannot be opened" not in texts(page)
    for name in NAMES:
        assert covers.cover(name) == b"" and sheet_tiles(name) == []
    assert kind == "narrow" or talk.prepared("vae") == b""
    assert ("vae-mnist/samples.png cannot be read: " in caplog.text) == (kind not in ("narrow", "pointer"))


@pytest.mark.parametrize("kind", NUMBERS)
def test_the_page_opens_with_damaged_numbers(kind, stocked):
    for name in NAMES:
        (stocked / name / "evaluation.json").write_text(NUMBERS[kind], encoding="utf-8")
    shown = texts(app.build())
    # the room of all models may close where it reads the numbers by itself
    assert shown.count("cannot be opened") <= kind.startswith("deep") and shown.count("not measured yet") >= 1
    assert "The numbers " in numbers_table("vae-mnist")


CONFIGS = ["", "[", "[" * 100_000, '{"a":' * 100_000, "7", '{"model": 7, "arguments": 7}', '{"model": "vae"}']


@pytest.mark.parametrize("config", CONFIGS)
def test_the_page_opens_with_a_damaged_configuration(config, stocked):
    (stocked / "vae-mnist" / "config.json").write_text(config, encoding="utf-8")
    assert '"gmm-mnist"' in json.dumps(app.build().get_config_file(), default=str)
    with pytest.raises(catalog.WeightsError, match="vae-mnist"):
        catalog.load("vae-mnist")


def test_a_clone_without_lfs_is_said_in_one_sentence(stocked):
    assert catalog.pointers() == []
    for name in NAMES:
        for file in ("samples.png", "model.safetensors"):
            (stocked / name / file).write_bytes(POINTER)
    assert len(catalog.pointers()) == 6
    assert '"gmm-mnist"' in json.dumps(app.build().get_config_file(), default=str)
    with pytest.raises(catalog.WeightsError, match="is a pointer of Git LFS, whose content was not fetched .git lfs pull.; "):
        catalog.load("vae-mnist")


def test_a_room_that_fails_half_way_says_why_and_leaves_nothing_of_itself(stocked, monkeypatch, tmp_path):
    def fails() -> Room:
        with gr.Row(), gr.Column():
            half = gr.Textbox("half a room")
            half.change(lambda text: text, half, half)
            gr.State([1])
            gr.api(lambda: "no", api_name="half")
            raise gr.Error("The sheet is torn.")

    monkeypatch.setattr(importlib.import_module("demos.vae"), "room", fails)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    page = app.build()
    shown = texts(page)
    assert "This room cannot be opened. The sheet is torn." in shown and "half a room" not in shown
    assert "half" not in {event.api_name for event in page.fns.values()}
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **app.launch_settings(page))
    try:
        answer = httpx.post(f"{address}gradio_api/call/gmm_sample", json={"data": ["gmm-mnist", 7, 1, 1.0]}, timeout=60).json()
        with httpx.stream("GET", f"{address}gradio_api/call/gmm_sample/{answer['event_id']}", timeout=60) as stream:
            assert "event: complete" in "".join(stream.iter_text())
        assert httpx.get(address, timeout=60).status_code == 200
    finally:
        page.close()


def test_trouble_that_nobody_expected_has_a_number_and_a_line_in_the_log(caplog):
    with gr.Blocks() as page:
        assert laid_out(lambda: 1 // 0, "vae") is None
        kept = laid_out(lambda: Room("gmm", {"text": gr.Textbox("kept")}), "gmm")
    assert kept is not None and "kept" in texts(page)
    assert "Something went wrong here. If you report it, give the id" in texts(page)
    assert "the room vae failed, id" in caplog.text and "ZeroDivisionError" in caplog.text


def test_a_sheet_that_is_whole_is_shown(stocked):
    assert len(sheet_tiles("vae-mnist")) == 8 and covers.cover("vae-mnist")[:4] == b"RIFF"
    assert isinstance(covers.sheet_of(stocked / "vae-mnist" / "samples.png"), PIL.Image.Image)
    assert covers.sheet_of(Path("nowhere.png")) is None
