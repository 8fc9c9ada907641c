"""The room of the Bayes classifier: bend a class's picture, sample in two ways, and hear what Bayes' rule makes of a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import gradio as gr
import PIL.Image
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from demos import _room
from demos._room import CheckedImage, Room, chosen, guarded, real, to_pil, whole
from gen_models import Draws, catalog, load, runtime

MODEL = "bayes_classifier"
VISIBLE, HIDDEN = 3, 7
SLIDERS = VISIBLE + HIDDEN
LIMIT = 4.0
"""Standard deviations to either side of a class's mean."""
FIRST = "3"
"""The class that is shown at first."""
COUNT = 16
EXPLANATION = r"""
For each class $c$ there is one Gaussian: the mean of its pictures and their covariance, which says what varies together. The
covariance's **eigenvectors** are the directions in which a class varies on its own: slant, roundness, thickness. To **draw**, one
takes a class and then a point of its Gaussian; to **classify**, one asks the other way round which class may have made the picture.
Bayes' rule answers, from the same numbers. Whoever can draw can tell; how well, is measured below.

$$p(x) = \sum_c p(c) \, \mathcal{N}(x | \mu_c, \Sigma_c), \qquad
p(c | x) = \frac{p(c) \, \mathcal{N}(x | \mu_c, \Sigma_c)}{\sum_k p(k) \, \mathcal{N}(x | \mu_k, \Sigma_k)}$$

Here $x$ are the first 40 principal coordinates of a picture. From few pictures a covariance comes out too long in some directions
and too short in others, so each is drawn towards a round one, $(1 - a) S_c + a s I$, by the amount $a$ of Ledoit and Wolf.
"""


# ---- a class, bent ----------------------------------------------------------------------------------------------------


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


def class_names(weights: str | None) -> list[str]:
    """The names of the classes; [] if nothing is trained."""
    try:
        config = catalog.config_of(weights or "")
        count = int(config["arguments"]["classes"])
        told = next(iter((config.get("classes") or {}).values()), [])
        return [str(name) for name in told[:count]] or [str(index) for index in range(count)]
    except (catalog.WeightsError, KeyError, TypeError, ValueError):
        return []  # the page opens all the same, and the first click says what is wrong


def class_choice(weights: str | None, value: str = FIRST) -> dict[str, Any]:
    """Settings of the field for the class: names to read, numbers to keep."""
    choices = [(name, str(index)) for index, name in enumerate(class_names(weights) or "0123456789")]
    return dict(choices=choices, value=value if value in [number for _, number in choices] else "0")


def label_of(weights: str, value: Any) -> int:
    """The class that was chosen, by its number or its name."""
    told = class_names(weights)
    return told.index(value) if value in told else int(chosen(value, [str(index) for index in range(len(told))], "Class"))


def to_text(bends: Tensor) -> str:
    """Places along the directions, in standard deviations, as text for links and saved pictures."""
    return ",".join(f"{value:.3f}" for value in bends.tolist())


def from_text(size: int, text: str) -> Tensor:
    """The places (size,) that :func:`to_text` wrote; zeros, the class's mean, for an empty text or one for other weights."""
    if not text:
        return torch.zeros(size)
    try:
        bends = torch.tensor([float(part) for part in str(text)[:4000].split(",")])
    except ValueError:
        bends = torch.full((size,), math.nan)
    if len(bends) != size:
        return torch.zeros(size)
    if not torch.isfinite(bends).all():
        raise gr.Error("The places along the directions must be numbers, separated by commas.")
    return bends.clamp(-LIMIT, LIMIT)


@lru_cache(maxsize=64)
def directions(weights: str, sha256: str, label: int) -> tuple[Tensor, Tensor]:
    """Standard deviations, falling, and unit directions as rows of a class's covariance; ``sha256`` keeps the cache honest."""
    return load(weights).directions(label)


def axes_of(weights: str, label: int) -> tuple[Tensor, Tensor]:
    """:func:`directions` of the present weights."""
    return directions(weights, catalog.config_of(weights)["sha256"], label)


def bent(weights: str, label: int, bends: Tensor) -> Tensor:
    """Coordinates (latent_dim,) of a class's mean moved along its directions, to the digits that a link keeps."""
    deviations, ways = axes_of(weights, label)
    return load(weights).means[label].cpu() + ((bends * 1000).round() / 1000 * deviations) @ ways


