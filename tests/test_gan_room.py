"""The GAN room without a browser: runs that stop, go on, change hands and are trained again, and what its boards say."""

from __future__ import annotations

import itertools
import json
import re
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

WEIGHTS, EIGHT, SEED = "gan-mnist", "Eight clusters", 3
KNOBS = (3e-3, 1, LOSSES[0], NONE)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Short slices, and no place that is not given back."""
    monkeypatch.setattr(live, "SLICE", 0.02)
    yield
    assert not live._busy


def begun(plan=(), run=None, goes_on=lambda: True, text=EIGHT, kind=GAN, seed=SEED, knobs=KNOBS):
    """A run as the room begins it."""
    return gan.train(text, kind, seed, *knobs, list(plan), run, goes_on)


def after(work, frames: int = 1) -> live_board.Frame:
    """What a run shows after so many slices."""
    return list(itertools.islice(work, 1 + frames))[-1]


def trained(plan: list[Part], **settings) -> Training:
    """The networks of a run that a link holds."""
    *_, last = begun(plan, **settings)
    return last.training


def weights_of(training: Training) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in training.live.model.parameters()])


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_shows_board_legend_losses_and_steps_of_its_model(kind):
    work = begun(kind=kind)
    last = after(work, 3)  # a slice is one step at least, and a curve two
    work.close()
    markup = last.html()
    assert 'data-count="320"' in markup and int(re.search(r'data-generated="(\d+)"', markup)[1]) > 0
    assert markup.count("<polyline") == {GAN: 2, VAE: 1}[kind] and "data:image/png" in markup
    assert ("where D expects data" in markup) == ("discriminator" in markup) == (kind == GAN)
    assert ("data by the VAE" in markup) == (kind == VAE) and "both" not in markup
    steps = int(re.search(r"Step ([\d,]+)", last.note)[1].replace(",", ""))
    assert steps == sum(part.count for part in live.read(last.sets["plan"]["value"])) > 0


def test_it_ends_within_one_step_and_says_how_far_it_came(monkeypatch):
    taken, step = [], Training.step
    monkeypatch.setattr(Training, "step", lambda self, what=BOTH: (step(self, what), taken.append(what)))
    *_, last = begun(goes_on=lambda: len(taken) < 2)
    assert len(taken) == 2 and last.note.startswith("Stopped. Step 2.") and last.plan == [Part(BOTH, 2, Settings())]
    monkeypatch.setattr(live, "LONGEST", 0.05)
    *_, last = begun()
    assert "press Start to continue" in last.note


def test_three_train_in_turns_each_as_if_alone_and_a_fourth_is_refused():
    works = [begun(seed=place) for place in range(live.BUSY)]
    first = [after(work) for work in works]
    assert runtime._door.acquire(timeout=0), "it is open between slices"
    runtime._door.release()
    last = [next(work) for work in works]
    assert "visitors train on this machine already" in refusal(lambda: list(begun()))
    assert trained([Part("generator", 1, Settings())]).live.steps == 1, "a single step is always possible"
    for work in works:
        work.close()
    for before, frame in zip(first, last, strict=True):
        (part,) = frame.plan
        assert part.count > before.plan[0].count, "its turn came again"
        assert torch.equal(weights_of(trained([part], seed=frame.training.seed)), weights_of(frame.training))


def test_one_address_leaves_the_last_place_for_others(monkeypatch):
    """The address is asked for when a training begins; callers of whom nobody knows it share all places."""
    at = [""]
    monkeypatch.setattr(live, "address_of", lambda request: at[0])

    def started(address: str):
        at[0] = address
        work = begun()
        after(work)
        return work

    works = [started("203.0.113.1") for _ in range(live.BUSY - 1)]
    sentence = f"{live.BUSY - 1} trainings from your network are under way; the last place is for others."
    assert refusal(lambda: list(begun())) == sentence
    works.append(started("203.0.113.2"))
    at[0] = "203.0.113.3"
    assert "visitors train on this machine already" in refusal(lambda: list(begun()))
    works.pop(0).close()
    works.append(started("203.0.113.1"))
    for work in works:
        work.close()


def test_another_start_takes_over_and_other_data_or_begin_again_does_not():
    shown = after(work := begun())
    next(work)  # on its way when Start is pressed again
    again = begun(shown.plan, shown)
    assert after(again).training is shown.training
    steps = shown.training.live.steps
    list(work)
    assert shown.training.live.steps == steps, "the first one takes no step more"
    again.close()
    for settings in (dict(plan=[]), dict(seed=4), dict(text="Moons"), dict(kind=VAE)):
        assert next(begun(**(dict(plan=shown.plan, run=shown) | settings))).training is not shown.training


def test_settings_change_while_it_trains_and_a_link_trains_the_same_run_again():
    frame = after(work := begun())
    assert gan.collapse() == {"plan": "", "steps": gan.COLLAPSE_STEPS, "cure": NONE}
    gan.retune(1e-3, gan.COLLAPSE_STEPS, LOSSES[0], NONE, frame)
    next(work)
    assert frame.training.live.model.generator_steps == gan.COLLAPSE_STEPS and not frame.training.live.model.minibatch
    assert gan.cured(1.23456789e-3, gan.COLLAPSE_STEPS, LOSSES[0], frame) == {"cure": MINIBATCH}
    last = next(work)
    work.close()
    assert frame.training.live.model.minibatch
    assert [(part.settings.generator_steps, part.settings.cure) for part in last.plan] == [
        (1, NONE), (gan.COLLAPSE_STEPS, NONE), (gan.COLLAPSE_STEPS, MINIBATCH)
    ]  # fmt: skip
    assert torch.equal(weights_of(trained(live.read(last.sets["plan"]["value"]))), weights_of(last.training))


@pytest.mark.parametrize("what", live.PARTS[1:])
def test_one_step_of_one_network(what):
    frame = after(work := begun())
    next(work)
    plan = live.read(gan.step(what, EIGHT, GAN, SEED, *KNOBS, frame.plan, frame)["plan"])
    steps = frame.training.live.steps
    list(work)  # what goes on is stopped for it
    *_, last = begun(plan, frame)
    assert last.training is frame.training and last.training.live.steps == steps + 1
    assert plan[-1] == last.plan[-1] == Part(what, 1, Settings())
    alone = live.read(gan.step(what, "Moons", GAN, SEED, *KNOBS, [])["plan"])
    assert list(trained(alone, text="Moons").live.losses) == [what]
    assert list(trained(alone, text="Moons", kind=VAE).live.losses) == ["both"], "a VAE has no two networks to step"


def test_the_page_shows_its_run_or_the_data_and_trains_what_is_not_here():
    frame = after(work := begun())
    work.close()
    assert gan.start(EIGHT, GAN, SEED, frame.plan, frame) is frame and gan.start(EIGHT, GAN, SEED, frame.plan) is None
    assert gan.start(EIGHT, GAN, SEED, [], frame).training is None
    assert 'data-count="240" data-generated="0"' in gan.start("Moons", GAN, SEED, [], frame).html()
    assert "add points" in gan.start("", VAE, SEED, []).note and gan.choose_data(DIGITS)["rate"] == live.RATE[False]
    assert [gan.choose_data(text)["cure"] for text in (EIGHT, DIGITS)] == [MINIBATCH, NONE]
    assert gan.PLAN.fields["cure"].default == MINIBATCH, "without it, the first run of some seeds collapses"


def test_a_training_that_diverges_is_not_gone_on_with():
    frame = next(work := begun(knobs=(10.0, *KNOBS[1:])))
    sentence = refusal(lambda: list(work))
    assert re.match(r"The loss of the (generator|discriminator) is", sentence) and "lower the learning rate" in sentence
    assert not frame.training.leads(EIGHT, GAN, SEED, None)


def test_a_vae_comes_nearer_to_the_rings():
    """How near it comes in the end is measured by the benchmark of live training."""
    *_, last = begun([Part(BOTH, 400, Settings())], text="Rings", kind=VAE, seed=7)
    ((_, losses),) = last.training.live.losses.items()
    assert np.mean([loss for _, loss in losses[-50:]]) < np.mean([loss for _, loss in losses[:50]]) - 0.3


def test_two_points_are_enough_even_in_one_place():
    assert trained([Part(BOTH, 20, Settings())], text=planes.pack(np.full((2, 2), 0.5))).live.steps == 20
    for text, sentence in (("", "there are none"), (planes.pack(np.full((1, 2), 0.5)), "there is one")):
        assert sentence in refusal(lambda text=text: list(begun(text=text)))


@pytest.mark.parametrize("kind", KINDS)
def test_digits_train_without_a_data_folder(kind, monkeypatch):
    monkeypatch.delenv("GALLERY_DATA", raising=False)
    assert live.digits().images.shape == (3000, 1, 28, 28) and 0.1 < live.digits().unit().mean() < 0.15
    *_, last = begun([Part(BOTH, 2, Settings())], text=DIGITS, kind=kind)
    assert "digits after 2 steps" in last.html() and "legend" not in last.html() and "<polyline" in last.html()
    assert last.frames()[0].size == live_board.untrained(DIGITS, kind).frames()[0].size == (8 * 28 * 4, 6 * 28 * 4)


def test_a_plan_is_read_as_it_was_written_and_the_longest_fits_a_link():
    plan = [Part(BOTH, 12, Settings()), Part("generator", 1, Settings(0.02, 5, LOSSES[1], CURES[2]))]
    assert live.read(live.written(plan)) == plan and live.read("") == [] and live.read(live.written(None)) is None
    long = [Part(BOTH, 100_000 + place, Settings(generator_steps=10 - place % 2)) for place in range(live.MAX_PARTS + 1)]
    assert live.written(long) == live.NO_PLAN
    assert "too often for single steps" in refusal(gan.step, "generator", EIGHT, GAN, SEED, *KNOBS, long[1:])
    points = planes.pack(np.random.default_rng(0).random((planes.MAX_POINTS, 2)) * (1, planes.HEIGHT))
    state = dict(weights=WEIGHTS, seed=SEED, points=points, kind=GAN, rate=0.003, steps=1, loss=LOSSES[0], cure=NONE)
    assert len(json.dumps(state | {"plan": live.written(long[1:])})) <= app.MAX_STATE
    for wrong in ("x", "0.1", "0.5.1.000000e-03.1.0.9", "0.5.1.000000e+09.1.0.0", "0.999999.1.000000e-03.1.0.0",
                  "0.5.1.000000e-03.99.0.0", "0.1.1.000000e-03.1.0.0;" * 99):  # fmt: skip
        assert refusal(live.read, wrong)


def test_what_is_left_of_a_plan():
    one, two = Part(BOTH, 5, Settings()), Part("generator", 3, Settings(0.02))
    assert live.rest([one, two], []) == [one, two] and live.rest([one, two], [one]) == [two] and live.rest([one], [one]) == []
    assert live.rest([one, two], [replace(one, count=2)]) == [replace(one, count=3), two]
    for done in ([two], [replace(one, count=6)], [one, two, one], [replace(one, what="generator")]):
        assert live.rest([one, two], done) is None


def test_samples_are_ranked_by_the_discriminator_and_joined_by_straight_ways():
    shares = [int(share.removesuffix(" %")) for share in gan.judged(WEIGHTS, 7).captions]
    assert len(shares) == gan.COUNT and shares == sorted(shares, reverse=True)
    rows = torch.stack(gan.ways(WEIGHTS, 7).pictures).unflatten(0, (gan.WALKS, gan.STEPS_OF_A_WALK))
    assert torch.allclose(rows[1:, 0], rows[:-1, -1], atol=1e-5), "a row begins where the one before ended"
    assert torch.allclose(rows[:, 0], gan.samples(WEIGHTS, 7).pictures[: gan.WALKS], atol=1e-5)


def test_the_verb_trains_and_answers_the_same_twice():
    with gr.Blocks() as page:
        gan.room()
    (verb,) = [event.fn for event in page.fns.values() if event.api_name == "gan_train"]
    first = verb("Moons", "GAN", 60, 5)
    assert first == verb("Moons", "GAN", 60, 5) and len(first["points"]) == live.GENERATED
    assert set(first["losses"]) == {"discriminator", "generator"} and "at least 2 points" in refusal(verb, "0.5 0.5")


def test_it_counts_clusters_and_names_mode_collapse():
    """The generator's last layer is set to one place, and then to all eight."""
    training = Training(EIGHT, GAN, SEED)
    points, labels = training.real, live_board.clusters(EIGHT)
    assert sorted(set(labels)) == list(range(8))
    training.live.steps = live_board.SETTLED
    for count in (1, 7, 8):
        kept = points[torch.from_numpy(labels < count)]
        training.live.model.sample = lambda draws, kept=kept: kept[torch.arange(live.GENERATED) % len(kept)]
        seen = live_board.look(training)
        assert seen.covered == count and f"covers {count} of 8 clusters" in seen.words
        assert ("mode collapse" in seen.words) == (count == 1)
    training.live.steps = 10
    training.live.model.sample = lambda draws: points[:1].expand(live.GENERATED, 2)
    assert "mode collapse" not in live_board.look(training).words, "it has just begun"


