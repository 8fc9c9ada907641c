"""The GAN room: train a GAN or a VAE in the page, make the game collapse and cure it; below, a GAN that was trained for longer."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
import PIL.Image
import torch
from torch import Tensor

from demos._families import live, planes
from demos._families.live import BOTH, CURES, DIGITS, GAN, KINDS, LOSSES, MINIBATCH, NONE, Settings, Training
from demos._families.planes import OWN
from demos._kit.checks import integer, one_of
from demos._kit.events import BESIDE, HEAVY, QUICK, ROLL_JS, error_boundary
from demos._kit.layout import explanation, header, seed_row, weights_choice
from demos._kit.markup import tiles_html
from demos._kit.pictures import enlarged, png_uri, strip_image, to_pil
from demos._kit.recipes import MAX_SEED, Room, link_button, save_button
from demos._kit.running import cancel, is_cancelled
from demos._kit.shipped import sheet_tiles
from demos._kit.widgets import starter, tiles
from gen_models import Draws, catalog, load, runtime

MODEL = "gan"
COUNT = 40
STEPS_OF_A_WALK = 8
WALKS = 5
FIRST = "Eight clusters"
ANEW, REPLAY = "anew", "replay"
"""How the text of a starter begins that forgets the run before, or that only goes through the plan of a link."""
COLLAPSE_STEPS = 3
"""Generator steps for one of the discriminator with which the generator outruns it."""
STEPS_OF_A_CALL = 3000
TRAINING = dict(
    concurrency_id="live", concurrency_limit=live.BUSY + 5, trigger_mode="multiple", show_progress="hidden",
    api_visibility="private",
)
"""More than may train, so that one too many is told so instead of waiting."""
EXPLANATION = r"""
A **generator** $G$ turns random numbers $z$ into an example; a **discriminator** $D$ says how likely an example is to be real. They
are trained in turns: $D$ on a batch of real and one of generated examples, $G$ on what $D$ thinks of new ones, uphill in $D$'s
field. If both had all they need, the generated examples would be spread like the real ones and $D$ would say one half everywhere;
but if $G$ moves faster than $D$ can follow, it runs to the one place that $D$ likes best just now, with all its examples: it
**collapses**, and chases $D$ from cluster to cluster.

$$\min_G \max_D \; \mathbb{E}_{x}\left[\log D(x)\right] + \mathbb{E}_{z}\left[\log\left(1 - D(G(z))\right)\right]$$

