"""The log of requests and ``/health``."""

from __future__ import annotations

import logging
import re
import threading
import time

import gradio as gr
import pytest
import torch
from starlette.testclient import TestClient

import app
from demos._kit.events import error_boundary
from demos._kit.pictures import png_uri
from demos._server import request_log
from gen_models import Draws, catalog, load, runtime


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "gallery.requests")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "gallery.requests"]


def fields(line: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in line.split())


def milliseconds(line: str, name: str) -> float:
    return float(re.fullmatch(r"(\d+)ms", fields(line)[name])[1])


def test_a_request_leaves_a_line_that_says_where_its_time_went(lines):
    @error_boundary
    def sample(weights: str, seed: float) -> str:
        time.sleep(0.02)
        with runtime.forward_pass():
            time.sleep(0.05)
        png_uri(torch.rand(3, 600, 600))
        return "done"

    assert sample("dcgan-faces", 7.0) == "done"
    (line,) = lines()
    told = fields(line)
    assert told["room"] == "test_request_log" and told["verb"] == "sample" and told["seed"] == "7"
    assert told["steps"] == "1" and told["end"] == "ok" and told["queue"] == "0ms"
    assert 50 <= milliseconds(line, "model") < milliseconds(line, "total")
    assert milliseconds(line, "encoding") > 0
    assert milliseconds(line, "total") >= 70 + milliseconds(line, "encoding") - 2


def test_waiting_for_the_models_turn_is_told_apart_from_computing(lines):
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with runtime.forward_pass():
            held.set()
            done.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    threading.Timer(0.1, done.set).start()

    @error_boundary
    def ask() -> None:
        with runtime.forward_pass():
            pass

    ask()
    other.join()
    (line,) = lines()
    assert milliseconds(line, "turn") >= 80 and milliseconds(line, "model") < milliseconds(line, "turn")


def test_a_stream_leaves_one_line_at_its_end_with_the_sum_of_its_steps(lines):
    @error_boundary
    def stream(seed: int):
        for _ in range(3):
            with runtime.forward_pass():
                time.sleep(0.02)
            yield seed

    steps = stream(5)
    next(steps)
    assert lines() == []
    assert list(steps) == [5, 5]
    (line,) = lines()
    assert fields(line)["steps"] == "3" and fields(line)["seed"] == "5" and milliseconds(line, "model") >= 60


def test_a_stream_that_is_stopped_says_so_and_stops_computing(lines):
    ended = []

    @error_boundary
    def stream():
        try:
            while True:
                yield 0
        finally:
            ended.append(True)

    steps = stream()
    next(steps)
    steps.close()
    assert ended == [True]
    assert [fields(line)["end"] for line in lines()] == ["stopped"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_refused_says_so_and_tells_nothing_of_the_visitors_words(lines, stream):
    def plain(text: str):
        raise gr.Error("No.")

    def streaming(text: str):
        raise gr.Error("No.")
        yield

    handler = error_boundary(streaming if stream else plain)
    with pytest.raises(gr.Error):
        list(handler("my secret") or ())
    (line,) = lines()
    assert fields(line)["end"] == "refused" and "secret" not in line


@pytest.mark.parametrize("seed", ["7 end=ok\nroom=vae", None, float("nan"), 1e300, [1]])
def test_a_strange_seed_cannot_forge_a_line(lines, seed):
    error_boundary(lambda seed: None)(seed)
    (line,) = lines()
    assert fields(line)["seed"] == "-" and "\n" not in line


def test_every_rooms_verbs_are_watched(lines):
    from demos import dcgan

    with gr.Blocks() as page:
        dcgan.room()
    next(event.fn for event in page.fns.values() if event.api_name == "dcgan_sample")("dcgan-fashion", 3, 2)
    (line,) = map(fields, lines())
    assert (line["room"], line["verb"], line["seed"]) == ("dcgan", "dcgan_sample", "3")


def test_health_says_what_is_loaded():
    load("dcgan-fashion").sample(Draws(0, 1))
    page = app.build()
    with TestClient(gr.routes.App.create_app(page, app_kwargs=app.launch_settings(page)["app_kwargs"])) as client:
        answer = client.get("/health")
        assert answer.status_code == 200
        told = answer.json()
    assert told["status"] == "ok" and told["waiting"] == 0 and "dcgan-fashion" in told["loaded"]
    assert told["weights"] == len(catalog.trained()) and told["seconds"] >= 0 and told["device"] == str(runtime.device())


def test_an_encoder_within_an_encoder_counts_once(lines):
    @request_log.encoding
    def inner() -> None:
        time.sleep(0.05)

    @request_log.encoding
    def outer() -> None:
        inner()

    error_boundary(outer)()
    inner()  # outside of a request nothing is counted
    (line,) = lines()
    assert 50 <= milliseconds(line, "encoding") < 95
