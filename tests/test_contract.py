"""What every model of the catalog keeps, checked at its tiny size."""

from __future__ import annotations

import json
import math

import pytest
import torch
from conftest import FITTED, RESTORERS, SAMPLERS, TRAINED, TRANSLATORS, build, training_batch

from gen_models import catalog, sets
from gen_models.base import Draws, GenerativeModel, Model, Recipe, Restorer, Translator
from gen_models.data import SPLITS


def as_bytes(images: torch.Tensor) -> torch.Tensor:
    return (images * 255).round().to(torch.int64)


@pytest.fixture(params=SAMPLERS)
def sampler(request) -> GenerativeModel:
    return build(request.param)


@pytest.fixture(params=TRAINED)
def learner(request) -> Model:
    return build(request.param).train()


def update(model: Model, steps: int) -> list[str]:
    """What the trainer does, without everything around it; returns the optimizers used, in order."""
    optimizers = model.optimizers()
    used = []
    for _ in range(steps):
        for name, terms in model.training_step(training_batch(model)):
            optimizers[name].zero_grad(set_to_none=True)
            sum(terms.values()).backward()
            optimizers[name].step()
            used.append(name)
    return used


# ---- the card ---------------------------------------------------------------------------------------------------------


def test_a_model_says_what_a_card_needs(model_name):
    kind = catalog.model_class(model_name)
    for text in (kind.title, kind.authors, kind.summary):
        assert isinstance(text, str)
        assert text.strip() == text != ""
    assert 1900 < kind.year < 2030
    assert kind.paper.startswith("https://")
    assert kind.summary.endswith(".")
    assert all(isinstance(sentence, str) and sentence.endswith(".") for sentence in kind.differences)
    assert kind.__doc__
    assert kind.recipes


def test_recipes_and_tiny_arguments_build_the_model(model_name):
    kind = catalog.model_class(model_name)
    recipes = [recipe for short in kind.recipes.values() for recipe in (short, short.large) if recipe]
    for arguments in (kind.tiny, *(recipe.arguments for recipe in recipes)):
        assert json.loads(json.dumps(arguments)) == arguments
        with torch.device("meta"):
            model = kind(**arguments)
        assert model.config.items() >= arguments.items()
        channels, height, width = model.image_shape
        assert channels in (1, 3)
        assert height == width
    assert {recipe.data or key for key, recipe in kind.recipes.items()} <= set(sets.names())
    for recipe in recipes:
        assert isinstance(recipe, Recipe)
        assert recipe.steps > 0
        assert recipe.batch_size > 0
        assert 0 <= recipe.ema < 1
        assert 0 <= recipe.decay_from <= 1
        assert recipe.jitter >= 1
        assert 0 <= recipe.warm_up < recipe.steps
        assert recipe.precision in ("no", "bf16", "fp16")


def test_the_configuration_is_flat_json(model_name):
    kind = catalog.model_class(model_name)
    model = kind()  # all arguments have defaults
    assert json.loads(json.dumps(model.config)) == model.config
    assert not any(isinstance(value, dict) for value in model.config.values())


def test_averaged_children_and_the_scaffold_exist(tiny):
    children = {name for name, _ in tiny.named_children()}
    assert set(tiny.averaged or ()) <= children
    assert set(tiny.scaffold) <= children


def test_a_card_names_the_parts_of_the_data():
    assert SPLITS == ("train", "validation", "test")


# ---- sampling ---------------------------------------------------------------------------------------------------------


def test_samples_are_pictures(sampler):
    with torch.no_grad():
        images = sampler.sample(Draws(7, 5))
    assert images.shape == (5, *sampler.image_shape)
    assert images.dtype == torch.float32
    assert torch.isfinite(images).all()
    assert images.min() >= 0
    assert images.max() <= 1


def test_a_seed_decides_the_picture(sampler):
    with torch.no_grad():
        first = sampler.sample(Draws(7, 3))
        torch.manual_seed(99)  # the global generator has no say
        second = sampler.sample(Draws(7, 3))
    assert torch.equal(first, second)


