"""The VAE room: drag the latents, hand it a picture, wander over the map, walk between two pictures."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from functools import lru_cache

import gradio as gr
import PIL.Image
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from demos import _room
from demos._room import CheckedImage, Room, chosen, guarded, real, to_pil, whole
from gen_models import Draws, catalog, load, runtime

MODEL = "vae"
VISIBLE, HIDDEN = 5, 11
SLIDERS = VISIBLE + HIDDEN
LIMIT = 4.0
"""Latents are kept within this many standard deviations of the prior."""
TILES = 11
FRAMES = 24
EXPLANATION = r"""
An **encoder** looks at a picture and answers with a place and how sure it is of it: a mean and a spread for each latent $z_k$.
A **decoder** paints the picture of any place. Both learn together: the painting should match the picture (first term), and the
places should together look like plain Gaussian noise (second term), so that a place drawn at random is the place of some picture.
Latents that carry nothing end with a divergence of zero; the sliders show the others, the most telling first.

$$\log p(x) \;\ge\; \mathbb{E}_{q(z|x)}\left[\log p(x|z)\right] - \mathrm{KL}\left(q(z|x)\,\|\,\mathcal{N}(0, I)\right)$$
"""


# ---- latents ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def latent_kl(weights: str) -> Tensor:
    """Mean KL of every latent on validation pictures, (latent_dim,) nats; read from the file, without the model."""
    try:
        with safe_open(catalog.folder_of(weights) / "model.safetensors", "pt") as file:
            return file.get_tensor("latent_kl").float()
    except (OSError, SafetensorError) as error:
        cure = f"restore weights/{weights} or train again"
        raise catalog.WeightsError(f"the weights {weights} are missing or damaged; {cure}") from error


def order(weights: str) -> list[int]:
    """The latents of a model, the one with the largest KL first."""
    return latent_kl(weights).argsort(descending=True).tolist()


def of_seed(weights: str, seed: int) -> Tensor:
    """Latents from the prior, (latent_dim,)."""
    return Draws(seed, 1).normal(len(latent_kl(weights)))[0].clamp(-LIMIT, LIMIT)


def to_text(z: Tensor) -> str:
    """(latent_dim,) -> the numbers as text, for links and saved pictures."""
    return ",".join([f"{value:.3f}" for value in z.tolist()])


def from_text(weights: str, text: str) -> Tensor:
    """The latents (latent_dim,) that :func:`to_text` wrote; zeros, the middle of the prior, for an empty text."""
    size = len(latent_kl(weights))
    if not text:
        return torch.zeros(size)
    try:
        z = torch.tensor([float(part) for part in str(text)[:4000].split(",")])
    except ValueError:
        z = torch.full((size,), math.nan)
    if len(z) != size:
        return torch.zeros(size)  # of another data set: start in the middle
    if not torch.isfinite(z).all():
        raise gr.Error("The latents must be numbers, separated by commas.")
    return z.clamp(-LIMIT, LIMIT)


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


def decoded(weights: str, z: Tensor) -> Tensor:
    """(B, latent_dim) -> (B, C, H, W) in [0, 1]."""
    model = load(weights)
    return runtime.together((weights, "decode"), z, lambda rows: model.decode(rows).cpu())


def shown(weights: str, z: Tensor) -> str:
    """The picture of one place, to the digits that a link or a saved picture keeps, so that these restore the very same."""
    kept = (z * 1000).round() / 1000
    return _room.picture_html(decoded(weights, kept[None])[0], "the decoder's picture of these latents")


def slider_updates(weights: str, z: Tensor) -> list:
    """Sliders for the latents that carry most, set to ``z``; those that carry nothing disappear."""
    return [gr.Slider(**slider) for slider in slider_settings(weights, z)]


def slider_settings(weights: str, z: Tensor) -> list[dict]:
    """Value, label and visibility of every slider."""
    places, kl = order(weights), latent_kl(weights)
    found = []
    for rank in range(SLIDERS):
        if rank < len(places) and kl[places[rank]] > 0.02:
            latent = places[rank]
            label = f"Latent {latent} · {float(kl[latent]):.1f} nats"
            found.append(dict(value=round(float(z[latent]), 2), label=label, visible=True))
        else:
            found.append(dict(value=0, label=f"Latent of rank {rank + 1}", visible=False))
    return found


# ---- handlers ---------------------------------------------------------------------------------------------------------


def dragger(rank: int) -> Callable[[str, str, float], tuple[str, str]]:
    """The handler of one slider, that of the latent of this rank; the most telling latent has rank 0."""

    def drag(weights: str, text: str, value: float) -> tuple[str, str]:
        """Picture and latents after the slider moved.

        The other sliders are not asked: every input costs the page a part of a millisecond, and ``text`` knows their values.
        """
        z = from_text(known(weights), text)
        places = order(weights)
        if rank < len(places):
            z[places[rank]] = real(value, -LIMIT, LIMIT, "A latent")
        return shown(weights, z), to_text(z)

    return drag


def place(weights: str, text: str) -> list:
    """Picture, latents and sliders for latents given as text."""
    z = from_text(known(weights), text)
    return [shown(weights, z), to_text(z), *slider_updates(weights, z)]


def from_prior(weights: str, seed: float) -> list:
    """A place drawn from the prior."""
    z = of_seed(known(weights), whole(seed, 0, _room.MAX_SEED, "Seed"))
    return [shown(weights, z), to_text(z), *slider_updates(weights, z)]


def middle(weights: str) -> list:
    """The middle of the prior: every latent zero."""
    return place(weights, "")


def picture_in(weights: str, drawn: dict | None, uploaded: PIL.Image.Image | None, source: str) -> Tensor:
    """The visitor's picture as the model sees it, (1, C, H, W) in [0, 1]."""
    image = uploaded if source == "upload" else _room.drawing(drawn)
    if image is None:
        raise gr.Error("Draw or upload a picture first.")
    model = load(weights)
    channels, size, _ = model.image_shape
    fill = 20 / 28 if model.binary else 1.0  # digits have a margin, clothes fill their frame
    return torch.from_numpy(_room.as_input(image, size, channels, centre=channels == 1, fill=fill))[None]