def picture_of(weights: str, label: int, bends: Tensor) -> Tensor:
    """The picture (C, H, W) of :func:`bent`."""
    model = load(weights)
    with runtime.forward_pass():
        return model.decode(bent(weights, label, bends)[None])[0].cpu()


def shown(weights: str, label: int, bends: Tensor) -> list[str]:
    """The picture, and which class Bayes' rule takes it for."""
    picture = picture_of(weights, label, bends)
    words = f"{class_names(weights)[label]}, bent"
    return [_room.picture_html(picture, words), probabilities_html(weights, picture[None])]


def probabilities_html(weights: str, picture: Tensor) -> str:
    """p(class | picture) as bars, in the order of the classes."""
    model = load(weights)
    with runtime.forward_pass():
        shares = model.probabilities(picture)[0].cpu().tolist()
    return bars(class_names(weights), shares)


def bars(names: list[str], shares: list[float]) -> str:
    """p(class | picture) of named classes as bars."""
    return _room.bars_html(list(zip(names, shares, strict=True)))


def slider_settings(weights: str, label: int, bends: Tensor) -> list[dict]:
    """Value, label and visibility of every slider."""
    deviations, _ = axes_of(weights, label)
    shares = deviations.square() / deviations.square().sum()
    return [
        dict(value=round(float(bends[rank]), 2), label=f"Direction {rank + 1} · {100 * float(shares[rank]):.0f} % of the variance",
             visible=True) if rank < len(bends) else dict(value=0, visible=False)
        for rank in range(SLIDERS)
    ]  # fmt: skip


def placed(weights: str, label: int, bends: Tensor) -> list:
    """Picture, probabilities, places as text, and sliders."""
    return [
        *shown(weights, label, bends), to_text(bends), *(gr.Slider(**slider) for slider in slider_settings(weights, label, bends)),
    ]  # fmt: skip


# ---- handlers ---------------------------------------------------------------------------------------------------------


def dragger(rank: int) -> Callable[[str, str, str, float], list[str]]:
    """The handler of the slider of one direction."""

    def drag(weights: str, label: str, text: str, value: float) -> list[str]:
        """Picture, probabilities and places after the slider moved."""
        label, bends = label_of(known(weights), label), from_text(load(weights).latent_dim, text)
        if rank < len(bends):
            bends[rank] = real(value, -LIMIT, LIMIT, "A place")
        return [*shown(weights, label, bends), to_text(bends)]

    return drag


def to_mean(weights: str, label: str) -> list:
    """The mean of the class."""
    label = label_of(known(weights), label)
    return placed(weights, label, torch.zeros(load(weights).latent_dim))


def from_seed(weights: str, label: str, seed: float) -> list:
    """Sample 0 of a seed given the class, taken apart into places along the directions."""
    label, seed = label_of(known(weights), label), whole(seed, 0, _room.MAX_SEED, "Seed")
    model, (deviations, ways) = load(weights), axes_of(weights, label)
    draws = Draws(seed, 1)
    draws.uniform(1)  # the class first, which is given here
    offset = model.scales[label].cpu() @ draws.normal(model.latent_dim)[0]
    return placed(weights, label, (ways @ offset / deviations.clamp_min(1e-9)).clamp(-LIMIT, LIMIT))


def drawn(weights: str, label: str, seed: float) -> list[str]:
    """The two ways of sampling: given the class, and the class first."""
    given, free, captions = drawn_pictures(weights, label, seed)
    return [
        _room.tiles_html(given, columns=4, words="given the class"),
        _room.tiles_html(free, captions, columns=4, words="class first"),
    ]  # fmt: skip


def drawn_pictures(weights: str, label: str, seed: float) -> tuple[list[PIL.Image.Image], list[PIL.Image.Image], list[str]]:
    """The pictures of :func:`drawn` and the classes that were drawn."""
    label, seed = label_of(known(weights), label), whole(seed, 0, _room.MAX_SEED, "Seed")
    model, told = load(weights), class_names(weights)
    with runtime.forward_pass():
        given = model.sample(Draws(seed, COUNT, device=runtime.device()), label).cpu()
        free = model.sample(Draws(seed, COUNT, device=runtime.device())).cpu()
        classes = model.choose(Draws(seed, COUNT, device=runtime.device())).tolist()
    return [to_pil(picture) for picture in given], [to_pil(picture) for picture in free], [told[index] for index in classes]


