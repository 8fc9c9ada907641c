"""The GAN room without a browser: training in slices, stopping, going on, taking turns, plans in links, and what its boards say."""

from __future__ import annotations

import itertools
import json
import math
import re
import threading
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import torch
from conftest import refusal

import app
from demos import gan
from demos._families import live, live_board, planes
from demos._families.live import BOTH, CURES, DIGITS, GAN, KINDS, LOSSES, MINIBATCH, NONE, VAE, Part, Settings, Training
from gen_models import runtime

WEIGHTS = "gan-mnist"
KNOBS = (3e-3, 1, LOSSES[0], NONE)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Short slices, and no place that is not given back."""
    monkeypatch.setattr(live, "SLICE", 0.02)
    yield
    assert not live._busy


def begun(plan=(), run=None, goes_on=lambda: True, text="Eight clusters", kind=GAN, seed=3, knobs=KNOBS):
    """A run as the room begins it."""
    return gan.train(text, kind, seed, *knobs, None if plan is None else list(plan), run, goes_on)


def weights_of(training: Training) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in training.live.model.parameters()])


def replayed(plan: list[Part], **settings) -> Training:
    """The networks of a run that a link holds."""
    *_, last = begun(plan, **settings)
    return last.training


# ---- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_streams_board_losses_words_and_plan(kind):
    work = begun(kind=kind)
    first, *_, last = itertools.islice(work, 3)
    work.close()
    markup = last.html()
    assert first.plan == [] and 'data-count="320"' in markup and int(re.search(r'data-generated="(\d+)"', markup)[1]) > 0
    assert markup.count("<polyline") == {GAN: 2, VAE: 1}[kind] and "data:image/png" in markup
    assert ("where D expects data" in markup) == (kind == GAN) and ("the VAE takes" in markup) == (kind == VAE)
    assert ("discriminator" in markup) == (kind == GAN) and "both" not in markup
    steps = int(re.search(r"Step ([\d,]+)", last.note)[1].replace(",", ""))
    assert steps == sum(part.count for part in live.read(last.sets["plan"]["value"])) > 0


def test_it_ends_within_one_step_and_says_how_far_it_came(monkeypatch):
    wanted, taken, step = [True], [], Training.step

    def stopping(self, what=BOTH):
        step(self, what)
        taken.append(what)
        wanted[0] = len(taken) < 2

    monkeypatch.setattr(Training, "step", stopping)
    *_, last = begun(goes_on=lambda: wanted[0])
    assert len(taken) == 2 and last.note.startswith("Stopped. Step 2.") and last.plan == [Part(BOTH, 2, Settings())]


def test_a_generator_that_is_closed_leaves_no_thread_and_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    next(begun())  # whatever torch starts once
    before = threading.active_count()
    work = begun()
    next(work), next(work)
    work.close()
    assert threading.active_count() <= before and list(tmp_path.iterdir()) == [] and not live._busy


def test_three_train_in_turns_and_a_fourth_is_refused():
    works = [begun(seed=place) for place in range(live.BUSY)]
    first = [list(itertools.islice(work, 2))[-1] for work in works]
    for work, frame in zip(works, first, strict=True):
        steps = sum(part.count for part in frame.plan)
        assert next(work).training.live.steps > steps
    assert "visitors train on this machine already" in refusal(lambda: list(begun()))
    works[0].close()
    later = begun()
    assert len(list(itertools.islice(later, 2))) == 2, "a place is free again"
    for work in (*works, later):
        work.close()


def test_two_threads_train_the_same_runs_as_one_after_the_other():
    plan, together = [Part(BOTH, 30, Settings())], {}
    alone = {seed: weights_of(replayed(plan, seed=seed)) for seed in (1, 2)}
    work = [threading.Thread(target=lambda seed=seed: together.update({seed: replayed(plan, seed=seed)})) for seed in (1, 2)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(60)
    assert all(torch.equal(alone[seed], weights_of(together[seed])) for seed in (1, 2))
    assert not torch.equal(alone[1], alone[2])


def test_the_door_is_open_between_slices():
    work = begun()
    next(work), next(work)
    assert runtime._door.acquire(timeout=0)
    runtime._door.release()
    work.close()


def test_another_start_takes_over_from_where_the_page_is_or_goes_on_beyond_it():
    work = begun()
    shown = list(itertools.islice(work, 2))[-1]
    next(work)  # on its way when Start is pressed again
    second = begun(shown.plan, shown)
    next(second)
    assert next(second).training is shown.training
    *_, last = work
    assert last.training is shown.training, "the first one takes no step more"
    second.close()
    assert next(begun(run=shown)).training is not shown.training, "Begin again"
    assert next(begun(shown.plan, shown, seed=4)).training is not shown.training, "another seed"


def test_settings_change_while_it_trains_and_a_link_trains_the_same_run_again():
    work = begun()
    frame = list(itertools.islice(work, 2))[-1]
    assert gan.collapse() == {"plan": "", "steps": gan.COLLAPSE_STEPS, "cure": NONE}
    gan.retune(1e-3, gan.COLLAPSE_STEPS, LOSSES[0], NONE, frame)
    next(work)
    assert frame.training.live.model.generator_steps == gan.COLLAPSE_STEPS
    assert gan.cured(1.23456789e-3, gan.COLLAPSE_STEPS, LOSSES[0], frame) == {"cure": MINIBATCH}
    last = next(work)
    assert [(part.settings.generator_steps, part.settings.cure) for part in last.plan] == [
        (1, NONE), (gan.COLLAPSE_STEPS, NONE), (gan.COLLAPSE_STEPS, MINIBATCH)
    ]  # fmt: skip
    work.close()
    wanted = weights_of(last.training)
    assert torch.equal(weights_of(replayed(live.read(last.sets["plan"]["value"]))), wanted)


@pytest.mark.parametrize("what", live.PARTS[1:])
def test_one_step_of_one_network(what):
    frame = list(itertools.islice(work := begun(), 2))[-1]
    next(work)
    plan = live.read(gan.step(what, "Eight clusters", GAN, 3, *KNOBS, frame.plan, frame)["plan"])
    steps, *_ = frame.training.live.steps, list(work)
    *_, last = begun(plan, frame)
    assert last.training is frame.training and last.training.live.steps == steps + 1, "what goes on is stopped for it"
    assert plan[-1] == last.plan[-1] == Part(what, 1, Settings())
    alone = live.read(gan.step(what, "Moons", GAN, 3, *KNOBS, [])["plan"])
    assert alone == [Part(what, 1, Settings())] and list(replayed(alone, text="Moons").live.losses) == [what]
    assert list(replayed(alone, text="Moons", kind=VAE).live.losses) == ["both"], "a VAE has one network to step"


def test_the_page_shows_its_run_the_data_before_one_and_trains_what_is_not_here():
    frame = list(itertools.islice(work := begun(), 2))[-1]
    work.close()
    shown = [gan.start("Eight clusters", GAN, 3, plan, run) for plan, run in ((frame.plan, frame), ([], frame), (frame.plan, None))]
    assert shown[0] is frame and shown[1].training is None and shown[2] is None
    assert gan.start("Moons", GAN, 3, [], frame).html().count('data-count="240"') == 1
    assert "add points" in gan.start("", VAE, 3, []).note and gan.choose_data(DIGITS) == {"plan": "", "rate": live.RATE[False]}


def test_a_pause_after_long(monkeypatch):
    monkeypatch.setattr(live, "LONGEST", 0.1)
    *_, last = begun()
    assert "Start goes on" in last.note


def test_a_training_that_diverges_is_not_gone_on_with():
    work = begun(knobs=(10.0, *KNOBS[1:]))
    frame = next(work)
    sentence = refusal(lambda: list(work))
    assert re.match(r"The loss of the (generator|discriminator) is", sentence) and "lower the learning rate" in sentence
    assert not frame.training.leads("Eight clusters", GAN, 3, None)


def test_a_vae_finds_the_rings():
    *_, last = begun([Part(BOTH, 2500, Settings())], text="Rings", kind=VAE, seed=7)
    assert last.seen.found > 0.9


def test_points_are_enough_if_there_are_two():
    two = planes.pack(np.full((2, 2), 0.5))
    assert math.isfinite(live_board.look(replayed([Part(BOTH, 20, Settings())], text=two)).found)
    for text, sentence in (("", "there are none"), (planes.pack(np.full((1, 2), 0.5)), "there is one")):
        assert sentence in refusal(lambda text=text: list(begun(text=text)))
        assert sentence in refusal(gan.step, "generator", text, GAN, 3, *KNOBS, [])


@pytest.mark.parametrize("kind", KINDS)
def test_digits_train_without_a_data_folder(kind, monkeypatch):
    monkeypatch.delenv("GALLERY_DATA", raising=False)
    assert len(live.digits()) == 3000 and live.digits().images.shape[1:] == (1, 28, 28)
    *_, last = begun([Part(BOTH, 2, Settings())], text=DIGITS, kind=kind)
    assert "digits after 2 steps" in last.html() and "legend" not in last.html() and "<polyline" in last.html()
    assert last.frames()[0].size == live_board.untrained(DIGITS, kind).frames()[0].size == (8 * 28 * 4, 6 * 28 * 4)


# ---- plans ------------------------------------------------------------------------------------------------------------


def test_a_plan_is_read_as_it_was_written_and_the_longest_fits_a_link():
    plan = [Part(BOTH, 12, Settings()), Part("generator", 1, Settings(0.02, 5, LOSSES[1], CURES[2]))]
    assert live.read(live.written(plan)) == plan
    assert live.read("") == [] and live.read(live.written(None)) is None
    long = [Part(BOTH, 100_000 + place, Settings(generator_steps=10 - place % 2)) for place in range(live.MAX_PARTS + 1)]
    assert live.written(long) == live.NO_PLAN
    assert "too often for single steps" in refusal(gan.step, "generator", "Moons", GAN, 3, *KNOBS, long[1:])
    points = planes.pack(np.random.default_rng(0).random((planes.MAX_POINTS, 2)) * (1, planes.HEIGHT))
    state = dict(weights=WEIGHTS, seed=3, points=points, kind=GAN, rate=0.003, steps=1, loss=LOSSES[0], cure=NONE)
    assert len(json.dumps(state | {"plan": live.written(long[1:])})) <= app.MAX_STATE


def test_what_is_left_of_a_plan():
    one, two = Part(BOTH, 5, Settings()), Part("generator", 3, Settings(0.02))
    assert live.rest([one, two], []) == [one, two] and live.rest([one, two], [one]) == [two] and live.rest([one], [one]) == []
    assert live.rest([one, two], [replace(one, count=2)]) == [replace(one, count=3), two]
    for done in ([two], [replace(one, count=6)], [one, two, one], [replace(one, what="generator")]):
        assert live.rest([one, two], done) is None


@pytest.mark.parametrize("plan", [
    "x", "0.1", "0.5.1.000000e-03.1.0.9", "9" * 9000, "0.5.1.000000e+09.1.0.0", "0.999999.1.000000e-03.1.0.0",
    "0.5.1.000000e-03.99.0.0",
], ids=lambda plan: plan[:12])  # fmt: skip
def test_what_is_no_plan_is_refused(plan):
    assert refusal(live.read, plan)


# ---- the trained one --------------------------------------------------------------------------------------------------


def test_samples_are_ranked_by_the_discriminator_and_joined_by_straight_ways():
    shares = [int(share.removesuffix(" %")) for share in gan.judged(WEIGHTS, 7).captions]
    assert len(shares) == gan.COUNT and shares == sorted(shares, reverse=True)
    rows = torch.stack(gan.ways(WEIGHTS, 7).pictures).unflatten(0, (gan.WALKS, gan.STEPS_OF_A_WALK))
    assert torch.allclose(rows[1:, 0], rows[:-1, -1], atol=1e-5), "a row begins where the one before ended"
    assert torch.allclose(rows[:, 0], torch.as_tensor(gan.samples(WEIGHTS, 7).pictures[: gan.WALKS]), atol=1e-5)


def test_the_verb_trains_and_answers_the_same_twice():
    with gr.Blocks() as page:
        gan.room()
    (verb,) = [event.fn for event in page.fns.values() if event.api_name == "gan_train"]
    first = verb("Moons", "GAN", 60, 5)
    assert first == verb("Moons", "GAN", 60, 5) and len(first["points"]) == live.GENERATED
    assert set(first["losses"]) == {"discriminator", "generator"}
    assert refusal(verb, "Moons", "GAN", 10**6).startswith("Steps must be")
    assert "at least 2 points" in refusal(verb, "0.5 0.5")