def look(weights: str, picture: Tensor, seed: float) -> list:
    """What the model makes of a picture: tiles, numbers, posterior, and the room set to its place."""
    model = load(weights)
    draws = Draws(whole(seed, 0, _room.MAX_SEED, "Seed"), 1, device=runtime.device())
    with runtime.forward_pass():
        seen = model.seen(picture).cpu()
        mean, spread = (part[0].cpu() for part in model.posterior(picture))
        likelihood, kl = model.evidence(picture, draws, samples=64)
        z = mean + spread * draws.normal(model.latent_dim)[0].cpu()
        pictures = model.decode(torch.stack([mean, z])).cpu()
    tiles = _room.tiles_html(
        [seen[0], pictures[0], pictures[1]], ["what it sees", "its reconstruction", "a draw from its posterior"], columns=3
    )
    rate, distortion = float(kl.sum()), float(likelihood[0])
    per_pixel = (distortion - rate) / math.prod(model.image_shape) / math.log(2)
    facts = [
        ("Expected log-likelihood E[log p(x|z)]", f"{distortion:,.1f} nats"),
        ("KL from the prior", f"− {rate:,.1f} nats"),
        ("Evidence lower bound", f"{distortion - rate:,.1f} nats"),
        ("that is, per pixel and channel", f"{-per_pixel:.3f} bits"),
    ]
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{value}</td></tr>" for name, value in facts)
    z = mean.clamp(-LIMIT, LIMIT)
    return [
        tiles, f'<table class="facts">{rows}</table>', posterior_bars(weights, mean, spread, kl[0].cpu()),
        shown(weights, z), to_text(z), *slider_updates(weights, z),
    ]  # fmt: skip


