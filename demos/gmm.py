"""The room of the Gaussian mixture: EM by steps on points in the plane, then heaps of pictures, and the blur of one Gaussian."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache

import gradio as gr
import numpy as np
import PIL.Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from demos import _room
from demos._families import clusters, planes
from demos._families.planes import OWN, Mixture, Walk
from demos._room import CheckedImage, Room, chosen, guarded, real, to_pil, whole
from gen_models import Draws, catalog, load, runtime

MODEL = "gmm"
MAX_COMPONENTS = 8
MAX_STEPS = 100
FLOOR = 1e-5
"""Added to every variance in the plane, so that no Gaussian shrinks to a point."""
STILL = 1e-4
"""EM has come to rest when an iteration gains less than so many nats a point."""
FRAME = 0.08
"""Seconds between two iterations while EM runs: one should see it."""
COUNT = 16
"""Pictures of each kind."""
WALKING = dict(
    concurrency_id="walks", concurrency_limit=16, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
)
"""A run mostly waits for the eye, so that many may run at once.

Whatever changes the board cancels it: in the other trigger modes the page would wait for its end, in vain.
"""
EXPLANATION = r"""
Every point $x_n$ is thought to come from one of $K$ Gaussians, but nobody says from which. EM guesses and corrects in turns. **E**:
given the Gaussians, how likely is each to have made each point? These are the responsibilities $r_{nk}$, the colours of the points.
**M**: given the responsibilities, every Gaussian takes the weighted mean and covariance of the points, and as its weight its share
of them. Neither step can lower the likelihood, so the curve never falls; but where it comes to rest depends on the start.

$$r_{nk} = \frac{\pi_k \, \mathcal{N}(x_n | \mu_k, \Sigma_k)}{\sum_j \pi_j \, \mathcal{N}(x_n | \mu_j, \Sigma_j)}, \qquad
\sum_n \log \sum_k \pi_k \, \mathcal{N}(x_n | \mu_k, \Sigma_k) \;\ge\;
\sum_n \sum_k r_{nk} \log \frac{\pi_k \, \mathcal{N}(x_n | \mu_k, \Sigma_k)}{r_{nk}}$$

A picture is a point as well: the 784 pixels of a digit are written as their first 40 principal coordinates, and EM finds heaps
among these 57,000 points. One Gaussian for all digits can only say how grey each pixel is and which pixels brighten together, so
its samples are a blur of all digits at once; a mixture averages within a heap only.
"""


# ---- EM in the plane --------------------------------------------------------------------------------------------------


def start(points: np.ndarray, components: int, seed: int) -> Mixture:
    """Before the first iteration: round Gaussians of equal weight, each in the place of a point drawn at random."""
    chance = np.random.Generator(np.random.Philox(key=[seed, 7]))
    means = points[chance.choice(len(points), components, replace=False)]
    variance = points.var(axis=0).mean() / components + FLOOR
    return Mixture(np.full(components, 1 / components), means, np.repeat(variance * np.eye(2)[None], components, axis=0))


@lru_cache(maxsize=64)
def walk(text: str, components: int, seed: int) -> Walk:
    """EM on the board's points by scikit-learn, from the start until it comes to rest."""
    from gen_models.mixtures.gmm import stepped  # not before the first use, and scikit-learn comes with its first call

    points = planes.unpack(text)
    now = start(points, components, seed)
    mixtures, bounds = [], []
    while True:
        with runtime.forward_pass():
            found = stepped(points, now.weights, now.means, now.covariances, FLOOR)
        bound = float(found.lower_bound_)  # of the mixture before the iteration
        # what is added to the variances is not EM's: where it would lower the bound, in heaps of a single place, EM ends
        if bounds and bound < bounds[-1]:
            break
        mixtures.append(now)
        bounds.append(bound)
        if len(bounds) > MAX_STEPS or (len(bounds) > 1 and bounds[-1] - bounds[-2] < STILL):
            break
        now = Mixture(found.weights_, found.means_, found.covariances_)
    return Walk(tuple(mixtures), tuple(bounds))


