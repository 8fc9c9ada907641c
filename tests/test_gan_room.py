"""The GAN room without a browser: training in slices, stopping, taking turns, plans in links, and what is refused."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import torch
from conftest import refusal

from demos import gan
from demos._families import live, planes
from demos._families.live import (
    BOTH,
    CURES,
    DIGITS,
    GAN,
    KINDS,
    LOSSES,
    MINIBATCH,
    NON_SATURATING,
    NONE,
    VAE,
    Part,
    Settings,
    Training,
)
from demos._kit.running import cancel
from gen_models import catalog, runtime
from gen_models.sheets import save_grid

WEIGHTS = "gan-mnist"
KNOBS = (3e-3, 1, NON_SATURATING, NONE)


@pytest.fixture
def stocked(shelf):
    """A small model with a sheet of samples."""
    torch.manual_seed(0)
    model = catalog.model_class("gan")(size=16, channels=1, width=8, latent_dim=4)
    catalog.save(model, shelf / WEIGHTS, {"model": "gan", "data": "mnist", "classes": {}})
    save_grid(torch.rand(64, 1, 16, 16), shelf / WEIGHTS / "samples.png")
    return shelf


@pytest.fixture(autouse=True)
def _empty(monkeypatch):
    """No runs before and after; short slices."""
    monkeypatch.setattr(live, "SLICE", 0.02)
    live._kept.clear()
    live._busy.clear()
    yield
    live._kept.clear()
    assert not live._busy, "a place was not given back"


def begun(token: str = "a", key: str | None = None, text: str = "Eight clusters", kind: str = GAN, seed=3, knobs=KNOBS, plan=""):
    return gan.train(token, key, text, kind, seed, *knobs, plan)


def weights_of(training: Training) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in training.live.model.parameters()])


# ---- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_streams_board_losses_and_words(kind):
    work = begun(kind=kind)
    frames = [next(work) for _ in range(3)]
    work.close()
    board, curve, words, key, plan = frames[-1]
    assert 'data-count="320"' in board and int(re.search(r'data-generated="(\d+)"', board)[1]) > 0 and "data:image/png" in board
    assert curve.count("<polyline") == {GAN: 2, VAE: 1}[kind]
    steps = int(re.search(r"Step ([\d,]+)", words)[1].replace(",", ""))
    assert steps == sum(part.count for part in live.read(plan)) > 0
    assert "data-generated" in frames[0][0] and frames[0][0] != board


def test_stop_ends_it_within_one_step(monkeypatch):
    work = begun("stopme")
    key = next(work)[3]
    training = live.kept(key)
    step, count = Training.step, []

    def stopping(self, what=BOTH):
        step(self, what)
        count.append(1)
        if len(count) == 2:
            cancel("stopme")  # as the button does, from another thread, in the middle of a slice

    monkeypatch.setattr(Training, "step", stopping)
    rest = list(work)
    assert len(count) == 2, "it went on after Stop"
    assert 'aria-busy="false"' in rest[-1][0] and live.kept(key) is training and not live._busy


def test_a_closed_page_ends_it_within_one_step_and_frees_the_run(monkeypatch):
    """The page's event is marked as dead; Gradio closes the generator only when it asks for the next frame."""
    alive = [True]
    monkeypatch.setattr(live, "visitor_stays", lambda: lambda: alive[0])
    work = begun()
    key = next(work)[3]
    step, count = Training.step, []

    def leaving(self, what=BOTH):
        step(self, what)
        count.append(1)
        alive[0] = False

    monkeypatch.setattr(Training, "step", leaving)
    list(work)
    assert len(count) == 1, "it went on after the page was closed"
    assert live.kept(key) is None and not live._busy


def test_a_generator_that_is_closed_leaves_no_run_no_thread_and_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    next(begun("warm"))  # whatever torch starts once
    live._kept.clear()
    live._busy.clear()
    before = threading.active_count()
    work = begun()
    key = next(work)[3]
    work.close()
    assert live.kept(key) is None and not live._kept
    assert threading.active_count() <= before
    assert list(tmp_path.iterdir()) == []


def test_two_train_in_turns_and_a_fourth_is_told():
    works = [begun(f"t{place}", seed=place) for place in range(live.BUSY)]
    keys = [next(work)[3] for work in works]
    first = [live.kept(key).live.steps for key in keys]
    for work in works:
        next(work)
    assert all(live.kept(key).live.steps > steps for key, steps in zip(keys, first, strict=True))
    assert "visitors train on this machine already" in refusal(lambda: list(begun("more")))
    for work in works:
        work.close()
    later = begun("later")
    assert next(later)[3], "a place is free again"
    later.close()