def posterior_bars(weights: str, mean: Tensor, spread: Tensor, kl: Tensor) -> str:
    """Mean (line) and one standard deviation either side (bar) of the most telling latents, on the scale -4 to 4."""
    rows = []
    for latent in order(weights)[:SLIDERS]:
        low, high = (50 + 12.5 * float(mean[latent] + side * spread[latent]) for side in (-1, 1))
        low, high, middle_ = max(0.0, low), min(100.0, high), min(max(50 + 12.5 * float(mean[latent]), 0.0), 100.0)
        rows.append(
            f'<div class="row"><span>latent {latent}</span><div class="track"><div class="fill" style="left:{low:.1f}%;'
            f'width:{max(high - low, 0.5):.1f}%"></div><div class="mean" style="left:{middle_:.1f}%"></div></div>'
            f"<span>{float(kl[latent]):.2f} nats</span></div>"
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def look_drawn(weights: str, drawn: dict | None, seed: float) -> list:
    """:func:`look` at a drawing."""
    return look(known(weights), picture_in(weights, drawn, None, "draw"), seed)


def look_uploaded(weights: str, uploaded: PIL.Image.Image | None, seed: float) -> list:
    """:func:`look` at an uploaded picture."""
    return look(known(weights), picture_in(weights, None, uploaded, "upload"), seed)


def look_example(event: gr.EventData, weights: str, seed: float) -> list:
    """:func:`look` at one of the pictures that another model of the gallery made."""
    examples = example_pictures(known(weights))
    index = whole(event.index, 0, len(examples) - 1, "Example")
    channels, size, _ = load(weights).image_shape
    values = _room.as_input(examples[index], size, channels, centre=False)
    return look(weights, torch.from_numpy(values)[None], seed)


def example_pictures(weights: str) -> list[PIL.Image.Image]:
    """Pictures of the same kind that are nobody's: samples of the gallery's GAN, else of this model."""
    data = weights.partition("-")[2]
    return _room.sheet_tiles(f"dcgan-{data}", 8) or _room.sheet_tiles(weights, 8)


def examples_html(weights: str) -> str:
    """The examples to click."""
    return _room.tiles_html(example_pictures(known(weights)), words="example")


def tile_map(weights: str, text: str, across: float, down: float) -> tuple[str, str]:
    """The pad, a map of decoded tiles over two latents with a knob at the present place, and the picture of that place."""
    z = from_text(known(weights), text)
    first, second = map_latents(weights, across, down)
    axis = torch.linspace(-3, 3, TILES)
    grid = z.repeat(TILES * TILES, 1)
    grid[:, first] = axis.repeat(TILES)
    grid[:, second] = axis.flip(0).repeat_interleave(TILES)  # up is larger
    pictures = decoded(weights, grid)
    sheet = _room.strip_image([to_pil(picture) for picture in pictures], columns=TILES)
    left, top = 100 * (float(z[first]) + 3) / 6, 100 * (3 - float(z[second])) / 6
    left, top = (min(max(part, 0.0), 100.0) for part in (left, top))
    label = f"map of latent {first} (across) and latent {second} (up)"
    pad = (
        f'<div class="pad" role="img" aria-label="{label}"><img src="{_room.png_uri(sheet)}" alt="{label}">'
        f'<i style="left:{left:.1f}%;top:{top:.1f}%"></i></div>'
    )
    return pad, shown(weights, z)


def map_latents(weights: str, across: float, down: float) -> tuple[int, int]:
    """The latents at two ranks, 1 being the most telling."""
    places = order(weights)
    ranks = [whole(rank, 1, min(SLIDERS, len(places)), "Rank") for rank in (across, down)]
    return places[ranks[0] - 1], places[ranks[1] - 1]


def move(event: gr.EventData, weights: str, text: str, across: float, down: float) -> list:
    """Picture (beside the pad and above), latents and slider values where the pad was touched."""
    z = from_text(known(weights), text)
    first, second = map_latents(weights, across, down)
    z[first] = 6 * real(event.x, 0, 1, "The place") - 3
    z[second] = 3 - 6 * real(event.y, 0, 1, "The place")
    made = shown(weights, z)
    return [made, made, to_text(z), *(slider["value"] for slider in slider_settings(weights, z))]


def walk_frames(weights: str, a: str, b: str) -> list[PIL.Image.Image]:
    """Pictures on the straight way from latents ``a`` to latents ``b``."""
    ends = [from_text(known(weights), text) for text in (a, b)]
    fractions = torch.linspace(0, 1, FRAMES)[:, None]
    return [to_pil(picture) for picture in decoded(weights, torch.lerp(ends[0][None], ends[1][None], fractions))]


def walk(weights: str, a: str, b: str) -> tuple[str, str]:
    """The moving picture and a strip of eight steps."""
    if not a or not b:
        raise gr.Error("Keep a picture as A and another as B first.")
    frames = walk_frames(weights, a, b)
    moving = _room.png_with_recipe(frames + frames[-2:0:-1], {})
    strip = [frames[round(step * (FRAMES - 1) / 7)] for step in range(8)]
    return _room.picture_html(_room.data_uri(moving), "the walk from A to B and back"), _room.tiles_html(strip, words="step")


def animation(weights: str, _seed: float, _text: str, a: str, b: str) -> list[PIL.Image.Image]:
    """The walk there and back, enlarged, as frames to save."""
    if not a or not b:
        raise gr.Error("Keep a picture as A and another as B first.")
    frames = walk_frames(weights, a, b)
    scale = max(1, 256 // frames[0].width)
    return [_room.enlarged(frame, scale) for frame in frames + frames[-2:0:-1]]


def keep(weights: str, text: str, other: str, letter: str) -> tuple[str, str]:
    """Remember the present place; show both."""
    text = text or to_text(from_text(known(weights), ""))  # before the first sample, the middle
    pair = {letter: text, "AB".replace(letter, ""): other}
    filled = [(name, pair[name]) for name in "AB" if pair[name]]
    pictures = decoded(known(weights), torch.stack([from_text(weights, value) for _, value in filled]))
    return text, _room.tiles_html(list(pictures), [name for name, _ in filled], columns=2)


def bars(weights: str) -> str:
    """The KL of every latent, largest first."""
    kl = latent_kl(known(weights))
    top = float(kl.max()) or 1.0
    rows = [
        f'<div class="row"><span>latent {k}</span><div class="track"><div class="fill" style="left:0;width:'
        f'{100 * float(kl[k]) / top:.1f}%"></div></div><span>{float(kl[k]):.2f} nats</span></div>'
        for k in order(weights)
    ]
    carrying = int((kl > 0.1).sum())
    words = f"<p>{carrying} of {len(kl)} latents carry more than 0.1 nats; together they carry {float(kl.sum()):.1f}.</p>"
    return f'{words}<div class="bars">{"".join(rows)}</div>'


def restored(weights: str, _seed: float, text: str, *_ends: str) -> list:
    """The room as a link or a saved picture describes it."""
    return [*place(weights, text), examples_html(weights)]


def switch(weights: str, seed: float) -> list:
    """Another data set: a fresh place, its examples, nothing kept from before."""
    return [*from_prior(weights, seed), examples_html(weights), "", "", "", "", "", "", "", "", ""]


@guarded
def vae_decode(weights: str = "vae-mnist", latents: str = "") -> str:
    """Decode latents (numbers separated by commas; none: the middle of the prior) to a picture. Returns a PNG data URI."""
    return _room.png_uri(decoded(known(weights), from_text(weights, latents)[None])[0])


@guarded
def vae_sample(weights: str = "vae-mnist", seed: int = 7, count: int = 16) -> list[str]:
    """Sample pictures from a VAE's prior. Picture i of a seed is always the same. Returns PNG data URIs."""
    model = load(known(weights))
    with runtime.forward_pass():
        draws = Draws(whole(seed, 0, _room.MAX_SEED, "Seed"), whole(count, 1, 64, "Pictures"), device=runtime.device())
        return [_room.png_uri(picture) for picture in model.sample(draws).cpu()]


# ---- the room ---------------------------------------------------------------------------------------------------------

PAD_JS = """let down = false;
const at = event => {
  const pad = element.querySelector('.pad');
  if (!pad) return;
  const box = pad.getBoundingClientRect();
  const x = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const y = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
  const knob = pad.querySelector('i');
  knob.style.left = 100 * x + '%'; knob.style.top = 100 * y + '%';
  trigger('move', {x, y});
};
element.addEventListener('pointerdown', event => {
  if (!event.target.closest('.pad')) return;
  down = true; event.preventDefault(); at(event);
});
window.addEventListener('pointermove', event => { if (down) at(event); });
window.addEventListener('pointerup', () => { down = false; });"""


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=3, min_width=300):
            weights = _room.weights_choice(MODEL, "mnist")
            seed, dice = _room.seed_row(0)
            # the first sight is sample 0 of seed 0, made when the weights were published, and the sliders say so
            try:
                here = of_seed(weights.value or "", 0)
                told = slider_settings(weights.value, here)
            except (catalog.WeightsError, KeyError):  # the page opens all the same, and the first click says what is wrong
                here, told = torch.zeros(0), [{"label": f"Latent of rank {rank + 1}"} for rank in range(SLIDERS)]
            sliders = [gr.Slider(-LIMIT, LIMIT, step=0.05, **settings) for settings in told[:VISIBLE]]
            with gr.Accordion("More latents", open=False):
                sliders += [gr.Slider(-LIMIT, LIMIT, step=0.05, **settings) for settings in told[VISIBLE:]]
            z = gr.Textbox(to_text(here), visible="hidden", show_label=False)
            a, b = (gr.Textbox(visible="hidden", show_label=False) for _ in range(2))
        with gr.Column(scale=4, min_width=300):
            first = _room.sheet_tiles(weights.value or "", 1)
            picture = gr.HTML(
                _room.picture_html(first[0], "a sample of the model") if first else "", elem_classes=["result"], min_height=200,
                js_on_load=None,
            )  # fmt: skip
            room_ = Room(MODEL, dict(weights=weights, seed=seed, z=z, a=a, b=b))
            with gr.Row(elem_classes=["keep"]):
                centre = gr.Button("To the middle", size="sm", elem_classes=["quiet"])
                keep_a = gr.Button("Keep as A", size="sm", elem_classes=["quiet"])
                keep_b = gr.Button("Keep as B", size="sm", elem_classes=["quiet"])
                _room.save_button(room_, lambda w, _s, text, *_: [_large(w, text)])
                _room.link_button(room_)
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("Your picture"), gr.Row():
            with gr.Column(scale=2, min_width=300), gr.Tabs():
                with gr.Tab("Examples"):
                    gr.Markdown("Pictures that a GAN of this gallery made; click one.")
                    examples = _room.tiles(examples_html(weights.value) if weights.value else "")
                with gr.Tab("Draw"):  # not the first: a drawing board repaints all the time, and only an open tab is in the page
                    board = _room.sketchpad()
                    draw_button = gr.Button("Look at my drawing", variant="primary")
                with gr.Tab("Upload"):
                    upload = CheckedImage(label="A picture; the middle square is used")
                    upload_button = gr.Button("Look at my picture", variant="primary")
            with gr.Column(scale=3, min_width=300):
                seen = _room.tiles("")
                facts = gr.HTML(js_on_load=None)
                with gr.Accordion("Where it lies: the posterior of every latent", open=False):
                    where = gr.HTML(js_on_load=None)
        with gr.Tab("Map"):
            gr.Markdown("Two latents as a map; press on it and drag. The other latents stay where they are.")
            with gr.Row():
                with gr.Column(scale=2, min_width=220):
                    across = gr.Slider(1, SLIDERS, 1, step=1, label="Across: latent of rank", info="1 carries most")
                    down = gr.Slider(1, SLIDERS, 2, step=1, label="Up: latent of rank")
                    draw_map = gr.Button("Draw the map", variant="primary")
                with gr.Column(scale=4, min_width=280):
                    pad = gr.HTML("", js_on_load=PAD_JS)
                with gr.Column(scale=1, min_width=140):
                    spot = gr.HTML("", js_on_load=None, elem_classes=["small"])
        with gr.Tab("Walk from A to B"):
            gr.Markdown("Set the room to a picture and keep it as A, then to another and keep it as B.")
            with gr.Row():
                pair = _room.tiles("", scale=2, min_width=200)
                moving = gr.HTML("", elem_classes=["result", "small"], js_on_load=None, scale=1, min_width=140)
            strip = _room.tiles("")
            with gr.Row(elem_classes=["keep"]):
                walk_button = gr.Button("Walk", variant="primary", size="sm", elem_classes=["quiet"])
                _room.save_button(room_, animation, label="Save the animation", view="walk")
        with gr.Tab("What each latent carries"):
            weigh = gr.Button("Weigh the latents", size="sm", elem_classes=["quiet"])
            weighed = gr.HTML(js_on_load=None)
    _room.explanation(MODEL, EXPLANATION)

    whole_room = [picture, z, *sliders]
    looked = [seen, facts, where, *whole_room]
    for rank, slider in enumerate(sliders):
        slider.input(guarded(dragger(rank)), [weights, z, slider], [picture, z], show_progress_on=z, **_room.QUICK)
    dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then(
        guarded(from_prior), [weights, seed], whole_room, **_room.QUICK
    )
    seed.submit(guarded(from_prior), [weights, seed], whole_room, **_room.QUICK)
    weights.input(
        guarded(switch), [weights, seed], [*whole_room, examples, a, b, pair, moving, strip, seen, facts, pad, spot], **_room.HEAVY
    )
    room_.show, room_.shown = restored, [*whole_room, examples]
    centre.click(guarded(middle), weights, whole_room, **_room.QUICK)
    keep_a.click(guarded(lambda w, text, other: keep(w, text, other, "A")), [weights, z, b], [a, pair], **_room.QUICK)
    keep_b.click(guarded(lambda w, text, other: keep(w, text, other, "B")), [weights, z, a], [b, pair], **_room.QUICK)
    draw_button.click(guarded(look_drawn), [weights, board, seed], looked, **_room.HEAVY)
    upload_button.click(guarded(look_uploaded), [weights, upload, seed], looked, **_room.HEAVY)
    upload.upload(guarded(look_uploaded), [weights, upload, seed], looked, **_room.HEAVY)
    examples.pick(guarded(look_example), [weights, seed], looked, **_room.HEAVY)
    draw_map.click(guarded(tile_map), [weights, z, across, down], [pad, spot], **_room.HEAVY)
    pad.move(guarded(move), [weights, z, across, down], [spot, *whole_room], **_room.QUICK)
    walk_button.click(guarded(walk), [weights, a, b], [moving, strip], **_room.HEAVY)
    weigh.click(guarded(bars), weights, weighed, **_room.HEAVY)
    gr.api(vae_decode, api_name="vae_decode", concurrency_id="models")
    gr.api(vae_sample, api_name="vae_sample", concurrency_id="models")
    return room_


def _large(weights: str, text: str) -> PIL.Image.Image:
    made = to_pil(decoded(known(weights), from_text(weights, text)[None])[0])
    return _room.enlarged(made, max(1, 512 // made.width))