def plane(text: str, components: float, seed: float, step: float, new: bool, walked: bool = True) -> list:
    """Board, curve, the line under them and the scrubber at one iteration; without ``walked``, before the first one."""
    points, components = planes.given(text), whole(components, 1, MAX_COMPONENTS, "Components")
    seed, step = whole(seed, 0, _room.MAX_SEED, "Seed"), whole(step, 0, MAX_STEPS, "Iteration")
    if len(points) < planes.needed(components):
        return planes.waiting(points, components, MAX_STEPS)
    found = walk(text, components, seed) if walked else None
    mixture = found.mixtures[min(step, found.last)] if found else start(points, components, seed)
    drawn = mixture.sample(planes.DRAWN, seed) if new is True else None
    if found:
        return planes.walked(
            points, found, min(step, found.last), "Mean log-density", "nats a point", MAX_STEPS, drawn
        )
    words = "The start: round Gaussians in random places. A point has the colours of those that may have made it. Press Run EM."
    return planes.unwalked(points, mixture, words, MAX_STEPS, drawn)


def begin(text: str, components: float, seed: float, new: bool) -> list:
    """:func:`plane` before the first iteration."""
    return plane(text, components, seed, 0, new, walked=False)


def scrub(text: str, components: float, seed: float, step: float, new: bool) -> list:
    """:func:`plane` at any iteration; EM is done now if it was not before."""
    planes.enough(planes.given(text), whole(components, 1, MAX_COMPONENTS, "Components"))
    return plane(text, components, seed, step, new)


def one_step(text: str, components: float, seed: float, step: float, new: bool) -> list:
    """:func:`plane` one iteration further."""
    return scrub(text, components, seed, min(whole(step, 0, MAX_STEPS, "Iteration") + 1, MAX_STEPS), new)


def run(text: str, components: float, seed: float, step: float, new: bool) -> Iterator[list]:
    """:func:`plane` at every iteration from here on until EM comes to rest; from the start if it has."""
    step, components = whole(step, 0, MAX_STEPS, "Iteration"), whole(components, 1, MAX_COMPONENTS, "Components")
    planes.enough(planes.given(text), components)
    last = walk(text, components, whole(seed, 0, _room.MAX_SEED, "Seed")).last
    for here in range(0 if step >= last else step + 1, last + 1):
        yield plane(text, components, seed, here, new)
        time.sleep(FRAME)


def pick_points(choice: str, components: float, seed: float, new: bool) -> list:
    """A preset's points, or none for the visitor's own, and :func:`plane` before the first iteration."""
    text = {OWN: ""}.get(chosen(choice, planes.CHOICES, "Points"), choice)
    return [text, *begin(text, components, seed, new)]


def add_points(event: gr.EventData, text: str, components: float, seed: float, new: bool) -> list:
    """The board with the points that were clicked; they make it the visitor's own."""
    text = planes.with_clicked(text, getattr(event, "points", None))
    return [text, OWN, *begin(text, components, seed, new)]


def paste_points(pasted: str, components: float, seed: float, new: bool) -> list:
    """The board with the points of a text."""
    points, moved = planes.read_text(pasted)
    text = planes.pack(points)
    found = begin(text, components, seed, new)
    if moved:
        found[2] = planes.note(f"{len(points)} points, moved and scaled to fit the board.")
    return [text, OWN, *found]


# ---- pictures ---------------------------------------------------------------------------------------------------------


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


@lru_cache(maxsize=8)
def one_gaussian(weights: str) -> tuple[Tensor, Tensor, Tensor]:
    """Mean picture, principal directions as rows and their variances, read from the file without the model."""
    try:
        with safe_open(catalog.folder_of(weights) / "model.safetensors", "pt") as file:
            return tuple(file.get_tensor(name).float() for name in ("mean", "basis", "variances"))
    except (OSError, SafetensorError) as error:
        cure = f"restore weights/{weights} or train again"
        raise catalog.WeightsError(f"the weights {weights} are missing or damaged; {cure}") from error


def blurred(weights: str, seed: int, spread: float, shape: tuple[int, int, int], count: int = COUNT) -> Tensor:
    """What one Gaussian for all pictures makes, (count, C, H, W) in [0, 1]; the model's own verb, without the model."""
    mean, basis, variances = one_gaussian(weights)
    draws = Draws(seed, count)
    draws.uniform(1)
    return (mean + spread * (variances.sqrt() * draws.normal(len(variances))) @ basis).clamp(0, 1).view(-1, *shape)