def test_lines_lead_where_the_generators_loss_falls():
    training = trained([Part(BOTH, 50, Settings())])
    model, seen = training.live.model, live_board.look(training)
    start, end = (live.on_board(seen.pull[:, side]) for side in (0, 1))
    assert len(start) == live_board.PULLED
    longest = float((end - start).norm(dim=1).max())
    assert longest == pytest.approx(2 * live_board.REACH, rel=1e-4)
    with torch.no_grad():
        before, after_ = (model.fooled(model.judged(start + share * (end - start), training.real)) for share in (0, 0.01))
    assert (after_ < before).float().mean() > 0.95
    assert np.allclose(seen.grid[0, 0], live.off_board(model.generator(torch.tensor([[-2.0, -2.0, 0.0, 0.0]])).detach())[0])


def test_in_slow_motion_every_step_is_seen(monkeypatch):
    monkeypatch.setattr(live, "SLOW", 0.0)
    work = gan.train(EIGHT, GAN, SEED, *KNOBS, [], pace=gan.SLOW)
    steps = []
    for frame in itertools.islice(work, 4):
        steps.append(frame.training.live.steps)
    assert steps == [0, 1, 2, 3]
    gan.paced(gan.FULL, frame)
    assert not frame.training.slow
    work.close()
    *_, last = gan.train(EIGHT, GAN, SEED, *KNOBS, [Part(BOTH, 20, Settings())], frame, pace=gan.FULL)
    assert last.training.live.steps == 20
