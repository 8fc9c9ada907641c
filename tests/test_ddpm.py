"""What DDPM alone promises: the schedule, the sampler against known answers and against another library, guidance, editing."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import build
from torch.nn.functional import interpolate

from benchmarks import diffusion
from gen_models.base import Draws
from gen_models.diffusion.ddpm import DDPM, Enlarge, Guided, cosine_schedule
from gen_models.layers import from_unit


@pytest.fixture
def model() -> DDPM:
    return build("ddpm")


def last(states):
    *_, state = states
    return state


def knowing(model: DDPM, answer):
    """The model with an oracle in place of its network: ``answer(x_t, alpha, sigma)`` is the guess at x_0."""

    def through(x, shifts, kernels):
        alpha, sigma = shifts[0][0]
        return (alpha * x - answer(x, alpha, sigma)) / sigma

    def shifts(times, labels):
        return [torch.tensor([[model.signal[int(time)], model.noise[int(time)]] for time in times])]

    model._through, model.network.shifts = through, shifts
    return model


# ---- the schedule -----------------------------------------------------------------------------------------------------


def test_the_schedule_is_the_cosine_and_keeps_the_variance():
    shares = cosine_schedule(1000)
    assert shares[0] == 1 and shares[1000] < 1e-8 and shares == sorted(shares, reverse=True)
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    assert shares[500] == pytest.approx(math.cos(0.508 / 1.008 * math.pi / 2) ** 2 / start)
    assert max(1 - later / share for share, later in zip(shares, shares[1:], strict=False)) == pytest.approx(0.999)
    model = DDPM(**DDPM.tiny)
    assert all(signal**2 + noise**2 == pytest.approx(1) for signal, noise in zip(model.signal, model.noise, strict=True))


@pytest.mark.parametrize("steps, strength", [(1, 1.0), (7, 1.0), (50, 0.3), (100, 1.0), (30, 0.02), (5, 0.001)])
def test_the_steps_are_even_and_end_at_the_picture(model, steps, strength):
    levels = model.levels_of(steps, strength)
    assert levels[0] == max(1, round(100 * strength)) and levels[-1] == 0
    assert len(levels) == min(steps, levels[0]) + 1
    widths = [one - other for one, other in zip(levels, levels[1:], strict=False)]
    assert min(widths) >= 1 and max(widths) - min(widths) <= 1


# ---- the network ------------------------------------------------------------------------------------------------------


def test_enlarging_in_one_go_is_doubling_and_then_the_convolution():
    layer, x = Enlarge(8), torch.randn(2, 8, 5, 7)
    assert torch.allclose(layer(x, layer.kernel()), layer.conv(interpolate(x, scale_factor=2)), atol=1e-5)


def test_the_network_is_told_the_time_and_every_class(model):
    x, times, labels = torch.randn(1, 1, 16, 16), torch.tensor([40]), torch.tensor([[1, 2]])
    found = model.velocity(x, times, labels)
    others = [torch.tensor([[0, 2]]), torch.tensor([[1, 0]]), model._no_class(labels)]
    for time, label in [(times + 30, labels), *((times, other) for other in others)]:
        assert (model.velocity(x, time, label) - found).abs().max() > 1e-3


@pytest.mark.parametrize("arguments", [{}, {"patch": 1}, {"widths": [8, 16, 16], "attention": 2}, {"classes": []}], ids=str)
def test_other_sizes_of_the_network_sample(arguments):
    model = DDPM(**DDPM.tiny | arguments).eval()
    with torch.no_grad():
        assert model.sample(Draws(0, 2), 3, guidance=2.0).shape == (2, 1, 16, 16)


def test_a_side_that_cannot_be_halved_is_one_sentence():
    with pytest.raises(ValueError, match="cannot be halved"):
        DDPM(size=28, widths=[8, 16, 16])


# ---- training ---------------------------------------------------------------------------------------------------------


def test_the_loss_is_zero_for_a_network_that_knows(model, monkeypatch):
    """The target is v of the very noise and times that the network is shown."""
    images = torch.rand(8, 1, 16, 16) * 2 - 1
    seen = {}

    def velocity(noisy, times, labels):
        alpha, sigma = (torch.tensor(table)[times, None, None, None] for table in (model.signal, model.noise))
        noise = (noisy - alpha * images) / sigma
        seen["times"] = times
        return alpha * noise - sigma * images

    monkeypatch.setattr(model, "velocity", velocity)
    ((_, terms),) = model.training_step((images, torch.zeros(8, 3, dtype=torch.long)))
    assert float(terms["v"]) < 1e-6
    assert seen["times"].min() >= 1 and seen["times"].max() <= 100
    gaps = sorted(seen["times"].tolist())
    gaps = [later - time for time, later in zip(gaps, [*gaps[1:], gaps[0] + 100], strict=True)]
    assert set(gaps) <= {12, 13}, "the times are not spread"


@pytest.mark.parametrize("dropped", [0.0, 1.0])
def test_dropped_classes_are_not_told(dropped):
    torch.manual_seed(0)
    model = DDPM(**DDPM.tiny | {"dropped": dropped})
    torch.nn.init.normal_(model.network.last.weight)
    ((_, terms),) = model.training_step((torch.rand(4, 1, 16, 16), torch.tensor([[1, 2, 0]] * 4)))
    terms["v"].backward()
    for table, row in zip(model.network.classes, (1, 2), strict=True):
        moved = table.weight.grad.abs().sum(dim=1) > 0
        assert moved.nonzero().flatten().tolist() == [len(moved) - 1 if dropped else row]


def test_gradients_are_cut(model):
    (optimizer,) = model.optimizers().values()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e6)
    optimizer.step()
    assert math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in model.parameters())) == pytest.approx(1, rel=1e-3)


def test_no_digit_and_no_shoe_is_mirrored():
    """Mirrored digits are none, and all shoes of the set point the same way."""
    for recipe in (DDPM.recipes["mnist"], DDPM.recipes["fashion"]):
        assert not recipe.mirror and not recipe.large.mirror
    assert DDPM.recipes["faces"].mirror


# ---- classes ----------------------------------------------------------------------------------------------------------


def test_classes_are_drawn_as_often_as_they_were_seen(model):
    labels = torch.tensor([[0, 0]] * 1 + [[0, 2]] * 3 + [[1, 1]] * 4)
    model.counts.zero_()
    list(model.training_step((torch.rand(8, 1, 16, 16), labels)))
    drawn = model.labels(Draws(0, 4000))
    shares = {pair: float((drawn == torch.tensor(pair)).all(dim=1).float().mean()) for pair in ((0, 0), (0, 2), (1, 1))}
    assert shares == pytest.approx({(0, 0): 1 / 8, (0, 2): 3 / 8, (1, 1): 1 / 2}, abs=0.03)
    given = model.labels(Draws(0, 4000), [0, None])
    assert set(given[:, 0].tolist()) == {0}
    assert float((given[:, 1] == 2).float().mean()) == pytest.approx(3 / 4, abs=0.03)
    assert model.labels(Draws(0, 3), [1, 2]).tolist() == [[1, 2]] * 3, "a pair that was never seen can be asked for"
    assert model.labels(Draws(0, 3), 1)[:, 0].tolist() == [1] * 3


@pytest.mark.parametrize("label", [2, -1, [0, 3], [0, 0, 0]], ids=str)
def test_a_class_that_there_is_not_is_one_sentence(model, label):
    with pytest.raises(ValueError, match="there is no class"):
        model.labels(Draws(0, 1), label)


def test_the_noise_does_not_depend_on_the_class(model):
    with torch.no_grad():
        noisy = [next(model.trajectory(Draws(3, 2), 2, label=label)).noisy for label in (None, 0, [1, 2])]
    assert torch.equal(noisy[0], noisy[1]) and torch.equal(noisy[0], noisy[2])


# ---- sampling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 7, 100])
def test_a_network_that_knows_the_picture_leads_to_it(model, steps, eta):
    picture = torch.rand(1, 1, 16, 16) * 2 - 1
    found = knowing(model, lambda x, alpha, sigma: picture).sample(Draws(0, 3), steps, eta)
    assert torch.allclose(found, (picture / 2 + 0.5).expand(3, -1, -1, -1), atol=1e-5)


def gaussian(mean: float, spread: float):
    """The best guess at x_0 for pixels from N(mean, spread)."""
    return lambda x, alpha, sigma: mean + alpha * spread**2 / (alpha**2 * spread**2 + sigma**2) * (x - alpha * mean)


def spread_after(model: DDPM, levels: list[int], eta: float, spread: float) -> float:
    """The standard deviation in which sampling with that guess must end, by Song 2021, eq. 12 and 16."""
    variance = 1.0
    for time, following in zip(levels, levels[1:], strict=False):
        now, then = model.signal[time] ** 2, model.signal[following] ** 2
        guess = math.sqrt(now) * spread**2 / (now * spread**2 + 1 - now)
        fresh = eta**2 * (1 - then) / (1 - now) * (1 - now / then)
        noise = (1 - math.sqrt(now) * guess) / math.sqrt(1 - now)
        variance = (math.sqrt(then) * guess + math.sqrt(1 - then - fresh) * noise) ** 2 * variance + fresh
    return math.sqrt(variance)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [10, 100])
def test_sampling_with_the_best_guess_at_gaussian_pixels(model, steps, eta):
    found = from_unit(knowing(model, gaussian(0.2, 0.15)).sample(Draws(0, 40), steps, eta))
    wanted = spread_after(model, model.levels_of(steps), eta, 0.15)
    assert float(found.mean()) == pytest.approx(0.2, abs=0.01)
    assert float(found.std()) == pytest.approx(wanted, rel=0.03)
    assert wanted < 0.15, "more steps get nearer to the pixels' own"


def test_many_steps_end_in_the_distribution_itself_and_few_do_better_without_fresh_noise():
    model = DDPM(**DDPM.tiny | {"times": 1000})
    ends = {(steps, eta): spread_after(model, model.levels_of(steps), eta, 0.15) for steps in (10, 100, 1000) for eta in (0.0, 1.0)}
    assert ends[1000, 0.0] == pytest.approx(0.15, rel=0.01) and ends[1000, 1.0] == pytest.approx(0.15, rel=0.02)
    for eta in (0.0, 1.0):
        assert ends[10, eta] < ends[100, eta] < ends[1000, eta]
    assert all(ends[steps, 1.0] < ends[steps, 0.0] for steps in (10, 100))
    with torch.no_grad():
        found = from_unit(knowing(model, gaussian(0.2, 0.15)).sample(Draws(0, 8), 1000, 1.0))
    assert float(found.std()) == pytest.approx(0.15, rel=0.05)


def test_fresh_noise_is_added_only_if_asked_for(model):
    class Counted(Draws):
        count_ = 0

        def normal(self, *shape):
            Counted.count_ += 1
            return super().normal(*shape)

    with torch.no_grad():
        for eta, wanted in ((0.0, 1), (1.0, 5)):
            Counted.count_ = 0
            model.sample(Counted(0, 1), 5, eta)
            assert Counted.count_ == wanted


def test_every_way_to_sample_keeps_rows_apart(model):
    picture, unknown = torch.rand(1, 1, 16, 16), torch.arange(256).view(16, 16) > 99
    ways = [dict(eta=1.0), dict(guidance=3.0), dict(images=picture, unknown=unknown, repeats=2), dict(images=picture, strength=0.5)]
    for way in ways:
        with torch.no_grad():
            many = last(model.trajectory(Draws(7, 4), 5, **way)).noisy
            alone = last(model.trajectory(Draws(7, 1, first=2), 5, **way)).noisy
        assert torch.allclose(alone[0], many[2], atol=1e-4), way


@pytest.mark.parametrize("guidance, rows", [(0.0, 2), (1.0, 2), (2.5, 4)])
def test_guidance_goes_away_from_what_is_not_told(model, guidance, rows, monkeypatch):
    x, labels = torch.randn(2, 1, 16, 16), torch.tensor([[0, 1], [1, 2]])
    seen = []
    through = model._through
    monkeypatch.setattr(model, "_through", lambda x, *rest: seen.append(len(x)) or through(x, *rest))
    with torch.no_grad():
        found = Guided(model, [90, 40], labels, guidance)(x, 1)
        told, untold = (model.velocity(x, torch.tensor([40, 40]), some) for some in (labels, model._no_class(labels)))
    assert torch.allclose(found, untold + guidance * (told - untold), atol=1e-4)
    assert seen[0] == rows, "one batch, and no pass that is not needed"


def test_a_trajectory_streams_and_stops(model, monkeypatch):
    passes = []
    through = model._through
    monkeypatch.setattr(model, "_through", lambda x, *rest: passes.append(len(x)) or through(x, *rest))
    with torch.no_grad():
        states = list(model.trajectory(Draws(1, 2), 6))
        assert [state.done for state in states] == list(range(7)) and {state.total for state in states} == {6}
        assert len(passes) == 6
        assert torch.equal(states[-1].noisy, states[-1].clean)
        assert torch.equal(states[-1].noisy, model.sample(Draws(1, 2), 6))
        passes.clear()
        walk = model.trajectory(Draws(1, 2), 6)
        next(walk), next(walk)
        walk.close()
    assert len(passes) == 2


# ---- editing ----------------------------------------------------------------------------------------------------------


def test_what_is_known_stays_and_guides_the_rest(model):
    unknown = torch.zeros(16, 16, dtype=torch.bool)
    unknown[8:] = True
    one, other = torch.rand(2, 1, 16, 16)
    with torch.no_grad():
        found = [list(model.trajectory(Draws(0, 2), 5, images=picture[None], unknown=unknown)) for picture in (one, other)]
    for picture, states in zip((one, other), found, strict=True):
        for state in states:
            assert torch.allclose(state.clean[..., :8, :], picture[..., :8, :].expand(2, -1, -1, -1), atol=1e-6)
    assert (found[0][-1].noisy[..., 8:, :] - found[1][-1].noisy[..., 8:, :]).abs().max() > 1e-3


@pytest.mark.parametrize("repeats", [1, 3])
def test_repeated_steps_are_counted(model, repeats):
    picture, unknown = torch.rand(1, 1, 16, 16), torch.ones(16, 16, dtype=torch.bool)
    with torch.no_grad():
        states = list(model.trajectory(Draws(0, 1), 4, images=picture, unknown=unknown, repeats=repeats))
    assert [state.done for state in states] == list(range(3 * repeats + 2)) and states[0].total == 3 * repeats + 1


def test_repeats_put_the_right_noise_back(model):
    """With a network that knows Gaussian pixels, going back and forth does not make them wider or narrower."""
    picture, unknown = torch.full((1, 1, 16, 16), 0.5), torch.ones(16, 16, dtype=torch.bool)
    walk = knowing(model, gaussian(0.0, 0.2)).trajectory(Draws(0, 40), 100, 1.0, images=picture, unknown=unknown, repeats=3)
    wanted = spread_after(model, model.levels_of(100), 1.0, 0.2)
    assert float(from_unit(last(walk).noisy).std()) == pytest.approx(wanted, rel=0.05)


def test_the_noise_decides_how_much_of_a_picture_is_left(model):
    model = knowing(model, lambda x, alpha, sigma: (x / alpha).clamp(-1, 1))  # a guess that trusts what it sees
    picture = torch.rand(1, 1, 16, 16)
    far = []
    for strength in (0.02, 0.3, 0.8):
        states = list(model.trajectory(Draws(2, 3), 10, images=picture, strength=strength))
        assert torch.allclose(states[0].noisy, model.noisy(picture, Draws(2, 3), strength), atol=1e-6)
        far.append(float((states[-1].noisy - picture).abs().mean()))
    assert far[0] < 0.05 < far[1] < far[2]


@pytest.mark.parametrize(
    "arguments, word",
    [
        (dict(steps=0), "steps"), (dict(steps=101), "steps"), (dict(eta=1.1), "eta"), (dict(eta=float("nan")), "eta"),
        (dict(guidance=-1.0), "guidance"), (dict(guidance=math.inf), "guidance"), (dict(strength=0.5), "no picture"),
        (dict(unknown=torch.ones(16, 16)), "no picture"), (dict(images=torch.rand(1, 1, 8, 8)), "16 x 16"),
        (dict(images=torch.rand(3, 1, 16, 16)), "one per row"), (dict(images=torch.rand(1, 1, 16, 16), repeats=0), "repeats"),
        (dict(images=torch.rand(1, 1, 16, 16), unknown=torch.ones(8, 8)), "unknown"),
        (dict(images=torch.rand(1, 1, 16, 16), strength=0.0), "strength"),
    ]
)  # fmt: skip
def test_bad_arguments_are_one_sentence(model, arguments, word):
    with pytest.raises(ValueError, match=word):
        model.trajectory(Draws(0, 2), **{"steps": 5} | arguments)


# ---- against another library ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, guidance", [({}, 1.0), ({"widths": [8, 16, 16], "attention": 2}, 3.0), ({"patch": 1}, 3.0)], ids=str
)
def test_the_pictures_are_those_of_diffusers_with_the_same_weights(arguments, guidance, monkeypatch):
    torch.manual_seed(0)
    model = DDPM(**DDPM.tiny | arguments).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    monkeypatch.setattr(diffusion, "STEPS", 10)
    noise = diffusion.noise_of(model, 3)
    wanted = diffusion.theirs(model, diffusion.pipeline(model), noise, guidance)()
    found = diffusion.ours(model, noise, guidance)()
    assert wanted.std() > 0.1
    assert torch.allclose(found, wanted, atol=1e-4)


def test_fresh_noise_is_that_of_diffusers(model):
    scheduler = diffusion.pipeline(model).scheduler
    scheduler.set_timesteps(10)
    x, noise = torch.randn(2, 1, 16, 16), torch.randn(10, 2, 1, 16, 16)
    labels = model.labels(Draws(0, 2), [0, 1])

    class Given(Draws):
        numbers = iter((x, *noise))

        def normal(self, *shape):
            return next(self.numbers)

    with torch.no_grad():
        found = model.sample(Given(0, 2), 10, eta=0.7, label=[0, 1])
        for time, fresh in zip(scheduler.timesteps, noise, strict=True):
            v = model.velocity(x, torch.full((2,), int(time) + 1), labels)
            x = scheduler.step(v, time, x, eta=0.7, use_clipped_model_output=True, variance_noise=fresh).prev_sample
    assert torch.allclose(found, (x / 2 + 0.5).clamp(0, 1), atol=1e-4)