def shape_of(weights: str) -> tuple[int, int, int]:
    """(C, H, W) of the pictures."""
    arguments = catalog.config_of(weights)["arguments"]
    return arguments["channels"], arguments["size"], arguments["size"]


def settings(weights: str, seed: float, spread: float) -> tuple[str, int, float]:
    """What the pictures depend on, checked."""
    return known(weights), whole(seed, 0, _room.MAX_SEED, "Seed"), real(spread, 0, 1.5, "Spread")


def both(weights: str, seed: float, spread: float) -> list[str]:
    """Pictures from the mixture and from one Gaussian, each with the same seed."""
    mixture, one = both_pictures(weights, seed, spread)
    return [_room.tiles_html(mixture, columns=4, words="mixture"), _room.tiles_html(one, columns=4, words="one Gaussian")]


def both_pictures(weights: str, seed: float, spread: float) -> tuple[list[PIL.Image.Image], list[PIL.Image.Image]]:
    """The pictures of :func:`both`."""
    weights, seed, spread = settings(weights, seed, spread)
    model = load(weights)
    with runtime.forward_pass():
        made = model.sample(Draws(seed, COUNT, device=runtime.device()), spread=spread).cpu()
    return [to_pil(picture) for picture in made], [to_pil(picture) for picture in blurred(weights, seed, spread, shape_of(weights))]


def heaps(weights: str) -> str:
    """The middle of every heap with its share of the pictures, the largest first."""
    return clusters.middles(known(weights))


def open_heap(event: gr.EventData, weights: str, seed: float, spread: float) -> str:
    """What a heap holds: eight draws from it, and the ways in which its pictures differ most."""
    weights, seed, spread = settings(weights, seed, spread)
    return clusters.inside(weights, whole(event.index, 0, load(weights).components - 1, "Heap"), seed, spread)


def look_example(event: gr.EventData, weights: str) -> list[str]:
    """Which heaps an example may be of."""
    return clusters.look(weights, _room.picture_for(weights, _room.picked_example(event, known(weights)), centre=False))


def look_uploaded(weights: str, image: PIL.Image.Image | None) -> list[str]:
    """Which heaps an uploaded picture may be of."""
    known(weights)
    if image is None:
        raise gr.Error("Upload a picture first.")
    return clusters.look(weights, _room.picture_for(weights, image))


def switch(weights: str, seed: float, spread: float) -> list[str]:
    """Other weights: their pictures, heaps and examples."""
    return [*both(weights, seed, spread), heaps(weights), "", _room.examples_html(weights), "", ""]


def restored(weights: str, seed: float, text: str, components: float, step: float, spread: float, new: bool) -> list:
    """The room as a link or a saved picture describes it."""
    return [*both(weights, seed, spread), *plane(text, components, seed, step, new, walked=bool(step)),
            text if text in planes.PRESETS else OWN]  # fmt: skip


def reseeded(weights: str, seed: float, text: str, components: float, spread: float, new: bool) -> list:
    """Other pictures, and another start in the plane."""
    return [*both(weights, seed, spread), *begin(text, components, seed, new)]


# ---- to keep ----------------------------------------------------------------------------------------------------------


def board_picture(_w: str, seed: float, text: str, components: float, step: float, _s: float, new: bool) -> list[PIL.Image.Image]:
    """The board as a picture to save."""
    points, components = planes.given(text), whole(components, 1, MAX_COMPONENTS, "Components")
    seed, step = whole(seed, 0, _room.MAX_SEED, "Seed"), whole(step, 0, MAX_STEPS, "Iteration")
    mixture = None
    if len(points) >= planes.needed(components):
        found = walk(text, components, seed) if step else None
        mixture = found.mixtures[min(step, found.last)] if found else start(points, components, seed)
    drawn = mixture.sample(planes.DRAWN, seed) if mixture is not None and new is True else None
    return [planes.plot_picture(points, mixture, drawn)]


def both_sheet(weights: str, seed: float, _t: str, _c: float, _i: float, spread: float, _n: bool) -> list[PIL.Image.Image]:
    """The mixture's pictures beside those of one Gaussian, as a picture to save."""
    return [_room.side_by_side(*(_room.strip_image(made, scale=4, columns=4) for made in both_pictures(weights, seed, spread)))]


