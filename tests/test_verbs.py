"""What verbs promise, for every model of the catalog that offers them, at its tiny size.

Each promise is a function that fails on a model which breaks it; at the end, models that break one are caught.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable

import pytest
import torch
from conftest import NAMES, build
from torch import Tensor

from gen_models import catalog, verbs
from gen_models.autoencoders.vae import VAE
from gen_models.autoregressive.pixelcnn import PixelCNN
from gen_models.base import Draws, GenerativeModel, Model
from gen_models.layers import from_unit
from gen_models.losses import gaussian_kl
from gen_models.mixtures.bayes_classifier import BayesClassifier

VERBS = [kind for _, kind in inspect.getmembers(verbs, inspect.isclass) if kind.__module__ == verbs.__name__]
ROWS = 3


def offering(*wanted: type) -> list[str]:
    """The models that offer all of these verbs."""
    return [name for name in NAMES if all(issubclass(catalog.model_class(name), verb) for verb in wanted)]


def pictures(model: Model, count: int = ROWS) -> Tensor:
    return torch.rand(count, *model.image_shape, generator=torch.Generator().manual_seed(3))


def hole(model: Model) -> Tensor:
    unknown = torch.zeros(model.image_shape[1:], dtype=torch.bool)
    unknown[:7, 2:12] = True
    return unknown


def last_of(steps) -> Tensor:
    *_, last = steps
    return last


# ---- the protocols themselves -----------------------------------------------------------------------------------------


def test_every_verb_is_documented_and_some_model_offers_it():
    tree = ast.parse(inspect.getsource(verbs))
    for node in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
        assert ast.get_docstring(node), node.name
        assert node.body[1:], node.name
        for method in node.body[1:]:
            assert isinstance(method, ast.FunctionDef), f"{node.name}: isinstance sees methods only"
            assert ast.get_docstring(method), f"{node.name}.{method.name}"
    assert {kind.__name__: bool(offering(kind)) for kind in VERBS} == {kind.__name__: True for kind in VERBS}


def test_a_model_offers_what_its_file_says(model_name):
    kind, written = catalog.model_class(model_name), catalog.methods(model_name) | {"sample_steps"}
    for verb in VERBS:
        needed = {name for base in verb.__mro__ if base in VERBS for name, value in vars(base).items()
                  if inspect.isfunction(value) and not name.startswith("_")}  # fmt: skip
        assert issubclass(kind, verb) == all(hasattr(kind, name) for name in needed)
        if issubclass(kind, verb):
            assert needed <= written, verb.__name__


def test_arguments_are_those_of_the_verb(model_name):
    """Whoever calls by the protocol can call every model: no further argument is needed, and none of the verb's is missing."""
    kind = catalog.model_class(model_name)
    for verb in (verb for verb in VERBS if issubclass(kind, verb)):
        for name, promised in inspect.getmembers(verb, inspect.isfunction):
            if name.startswith("_"):
                continue
            theirs, ours = inspect.signature(promised).parameters, inspect.signature(getattr(kind, name)).parameters
            assert set(theirs) <= set(ours), f"{verb.__name__}.{name}"
            further = [ours[argument] for argument in set(ours) - set(theirs)]
            assert all(argument.default is not argument.empty for argument in further), f"{verb.__name__}.{name}"


# ---- every row is its own ---------------------------------------------------------------------------------------------

Call = Callable[[Model, Draws, Tensor], Tensor]