**Loss.** Saturating is this formula; as long as $D$ is sure, its slope for $G$ is almost zero. Non-saturating lets $G$ maximise
$\log D(G(z))$ instead (section 3 of the paper). **Cures.** *Minibatch* shows $D$ the mean features of a whole batch beside each
example, so that a batch of copies gives itself away ([Salimans et al. 2016](https://arxiv.org/abs/1606.03498), section 3.2, as
means after [Lucas et al. 2018](https://arxiv.org/abs/1806.07185)). *R1* makes $D$'s field flat around real examples
([Mescheder et al. 2018](https://arxiv.org/abs/1801.04406)): that calms the game, and does not help against a generator that
outruns it. A **VAE** plays no game: it has one loss, which falls; loss, generator steps and cure are the GAN's alone.
Points train in batches of 128, digits of 64, on the processor; the same seed and settings give the same run.
"""


# ---- live training ----------------------------------------------------------------------------------------------------


def checked(text: Any, kind: Any, seed: Any) -> tuple[str, str, int]:
    """What a run is of."""
    kind, seed = one_of(kind, KINDS, "Model"), integer(seed, 0, MAX_SEED, "Seed")
    if text == DIGITS:
        live.digits()
    else:
        planes.at_least(planes.given(text), 2, "Training needs")
    return text, kind, seed


def train(
    token: str, key: str | None, text: str, kind: str, seed: float, rate: float, steps: float, loss: str, cure: str, plan: str
) -> Iterator[list]:
    """Board, losses, the line under them, the word for the run and its plan, several times a second until it is stopped."""
    token = str(token)[:64]
    text, kind, seed = checked(text, kind, seed)
    settings = Settings.checked(rate, steps, loss, cure)
    training, lead, wanted = live.kept(key), "", None
    if training is None or token.startswith(ANEW) or not training.is_of(text, kind, seed):
        live.forget(key)
        wanted = None if token.startswith(ANEW) else live.read(plan) or None
        if wanted and not token.startswith(REPLAY):
            lead = "This run was not kept so long; it is trained again. "
        training = Training(text, kind, seed)
        key = live.keep(training)
    if wanted is None:
        training.settings = settings
    began, before = time.monotonic(), training.live.steps

    def shown(busy: bool, words: str = "") -> list:
        speed = (training.live.steps - before) / (time.monotonic() - began)
        return [*live.frame(training, busy, words or lead, speed), key, live.written(training.plan)]

    for _ in live.trained(token, key, training, wanted):
        found = shown(True)
        if training.owner == token:  # what was begun meanwhile is not to be covered up
            yield found
    if training.owner in ("", token) and live.kept(key) is training:
        stopped = is_cancelled(token) or wanted is not None
        words = "" if stopped else f"Paused after {live.LONGEST / 60:.0f} minutes; Start goes on. "
        yield shown(False, words)


def one_step(
    what: str, key: str | None, text: str, kind: str, seed: float, rate: float, steps: float, loss: str, cure: str, plan: str
) -> list:
    """One step of both networks, or of one; a run that goes on is stopped for it."""
    text, kind, seed = checked(text, kind, seed)
    settings = Settings.checked(rate, steps, loss, cure)
    training = live.kept(key)
    if training is None or not training.is_of(text, kind, seed):
        if plan and live.read(plan):
            raise gr.Error("This run was not kept so long; press Start to train it again.")
        training = Training(text, kind, seed)
        key = live.keep(training)
    training.owner = ""
    try:
        with training.lock, runtime.training_pass():
            training.settings = settings
            training.step(what if kind == GAN else BOTH)
    except live.Diverged as error:
        live.forget(key)
        raise gr.Error(str(error), title="The training diverged") from error
    return [*live.frame(training), key, live.written(training.plan)]


def step_discriminator(*values: Any) -> list:
    """:func:`one_step` of the discriminator."""
    return one_step("discriminator", *values)


def step_generator(*values: Any) -> list:
    """:func:`one_step` of the generator."""
    return one_step("generator", *values)


def retune(key: str | None, rate: float, steps: float, loss: str, cure: str) -> None:
    """Other settings from the next step on."""
    settings, training = Settings.checked(rate, steps, loss, cure), live.kept(key)
    if training is not None:
        training.settings = settings


def collapse() -> list:
    """The settings under which the generator outruns the discriminator, its steps and no cure, and a run from the start.

    Two networks that have come to rest with each other would stay there.
    """
    return [COLLAPSE_STEPS, NONE, f"{ANEW}{random.random()}"]


def cured(key: str | None, rate: float, steps: float, loss: str) -> str:
    """The cure that works, everything else as it is."""
    retune(key, rate, steps, loss, MINIBATCH)
    return MINIBATCH


def fresh(key: str | None, text: str) -> list:
    """Board, losses, words, no run and no plan: before the first step."""
    live.forget(key)
    return [*live.untrained(text), None, ""]


def choose_data(choice: str, key: str | None) -> list:
    """Other points, or digits, and the learning rate to begin with."""
    text = {OWN: ""}.get(one_of(choice, choices(), "Data"), choice)
    return [text, live.RATE[text != DIGITS], *fresh(key, text)]


def choose_kind(kind: str, key: str | None, text: str) -> list:
    """The other model; what only the GAN has comes and goes with it."""
    return [gr.update(visible=one_of(kind, KINDS, "Model") == GAN), *fresh(key, text)]


def add_points(event: gr.EventData, key: str | None, text: str) -> list:
    """The board with the points that were clicked; the run before is over."""
    text = planes.with_clicked("" if text == DIGITS else text, getattr(event, "dabs", None))
    return [text, OWN, *fresh(key, text)]


def paste_points(pasted: str, key: str | None) -> list:
    """The board with the points of a text."""
    points, moved = planes.read_text(pasted)
    text = planes.pack(points)
    found = fresh(key, text)
    if moved:
        found[2] = live.note(f"{len(points)} points, moved and scaled to fit the board. Press Start.")
    return [text, OWN, *found]


def choices() -> list[str]:
    """What there is to train on."""
    return [FIRST, *(name for name in planes.CHOICES if name != FIRST), *([DIGITS] if live.digits_at_hand() else [])]


# ---- the trained one --------------------------------------------------------------------------------------------------


def settings_of(weights: Any, seed: Any) -> tuple[str, int]:
    """Weights and seed, checked."""
    return one_of(weights, catalog.trained(MODEL), "Trained on"), integer(seed, 0, MAX_SEED, "Seed")


def pictures(weights: str, seed: int, count: int = COUNT) -> Tensor:
    """The first ``count`` samples of a seed, (count, C, H, W) in [0, 1]."""
    model = load(weights)
    with runtime.forward_pass():
        return model.sample(Draws(seed, count, device=runtime.device())).cpu()


def samples(weights: str, seed: float) -> str:
    """The grid of samples."""
    return tiles_html(list(pictures(*settings_of(weights, seed))), words="sample")


def judged(weights: str, seed: float) -> str:
    """The samples from the most to the least convincing, with what the discriminator takes their chance of being real for."""
    weights, seed = settings_of(weights, seed)
    made = pictures(weights, seed)
    with runtime.forward_pass():
        chances = torch.sigmoid(load(weights).score(made)).cpu()
    order = chances.argsort(descending=True).tolist()
    return tiles_html([made[i] for i in order], [f"{100 * chances[i]:.0f} %" for i in order], words="judged", indices=order)


def ways(weights: str, seed: float) -> str:
    """Straight ways from one sample's numbers to the next one's (paper, figure 3), a row each."""
    weights, seed = settings_of(weights, seed)
    model = load(weights)
    part = torch.linspace(0, 1, STEPS_OF_A_WALK)[:, None]
    with runtime.forward_pass():
        z = model.latents(Draws(seed, WALKS + 1))
        made = model.decode(torch.cat([z[i] + part * (z[i + 1] - z[i]) for i in range(WALKS)])).cpu()
    return tiles_html(list(made), columns=STEPS_OF_A_WALK, words="way")


def reseeded(weights: str, seed: float, key: str | None, text: str) -> list:
    """Other samples, and a run that has yet to begin."""
    return [samples(weights, seed), *fresh(key, text)]


def restored(weights: str, seed: float, text: str, kind: str, rate: float, steps: float, loss: str, cure: str, plan: str) -> list:
    """The room as a link or a saved picture describes it; a run in it is trained again."""
    Settings.checked(rate, steps, loss, cure)
    again = live.read(plan)
    if again:
        checked(text, kind, seed)
    game = gr.update(visible=one_of(kind, KINDS, "Model") == GAN)
    choice = text if text in choices() else OWN
    return [samples(weights, seed), *live.untrained(text), None, choice, game, f"{REPLAY}{random.random()}" if again else ""]


# ---- to keep ----------------------------------------------------------------------------------------------------------


def samples_sheet(weights: str, seed: float, *_: Any) -> list[PIL.Image.Image]:
    """The samples as a picture to save."""
    made = [to_pil(picture) for picture in pictures(*settings_of(weights, seed))]
    return [strip_image(made, scale=max(1, 128 // made[0].width), columns=8)]


def training_picture(*values: Any) -> list[PIL.Image.Image]:
    """Board or sheet of the run as a picture to save."""
    _, _, text, kind, *_, plan, key = values
    training = live.kept(key)
    if training is None and plan:
        raise gr.Error("This run was not kept so long; press Start to train it again.")
    view = live.look(training) if training is not None else None
    if text == DIGITS:
        made = view.pictures if view is not None else live.digits().unit(0, live.SHEET)
        return [enlarged(live.sheet(made), 4)]
    return [live.board_picture(planes.given(text), view, one_of(kind, KINDS, "Model"))]


# ---- verbs for the API ------------------------------------------------------------------------------------------------


@error_boundary
def gan_sample(weights: str = "gan-mnist", seed: int = 7, count: int = 16) -> list[str]:
    """Sample pictures from a trained GAN. Picture i of a seed is always the same. Returns PNG data URIs."""
    weights, seed = settings_of(weights, seed)
    return [png_uri(picture) for picture in pictures(weights, seed, integer(count, 1, 64, "Pictures"))]


@error_boundary
def gan_train(
    points: str = "Eight clusters", model: str = "GAN", steps: int = 1000, seed: int = 7, generator_steps: int = 1,
    loss: str = "Non-saturating", cure: str = "None", learning_rate: float = 0.003,
) -> dict[str, Any]:  # fmt: skip
    """Train a small GAN or VAE on points in the plane. The same arguments give the same answer.

    points: Blobs, Rings, Moons, Eight clusters, Spiral, or two numbers to a line. steps: 1 to 3000. generator_steps: 1 to 10 for
    one of the discriminator. loss: Non-saturating or Saturating. cure: None, Minibatch or R1. Returns 500 generated points (x from
    0 to 1, y from 0 to 0.7), the share of points that have one near, the share of generated ones near a point, and the last losses.
    """
    text = planes.sent(points)
    settings = Settings.checked(learning_rate, generator_steps, loss, cure)
    count = integer(steps, 1, STEPS_OF_A_CALL, "Steps")
    training = Training(*checked(text, model, seed))
    training.settings = settings
    for _ in live.trained(f"call{random.random()}", "", training, [live.Part(BOTH, count, settings)]):
        pass
    view = live.look(training)
    return {
        "points": view.generated.round(4).tolist(), "found": view.shares["found"], "near": view.shares["near"],
        "losses": {name: entries[-1][1] for name, entries in training.live.losses.items()},
    }  # fmt: skip


# ---- the room ---------------------------------------------------------------------------------------------------------


def room() -> Room:
    """Lay out the widgets."""
    header(MODEL)
    first = live.untrained(FIRST)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=2, min_width=300):
            choice = gr.Radio(choices(), value=FIRST, label="Data", elem_classes=["chips"])
            kind = gr.Radio(list(KINDS), value=GAN, label="Model", elem_classes=["chips"])
            with gr.Row(elem_classes=["steps"]):
                start = gr.Button("Start", variant="primary", size="md", min_width=90)
                stop = gr.Button("Stop", variant="stop", size="md", min_width=90)
                again = gr.Button("Begin again", size="md", min_width=110)
            with gr.Column() as game:
                with gr.Row(elem_classes=["steps"]):
                    step_d = gr.Button("Step the discriminator", size="sm", min_width=130)
                    step_g = gr.Button("Step the generator", size="sm", min_width=130)
                generator_steps = gr.Slider(
                    1, live.MAX_GENERATOR_STEPS, 1, step=1, label="Generator steps", info="For one step of the discriminator"
                )
                cure = gr.Radio(list(CURES), value=NONE, label="Cure", elem_classes=["chips"])
                with gr.Row(elem_classes=["steps"]):
                    fall = gr.Button("Make it collapse", size="sm", min_width=130)
                    heal = gr.Button("Cure it", size="sm", min_width=130)
            seed, dice = seed_row(7)
            with gr.Accordion("More", open=False):
                rate = gr.Number(live.RATE[True], label="Learning rate", minimum=live.RATES[0], maximum=live.RATES[1])
                loss = gr.Radio(list(LOSSES), value=LOSSES[0], label="Loss of the generator", elem_classes=["chips"])
                pasted = gr.Textbox(label="Points: two numbers to a line", lines=3, max_lines=8, placeholder="0.2, 0.5\n0.8, 0.1")
                paste = gr.Button("Use these points", size="sm", elem_classes=["quiet"])
            text, plan = (gr.Textbox(value, visible="hidden", show_label=False) for value in (FIRST, ""))
            begin, key = starter(), gr.State(None, time_to_live=live.IDLE, delete_callback=live.forget)
        with gr.Column(scale=4, min_width=300):
            board = planes.board(first[0])
            words = gr.HTML(first[2], js_on_load=None, elem_classes=["flush"])
            gr.HTML(
                f'<p class="legend"><span><i class="ink"></i>data</span><span><i style="background:{live.FAKE}"></i>generated, '
                f'and where D expects it</span><span><i style="background:{live.REAL}"></i>where D expects data</span></p>',
                js_on_load=None, elem_classes=["flush"],
            )  # fmt: skip
            curve = gr.HTML("", js_on_load=None, elem_classes=["plane", "flush"])
            keep = gr.Row(elem_classes=["keep"])
            if not live.digits_at_hand():
                missing = live.note("Digits are offered where GALLERY_DATA names the data folder.")
                gr.HTML(missing, js_on_load=None, elem_classes=["flush"])
    gr.Markdown("### Trained for longer, on digits")
    weights = weights_choice(MODEL, "mnist")
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("Samples"):
            grid = tiles(tiles_html(sheet_tiles(weights.value or "", COUNT), words="sample"))
            keep_samples = gr.Row(elem_classes=["keep"])
        with gr.Tab("The discriminator's eye") as eye:
            gr.Markdown("The same samples, the most convincing first, with the chance of being real that D gives each.")
            ranked = tiles("")
        with gr.Tab("From one to the next") as walk:
            gr.Markdown("Straight ways between the numbers behind two samples, a row each (figure 3 of the paper).")
            rows = tiles("")
    controls = dict(
        weights=weights, seed=seed, points=text, kind=kind, rate=rate, steps=generator_steps, loss=loss, cure=cure, plan=plan
    )
    room_ = Room(MODEL, controls, migrate=planes.migrate)
    with keep:
        save_button(room_, training_picture, [key], label="Save the training", view="training")
        link_button(room_)
    with keep_samples:
        save_button(room_, samples_sheet)
    explanation(MODEL, EXPLANATION)

    knobs, shown = [rate, generator_steps, loss, cure], [board, curve, words, key, plan]
    inputs = [key, text, kind, seed, *knobs, plan]
    begin.submit(error_boundary(train), [begin, *inputs], shown, **TRAINING)
    for button, way in ((start, ""), (again, ANEW)):
        button.click(None, None, begin, js=f"() => '{way}' + Math.random()", api_visibility="private")
    stop.click(cancel, begin, None, **BESIDE)
    for button, step in ((step_d, step_discriminator), (step_g, step_generator)):
        button.click(error_boundary(step), inputs, shown, **QUICK)
    tuned = [key, *knobs]
    for changed in (rate.submit, rate.blur, generator_steps.input, loss.input, cure.input):
        changed(error_boundary(retune), tuned, None, **QUICK)
    fall.click(error_boundary(collapse), None, [generator_steps, cure, begin], **QUICK)
    heal.click(error_boundary(cured), [key, rate, generator_steps, loss], cure, **QUICK)
    choice.input(error_boundary(choose_data), [choice, key], [text, rate, *shown], **QUICK)
    kind.input(error_boundary(choose_kind), [kind, key, text], [game, *shown], **QUICK)
    board.dab(error_boundary(add_points), [key, text], [text, choice, *shown], **QUICK)
    paste.click(error_boundary(paste_points), [pasted, key], [text, choice, *shown], **QUICK)
    basic = [weights, seed]
    seed.submit(error_boundary(reseeded), [*basic, key, text], [grid, *shown], **QUICK)
    dice.click(None, None, seed, js=ROLL_JS, api_visibility="private").then(
        error_boundary(reseeded), [*basic, key, text], [grid, *shown], **QUICK
    )
    weights.input(error_boundary(samples), basic, grid, **HEAVY)
    eye.select(error_boundary(judged), basic, ranked, **QUICK)
    walk.select(error_boundary(ways), basic, rows, **QUICK)
    room_.show, room_.shown = restored, [grid, board, curve, words, key, choice, game, begin]
    gr.api(gan_sample, api_name="gan_sample", concurrency_id="models")
    gr.api(gan_train, api_name="gan_train", concurrency_id="models")
    return room_
