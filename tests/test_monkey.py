"""The monkeys of benchmarks/monkey.py: their choices follow from the seed, and their judges find what is wrong."""

from __future__ import annotations

import json
import logging
import math
import time

import gradio as gr
import httpx
import pytest

from benchmarks import monkey
from demos._kit.checks import is_number
from demos._server.errors import as_sentence

IN_SIGHT = [kind for kind in monkey.WEIGHTS if kind not in monkey.ANYWHERE]
THINGS = [{"kind": kind, "words": f"{kind} {place}"} for kind in IN_SIGHT for place in range(3)]
VERBS = {
    "/vae_sample": [monkey.Parameter("weights", "vae-mnist", "string", options=["vae-mnist", "vae-faces"]),
                    monkey.Parameter("count", 16, "integer", bounds=(1, 64)),
                    monkey.Parameter("spread", 1.0, "number", bounds=(0.0, 2.0))],
    "/vae_decode": [monkey.Parameter("picture", "", "string")],
}  # fmt: skip


def moves(seed: int, name: str = "visitor 0") -> list[tuple[str, int, float]]:
    found = [monkey.choose(THINGS, monkey.dice(seed, name, number)) for number in range(2000)]
    return [(move.kind, move.place, move.chance.random()) for move in found]


def calls(seed: int, name: str = "caller 0") -> list[str]:
    found = [monkey.call_for(VERBS, monkey.dice(seed, name, number)) for number in range(400)]
    return [json.dumps([call.verb, call.values, call.fetched]) for call in found]


@pytest.mark.parametrize("chosen", [moves, calls])
def test_choices_follow_from_the_seed_and_the_name(chosen):
    assert chosen(1) == chosen(1)
    for other in (chosen(2), chosen(1, "another")):
        assert sum(a != b for a, b in zip(chosen(1), other, strict=True)) > 200


def test_a_visitor_does_everything_there_is_to_do_and_nothing_that_is_not_in_sight():
    assert {kind for kind, _, _ in moves(1)} == set(monkey.WEIGHTS)
    assert all((place < 0) == (kind in monkey.ANYWHERE) for kind, place, _ in moves(1))
    only = [monkey.choose(THINGS[:1], monkey.dice(1, "visitor 0", number)).kind for number in range(300)]
    assert set(only) == {THINGS[0]["kind"], *monkey.ANYWHERE}


def test_calls_fit_mostly_and_are_senseless_now_and_then():
    fits = 0
    for number in range(400):
        call = monkey.call_for(VERBS, monkey.dice(1, "caller 0", number))
        if call.verb == "/vae_sample" and len(call.values) == 3:
            weights, count, spread = call.values
            fits += weights in ("vae-mnist", "vae-faces") and is_number(count, 1, 64) and is_number(spread, 0, 2)
    assert 120 < fits < 200


def test_a_parameter_learns_from_the_words_that_refuse():
    part = monkey.Parameter("label", "any", "string")
    part.learn("Label must be one of any, 0, 1.")
    assert part.options == ["any", "0", "1"] and part.usual == "any"
    part = monkey.Parameter("weights", "vae-none", "string")
    part.learn("Trained on must be one of vae-fashion, vae-mnist.")
    assert part.usual == part.cheap() == "vae-fashion"
    part = monkey.Parameter("eta", 0.0, "number")
    part.learn("Eta must be a number from -0.5 to 1e+06.")
    assert part.bounds == (-0.5, 1e6)


def test_the_log_of_an_exception_is_found_and_that_of_a_refusal_is_not(caplog):
    caplog.set_level(logging.INFO)
    as_sentence(gr.Error("Seed must be a number from 0 to 7."), "sample")
    logging.getLogger("gallery").warning("refused %s %r: %s", "POST", "/gradio_api/run/x", "TypeError")
    logging.getLogger("gallery.requests").info("room=vae verb=sample seed=7 queue=0ms total=9ms steps=1 end=refused")
    assert caplog.text.count("\n") == 2 and monkey.bad_lines(caplog.text) == []
    caplog.clear()
    try:
        [][1]
    except IndexError as error:
        as_sentence(error, "sample")
    found = monkey.bad_lines(caplog.text)
    assert len(found) == 2 and "failed, id" in found[0] and "Traceback" in found[1]
    assert monkey.bad_lines("ERROR:    Exception in ASGI application") and monkey.bad_lines("Task exception was never retrieved")


@pytest.mark.parametrize("sentence, wrong", [
    ("Seed must be a number from 0 to 7.", ""), ("Try again (in a moment)", ""), (None, "no sentence"), ("", "no sentence"),
    ("Something went wrong here. If you report it, give the id 12345678.", "tells of the inside"),
    ("KeyError: 'seed' is missing here.", "tells of the inside"), ("The file /tmp/a is gone.", "tells of the inside"),
    ("Traceback (most recent\ncall last).", "no plain sentence"), ("value of the wrong kind.", "no plain sentence"),
    ("Value of the wrong kind", "no plain sentence"), ("A" * 500 + ".", "no sentence"),
])  # fmt: skip
def test_a_refusal_is_one_plain_sentence(sentence, wrong):
    assert monkey.complaint(sentence).startswith(wrong) and bool(monkey.complaint(sentence)) == bool(wrong)


def test_growth_leaves_out_the_warm_up():
    samples = [(part / 100, 100.0 if part < 25 else 400.0 if part < 80 else 420.0) for part in range(101)]
    assert monkey.growth(samples) == pytest.approx(1.05)
    assert not monkey.Bar("memory", monkey.growth([]), 1.1).holds and math.isnan(monkey.growth([]))


def answers(request: httpx.Request) -> httpx.Response:
    """A server of a good verb, a clumsy one, and one that says nothing."""
    name, _, event = request.url.path.removeprefix("/gradio_api/call/").partition("/")
    if not event:
        return httpx.Response(200, json={"event_id": "a"})
    return httpx.Response(200, text={
        "good": 'event: complete\ndata: ["x"]\n\n', "refuses": 'event: error\ndata: {"error": "This is no picture."}\n\n',
        "clumsy": 'event: error\ndata: {"error": "list index out of range"}\n\n', "silent": "",
    }[name])  # fmt: skip


def test_a_caller_judges_answers_and_tells_what_led_to_a_bad_one():
    tally = monkey.Tally(5, time.monotonic() + 60)
    caller = monkey.Caller("http://page", 0)
    caller.client = httpx.Client(base_url="http://page", transport=httpx.MockTransport(answers))
    for number, verb in enumerate(("good", "refuses", "clumsy", "silent")):
        caller.use(tally, number, monkey.Call(f"/{verb}", [number]))
    rows = {name: (row.done, row.refused, row.failed) for name, row in tally.rows.items()}
    assert rows == {"API /good": (1, 0, 0), "API /refuses": (1, 1, 0), "API /clumsy": (1, 0, 1), "API /silent": (1, 0, 1)}
    assert tally.kinds == {"api": 2} and not tally.over
    assert tally.barren == ["API /refuses", "API /clumsy", "API /silent"]
    assert tally.rows["API /refuses"].said == "This is no picture."
    assert "list index out of range" in tally.failures[0] and "1: /refuses([1])" in tally.failures[0]
    caller.use(tally, 4, monkey.Call("/good", [4], fetched=False))
    assert tally.over
    tally.memory = [(1, 300.0), (5, 400.0)]
    assert tally.samples == [(0.2, 300.0), (1.0, 400.0)]