CALLS: dict[type, Call] = {
    verbs.Samples: lambda model, draws, _: model.sample(draws),
    verbs.SamplesPrior: lambda model, draws, _: model.sample_prior(draws),
    verbs.SamplesInSteps: lambda model, draws, _: last_of(model.sample_steps(draws)),
    verbs.Denoises: lambda model, draws, images: model.sample(draws, steps=3, eta=1.0) + model.noisy(images, draws, 0.5),
    verbs.Encodes: lambda model, _, images: model.encode(images),
    verbs.Decodes: lambda model, draws, _: model.decode(draws.normal(model.latent_dim)),
    verbs.HasLatents: lambda model, draws, _: model.latents(draws),
    verbs.Reconstructs: lambda model, _, images: model.reconstruct(images),
    verbs.Completes: lambda model, draws, images: model.complete(draws, images, hole(model)),
    verbs.Rounds: lambda model, _, images: model.to_levels(images),
    verbs.HasLikelihood: lambda model, draws, images: likelihood(model, images, draws),
    verbs.ImportanceSamples: lambda model, draws, images: model.log_importance_weights(images, draws, 4),
    verbs.HasEvidence: lambda model, draws, images: torch.cat([part.flatten(1) for part in elbo(model, draws, images)], dim=1),
    verbs.HasConditionals: lambda model, _, images: model.conditionals(images),
    verbs.HasDensity: lambda model, _, images: model.log_density(images),
    verbs.HasResponsibilities: lambda model, _, images: model.responsibilities(images),
    verbs.Predicts: lambda model, _, images: model.predict(images),
    verbs.HasProbabilities: lambda model, _, images: model.probabilities(images),
    verbs.Translates: lambda model, _, images: model.translate(images),
    verbs.TranslatesBack: lambda model, _, images: torch.cat(model.cycle(images, backwards=True), dim=1),
    verbs.Upscales: lambda model, draws, images: model.upscale(model.downscale(images, draws)),
    verbs.HasFeatures: lambda model, _, images: torch.cat(model.logits(model.features(images)), dim=1),
    verbs.Segments: lambda model, _, images: torch.stack([model.labels(images), model.segment(images)], dim=1),
    verbs.FindsFaces: lambda model, _, images: model.shows_face(images),
}
"""Verb -> something that has a row for each row of its arguments."""


def elbo(model: Model, draws: Draws, images: Tensor) -> tuple[Tensor, Tensor]:
    likelihood, divergence = model.evidence(images, draws, samples=4)
    return likelihood[:, None], divergence


@torch.no_grad()
def rows_are_their_own(model: Model, call: Call) -> None:
    """Row 1 of three is the same alone, whatever the global generator says."""
    images = pictures(model)
    many = call(model, Draws(7, ROWS), images)
    torch.manual_seed(99)
    alone = call(model, Draws(7, 1, first=1), images[1:2])
    assert len(many) == ROWS and len(alone) == 1
    assert torch.allclose(alone[0].double(), many[1].double(), rtol=1e-4, atol=1e-4)


def test_each_verb_is_called():
    assert set(CALLS) == set(VERBS)


@pytest.mark.parametrize(("name", "verb"), [(name, verb) for verb in CALLS for name in offering(verb)])
def test_a_row_depends_on_its_own_row_alone(name, verb):
    rows_are_their_own(build(name), CALLS[verb])




# ---- probabilities ----------------------------------------------------------------------------------------------------


MANY = 400
"""Draws a picture, of each mean over draws."""


def seen_often(model: Model) -> Tensor:
    """Pictures as the model sees them, each ``MANY`` times."""
    return model.seen(pictures(model), Draws(1, ROWS)).repeat_interleave(MANY, dim=0)


def taught(model: Model, steps: int = 60) -> Model:
    """The model after a few steps on three pictures: before, its latents say next to nothing, and no test would miss them."""
    images = model.seen(pictures(model), Draws(1, ROWS)).repeat(4, 1, 1, 1)
    optimizers = model.optimizers()
    for _ in range(steps):
        for name, terms in model.training_step((from_unit(images), torch.zeros(len(images), 3, dtype=torch.int64))):
            optimizers[name].zero_grad()
            sum(terms.values()).backward()
            optimizers[name].step()
    return model.eval()


def bound(model: Model, images: Tensor, seed: int) -> Tensor:
    """The evidence lower bound of one draw a picture, (B,)."""
    likelihood, divergence = model.evidence(images, Draws(seed, len(images)), samples=1)
    return likelihood - divergence.flatten(1).sum(dim=1)


