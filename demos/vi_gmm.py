"""The room of the variational Gaussian mixture: components that nothing speaks for fade, in the plane and among pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache

import gradio as gr
import numpy as np
import PIL.Image
from safetensors import SafetensorError, safe_open

from demos import _room
from demos._families import clusters, planes
from demos._families.planes import OWN, Mixture, Walk
from demos._room import CheckedImage, Room, chosen, guarded, real, to_pil, whole
from gen_models import Draws, catalog, load, runtime

MODEL = "vi_gmm"
MAX_COMPONENTS = 12
MAX_STEPS = 200
LOW, HIGH = -3.0, 3.0
"""Powers of ten of the concentration."""
FLOOR = 1e-5
"""Added to the variances of the prior in the plane, so that points on a line do no harm."""
STILL = 1e-3
"""At rest when an iteration gains less than so many nats."""
FRAME = 0.08
"""Seconds between two iterations while it runs: one should see it."""
COUNT = 16
WALKING = dict(
    concurrency_id="walks", concurrency_limit=16, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
)
"""A run mostly waits for the eye, so that many may run at once.

Whatever changes the board cancels it: in the other trigger modes the page would wait for its end, in vain.
"""
EXPLANATION = r"""
Plain EM uses every component it is given. Here the weights $\pi$ are uncertain, too, and the prior puts only $\alpha_0$ imagined
points into each component. The fit looks for the distribution $q$ over all unknowns that makes a **lower bound** of the evidence as
large as it can be; the bound pays for points explained and charges for every component that has to be told apart from the prior.
With a small $\alpha_0$, a component whose points others explain as well loses them and goes back to its prior: weight nearly zero.

$$\log p(x) \;\ge\; \mathbb{E}_q\left[\log p(x, z, \pi, \mu, \Lambda)\right]
- \mathbb{E}_q\left[\log q(z, \pi, \mu, \Lambda)\right], \qquad \mathbb{E}_q[\pi_k] = \frac{\alpha_0 + N_k}{K \alpha_0 + N}$$

Every iteration raises the bound, so the curve never falls; where it comes to rest depends on the start, which is k-means here. With
a large $\alpha_0$ all components keep a share, whether they are needed or not.
"""


# ---- in the plane -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def walk(text: str, components: int, power: float, seed: int) -> tuple[Walk, tuple[np.ndarray, ...]]:
    """The fit of scikit-learn to the board's points until it comes to rest, and how many points each component has on the way."""
    from gen_models.mixtures.vi_gmm import STATE, started, stepped  # not before the first use

    points, concentration = planes.unpack(text), 10.0**power
    with runtime.forward_pass():
        now = started(points, components, concentration, seed, FLOOR)
    mixtures, bounds, counts = [], [], []
    while len(bounds) <= MAX_STEPS and not (len(bounds) > 1 and bounds[-1] - bounds[-2] < STILL):
        with runtime.forward_pass():
            now = stepped(points, {name: getattr(now, name) for name in STATE}, concentration, FLOOR)
        mixtures.append(Mixture(now.weights_, now.means_, now.covariances_))
        bounds.append(float(now.lower_bound_))
        counts.append(now.weight_concentration_ - concentration)
    return Walk(tuple(mixtures), tuple(bounds)), tuple(counts)


def settings(text: str, components: float, power: float, seed: float) -> tuple[np.ndarray, tuple[str, int, float, int]]:
    """The board's points, and what :func:`walk` takes; checked."""
    return planes.given(text), (
        text, whole(components, 1, MAX_COMPONENTS, "Components"), real(power, LOW, HIGH, "Concentration"),
        whole(seed, 0, _room.MAX_SEED, "Seed"),
    )  # fmt: skip


def plane(text: str, components: float, power: float, seed: float, step: float, walked: bool = True) -> list:
    """Board, curve, the line under them, scrubber and weights at one iteration; without ``walked``, before the first one."""
    points, values = settings(text, components, power, seed)
    components, step = values[1], whole(step, 0, MAX_STEPS, "Iteration")
    prior = planes.weights_html(np.full(components, 1 / components), np.ones(components, bool))
    if len(points) < planes.needed(components):
        return [*planes.waiting(points, components, MAX_STEPS), prior]
    if not walked:
        words = "Before the first iteration: any component may have any weight. Press Run."
        return [*planes.unwalked(points, None, words, MAX_STEPS), prior]
    found, counts = walk(*values)
    step = min(step, found.last)
    used = counts[step] >= 1
    parts = planes.walked(points, found, step, "Lower bound, up to a constant", "nats", MAX_STEPS)
    parts[2] = planes.note(f"{planes.told(found, step, MAX_STEPS)} {int(used.sum())} of {components} components have points.")
    return [*parts, planes.weights_html(found.mixtures[step].weights, used)]