# ---- verbs for the API ------------------------------------------------------------------------------------------------


@guarded
def gmm_sample(weights: str = "gmm-mnist", seed: int = 7, count: int = 16, spread: float = 1.0) -> list[str]:
    """Sample pictures from a Gaussian mixture. Picture i of a seed is always the same. Returns PNG data URIs."""
    weights, seed, spread = settings(weights, seed, spread)
    model = load(weights)
    with runtime.forward_pass():
        draws = Draws(seed, whole(count, 1, 64, "Pictures"), device=runtime.device())
        return [_room.png_uri(picture) for picture in model.sample(draws, spread=spread).cpu()]


@guarded
def gmm_fit(points: str = "Blobs", components: int = 4, seed: int = 0, iterations: int = 100) -> dict[str, list]:
    """Fit a mixture to points in the plane by EM.

    points: Blobs, Rings, Moons, Eight heaps, Spiral, or two numbers to a line, x and y. Points outside of the board (x from 0 to
    1, y from 0 to 0.7) are moved and scaled to fit it. Returns weights, means and covariances after the last iteration, and the
    mean log-density of the points before and after each, in nats.
    """
    text = planes.sent(points)
    components = whole(components, 1, MAX_COMPONENTS, "Components")
    planes.enough(planes.given(text), components)
    found = walk(text, components, whole(seed, 0, _room.MAX_SEED, "Seed"))
    last = min(whole(iterations, 0, MAX_STEPS, "Iterations"), found.last)
    mixture = found.mixtures[last]
    return {
        "weights": mixture.weights.tolist(), "means": mixture.means.tolist(), "covariances": mixture.covariances.tolist(),
        "log_density": list(found.bounds[: last + 1]),
    }  # fmt: skip