def likelihood(model: Model, images: Tensor, draws: Draws) -> Tensor:
    """log p(x), (B,); where it is estimated, from one draw a picture, whose mean is the bound: from more it is larger."""
    one = {"samples": 1} if isinstance(model, verbs.ImportanceSamples) else {}
    return model.log_likelihood(images, draws, **one)


def error_of(values: Tensor) -> float:
    """Of the mean of ``MANY`` draws for each of the pictures."""
    return float(values.view(ROWS, MANY).var(dim=1).mean()) ** 0.5 / math.sqrt(ROWS * MANY)


@torch.no_grad()
def the_bound_is_below_the_likelihood(model: Model) -> None:
    """On average over many draws."""
    images = seen_often(model)
    below, above = bound(model, images, 2), likelihood(model, images, Draws(3, len(images)))
    assert float(below.mean() - above.mean()) <= 4 * math.hypot(error_of(below), error_of(above))


@torch.no_grad()
def the_evidence_is_minus_the_training_loss(model: Model) -> None:
    """On average over many draws: what is measured is what was trained."""
    images = seen_often(model)
    labels = torch.zeros(len(images), 3, dtype=torch.int64)
    losses = [sum(terms.values()) for _ in range(4) for _, terms in model.training_step((from_unit(images), labels))]
    trained, measured = -torch.stack(losses).mean(), bound(model, images, 2)
    error = error_of(measured) * math.sqrt(1 + 1 / len(losses))
    assert abs(float(trained - measured.mean())) < 4 * error + 1e-5 * abs(float(trained)), f"{trained}, {measured.mean()}, {error}"


@torch.no_grad()
def the_mean_log_weight_is_the_evidence(model: Model) -> None:
    """On average over many draws: bound and likelihood are of the same posterior."""
    images = seen_often(model)
    weights, measured = model.log_importance_weights(images, Draws(3, len(images)), 1)[:, 0], bound(model, images, 2)
    error = math.hypot(error_of(weights), error_of(measured))
    assert abs(float(weights.mean() - measured.mean())) < 4 * error + 1e-5 * abs(float(measured.mean()))


@torch.no_grad()
def the_likelihood_is_the_mean_weight(model: Model) -> None:
    images = pictures(model)
    weights = model.log_importance_weights(images, Draws(5, ROWS), 7)
    assert weights.shape == (ROWS, 7)
    wanted = torch.logsumexp(weights, dim=1) - math.log(7)
    assert torch.allclose(model.log_likelihood(images, Draws(5, ROWS), samples=7), wanted, rtol=1e-5)


@torch.no_grad()
def an_exact_likelihood_is_minus_the_training_loss(model: Model) -> None:
    """Of a model that knows classes, given the class, of which log p(x) is the mean."""
    images = model.seen(pictures(model), Draws(1, ROWS))
    given = []
    for label in range(model.classes or 1):
        labels = torch.full((ROWS, 1), label)
        rows = [model.training_step((from_unit(images[row : row + 1]), labels[row : row + 1])) for row in range(ROWS)]
        given.append(torch.stack([-sum(sum(terms.values()) for _, terms in steps) for steps in rows]))
    wanted = torch.logsumexp(torch.stack(given), dim=0) - math.log(len(given))
    assert torch.allclose(model.log_likelihood(images, Draws(1, ROWS)), wanted, rtol=1e-4)


@torch.no_grad()
def probabilities_add_up_to_one(model: Model) -> None:
    images = pictures(model)
    shares = []
    if isinstance(model, verbs.HasConditionals):
        shares.append(model.conditionals(images).exp().sum(dim=1))
    if isinstance(model, verbs.HasResponsibilities):
        shares.append(model.responsibilities(images).sum(dim=1))
    if isinstance(model, verbs.HasProbabilities):
        found = model.probabilities(images)
        shares.append(found.sum(dim=1))
        assert torch.equal(model.predict(images), found.argmax(dim=1, keepdim=True))
    assert shares
    for share in shares:
        assert torch.allclose(share, torch.ones_like(share), atol=1e-4)