def begin(text: str, components: float, power: float, seed: float) -> list:
    """:func:`plane` before the first iteration."""
    return plane(text, components, power, seed, 0, walked=False)


def scrub(text: str, components: float, power: float, seed: float, step: float) -> list:
    """:func:`plane` at any iteration; the fit is made now if it was not before."""
    points, values = settings(text, components, power, seed)
    planes.enough(points, values[1])
    return plane(text, components, power, seed, step)


def one_step(text: str, components: float, power: float, seed: float, step: float) -> list:
    """:func:`plane` one iteration further."""
    return scrub(text, components, power, seed, min(whole(step, 0, MAX_STEPS, "Iteration") + 1, MAX_STEPS))


def run(text: str, components: float, power: float, seed: float, step: float) -> Iterator[list]:
    """:func:`plane` from here on until it comes to rest, later in longer strides; from the start if it has."""
    points, values = settings(text, components, power, seed)
    here = whole(step, 0, MAX_STEPS, "Iteration")
    planes.enough(points, values[1])
    last = walk(*values)[0].last
    here = 0 if here >= last else here
    while True:
        yield plane(text, components, power, seed, here)
        if here == last:
            return
        here = min(here + 1 + here // 30, last)
        time.sleep(FRAME)


def follow(text: str, components: float, power: float, seed: float, step: float) -> list:
    """:func:`plane` for another concentration: at rest if it was walked before, so that a dragged slider shows what it does."""
    points, values = settings(text, components, power, seed)
    if len(points) < planes.needed(values[1]):
        return plane(text, components, power, seed, 0)
    return plane(text, components, power, seed, MAX_STEPS if whole(step, 0, MAX_STEPS, "Iteration") else 0, walked=bool(step))


def pick_points(choice: str, components: float, power: float, seed: float) -> list:
    """A preset's points, or none for the visitor's own, and :func:`plane` before the first iteration."""
    text = {OWN: ""}.get(chosen(choice, planes.CHOICES, "Points"), choice)
    return [text, *begin(text, components, power, seed)]


def add_points(event: gr.EventData, text: str, components: float, power: float, seed: float) -> list:
    """The board with the points that were clicked; they make it the visitor's own."""
    text = planes.with_clicked(text, getattr(event, "points", None))
    return [text, OWN, *begin(text, components, power, seed)]


def paste_points(pasted: str, components: float, power: float, seed: float) -> list:
    """The board with the points of a text."""
    points, moved = planes.read_text(pasted)
    text = planes.pack(points)
    found = begin(text, components, power, seed)
    if moved:
        found[2] = planes.note(f"{len(points)} points, moved and scaled to fit the board.")
    return [text, OWN, *found]


# ---- pictures ---------------------------------------------------------------------------------------------------------


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


def sampled(weights: str, seed: float) -> str:
    """The first samples of a seed."""
    return _room.tiles_html(sampled_pictures(weights, seed), words="sample")


def sampled_pictures(weights: str, seed: float, count: int = COUNT) -> list[PIL.Image.Image]:
    """The pictures of :func:`sampled`."""
    model = load(known(weights))
    draws = Draws(whole(seed, 0, _room.MAX_SEED, "Seed"), count, device=runtime.device())
    with runtime.forward_pass():
        return [to_pil(picture) for picture in model.sample(draws).cpu()]


def weights_svg(weights: str | None) -> str:
    """The weights of all Gaussians among pictures, read from the file without the model."""
    try:
        with safe_open(catalog.folder_of(weights or "") / "model.safetensors", "pt") as file:
            shares, concentrations = (file.get_tensor(name).float().numpy() for name in ("weights", "concentrations"))
        prior = catalog.config_of(weights)["arguments"]["concentration"]
    except (OSError, SafetensorError, catalog.WeightsError, KeyError):
        return ""  # the page opens all the same, and the first click says what is wrong
    return planes.ranked_weights_svg(shares, concentrations - prior >= 1)


def heaps(weights: str) -> str:
    """The middle of every heap with its share of the pictures, the largest first; those without pictures are pale."""
    return clusters.middles(known(weights))


def open_heap(event: gr.EventData, weights: str, seed: float) -> str:
    """What a heap holds: eight draws from it, and the ways in which its pictures differ most."""
    number = whole(event.index, 0, load(known(weights)).components - 1, "Heap")
    return clusters.inside(weights, number, whole(seed, 0, _room.MAX_SEED, "Seed"))


def look_example(event: gr.EventData, weights: str) -> list[str]:
    """Which heaps an example may be of."""
    return clusters.look(weights, _room.picture_for(weights, _room.picked_example(event, known(weights)), centre=False))


def look_uploaded(weights: str, image: PIL.Image.Image | None) -> list[str]:
    """Which heaps an uploaded picture may be of."""
    known(weights)
    if image is None:
        raise gr.Error("Upload a picture first.")
    return clusters.look(weights, _room.picture_for(weights, image))


def switch(weights: str, seed: float) -> list[str]:
    """Other weights: their pictures, weights, heaps and examples."""
    return [sampled(weights, seed), weights_svg(weights), heaps(weights), "", _room.examples_html(weights), "", ""]


def restored(weights: str, seed: float, text: str, components: float, power: float, step: float) -> list:
    """The room as a link or a saved picture describes it."""
    return [sampled(weights, seed), weights_svg(weights), *plane(text, components, power, seed, step, walked=bool(step)),
            text if text in planes.PRESETS else OWN]  # fmt: skip


def reseeded(weights: str, seed: float, text: str, components: float, power: float) -> list:
    """Other pictures, and another start in the plane."""
    return [sampled(weights, seed), *begin(text, components, power, seed)]


# ---- to keep ----------------------------------------------------------------------------------------------------------


def board_picture(_w: str, seed: float, text: str, components: float, power: float, step: float) -> list[PIL.Image.Image]:
    """The board as a picture to save."""
    points, values = settings(text, components, power, seed)
    step, mixture = whole(step, 0, MAX_STEPS, "Iteration"), None
    if step and len(points) >= planes.needed(values[1]):
        found, _ = walk(*values)
        mixture = found.mixtures[min(step, found.last)]
    return [planes.plot_picture(points, mixture)]


def sheet(weights: str, seed: float, *_: object) -> list[PIL.Image.Image]:
    """The samples as a picture to save."""
    return [_room.strip_image(sampled_pictures(weights, seed), scale=4, columns=8)]


# ---- verbs for the API ------------------------------------------------------------------------------------------------


@guarded
def vi_gmm_sample(weights: str = "vi_gmm-mnist", seed: int = 7, count: int = 16) -> list[str]:
    """Sample pictures from a variational mixture. Picture i of a seed is always the same. Returns PNG data URIs."""
    return [_room.png_uri(picture) for picture in sampled_pictures(weights, seed, whole(count, 1, 64, "Pictures"))]


@guarded
def vi_gmm_fit(
    points: str = "Blobs", components: int = 10, concentration: float = 0.001, seed: int = 0, iterations: int = 200
) -> dict[str, list]:
    """Fit a variational mixture to points in the plane.

    points: Blobs, Rings, Moons, Eight heaps, Spiral, or two numbers to a line, x and y. Points outside of the board (x from 0 to
    1, y from 0 to 0.7) are moved and scaled to fit it. Returns expected weights, means and covariances after the last
    iteration, and after each the lower bound in nats, up to a constant.
    """
    text = planes.sent(points)
    power = float(np.log10(real(concentration, 10**LOW, 10**HIGH, "Concentration")))
    given, values = settings(text, components, min(max(power, LOW), HIGH), seed)
    planes.enough(given, values[1])
    found, _ = walk(*values)
    last = min(whole(iterations, 0, MAX_STEPS, "Iterations"), found.last)
    mixture = found.mixtures[last]
    return {
        "weights": mixture.weights.tolist(), "means": mixture.means.tolist(), "covariances": mixture.covariances.tolist(),
        "bound": list(found.bounds[: last + 1]),
    }  # fmt: skip


# ---- the room ---------------------------------------------------------------------------------------------------------


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    first = begin("Blobs", 10, LOW, 0)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=2, min_width=300):
            choice = gr.Radio(list(planes.CHOICES), value="Blobs", label="Points", elem_classes=["chips"])
            components = gr.Slider(1, MAX_COMPONENTS, 10, step=1, label="Components at most")
            power = gr.Slider(
                LOW, HIGH, LOW, step=0.25, label="Concentration, as a power of ten", info="Small: thrifty. Large: all stay."
            )
            seed, dice = _room.seed_row(0)
            with gr.Row(elem_classes=["steps"]):
                run_button = gr.Button("Run", variant="primary", size="md")
                step_button = gr.Button("One step", size="md")
                stop = gr.Button("Stop", variant="stop", size="md")
            step = gr.Slider(0, MAX_STEPS, 0, step=1, label="Iteration")
            with gr.Accordion("Paste points", open=False):
                pasted = gr.Textbox(label="Two numbers to a line", lines=4, max_lines=8, placeholder="0.2, 0.5\n0.8, 0.1")
                paste = gr.Button("Use these points", size="sm", elem_classes=["quiet"])
            text, starter = gr.Textbox("Blobs", visible="hidden", show_label=False), _room.starter()
        with gr.Column(scale=4, min_width=300):
            board = gr.HTML(first[0], js_on_load=planes.BOARD_JS, elem_classes=["plane", "flush"])
            words = gr.HTML(first[2], js_on_load=None, elem_classes=["flush"])
            bars = gr.HTML(first[4], js_on_load=None, elem_classes=["flush"])
            curve = gr.HTML("", js_on_load=None, elem_classes=["plane", "flush"])
            keep = gr.Row(elem_classes=["keep"])
    gr.Markdown("### The same among pictures")
    weights = _room.weights_choice(MODEL, "mnist")
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("Weights"):
            shares = gr.HTML(weights_svg(weights.value), js_on_load=None, elem_classes=["plane", "flush"])
            gr.Markdown("Samples: first one of the Gaussians by its weight, then a picture of it.")
            at_first = _room.tiles_html(_room.sheet_tiles(weights.value or "", COUNT), words="sample")
            made = _room.tiles(at_first, elem_classes=["flush"])
            keep_pictures = gr.Row(elem_classes=["keep"])
        with gr.Tab("The heaps") as heaps_tab:
            gr.Markdown("The middle of every heap and its share of the pictures. Click one to see what it holds.")
            middles = _room.tiles("", elem_classes=["flush"])
            opened = gr.HTML("", js_on_load=None, elem_classes=["flush"])
        with gr.Tab("Your picture"), gr.Row():
            with gr.Column(min_width=280):
                gr.Markdown("Which heap does a picture belong to? Click one that a GAN of this gallery made, or upload your own.")
                examples = _room.tiles(_room.examples_html(weights.value), elem_classes=["strip", "flush"])
                upload = CheckedImage(label="A picture with one thing on it", height=180)
            with gr.Column(min_width=280):
                seen = _room.tiles("", elem_classes=["flush"])
                verdict = gr.HTML("", js_on_load=None, elem_classes=["flush"])
    room_ = Room(MODEL, dict(weights=weights, seed=seed, points=text, components=components, power=power, step=step))
    with keep:
        _room.save_button(room_, board_picture)
        _room.link_button(room_)
    with keep_pictures:
        _room.save_button(room_, sheet, label="Save the pictures", view="pictures")
    _room.explanation(MODEL, EXPLANATION)

    shown = [board, curve, words, step, bars]
    basic = [text, components, power, seed]
    running = starter.submit(guarded(_room.haltable(run)), [starter, *basic, step], shown, **WALKING)
    # whatever changes the board ends the run first
    _room.begins(run_button.click, starter, [running])
    _room.ends(stop.click, starter, [running])
    step_button.click(guarded(one_step), [*basic, step], shown, cancels=[running], **_room.QUICK)
    step.input(guarded(scrub), [*basic, step], shown, cancels=[running], **_room.QUICK)
    components.input(guarded(begin), basic, shown, cancels=[running], **_room.QUICK)
    power.input(guarded(follow), [*basic, step], shown, cancels=[running], **_room.QUICK)
    choice.input(guarded(pick_points), [choice, *basic[1:]], [text, *shown], cancels=[running], **_room.QUICK)
    board.dab(guarded(add_points), basic, [text, choice, *shown], cancels=[running], **_room.QUICK)
    paste.click(guarded(paste_points), [pasted, *basic[1:]], [text, choice, *shown], cancels=[running], **_room.QUICK)
    everything = [weights, seed, text, components, power]
    seed.submit(guarded(reseeded), everything, [made, *shown], cancels=[running], **_room.QUICK)
    dice.click(None, None, seed, js=_room.ROLL_JS, cancels=[running], api_visibility="private").then(
        guarded(reseeded), everything, [made, *shown], **_room.QUICK
    )
    weights.input(guarded(switch), [weights, seed], [made, shares, middles, opened, examples, seen, verdict], **_room.HEAVY)
    heaps_tab.select(guarded(heaps), weights, middles, **_room.QUICK)
    middles.pick(guarded(open_heap), [weights, seed], opened, **_room.QUICK)
    examples.pick(guarded(look_example), weights, [seen, verdict], **_room.QUICK)
    upload.upload(guarded(look_uploaded), [weights, upload], [seen, verdict], show_progress="hidden", **_room.HEAVY)
    room_.show, room_.shown = restored, [made, shares, *shown, choice]
    gr.api(vi_gmm_sample, api_name="vi_gmm_sample", concurrency_id="models")
    gr.api(vi_gmm_fit, api_name="vi_gmm_fit", concurrency_id="models")
    return room_
