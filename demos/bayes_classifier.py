"""The room of the Bayes classifier: bend a class's picture, sample in two ways, and see what Bayes' rule makes of a picture."""

from __future__ import annotations

import html
from typing import Any

import PIL.Image
import torch
from torch import Tensor

from demos._families import clusters, latents
from demos._families.latents import LIMIT, to_text
from demos._kit.alone import alone
from demos._kit.charts import signed
from demos._kit.checks import integer, one_of
from demos._kit.fields import Choice, Picture, Seed, Slider, Text
from demos._kit.plan import Action, Api, Plan, Try, View
from demos._kit.shipped import example_pictures, picture_for, sheet_tiles, tensors
from demos._kit.shown import Bars, Columns, Html, Rows, Single, Tiles
from gen_models import Draws, catalog, load, runtime

MODEL = "bayes_classifier"
FIRST = 3
"""The class that is shown at first."""
COUNT, DIRECTIONS = 16, 10
EXPLANATION = r"""
For each class $c$ there is one Gaussian: the mean of its pictures and their covariance, which says what varies together. The
covariance's **eigenvectors** are the directions along which a class varies independently: slant, roundness, thickness. To
**sample**, pick a class and draw a point from its Gaussian; to **classify**, ask the reverse: which class is most likely to have
produced this picture? Bayes' rule answers from the same numbers. So a model that can sample can also classify; how well is measured
below.

$$p(x) = \sum_c p(c) \, \mathcal{N}(x | \mu_c, \Sigma_c), \qquad
p(c | x) = \frac{p(c) \, \mathcal{N}(x | \mu_c, \Sigma_c)}{\sum_k p(k) \, \mathcal{N}(x | \mu_k, \Sigma_k)}$$

Here $x$ are the first 40 principal coordinates of a picture. Estimated from few pictures, a covariance is too large in some
directions and too small in others, so each is shrunk towards a spherical one, $(1 - a) S_c + a s I$, by the amount $a$ that Ledoit
and Wolf's formula gives.
"""
WAYS = ["Class given: a point drawn from its Gaussian", "Class drawn first, by its frequency, then the picture"]
VERDICT = "Which class it is, by Bayes' rule:"


def class_names(weights: str) -> list[str]:
    """The names of the classes; digits if there are no weights."""
    config = catalog.config_of(weights) if weights else {"arguments": {"classes": 10}}
    count = int(config["arguments"]["classes"])
    return [str(name) for name in next(iter((config.get("classes") or {}).values()), range(count))][:count]


def class_choice(weights: str) -> dict[str, Any]:
    """Settings of the field for the class: names to read, numbers to keep."""
    choices = [(name, str(index)) for index, name in enumerate(class_names(weights))]
    return dict(choices=choices, value=str(min(FIRST, len(choices) - 1)))


def any_class(weights: str, text: str) -> int | None:
    """A class by its name or number; None: any."""
    names = class_names(weights)
    if text in ("any", ""):
        return None
    return names.index(text) if text in names else int(one_of(text, [str(index) for index in range(len(names))], "Class"))


def carried(variances: Tensor) -> str:
    """What the directions carry of the variance of a class; their variances fall."""
    shares = (100 * variances / variances.sum()).tolist()[:DIRECTIONS]
    return f"Of this class's variance, the directions carry {', '.join(f'{share:.0f}' for share in shares)} %, in their order."


def shares_of(weights: str, picture: Tensor) -> Bars:
    """p(class | picture) of a picture (1, C, H, W), in the order of the classes."""
    with runtime.forward_pass():
        shares = load(weights).probabilities(picture)[0].cpu().tolist()
    return Bars(list(zip(class_names(weights), shares, strict=True)), VERDICT)


def place(weights: str, label: str, bends: Tensor) -> Rows:
    """The class's mean moved along its directions, to the digits that a link keeps, and which class Bayes' rule takes it for."""
    model = load(weights)
    deviations, ways = model.directions(int(label))
    z = model.means[int(label)].cpu() + ((bends * 1000).round() / 1000 * deviations) @ ways
    with runtime.forward_pass():
        picture = model.decode(z[None]).cpu()
    parts = [Single(picture[0], f"{class_names(weights)[int(label)]}, bent"), shares_of(weights, picture)]
    return Rows(parts, carried(deviations.square()))


def sight(weights: str) -> Rows:
    """The mean of the first class and its probabilities, read from the file without the model."""
    mean, basis, shares, means, scales = tensors(weights, "mean", "basis", "weights", "means", "scales")
    picture = clusters.decoded(weights, means[label := int(class_choice(weights)["value"])][None])
    # the logarithm of each Gaussian, but for a constant; torch.distributions would be a third of a second to import here
    away = torch.linalg.solve_triangular(scales, ((picture.flatten(1) - mean) @ basis.T - means)[..., None], upper=False)[..., 0]
    joint = shares.log() - away.square().sum(dim=1) / 2 - scales.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    bars = Bars(list(zip(class_names(weights), joint.softmax(dim=0).tolist(), strict=True)), VERDICT)
    return Rows([Single(picture[0], "the mean of a class"), bars], carried(torch.linalg.svdvals(scales[label]).square()))