@torch.no_grad()
def what_is_seen_stays_as_it_is(model: Model) -> None:
    """Seen twice is seen once; the likelihood is that of what is seen."""
    images = pictures(model)
    seen = model.seen(images)
    assert torch.allclose(model.seen(seen), seen, atol=1e-6)
    assert len(seen.unique()) <= model.levels
    assert torch.allclose(seen * (model.levels - 1), (seen * (model.levels - 1)).round(), atol=1e-3)
    drawn = model.seen(images, Draws(2, ROWS))
    assert torch.allclose(likelihood(model, drawn, Draws(2, ROWS)), likelihood(model, images, Draws(2, ROWS)), rtol=1e-4)


@torch.no_grad()
def decoding_what_was_encoded_is_reconstructing(model: Model) -> None:
    images = pictures(model)
    codes = model.encode(images)
    assert codes.shape == (ROWS, model.latent_dim)
    assert torch.allclose(model.decode(codes), model.reconstruct(images), atol=1e-5)


@torch.no_grad()
def there_and_back_is_two_translations(model: Model) -> None:
    images = pictures(model)
    for backwards in (False, True):
        there, back = model.cycle(images, backwards)
        assert torch.allclose(there, model.translate(images, backwards=backwards), atol=1e-5)
        assert torch.allclose(back, model.translate(there, backwards=not backwards), atol=1e-5)


@torch.no_grad()
def the_class_is_the_one_with_the_highest_score(model: Model) -> None:
    levels = (pictures(model) * 255).round()
    features = model.features(levels / 255)
    assert torch.equal(model.predict(levels / 255), torch.stack([task.argmax(dim=1) for task in model.logits(features)], dim=1))
    assert torch.allclose(model.features(levels.to(torch.uint8)), features, atol=1e-4)


PROMISES: list[tuple[Callable[[Model], None], tuple[type, ...]]] = [
    (the_bound_is_below_the_likelihood, (verbs.HasEvidence, verbs.HasLikelihood)),
    (the_evidence_is_minus_the_training_loss, (verbs.HasEvidence,)),
    (the_mean_log_weight_is_the_evidence, (verbs.HasEvidence, verbs.ImportanceSamples)),
    (the_likelihood_is_the_mean_weight, (verbs.ImportanceSamples,)),
    (probabilities_add_up_to_one, (verbs.HasConditionals,)),
    (probabilities_add_up_to_one, (verbs.HasResponsibilities,)),
    (what_is_seen_stays_as_it_is, (verbs.HasLikelihood,)),
    (decoding_what_was_encoded_is_reconstructing, (verbs.Encodes, verbs.Decodes, verbs.Reconstructs)),
    (there_and_back_is_two_translations, (verbs.TranslatesBack,)),
    (the_class_is_the_one_with_the_highest_score, (verbs.HasFeatures,)),
]
OF_DRAWS = (the_bound_is_below_the_likelihood, the_evidence_is_minus_the_training_loss, the_mean_log_weight_is_the_evidence)
"""Promises about means over draws of latents, which a model must have learnt to use."""