# ---- the room ---------------------------------------------------------------------------------------------------------


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    first = begin("Blobs", 4, 0, False)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=2, min_width=300):
            choice = gr.Radio(list(planes.CHOICES), value="Blobs", label="Points", elem_classes=["chips"])
            components = gr.Slider(1, MAX_COMPONENTS, 4, step=1, label="Components")
            seed, dice = _room.seed_row(0)
            with gr.Row(elem_classes=["steps"]):
                run_button = gr.Button("Run EM", variant="primary", size="md")
                step_button = gr.Button("One step", size="md")
                stop = gr.Button("Stop", variant="stop", size="md")
            step = gr.Slider(0, MAX_STEPS, 0, step=1, label="Iteration")
            new = gr.Checkbox(False, label="Show new points drawn from the mixture")
            with gr.Accordion("Paste points", open=False):
                pasted = gr.Textbox(label="Two numbers to a line", lines=4, max_lines=8, placeholder="0.2, 0.5\n0.8, 0.1")
                paste = gr.Button("Use these points", size="sm", elem_classes=["quiet"])
            text, starter = gr.Textbox("Blobs", visible="hidden", show_label=False), _room.starter()
        with gr.Column(scale=4, min_width=300):
            board = gr.HTML(first[0], js_on_load=planes.BOARD_JS, elem_classes=["plane", "flush"])
            words = gr.HTML(first[2], js_on_load=None, elem_classes=["flush"])
            curve = gr.HTML("", js_on_load=None, elem_classes=["plane", "flush"])
            keep = gr.Row(elem_classes=["keep"])
    gr.Markdown("### The same among pictures")
    weights = _room.weights_choice(MODEL, "mnist")
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("Blur or heaps"):
            spread = gr.Slider(0, 1.5, 1, step=0.05, label="Spread", info="How far pictures are from the middle of their Gaussian")
            with gr.Row():
                with gr.Column(min_width=280):
                    gr.Markdown("**The mixture**: first a heap, then a picture of it")
                    at_first = _room.tiles_html(_room.sheet_tiles(weights.value or "", COUNT), columns=4, words="mixture")
                    made = _room.tiles(at_first, elem_classes=["flush"])
                with gr.Column(min_width=280):
                    gr.Markdown("**One Gaussian** for all pictures, fitted to the same coordinates")
                    try:
                        middle = blurred(weights.value or "", 0, 1, shape_of(weights.value or ""))
                        blur = _room.tiles_html(list(middle), columns=4, words="one Gaussian")
                    except (catalog.WeightsError, KeyError):  # the page opens all the same, and the first click says what is wrong
                        blur = ""
                    one = _room.tiles(blur, elem_classes=["flush"])
            keep_pictures = gr.Row(elem_classes=["keep"])
        with gr.Tab("The heaps") as heaps_tab:
            gr.Markdown("The middle of every heap and its share of the pictures. Click one to see what it holds.")
            middles = _room.tiles("", elem_classes=["flush"])
            opened = gr.HTML("", js_on_load=None, elem_classes=["flush"])
        with gr.Tab("Your picture"), gr.Row():
            with gr.Column(min_width=280):
                gr.Markdown("Which heap does a picture belong to? Click one that a GAN of this gallery made, or upload your own.")
                examples = _room.tiles(_room.examples_html(weights.value), elem_classes=["strip", "flush"])
                upload = CheckedImage(label="A picture; the middle square is used", height=180)
            with gr.Column(min_width=280):
                seen = _room.tiles("", elem_classes=["flush"])
                bars = gr.HTML("", js_on_load=None, elem_classes=["flush"])
    controls = dict(weights=weights, seed=seed, points=text, components=components, step=step, spread=spread, new=new)
    room_ = Room(MODEL, controls)
    with keep:
        _room.save_button(room_, board_picture)
        _room.link_button(room_)
    with keep_pictures:
        _room.save_button(room_, both_sheet, label="Save the pictures", view="pictures")
    _room.explanation(MODEL, EXPLANATION)

    shown = [board, curve, words, step]
    basic, pictures = [text, components, seed, new], [weights, seed, spread]
    running = starter.submit(guarded(_room.haltable(run)), [starter, text, components, seed, step, new], shown, **WALKING)
    # whatever changes the board ends the run first
    _room.begins(run_button.click, starter, [running])
    _room.ends(stop.click, starter, [running])
    step_button.click(guarded(one_step), [text, components, seed, step, new], shown, cancels=[running], **_room.QUICK)
    step.input(guarded(scrub), [text, components, seed, step, new], shown, cancels=[running], **_room.QUICK)
    new.input(guarded(restored_plane), [text, components, seed, step, new], shown, **_room.QUICK)
    components.input(guarded(begin), basic, shown, cancels=[running], **_room.QUICK)
    choice.input(guarded(pick_points), [choice, components, seed, new], [text, *shown], cancels=[running], **_room.QUICK)
    board.dab(guarded(add_points), basic, [text, choice, *shown], cancels=[running], **_room.QUICK)
    paste.click(guarded(paste_points), [pasted, components, seed, new], [text, choice, *shown], cancels=[running], **_room.QUICK)
    everything = [weights, seed, text, components, spread, new]
    seed.submit(guarded(reseeded), everything, [made, one, *shown], cancels=[running], **_room.QUICK)
    dice.click(None, None, seed, js=_room.ROLL_JS, cancels=[running], api_visibility="private").then(
        guarded(reseeded), everything, [made, one, *shown], **_room.QUICK
    )
    spread.input(guarded(both), pictures, [made, one], **_room.QUICK)
    weights.input(guarded(switch), pictures, [made, one, middles, opened, examples, seen, bars], **_room.HEAVY)
    heaps_tab.select(guarded(heaps), weights, middles, **_room.QUICK)
    middles.pick(guarded(open_heap), pictures, opened, **_room.QUICK)
    examples.pick(guarded(look_example), weights, [seen, bars], **_room.QUICK)
    upload.upload(guarded(look_uploaded), [weights, upload], [seen, bars], show_progress="hidden", **_room.HEAVY)
    room_.show, room_.shown = restored, [made, one, *shown, choice]
    gr.api(gmm_sample, api_name="gmm_sample", concurrency_id="models")
    gr.api(gmm_fit, api_name="gmm_fit", concurrency_id="models")
    return room_


def restored_plane(text: str, components: float, seed: float, step: float, new: bool) -> list:
    """:func:`plane` where it stands, with new points or without them."""
    return plane(text, components, seed, step, new, walked=bool(step))