def test_one_address_leaves_the_last_place_for_others(monkeypatch):
    """The address is asked for when a training begins; callers of whom nobody knows it share all places."""
    at = [""]
    monkeypatch.setattr(live, "address_of", lambda request: at[0])

    def started(address: str, token: str):
        at[0] = address
        work = begun(token)
        assert next(work)[3]
        return work

    works = [started("203.0.113.1", f"mine {place}") for place in range(live.BUSY - 1)]
    sentence = f"{live.BUSY - 1} trainings from your network are under way; the last place is for others."
    assert refusal(lambda: list(begun("mine again"))) == sentence
    works.append(started("203.0.113.2", "another's"))
    at[0] = "203.0.113.3"
    assert "visitors train on this machine already" in refusal(lambda: list(begun("a third")))
    works.pop(0).close()
    works.append(started("203.0.113.1", "mine once more"))
    for work in works:
        work.close()


def test_two_threads_train_the_same_runs_as_one_after_the_other():
    plan = live.written([Part(BOTH, 30, Settings())])
    alone = {}
    for seed in (1, 2):
        *_, last = begun(f"replay{seed}", seed=seed, plan=plan)
        alone[seed] = weights_of(live.kept(last[3]))
    together = {}

    def work(seed: int) -> None:
        *_, last = begun(f"replay-again{seed}", seed=seed, plan=plan)
        together[seed] = weights_of(live.kept(last[3]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(torch.equal(alone[seed], together[seed]) for seed in (1, 2))
    assert not torch.equal(alone[1], alone[2])


def test_the_door_is_open_between_slices():
    work = begun()
    next(work)
    assert runtime._door.acquire(timeout=0)
    runtime._door.release()
    work.close()


def test_another_start_takes_over_and_goes_on():
    work = begun("first")
    key = next(work)[3]
    steps = live.kept(key).live.steps
    second = begun("second", key)
    next(second)
    assert live.kept(key).live.steps > steps
    assert list(work) == [], "the first one says nothing more"
    assert live.kept(key) is not None
    cancel("second")
    list(second)
    third = begun("anew1", key)
    assert next(third)[3] != key and live.kept(key) is None
    third.close()


def test_settings_change_while_it_trains_and_are_in_the_plan():
    work = begun()
    key = next(work)[3]
    assert gan.collapse()[:2] == [gan.COLLAPSE_STEPS, NONE] and gan.collapse()[2].startswith(gan.ANEW)
    gan.retune(key, 1e-3, gan.COLLAPSE_STEPS, NON_SATURATING, NONE)
    next(work)
    assert live.kept(key).live.model.generator_steps == gan.COLLAPSE_STEPS
    assert gan.cured(key, 1e-3, gan.COLLAPSE_STEPS, NON_SATURATING) == MINIBATCH
    gan.retune(key, 1e-3, gan.COLLAPSE_STEPS, NON_SATURATING, MINIBATCH)
    plan = next(work)[4]
    training = live.kept(key)
    assert training.live.model.minibatch
    kinds = [(part.settings.generator_steps, part.settings.cure) for part in live.read(plan)]
    assert kinds == [(1, NONE), (gan.COLLAPSE_STEPS, NONE), (gan.COLLAPSE_STEPS, MINIBATCH)]
    wanted = weights_of(training)
    work.close()
    *_, last = begun("replay", None, plan=plan)
    assert last[4] == plan and torch.equal(weights_of(live.kept(last[3])), wanted), "a link trains the same run again"


def test_one_step_of_one_network_and_what_goes_on_is_stopped_for_it():
    work = begun()
    key = next(work)[3]
    steps = live.kept(key).live.steps
    for step, name in ((gan.step_discriminator, "discriminator"), (gan.step_generator, "generator")):
        found = step(key, "Eight clusters", GAN, 3, *KNOBS, "")
        steps += 1
        assert found[3] == key and live.kept(key).live.steps == steps
        assert live.read(found[4])[-1].what == name
    list(work)
    assert live.kept(key).live.steps == steps
    alone = gan.step_generator(None, "Moons", VAE, 3, *KNOBS, "")
    assert list(live.kept(alone[3]).live.losses) == ["both"]


def test_a_run_that_was_not_kept_is_said_and_trained_again():
    work = begun()
    plan = next(work)[4]
    work.close()
    *_, last = begun("start", "gone", plan=plan)
    assert "trained again" in last[2] and last[4] == plan
    assert "was not kept" in refusal(gan.step_generator, "gone", "Eight clusters", GAN, 3, *KNOBS, plan)
    values = [WEIGHTS, 3, "Eight clusters", GAN, *KNOBS, plan, "gone"]
    assert "was not kept" in refusal(gan.training_picture, *values)


def test_old_runs_go_and_running_ones_stay(monkeypatch):
    made = [live.keep(Training("Moons", GAN, seed)) for seed in range(live.KEEP + 2)]
    assert len(live._kept) == live.KEEP and live.kept(made[0]) is None
    live.kept(made[-2]).owner = "someone"
    monkeypatch.setattr(live, "IDLE", -1.0)
    assert live.kept(made[-1]) is None and live.kept(made[-2]) is not None


def test_a_pause_after_long(monkeypatch):
    monkeypatch.setattr(live, "LONGEST", 0.1)
    *_, last = begun()
    assert "Start goes on" in last[2]


# ---- what sixty seconds give ------------------------------------------------------------------------------------------


def shares_after(steps: int, settings: Settings, text: str = "Eight clusters", kind: str = GAN) -> dict[str, float]:
    training = Training(text, kind, 7)
    training.settings = settings
    for _ in range(steps):
        training.step()
    return live.look(training).shares


def test_it_finds_the_clusters_collapses_on_purpose_and_is_cured():
    good = shares_after(2000, Settings())
    assert good["found"] > 0.9 and good["near"] > 0.6
    training = Training("Eight clusters", GAN, 7)
    fallen = Settings(generator_steps=gan.COLLAPSE_STEPS)
    found = []
    for steps, settings in ((800, fallen), (1500, replace(fallen, cure=MINIBATCH))):
        training.settings = settings
        for _ in range(steps):
            training.step()
        found.append(live.look(training).shares)
    assert found[0]["found"] < 0.4, "it should have collapsed"
    assert found[1]["found"] > 0.8 and found[1]["near"] > 0.5


def test_the_vae_finds_the_rings():
    assert shares_after(2500, Settings(), "Rings", VAE)["found"] > 0.9


# ---- plans ------------------------------------------------------------------------------------------------------------


def test_a_plan_is_read_as_it_was_written():
    plan = [Part(BOTH, 12, Settings()), Part("generator", 1, Settings(0.02, 5, LOSSES[1], CURES[2]))]
    assert live.read(live.written(plan)) == plan
    assert live.read("") == []
    long = [Part(BOTH, 1, Settings(generator_steps=1 + place % 2)) for place in range(live.MAX_PARTS + 1)]
    assert live.written(long) == "" and len(live.written(long[1:])) < 2000


@pytest.mark.parametrize("plan", [
    "x", "0.1", None, 7, "0.5.1.000000e-03.1.0.9", "9" * 9000, "0.5.1.000000e+09.1.0.0", "0.999999.1.000000e-03.1.0.0",
    "0.5.1.000000e-03.99.0.0",
], ids=lambda plan: str(plan)[:12])  # fmt: skip
def test_what_is_no_plan_is_refused(plan):
    assert refusal(live.read, plan)


# ---- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count, sentence", [(0, "there are none"), (1, "there is one")])
def test_too_few_points_are_refused(count, sentence):
    points = np.full((count, 2), 0.5)
    assert sentence in refusal(lambda: list(begun(text=planes.pack(points))))
    assert sentence in refusal(gan.step_generator, None, planes.pack(points), GAN, 3, *KNOBS, "")


def test_two_points_in_one_place_train(monkeypatch):
    training = Training(planes.pack(np.full((2, 2), 0.5)), GAN, 1)
    for _ in range(20):
        training.step()
    assert math.isfinite(live.look(training).shares["found"])


@pytest.mark.parametrize("place, wrong, sentence", [
    (0, 11.0, "Learning rate must be"), (0, math.nan, "Learning rate must be"), (0, 0, "Learning rate must be"),
    (0, None, "Learning rate must be"), (1, 0, "Generator steps must be"), (1, 11, "Generator steps must be"),
    (2, "none", "Loss must be"), (3, "Prayer", "Cure must be"),
])  # fmt: skip
def test_absurd_settings_are_refused_by_name(place, wrong, sentence):
    knobs = [*KNOBS[:place], wrong, *KNOBS[place + 1 :]]
    assert refusal(lambda: list(begun(knobs=knobs))).startswith(sentence)
    assert refusal(gan.retune, None, *knobs).startswith(sentence)


@pytest.mark.parametrize("seed", [-1, 2**31, None, math.nan, "7"])
def test_a_seed_that_is_none_is_refused(stocked, seed):
    assert refusal(lambda: list(begun(seed=seed))).startswith("Seed must be")
    for verb in (gan.samples, gan.judged, gan.ways):
        assert refusal(verb, WEIGHTS, seed).startswith("Seed must be")


def test_a_learning_rate_of_ten_diverges_in_one_sentence_and_frees_the_run():
    told = refusal(lambda: list(begun(knobs=(10.0, *KNOBS[1:]))))
    assert re.match(r"The loss of the (generator|discriminator) is", told) and "lower the learning rate" in told
    assert not live._kept and not live._busy


def test_a_kind_or_data_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.delenv("GALLERY_DATA", raising=False)
    assert refusal(gan.choose_kind, "EM", None, "Moons").startswith("Model must be")
    assert refusal(gan.choose_data, "Cats", None).startswith("Data must be")
    assert DIGITS not in gan.choices()
    assert "GALLERY_DATA" in refusal(lambda: list(begun(text=DIGITS)))


# ---- the board --------------------------------------------------------------------------------------------------------


def test_other_data_other_models_and_clicks_end_the_run():
    for act in (
        lambda key: gan.choose_data("Moons", key), lambda key: gan.choose_kind(VAE, key, "Moons"),
        lambda key: gan.add_points(gr.EventData(None, {"dabs": [[0.5, 0.5]]}), key, "Moons"),
        lambda key: gan.paste_points("0.1 0.2\n0.3 0.4", key),
    ):  # fmt: skip
        work = begun()
        key = next(work)[3]
        found = act(key)
        assert list(work) == [] and live.kept(key) is None
        assert found[-2:] == [None, ""] and "<svg" in found[-5]
    assert "moved and scaled" in gan.paste_points("10 20\n30 40", None)[4]


def test_digits_train_from_the_data_folder(data_folder, monkeypatch, stocked):
    monkeypatch.setenv("GALLERY_DATA", str(data_folder))
    live.digits.cache_clear()
    assert gan.choices()[-1] == DIGITS
    assert "data:image/png" in gan.choose_data(DIGITS, None)[2]
    for kind in KINDS:
        work = begun(text=DIGITS, kind=kind)
        board, curve, words, key, _ = [next(work) for _ in range(2)][-1]
        assert 'aria-busy="true"' in board and "Step" in words
        (picture,) = gan.training_picture(WEIGHTS, 3, DIGITS, kind, *KNOBS, "", key)
        assert picture.size == (8 * 28 * 4, 6 * 28 * 4)
        work.close()
    live.digits.cache_clear()


# ---- the trained one --------------------------------------------------------------------------------------------------


def test_samples_their_judgement_and_the_ways_between_them(stocked):
    assert gan.samples(WEIGHTS, 7).count("<img") == gan.COUNT
    shares = [int(share) for share in re.findall(r"<span>(\d+) %", gan.judged(WEIGHTS, 7))]
    assert len(shares) == gan.COUNT and shares == sorted(shares, reverse=True)
    assert gan.ways(WEIGHTS, 7).count("<img") == gan.WALKS * gan.STEPS_OF_A_WALK
    assert gan.reseeded(WEIGHTS, 8, None, "Moons")[0] == gan.samples(WEIGHTS, 8) != gan.samples(WEIGHTS, 7)
    (sheet,) = gan.samples_sheet(WEIGHTS, 7)
    assert sheet.size == (8 * 16 * 8, 5 * 16 * 8)
    assert len(gan.gan_sample(WEIGHTS, 7, 3)) == 3 and gan.gan_sample(WEIGHTS, 7, 3)[:2] == gan.gan_sample(WEIGHTS, 7, 2)


def test_a_link_restores_the_settings_and_trains_the_run_again(stocked):
    plan = live.written([Part(BOTH, 5, Settings())])
    found = gan.restored(WEIGHTS, 3, "Moons", GAN, *KNOBS, plan)
    assert found[-1].startswith(gan.REPLAY) and found[-3] == "Moons"
    assert gan.restored(WEIGHTS, 3, "Moons", VAE, *KNOBS, "")[-1] == ""
    assert "at least 2 points" in refusal(gan.restored, WEIGHTS, 3, "", GAN, *KNOBS, plan)


def test_the_verb_trains_and_answers_the_same_twice():
    first = gan.gan_train("Moons", "GAN", 60, 5)
    assert first == gan.gan_train("Moons", "GAN", 60, 5) and len(first["points"]) == live.GENERATED
    assert set(first["losses"]) == {"discriminator", "generator"}
    assert refusal(gan.gan_train, "Moons", "GAN", 10**6).startswith("Steps must be")
    assert "at least 2 points" in refusal(gan.gan_train, "0.5 0.5")
    assert not live._kept