def samples_sight(weights: str) -> Columns:
    """Samples of the first class, drawn without the model, and some of any, made when the weights were published."""
    (means, scales), draws, label = tensors(weights, "means", "scales"), Draws(0, COUNT), int(class_choice(weights)["value"])
    draws.uniform(1)
    given = clusters.decoded(weights, means[label] + draws.normal(means.shape[1]) @ scales[label].T)
    made = {"given the class": given, "class first": sheet_tiles(weights, COUNT)}
    return Columns([Tiles(pictures, words=words, columns=4) for words, pictures in made.items()], WAYS)


def to_mean() -> dict[str, str]:
    """The mean of the class."""
    return {"bends": ""}


def from_seed(weights: str, label: str, seed: int) -> dict[str, str]:
    """Sample 0 of a seed given the class, taken apart into places along the directions."""
    model, draws = load(weights), Draws(seed, 1)
    deviations, ways = model.directions(int(label))
    draws.uniform(1)  # the class first, which is given here
    offset = model.scales[int(label)].cpu() @ draws.normal(model.latent_dim)[0]
    return {"bends": to_text((ways @ offset / deviations.clamp_min(1e-9)).clamp(-LIMIT, LIMIT))}


def sample(weights: str, seed: int, count: int, label: int | None) -> Tiles:
    """Samples of a class; of any: first a class and then a picture of it, with the names of the classes."""
    model, draws = load(weights), Draws(seed, count, device=runtime.device())
    with runtime.forward_pass():
        drawn = model.sample(draws, label).cpu()
        classes = model.choose(Draws(seed, count, device=runtime.device())).tolist() if label is None else []
    names = class_names(weights)
    return Tiles(drawn, [names[index] for index in classes], "class first" if label is None else "given the class", 4)


def both(weights: str, label: str, seed: int) -> Columns:
    """The two ways of sampling: given the class, and the class first."""
    return Columns([sample(weights, seed, COUNT, int(label)), sample(weights, seed, COUNT, None)], WAYS)


def classes(weights: str) -> Tiles:
    """The mean of every class with its share of the training pictures."""
    model = load(weights)
    with runtime.forward_pass():
        means = model.decode(model.means).cpu()
    captions = [f"{name} · {100 * float(share):.1f} %" for name, share in zip(class_names(weights), model.weights, strict=True)]
    return Tiles(means, captions, "class", columns=5)


def open_class(index: int, weights: str) -> Rows:
    """The first directions of a class, each from three standard deviations below the mean to three above."""
    label = integer(index, 0, len(class_names(weights)) - 1, "Class")
    rows = clusters.along(weights, label, 5, 3)
    rows[0].title = f"The {class_names(weights)[label]}: its first directions, from −3 to 3 standard deviations."
    return Rows(rows)


def look(weights: str, picture: PIL.Image.Image) -> Rows:
    """The picture, what its coordinates keep, the mean of the likeliest class; p(class | picture); and its log-density."""
    model, names, seen = load(weights), class_names(weights), picture_for(weights, picture)
    with runtime.forward_pass():
        likeliest = int(model.predict(seen))
        density = float(model.log_density(seen))
    # the typical digit has a density of which this is no more than a rough idea, so nothing is made of its size
    words = f"Bayes' rule says {names[likeliest]}. Log-density of the picture under all classes: {signed(density, 1)} nats."
    tiles = clusters.kept(weights, seen, likeliest, f"the mean {names[likeliest]}")
    return Rows([tiles, Html(f"<p>{html.escape(words)}</p>"), shares_of(weights, seen)])


def probabilities(weights: str, picture: PIL.Image.Image) -> Bars:
    """p(class | picture) of a picture that is not centred first."""
    return shares_of(weights, picture_for(weights, picture, centre=False))


PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION,
    fields=dict(
        label=Choice("Class", of=class_choice, many=True), seed=Seed(),
        bends=latents.places("The positions along the directions", "Direction", DIRECTIONS, "More directions",
                             lambda weights: catalog.config_of(weights)["arguments"]["latent_dim"]),
        picture=Picture("A picture of a single object", examples=example_pictures, draw=True, place=clusters.LOOK, kept=False,
                        examples_words="Pictures made by a GAN of this gallery; click one."),
    ),
    order=["weights", "seed", "label", "bends"],
    tour=[
        Try("Choose a class and drag one direction from end to end.", "bends"),
        Try("Look at samples of every class.", "Samples"),
        Try("Break it: draw something that belongs to no class.", "picture"),
    ],
    views=[
        View("", place, keep="Save picture", live=True, sight=sight),
        View("Samples", both, "Sample", keep="Save the pictures", live=True, sight=samples_sight),
        View(clusters.LOOK, look, live=True),
        View("The classes", classes, live=True, pick=open_class,
             intro="The mean of each class and its share of the training pictures. Click one to see its directions."),
    ],
    actions=[Action(to_mean, ["bends"], button="Back to the mean"), Action(to_mean, ["bends"], on="label"),
             Action(from_seed, ["bends"], on="seed")],
    api=[
        Api("bayes_classifier_sample", sample, dict(weights="bayes_classifier-mnist", seed=7, count=16, label="any"), words="Sample"
            " pictures: of a class, by its name or number, or first a class and then a picture of it. Returns PNG data URIs.",
            fields={"count": Slider("Pictures", low=1, high=64, step=1), "label": Text("Class", "any", read=any_class)}),
        Api("bayes_classifier_probabilities", probabilities, dict(weights="bayes_classifier-mnist", picture=""), words="How likely "
            "each class is given a picture, a picture file in base64 or a data URI, made grey and 28 x 28."),
    ],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