@pytest.mark.parametrize(
    ("promise", "name"), [(promise, name) for promise, wanted in PROMISES for name in offering(*wanted)],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_a_promise_is_kept(promise, name):
    model = build(name)
    promise(taught(model) if promise in OF_DRAWS else model)


EXACT = [name for name in offering(verbs.HasLikelihood) if name not in offering(verbs.ImportanceSamples)]


@pytest.mark.parametrize("name", EXACT)
def test_what_is_measured_exactly_is_what_was_trained(name):
    an_exact_likelihood_is_minus_the_training_loss(build(name))


def test_black_and_white_pictures_are_held_to_the_same():
    torch.manual_seed(0)
    model = taught(VAE(size=16, channels=1, binary=True, width=16, latent_dim=3).eval())
    for promise, wanted in PROMISES:
        if all(issubclass(VAE, verb) for verb in wanted):
            promise(model)


# ---- models that break a promise --------------------------------------------------------------------------------------


class Shifted(VAE):
    """Draws its latents from another posterior in training and for its likelihood, but inherits the evidence."""

    def moved(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encode_parameters(images)
        return 1.5 * mean + 0.5, log_variance - 0.5

    def training_step(self, batch):
        images, _ = batch
        mean, log_variance = self.moved(images)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        yield "both", {
            "reconstruction": -self.log_likelihood_given(images, z).mean(),
            "kl": gaussian_kl(mean, log_variance).sum(dim=1).mean(),
        }

    def log_importance_weights(self, images: Tensor, draws: Draws, samples: int) -> Tensor:
        images = from_unit(self.seen(images, draws))
        mean, log_variance = self.moved(images)
        noise = draws.normal(samples, self.latent_dim)
        z = mean[:, None] + torch.exp(0.5 * log_variance)[:, None] * noise
        prior, posterior = (-0.5 * part.sum(dim=2) for part in (z.square(), noise.square() + log_variance[:, None]))
        given = torch.stack([self.log_likelihood_given(images, z[:, k]) for k in range(samples)], dim=1)
        return given + prior - posterior


class Generous(VAE):
    """Forgets the divergence."""

    def evidence(self, images, draws, samples=16):
        likelihood, divergence = super().evidence(images, draws, samples)
        return likelihood, 0 * divergence


class Boastful(VAE):
    """Takes the best draw for the mean of all."""

    def log_likelihood(self, images, draws, samples=500):
        return self.log_importance_weights(images, draws, samples).amax(dim=1)


class Wavering(VAE):
    """Encodes by chance in one verb only."""

    def reconstruct(self, images):
        mean, spread = self.posterior(images)
        return self.decode(mean + spread * torch.randn_like(mean))


class Sociable(VAE):
    """Lets pictures depend on their neighbours in the batch."""

    def sample(self, draws):
        images = super().sample(draws)
        return images / images.amax()

    def encode(self, images):
        codes = super().encode(images)
        return codes - codes.mean(dim=0)


class Unstable(VAE):
    """Throws dice of its own."""

    def sample(self, draws):
        return self.decode(torch.randn(draws.count, self.latent_dim))


class Excessive(PixelCNN):
    """Adds up to more than one, and measures what was not trained."""

    def conditionals(self, images, label=None):
        return super().conditionals(images, label) + 0.01


class Unsure(BayesClassifier):
    """Predicts by something else than its probabilities, which do not add up."""

    def probabilities(self, images):
        return super().probabilities(images).sqrt()


class Finer(PixelCNN):
    """Sees more than the grey levels that it names."""

    def seen(self, images, draws=None):
        return images


def broken(kind: type[GenerativeModel]) -> Model:
    torch.manual_seed(0)
    model = kind(**kind.tiny)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Shifted, the_evidence_is_minus_the_training_loss), (Shifted, the_mean_log_weight_is_the_evidence),
        (Generous, the_bound_is_below_the_likelihood), (Generous, the_evidence_is_minus_the_training_loss),
        (Boastful, the_likelihood_is_the_mean_weight), (Wavering, decoding_what_was_encoded_is_reconstructing),
        (Sociable, lambda model: rows_are_their_own(model, CALLS[verbs.Samples])),
        (Sociable, lambda model: rows_are_their_own(model, CALLS[verbs.Encodes])),
        (Unstable, lambda model: rows_are_their_own(model, CALLS[verbs.Samples])),
        (Excessive, probabilities_add_up_to_one), (Excessive, an_exact_likelihood_is_minus_the_training_loss),
        (Unsure, probabilities_add_up_to_one), (Finer, what_is_seen_stays_as_it_is),
    ],
)  # fmt: skip
def test_a_broken_promise_is_caught(kind, promise):
    model = broken(kind)
    if promise in OF_DRAWS:
        taught(model)
    with pytest.raises(AssertionError):
        promise(model)


def test_the_variant_that_breaks_one_promise_keeps_the_others():
    """What is wrong with it is what it inherits, and nothing else."""
    for promise in (the_likelihood_is_the_mean_weight, decoding_what_was_encoded_is_reconstructing, what_is_seen_stays_as_it_is):
        promise(broken(Shifted))