def reseeded(weights: str, label: str, seed: float) -> list:
    """Another draw of the class, and other pictures in both ways."""
    return [*from_seed(weights, label, seed), *drawn(weights, label, seed)]


def other_class(weights: str, label: str, seed: float) -> list:
    """Another class: its mean, and pictures of it."""
    return [*to_mean(weights, label), *drawn(weights, label, seed)]


def classes_html(weights: str) -> str:
    """The mean of every class with its share of the training pictures."""
    model = load(known(weights))
    with runtime.forward_pass():
        means = model.decode(model.means).cpu()
    told = class_names(weights)
    captions = [f"{name} · {100 * float(share):.1f} %" for name, share in zip(told, model.weights, strict=True)]
    return _room.tiles_html(list(means), captions, columns=5, words="class")


def open_class(event: gr.EventData, weights: str) -> str:
    """The first directions of a class, each from three standard deviations below the mean to three above."""
    model = load(known(weights))
    label = whole(event.index, 0, model.classes - 1, "Class")
    deviations, ways = axes_of(weights, label)
    reach = torch.linspace(-3, 3, 8)
    parts = [f"<p>The {class_names(weights)[label]}: its first directions, three standard deviations down to three up.</p>"]
    for way in range(min(5, len(deviations))):
        with runtime.forward_pass():
            row = model.decode(model.means[label].cpu() + reach[:, None] * deviations[way] * ways[way]).cpu()
        parts.append(_room.tiles_html(list(row), words=f"direction {way + 1}, step"))
    return f'<div class="strip rows">{"".join(parts)}</div>'


def look_example(event: gr.EventData, weights: str) -> list[str]:
    """:func:`look` at an example."""
    return look(weights, _room.picked_example(event, known(weights)), centre=False)


def look_drawn(weights: str, board: dict | None) -> list[str]:
    """:func:`look` at a drawing."""
    known(weights)
    image = _room.drawing(board)
    return look(weights, image, centre=True)


def look_uploaded(weights: str, image: PIL.Image.Image | None) -> list[str]:
    """:func:`look` at an uploaded picture."""
    known(weights)
    if image is None:
        raise gr.Error("Upload a picture first.")
    return look(weights, image, centre=True)


def look(weights: str, image: PIL.Image.Image, centre: bool) -> list[str]:
    """The picture, what its coordinates keep, the mean of the likeliest class; p(class | picture); and its log-density."""
    model, told = load(weights), class_names(weights)
    picture = _room.picture_for(weights, image, centre)
    with runtime.forward_pass():
        likeliest = int(model.predict(picture))
        kept, mean = model.decode(model.encode(picture))[0].cpu(), model.decode(model.means[likeliest][None])[0].cpu()
        density = float(model.log_density(picture))
    captions = ["the picture", f"{model.latent_dim} coordinates", f"the mean {told[likeliest]}"]
    tiles = _room.tiles_html([picture[0], kept, mean], captions, columns=3, words="looked at")
    # the typical digit has a density of which this is no more than a rough idea, so nothing is made of its size
    size = f"{density:,.1f}".replace("-", "−")
    words = html.escape(f"Bayes' rule says {told[likeliest]}. Log-density of the picture, over all classes: {size} nats.")
    return [tiles, f"<p>{words}</p>{probabilities_html(weights, picture)}"]


def switch(weights: str, seed: float) -> list:
    """Other weights: the first class, its mean, its samples; the classes and examples."""
    known(weights)
    return [gr.Dropdown(**class_choice(weights)), *other_class(weights, FIRST, seed), classes_html(weights), "",
            _room.examples_html(weights), "", ""]  # fmt: skip


def restored(weights: str, seed: float, label: str, text: str) -> list:
    """The room as a link or a saved picture describes it."""
    number = label_of(known(weights), label)
    return [*placed(weights, number, from_text(load(weights).latent_dim, text)), *drawn(weights, label, seed),
            gr.Dropdown(**class_choice(weights, str(number)))]  # fmt: skip