def test_other_seeds_and_rows_give_other_pictures(sampler):
    with torch.no_grad():
        images = torch.cat([sampler.sample(Draws(7, 2)), sampler.sample(Draws(8, 2))])
    for left in range(4):
        for right in range(left):
            assert (images[left] - images[right]).abs().max() > 1e-3


def test_a_batch_of_one_is_a_row_of_a_batch_of_many(sampler):
    with torch.no_grad():
        many = sampler.sample(Draws(7, 6))
        for row in (0, 4):
            alone = sampler.sample(Draws(7, 1, first=row))
            assert torch.allclose(alone[0], many[row], atol=1e-5)
            assert (as_bytes(alone[0]) - as_bytes(many[row])).abs().max() <= 1


def test_sampling_leaves_the_model_as_it_was(sampler):
    before = {key: value.clone() for key, value in sampler.state_dict().items()}
    with torch.no_grad():
        sampler.sample(Draws(7, 2))
    assert all(torch.equal(before[key], value) for key, value in sampler.state_dict().items())


# ---- reconstructing and completing ------------------------------------------------------------------------------------


def has(verb: str) -> list[str]:
    return [name for name in SAMPLERS if hasattr(catalog.model_class(name), verb)]


def given_pictures(model: GenerativeModel, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures and a hole in them, which takes some of an unfitted mixture's coordinates: its first pixels."""
    generator = torch.Generator().manual_seed(3)
    unknown = torch.zeros(model.image_shape[1:], dtype=torch.bool)
    unknown[:7, 2:12] = True
    return torch.rand(count, *model.image_shape, generator=generator), unknown


def are_pictures(images: torch.Tensor, model: GenerativeModel, count: int) -> bool:
    fits = images.shape == (count, *model.image_shape) and images.dtype == torch.float32
    return bool(fits and torch.isfinite(images).all() and images.min() >= 0 and images.max() <= 1)


def test_which_verbs_a_model_has_is_known_without_importing_it(model_name):
    kind, found = catalog.model_class(model_name), catalog.methods(model_name)
    for verb in ("sample", "reconstruct", "complete", "sample_steps", "translate", "upscale", "log_likelihood", "fit", "nonsense"):
        bases = [base for base in kind.__mro__ if base.__module__ != "gen_models.base"]
        assert (verb in found) == any(verb in vars(base) for base in bases), verb


@pytest.mark.parametrize("name", has("reconstruct"))
def test_a_reconstruction_is_a_picture_and_each_its_own(name):
    model = build(name)
    images, _ = given_pictures(model, 3)
    with torch.no_grad():
        made = model.reconstruct(images)
        assert are_pictures(made, model, 3)
        assert torch.allclose(model.reconstruct(images[1:2]), made[1:2], atol=1e-5)
    assert (made[0] - made[1]).abs().max() > 1e-4


@pytest.mark.parametrize("name", has("complete"))
def test_a_completion_keeps_what_is_known_and_the_seed_decides_the_rest(name):
    model = build(name)
    images, unknown = given_pictures(model, 1)
    seen = getattr(model, "seen", lambda pictures: pictures)(images)
    with torch.no_grad():
        made = model.complete(Draws(7, 4), images, unknown)
        assert are_pictures(made, model, 4)
        assert (made - seen)[..., ~unknown].abs().max() < 1e-6
        assert torch.equal(model.complete(Draws(7, 4), images, unknown), made)
        assert torch.allclose(model.complete(Draws(7, 1, first=2), images, unknown)[0], made[2], atol=1e-4)
        assert torch.allclose(model.complete(Draws(7, 4), images.expand(4, -1, -1, -1), unknown), made, atol=1e-4)
    assert all((made[left] - made[right]).abs().max() > 1e-3 for left in range(4) for right in range(left))


def test_the_stages_end_in_the_sample_and_in_the_completion(sampler):
    images, unknown = given_pictures(sampler, 1)
    with torch.no_grad():
        *_, made = sampler.sample_steps(Draws(7, 2))
        assert torch.equal(made, sampler.sample(Draws(7, 2)))
        if "complete" not in catalog.methods(type(sampler).__module__.rpartition(".")[2]):
            with pytest.raises(NotImplementedError, match="does not complete"):
                list(sampler.sample_steps(Draws(7, 2), images, unknown))
            return
        *_, made = sampler.sample_steps(Draws(7, 2), images, unknown)
        assert torch.equal(made, sampler.complete(Draws(7, 2), images, unknown))


# ---- translating ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=TRANSLATORS)
def translator(request) -> Translator:
    return build(request.param)


def test_translations_are_pictures_and_each_is_of_its_own_input(translator):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.rand(3, *translator.image_shape, generator=generator)
    with torch.no_grad():
        images = translator.translate(inputs)
        assert images.shape == inputs.shape
        assert images.dtype == torch.float32
        assert torch.isfinite(images).all()
        assert images.min() >= 0
        assert images.max() <= 1
        for row in (0, 2):
            alone = translator.translate(inputs[row : row + 1])
            assert torch.allclose(alone[0], images[row], atol=1e-5)
        torch.manual_seed(99)  # the global generator has no say
        assert torch.equal(translator.translate(inputs), images)
        assert (images[0] - images[1]).abs().max() > 1e-3


def test_a_sheet_has_rows_of_eight(translator):
    inputs, partners = torch.rand(2, 11, *translator.image_shape)
    with torch.no_grad():
        sheet = translator.examples(inputs, partners)
    assert len(sheet) % 16 == 0
    assert torch.equal(sheet[:8], inputs[:8])


# ---- restoring --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=RESTORERS)
def restorer(request) -> Restorer:
    return build(request.param)


@pytest.mark.parametrize("sides", [(1, 1), (7, 12), (33, 5)])
def test_restorations_are_larger_pictures_and_each_is_of_its_own_input(restorer, sides):
    generator = torch.Generator().manual_seed(3)
    channels = restorer.image_shape[0]
    inputs = torch.rand(3, channels, *sides, generator=generator)
    with torch.no_grad():
        images = restorer.upscale(inputs)
        assert images.shape == (3, channels, *(side * restorer.scale for side in sides))
        assert images.dtype == torch.float32
        assert torch.isfinite(images).all()
        assert images.min() >= 0
        assert images.max() <= 1
        for row in (0, 2):
            assert torch.allclose(restorer.upscale(inputs[row : row + 1])[0], images[row], atol=1e-5)
        torch.manual_seed(99)  # the global generator has no say
        assert torch.equal(restorer.upscale(inputs), images)
        *_, (last, done, total) = restorer.trajectory(inputs)
        assert done == total and torch.equal(last, images)


def test_what_is_shrunk_has_the_size_that_is_enlarged_back(restorer):
    true = torch.rand(11, *restorer.training_shape)
    with torch.no_grad():
        small = restorer.downscale(true, Draws(0, 11))
        assert restorer.upscale(small).shape == true.shape
        sheet = restorer.examples(true)
    assert len(sheet) == 2 * 4 * 8
    assert torch.equal(sheet[24:32], true[:8])
    assert str(restorer.damage)


# ---- training ---------------------------------------------------------------------------------------------------------


def test_every_parameter_belongs_to_one_optimizer(learner):
    held = [id(p) for optimizer in learner.optimizers().values() for group in optimizer.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    names = {id(parameter): name for name, parameter in learner.named_parameters()}
    assert {names[key] for key in held} == set(names.values())


def test_one_training_step_moves_every_parameter(learner):
    with torch.no_grad():
        for value in learner.parameters():
            if value.numel() == 1:  # a critic's last bias, outside the margins within which real and fake pull alike
                value.fill_(2.0)
    before = {name: value.detach().clone() for name, value in learner.named_parameters()}
    used = update(learner, steps=1)
    assert set(used) == set(learner.optimizers())
    still = [name for name, value in learner.named_parameters() if torch.equal(before[name], value)]
    assert still == []
    assert all(torch.isfinite(value).all() for value in learner.parameters())
    assert all(value.requires_grad for value in learner.parameters())


def test_loss_terms_are_single_finite_numbers(learner):
    optimizers = learner.optimizers()
    for name, terms in learner.training_step(training_batch(learner)):
        assert name in optimizers
        assert terms
        for term, value in terms.items():
            assert value.shape == (), term
            assert torch.isfinite(value), term


def test_training_lowers_the_loss_of_a_batch(learner):
    """With one optimizer there is one loss, and on one repeated batch it falls; a game has no such number."""

    def loss() -> float:
        torch.manual_seed(0)
        return sum(float(sum(terms.values())) for _, terms in learner.training_step(training_batch(learner)))

    if len(learner.optimizers()) == 1:
        with torch.no_grad():
            before = loss()
        update(learner, steps=10)
        with torch.no_grad():
            assert loss() < before
    else:
        assert len(update(learner, steps=2)) >= 4


# ---- fitting ----------------------------------------------------------------------------------------------------------


def training_set(model: Model, count: int = 91) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of three kinds in [0, 1], and which kind each is of."""
    generator = torch.Generator().manual_seed(2)
    labels = torch.arange(count)[:, None] % 3
    middles = torch.rand(3, *model.image_shape, generator=generator)
    return (middles[labels[:, 0]] + 0.1 * torch.randn(count, *model.image_shape, generator=generator)).clamp(0, 1), labels


@pytest.mark.parametrize("name", FITTED)
def test_a_fit_changes_every_tensor_and_is_the_same_again(name):
    kind = catalog.model_class(name)
    states = []
    for _ in range(2):
        model = kind(**kind.tiny)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        steps = model.fit(*training_set(model), seed=3)
        for _ in range(3):
            terms = next(steps)
            assert terms and all(isinstance(value, float) and math.isfinite(value) for value in terms.values())
        states.append(model.state_dict())
    assert [key for key, value in before.items() if torch.equal(value, states[0][key])] == []
    assert all(torch.isfinite(value).all() and value.dtype == torch.float32 for value in states[0].values())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


@pytest.mark.parametrize("name", FITTED)
def test_a_fit_goes_on_from_the_tensors_alone(name):
    kind = catalog.model_class(name)
    straight, halves = kind(**kind.tiny), kind(**kind.tiny)
    data = training_set(straight)
    steps = straight.fit(*data, seed=3)
    for _ in range(4):
        next(steps)
    for _ in range(2):
        torch.manual_seed(5)
        other = kind(**kind.tiny)
        other.load_state_dict(halves.state_dict())
        steps = other.fit(*data, seed=3)
        for _ in range(2):
            next(steps)
        halves = other
    for key, value in straight.state_dict().items():
        assert torch.equal(value, halves.state_dict()[key]), key


@pytest.mark.parametrize("name", FITTED)
def test_too_few_pictures_are_one_sentence(name):
    kind = catalog.model_class(name)
    model = kind(**kind.tiny)
    images, labels = training_set(model)
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        next(model.fit(images[:4], labels[:4], seed=0))


# ---- keeping ----------------------------------------------------------------------------------------------------------


def test_saved_and_loaded_it_is_the_same_model(model_name, tiny, shelf):
    name = f"{model_name}-test"
    catalog.save(tiny, shelf / name, {"model": model_name})
    loaded = catalog.read(shelf / name, name)
    assert type(loaded) is type(tiny)
    assert loaded.config == tiny.config
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    wanted = tiny.without_scaffold().state_dict()
    assert loaded.state_dict().keys() == wanted.keys()
    for key, value in loaded.state_dict().items():
        assert value.dtype == wanted[key].dtype
        assert value.device.type != "meta"
        assert torch.allclose(value.cpu().double(), wanted[key].double(), rtol=1e-3, atol=1e-6), key


def test_a_loaded_model_samples_what_the_saved_one_did(sampler, shelf):
    name = f"{type(sampler).__module__.rsplit('.')[-1]}-test"
    catalog.save(sampler, shelf / name, {"model": name.split("-")[0]})
    with torch.no_grad():
        for value in sampler.state_dict().values():  # half precision is what the file holds
            if value.is_floating_point():
                value.copy_(value.half())
        wanted = sampler.sample(Draws(7, 4))
        found = catalog.load(name).sample(Draws(7, 4)).cpu()
    assert torch.allclose(found, wanted, atol=1e-4)
