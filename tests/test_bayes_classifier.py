"""The Bayes classifier against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.covariance import LedoitWolf

from gen_models.base import Draws
from gen_models.data import load_data
from gen_models.measures._measure import FULL
from gen_models.measures.classes import accuracy_measures
from gen_models.measures.table import with_paper
from gen_models.mixtures.bayes_classifier import BayesClassifier

ARGUMENTS = dict(size=16, channels=1, latent_dim=4, classes=3)


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, torch.Tensor]:
    """120 soft pictures of three classes, of which one is twice as frequent."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 1, 2, 2] * 30)
    middles = 0.5 + 0.03 * torch.randn(3, 1, 16, 16, generator=generator)
    ways = 0.02 * torch.randn(3, 6, 256, generator=generator)
    soft = torch.stack([torch.randn(6, generator=generator) @ ways[label] for label in labels])
    return (middles[labels] + soft.view(-1, 1, 16, 16)).clamp(0, 1), labels[:, None]


@pytest.fixture(scope="module")
def model(data) -> BayesClassifier:
    model = BayesClassifier(**ARGUMENTS)
    next(model.fit(*data, 0))
    return model.eval()


def test_each_class_is_the_gaussian_of_its_pictures(model, data):
    images, labels = data
    points = model.encode(images).double().numpy()
    assert model.weights.numpy() == pytest.approx([0.25, 0.25, 0.5])
    for label in range(3):
        reference = LedoitWolf().fit(points[labels[:, 0].numpy() == label])
        assert model.means[label].numpy() == pytest.approx(reference.location_, abs=1e-4)
        found = (model.scales[label] @ model.scales[label].T).numpy()
        assert found == pytest.approx(reference.covariance_, abs=1e-4)
        assert 0 < reference.shrinkage_ < 1


def test_probabilities_are_bayes_rule(model, data):
    images, labels = data
    points = model.encode(images).double().numpy()
    joint = np.stack([
        float(model.weights[label]) * stats.multivariate_normal.pdf(
            points, model.means[label].double().numpy(), (model.scales[label] @ model.scales[label].T).double().numpy()
        )
        for label in range(3)
    ], axis=1)  # fmt: skip
    assert model.probabilities(images).numpy() == pytest.approx(joint / joint.sum(axis=1, keepdims=True), abs=1e-3)
    assert model.log_density(images).numpy() == pytest.approx(np.log(joint.sum(axis=1)), abs=1e-2)
    predicted = model.predict(images)
    assert predicted.shape == (120, 1) and predicted.dtype == torch.int64
    assert torch.equal(predicted[:, 0], torch.from_numpy(joint.argmax(axis=1)))
    assert (predicted == labels).float().mean() > 0.8


def test_class_first_and_given_the_class_are_one_model(model):
    """Class first draws classes as frequent as they are, and then what is drawn given that class."""
    classes = model.choose(Draws(2, 60))
    free = model.sample(Draws(2, 60))
    for label in range(3):
        given = model.sample(Draws(2, 60), label)
        assert torch.allclose(given[classes == label], free[classes == label], atol=1e-6)
        assert (model.predict(given) == label).float().mean() > 0.7
    assert torch.bincount(model.choose(Draws(3, 3000)), minlength=3) / 3000 == pytest.approx([0.25, 0.25, 0.5], abs=0.03)


@pytest.mark.parametrize("labels", [[0, 1, 2, 2] * 29 + [0, 1, 2, 3], [0, 1, 1, 1] * 30, [0] * 119 + [1]])
def test_a_class_without_pictures_or_beyond_the_classes_is_one_sentence(data, labels):
    with pytest.raises(ValueError, match="^each of 3 classes needs two training pictures or more, [^\n]+$"):
        next(BayesClassifier(**ARGUMENTS).fit(data[0], torch.tensor(labels)[:, None], 0))


def test_its_accuracy_is_measured_with_its_protocol(data_folder):
    test = load_data("mnist", "test", 16, data_folder)
    train = load_data("mnist", "train", 16, data_folder)
    model = BayesClassifier(**ARGUMENTS | dict(classes=10))
    next(model.fit(train.unit(), train.labels, 0))
    (number,) = accuracy_measures(model, test, FULL, test.classes)
    hits = (model.predict(test.unit()) == test.labels).double().mean()
    assert number.value == pytest.approx(100 * float(hits)) and number.key == "accuracy-digit"
    assert "60 pictures of the test part of mnist, 10 classes" in number.protocol
    paper = with_paper(number, BayesClassifier.reported, "mnist").paper
    assert paper.startswith("96.7 %")