def large(weights: str, _seed: float, label: str, text: str) -> list[PIL.Image.Image]:
    """The picture to save, enlarged."""
    number = label_of(known(weights), label)
    made = to_pil(picture_of(weights, number, from_text(load(weights).latent_dim, text)))
    return [_room.enlarged(made, max(1, 512 // made.width))]


def both_sheet(weights: str, seed: float, label: str, _text: str) -> list[PIL.Image.Image]:
    """Both ways of sampling side by side, as a picture to save."""
    given, free, _ = drawn_pictures(weights, label, seed)
    return [_room.side_by_side(*(_room.strip_image(made, scale=4, columns=4) for made in (given, free)))]


# ---- verbs for the API ------------------------------------------------------------------------------------------------


@guarded
def bayes_classifier_sample(
    weights: str = "bayes_classifier-mnist", seed: int = 7, count: int = 16, label: str = "any"
) -> list[str]:
    """Sample pictures: of a class, by its name or number, or first a class and then a picture of it. Returns PNG data URIs."""
    number = None if label in ("any", "") else label_of(known(weights), label)
    model = load(known(weights))
    draws = Draws(whole(seed, 0, _room.MAX_SEED, "Seed"), whole(count, 1, 64, "Pictures"), device=runtime.device())
    with runtime.forward_pass():
        return [_room.png_uri(picture) for picture in model.sample(draws, number).cpu()]


@guarded
def bayes_classifier_probabilities(weights: str = "bayes_classifier-mnist", picture: str = "") -> dict[str, float]:
    """How likely each class is given a picture, a picture file in base64 or a data URI, made grey and 28 x 28."""
    model = load(known(weights))
    channels, size, _ = model.image_shape
    values = _room.as_input(_room.sent_picture(picture), size, channels, centre=False)
    with runtime.forward_pass():
        shares = model.probabilities(torch.from_numpy(values)[None])[0].cpu().tolist()
    return dict(zip(class_names(weights), shares, strict=True))


# ---- the room ---------------------------------------------------------------------------------------------------------


def first_sight(weights: str | None) -> tuple[str, str, str]:
    """The mean of the first class, its probabilities and pictures of the class, read from the file without the model."""
    names = ("mean", "basis", "weights", "means", "scales")
    try:
        with safe_open(catalog.folder_of(weights or "") / "model.safetensors", "pt") as file:
            mean, basis, shares, means, scales = (file.get_tensor(name).float() for name in names)
        arguments = catalog.config_of(weights)["arguments"]
    except (OSError, SafetensorError, catalog.WeightsError, KeyError):
        return "", "", ""  # the page opens all the same, and the first click says what is wrong
    label, shape = min(int(FIRST), len(means) - 1), (-1, arguments["channels"], arguments["size"], arguments["size"])
    picture = (mean + means[label] @ basis).clamp(0, 1)
    # the logarithm of each Gaussian, but for a constant; torch.distributions would be a third of a second to import here
    away = torch.linalg.solve_triangular(scales, ((picture - mean) @ basis.T - means)[..., None], upper=False)[..., 0]
    joint = shares.log() - away.square().sum(dim=1) / 2 - scales.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    draws = Draws(0, COUNT)
    draws.uniform(1)
    made = (mean + (means[label] + draws.normal(len(basis)) @ scales[label].T) @ basis).clamp(0, 1)
    return (
        _room.picture_html(picture.view(shape)[0], "the mean of a class"),
        bars(class_names(weights), joint.softmax(dim=0).tolist()),
        _room.tiles_html(list(made.view(shape)), columns=4, words="given the class"),
    )


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=3, min_width=300):
            weights = _room.weights_choice(MODEL, "mnist")
            label = gr.Dropdown(label="Class", **class_choice(weights.value))
            seed, dice = _room.seed_row(0)
            names = [f"Direction {rank + 1}" for rank in range(SLIDERS)]
            sliders = [gr.Slider(-LIMIT, LIMIT, 0, step=0.05, label=name) for name in names[:VISIBLE]]
            with gr.Accordion("More directions", open=False):
                sliders += [gr.Slider(-LIMIT, LIMIT, 0, step=0.05, label=name) for name in names[VISIBLE:]]
            text = gr.Textbox("", visible="hidden", show_label=False)
        with gr.Column(scale=4, min_width=300):
            mean, probabilities, pictures = first_sight(weights.value)
            picture = gr.HTML(mean, elem_classes=["result"], min_height=200, js_on_load=None)
            gr.Markdown("Which class it is, by Bayes' rule:", elem_classes=["where"])
            shares = gr.HTML(probabilities, js_on_load=None, elem_classes=["narrow", "flush"])
            room_ = Room(MODEL, dict(weights=weights, seed=seed, label=label, bends=text))
            with gr.Row(elem_classes=["keep"]):
                centre = gr.Button("To the mean", size="sm", elem_classes=["quiet"])
                _room.save_button(room_, large)
                _room.link_button(room_)
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("Samples"):
            with gr.Row():
                with gr.Column(min_width=280):
                    gr.Markdown("**Given the class**: a point of its Gaussian")
                    given = _room.tiles(pictures, elem_classes=["flush"])
                with gr.Column(min_width=280):
                    gr.Markdown("**The class first**, by how frequent it is, then the picture")
                    made = _room.sheet_tiles(weights.value or "", COUNT)
                    free = _room.tiles(_room.tiles_html(made, columns=4, words="class first"), elem_classes=["flush"])
            with gr.Row(elem_classes=["keep"]):
                sample = gr.Button("Sample", size="sm", variant="primary", elem_classes=["quiet"])
                _room.save_button(room_, both_sheet, label="Save the pictures", view="pictures")
        with gr.Tab("Your picture"), gr.Row():
            with gr.Column(scale=2, min_width=300), gr.Tabs():
                with gr.Tab("Examples"):
                    gr.Markdown("Pictures that a GAN of this gallery made; click one.")
                    examples = _room.tiles(_room.examples_html(weights.value), elem_classes=["flush"])
                with gr.Tab("Draw"):
                    board = _room.sketchpad()
                    draw_button = gr.Button("Look at my drawing", variant="primary")
                with gr.Tab("Upload"):
                    upload = CheckedImage(label="A picture with one thing on it")
            with gr.Column(scale=3, min_width=300):
                seen = _room.tiles("", elem_classes=["flush"])
                verdict = gr.HTML("", js_on_load=None, elem_classes=["flush"])
        with gr.Tab("The classes") as classes_tab:
            gr.Markdown("The mean of each class and its share of the training pictures. Click one to see its directions.")
            means = _room.tiles("", elem_classes=["flush"])
            opened = gr.HTML("", js_on_load=None, elem_classes=["flush"])
    _room.explanation(MODEL, EXPLANATION)

    place = [picture, shares, text, *sliders]
    both, basic = [given, free], [weights, label, seed]
    for rank, slider in enumerate(sliders):
        slider.input(
            guarded(dragger(rank)), [weights, label, text, slider], [picture, shares, text], show_progress_on=text, **_room.QUICK
        )
    dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then(
        guarded(reseeded), basic, [*place, *both], **_room.QUICK
    )
    seed.submit(guarded(reseeded), basic, [*place, *both], **_room.QUICK)
    label.input(guarded(other_class), basic, [*place, *both], **_room.QUICK)
    centre.click(guarded(to_mean), [weights, label], place, **_room.QUICK)
    sample.click(guarded(drawn), basic, both, **_room.QUICK)
    weights.input(
        guarded(switch), [weights, seed], [label, *place, *both, means, opened, examples, seen, verdict], **_room.HEAVY
    )
    examples.pick(guarded(look_example), weights, [seen, verdict], **_room.QUICK)
    draw_button.click(guarded(look_drawn), [weights, board], [seen, verdict], **_room.HEAVY)
    upload.upload(guarded(look_uploaded), [weights, upload], [seen, verdict], **_room.HEAVY)
    classes_tab.select(guarded(classes_html), weights, means, **_room.QUICK)
    means.pick(guarded(open_class), weights, opened, **_room.QUICK)
    room_.show, room_.shown = restored, [*place, *both, label]
    gr.api(bayes_classifier_sample, api_name="bayes_classifier_sample", concurrency_id="models")
    gr.api(bayes_classifier_probabilities, api_name="bayes_classifier_probabilities", concurrency_id="models")
    return room_
