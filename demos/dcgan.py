"""The DCGAN room: sample, walk, do arithmetic, and see what the discriminator sees."""

from __future__ import annotations

from functools import lru_cache

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from demos import _room
from demos._room import Room, chosen, guarded, real, to_pil, whole
from gen_models import Draws, catalog, load, runtime
from gen_models.data import data_dir, load_data
from gen_models.layers import slerp

MODEL = "dcgan"
MAX_COUNT = 64
FRAMES = 24
EXPLANATION = r"""
A **generator** $G$ turns 100 random numbers $z$ into a picture, doubling the side again and again with fractionally strided
convolutions. A **discriminator** $D$ looks at pictures and gives a score: high for a photograph, low for a painting by $G$.
The two are trained in turns, each on the other's mistakes; no picture is ever copied, the generator only learns what passes.
In the end, near numbers give similar pictures, so one can walk between two pictures or add and subtract their numbers.

$$\min_G \max_D \; \mathbb{E}_{x}\left[\log D(x)\right] + \mathbb{E}_{z}\left[\log\left(1 - D(G(z))\right)\right]$$
"""


# ---- pictures of the model --------------------------------------------------------------------------------------------


def settings(weights: str, seed: float, truncation: float) -> tuple[str, int, float]:
    """The three settings every verb takes, checked."""
    return (
        chosen(weights, catalog.trained(MODEL), "Trained on"),
        whole(seed, 0, _room.MAX_SEED, "Seed"),
        real(truncation, 0.05, 1.5, "Truncation"),
    )


def latents(weights: str, seed: int, truncation: float, index: int) -> Tensor:
    """The numbers behind sample ``index`` of a seed, (1, latent_dim)."""
    return load(weights).latents(Draws(seed, 1, first=index), truncation)


def pictures(weights: str, seed: int, truncation: float, count: int) -> Tensor:
    """The first ``count`` samples of a seed, (count, C, H, W) in [0, 1]."""
    return decoded(weights, load(weights).latents(Draws(seed, count), truncation))


def decoded(weights: str, z: Tensor) -> Tensor:
    """(B, latent_dim) -> (B, C, H, W) in [0, 1]; whoever waits at the same time is served in the same pass."""
    model = load(weights)
    return runtime.together((weights, "decode"), z, lambda rows: model.decode(rows).cpu())


def sample(weights: str, seed: float, truncation: float, count: float) -> str:
    """The grid of samples."""
    weights, seed, truncation = settings(weights, seed, truncation)
    made = pictures(weights, seed, truncation, whole(count, 1, MAX_COUNT, "Pictures"))
    return _room.tiles_html(list(made), words="sample")


def slots(weights: str, seed: float, truncation: float, *indices: float) -> str:
    """The picked pictures A, B, C side by side."""
    weights, seed, truncation = settings(weights, seed, truncation)
    numbers = [whole(index, 0, MAX_COUNT - 1, "Sample number") for index in indices]
    z = torch.cat([latents(weights, seed, truncation, number) for number in numbers])
    made = decoded(weights, z)
    return _room.tiles_html(list(made), [f"{letter} · {n}" for letter, n in zip("ABC", numbers, strict=True)], columns=3)


def pick(event: gr.EventData, weights: str, seed: float, truncation: float, slot: str, *indices: float):
    """Put the clicked sample into the next slot."""
    place = "ABC".index(chosen(slot, list("ABC"), "Slot"))
    filled = list(indices)
    filled[place] = whole(event.index, 0, MAX_COUNT - 1, "Sample number")
    return ["ABC"[(place + 1) % 3], slots(weights, seed, truncation, *filled), *filled]


def restored(weights: str, seed: float, truncation: float, count: float, *indices: float) -> list[str]:
    """The room as a link or a saved picture describes it."""
    return [sample(weights, seed, truncation, count), slots(weights, seed, truncation, *indices)]


def walk_frames(weights: str, seed: float, truncation: float, a: float, b: float) -> list[PIL.Image.Image]:
    """Pictures on the way from sample A to sample B, both included."""
    weights, seed, truncation = settings(weights, seed, truncation)
    ends = [latents(weights, seed, truncation, whole(index, 0, MAX_COUNT - 1, "Sample number")) for index in (a, b)]
    fractions = torch.linspace(0, 1, FRAMES)[:, None]
    made = decoded(weights, slerp(ends[0].expand(FRAMES, -1), ends[1].expand(FRAMES, -1), fractions))
    return [to_pil(picture) for picture in made]


def animation(weights: str, seed: float, truncation: float, _count: float, a: float, b: float, _c: float):
    """The walk there and back, enlarged, as frames to save."""
    frames = walk_frames(weights, seed, truncation, a, b)
    scale = max(1, 256 // frames[0].width)
    return [_room.enlarged(frame, scale) for frame in frames + frames[-2:0:-1]]


def walk(weights: str, seed: float, truncation: float, a: float, b: float) -> tuple[str, str]:
    """The moving picture and the strip of every third step."""
    frames = walk_frames(weights, seed, truncation, a, b)
    moving = _room.png_with_recipe(frames + frames[-2:0:-1], {})
    shown = frames[:: (FRAMES - 1) // 7][:8]
    shown[-1] = frames[-1]
    return _room.picture_html(_room.data_uri(moving), "the walk from A to B and back"), _room.tiles_html(shown, words="step")


def arithmetic(weights: str, seed: float, truncation: float, a: float, b: float, c: float) -> str:
    """A, B, C and the picture of A - B + C (paper, figure 7)."""
    made, terms = arithmetic_pictures(weights, seed, truncation, a, b, c)
    return _room.tiles_html(made, terms, columns=4)


def arithmetic_pictures(weights: str, seed: float, truncation: float, a: float, b: float, c: float):
    """The four pictures of :func:`arithmetic` and their captions."""
    weights, seed, truncation = settings(weights, seed, truncation)
    numbers = [whole(index, 0, MAX_COUNT - 1, "Sample number") for index in (a, b, c)]
    z = [latents(weights, seed, truncation, number) for number in numbers]
    result = z[0] - z[1] + z[2]
    # three Gaussians added are too long a vector for the generator: bring it back to the length it was trained on
    result = result * (z[0].norm() / result.norm().clamp_min(1e-6))
    made = decoded(weights, torch.cat([*z, result]))
    return [to_pil(picture) for picture in made], ["A", "− B", "+ C", "= A − B + C"]


def judged(weights: str, seed: float, truncation: float, count: float) -> str:
    """The samples from the most to the least convincing, with the discriminator's score."""
    weights, seed, truncation = settings(weights, seed, truncation)
    made = pictures(weights, seed, truncation, whole(count, 1, MAX_COUNT, "Pictures"))
    with runtime.forward_pass():
        scores = load(weights).score(made).cpu()
    order = scores.argsort(descending=True).tolist()
    return _room.tiles_html([made[i] for i in order], [f"{scores[i]:+.2f}" for i in order], words="sample", indices=order)


def attention(event: gr.EventData, weights: str, seed: float, truncation: float) -> str:
    """The clicked picture beside the map of the pixels that move its score."""
    weights, seed, truncation = settings(weights, seed, truncation)
    index = whole(event.index, 0, MAX_COUNT - 1, "Sample number")
    model = load(weights)
    with runtime.forward_pass():
        picture = model.decode(latents(weights, seed, truncation, index)).cpu()
    # outside inference mode: the map is a gradient
    heat = model.score_map(picture.clone())[0].cpu().numpy() ** 0.5
    base = np.asarray(to_pil(picture[0]).convert("RGB"), np.float32) * 0.35
    glow = np.stack([heat * 255, heat * 150, heat * 40], axis=-1)
    shown = PIL.Image.fromarray(np.clip(base + glow, 0, 255).astype(np.uint8))
    return _room.tiles_html([picture[0], shown], [f"sample {index}", "what moves its score"], columns=2)


@lru_cache(maxsize=1)
def _training_thumbnails(data: str, channels: int, size: int):
    """Training pictures and their 16 x 16 versions, (N, C * 256) float32."""
    training = load_data(data, "train", size, channels=channels)
    small = [interpolate(part.float() / 255, size=(16, 16), mode="area") for part in training.images.split(4096)]
    return training.images, torch.cat(small).flatten(1)


def nearest(weights: str, seed: float, truncation: float, a: float) -> str:
    """Sample A and the eight training pictures nearest to it."""
    weights, seed, truncation = settings(weights, seed, truncation)
    data = catalog.config_of(weights)["data"]
    if data_dir() is None or data == "folder":
        raise gr.Error("The training pictures are not at hand: start the app with GALLERY_DATA naming the data folder.")
    model = load(weights)
    channels, size, _ = model.image_shape
    images, thumbnails = _training_thumbnails(data, channels, size)
    with runtime.forward_pass():
        z = latents(weights, seed, truncation, whole(a, 0, MAX_COUNT - 1, "Sample number"))
        picture = model.decode(z).cpu()
        query = interpolate(picture, size=(16, 16), mode="area").flatten(1)
        distances = torch.cdist(query, thumbnails)[0]
    values, found = distances.topk(8, largest=False)
    near = [images[int(index)].float() / 255 for index in found]
    return _room.tiles_html([picture[0], *near], ["A", *(f"{value:.2f}" for value in values)], columns=9)


# ---- verbs for the API ------------------------------------------------------------------------------------------------


@guarded
def dcgan_sample(weights: str = "dcgan-fashion", seed: int = 7, count: int = 16, truncation: float = 1.0) -> list[str]:
    """Sample pictures from a DCGAN. Picture i of a seed is always the same. Returns PNG data URIs."""
    weights, seed, truncation = settings(weights, seed, truncation)
    return [_room.png_uri(picture) for picture in pictures(weights, seed, truncation, whole(count, 1, MAX_COUNT, "Pictures"))]


# ---- the room ---------------------------------------------------------------------------------------------------------


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=2, min_width=300):
            weights = _room.weights_choice(MODEL, "fashion")
            seed, dice = _room.seed_row(0)
            truncation = gr.Slider(0.1, 1.2, 1.0, step=0.05, label="Truncation", info="Smaller: safer and more alike")
            count = gr.Slider(8, MAX_COUNT, 24, step=8, label="Pictures")
            run = gr.Button("Sample", variant="primary")
            slot = gr.Radio(list("ABC"), value="A", label="A click on a picture fills", elem_classes=["chips"])
            first = _room.sheet_tiles(weights.value or "", 24)
            picked = _room.tiles(_room.tiles_html(first[:3], ["A · 0", "B · 1", "C · 2"], columns=3))
            a, b, c = (gr.Number(n, visible="hidden", precision=0, minimum=0, maximum=MAX_COUNT - 1) for n in (0, 1, 2))
        with gr.Column(scale=5, min_width=300):
            grid = _room.tiles(_room.tiles_html(first, words="sample"), min_height=200)
            room_ = Room(MODEL, dict(weights=weights, seed=seed, truncation=truncation, count=count, a=a, b=b, c=c))
            with gr.Row(elem_classes=["keep"]):
                _room.save_button(room_, lambda w, s, t, n, *_: [_grid_sheet(w, s, t, n)], label="Save the grid")
                _room.link_button(room_)
            with gr.Tabs(elem_classes=["views"]):
                with gr.Tab("Walk from A to B"):
                    walk_button = gr.Button("Walk", size="sm", variant="primary", elem_classes=["quiet"])
                    moving = gr.HTML(elem_classes=["result", "small"], js_on_load=None)
                    strip = _room.tiles("")
                    _room.save_button(room_, animation, label="Save the animation", view="walk")
                with gr.Tab("A − B + C"):
                    add_button = gr.Button("Calculate", size="sm", variant="primary", elem_classes=["quiet"])
                    sum_ = _room.tiles("")
                    _room.save_button(room_, lambda w, s, t, _n, *abc: [_sum_sheet(w, s, t, *abc)], view="arithmetic")
                with gr.Tab("The discriminator's eye"):
                    gr.Markdown("All samples, most convincing first. Click one to see which pixels move its score.")
                    judge_button = gr.Button("Judge", size="sm", variant="primary", elem_classes=["quiet"])
                    sorted_ = _room.tiles("")
                    heat = _room.tiles("")
                with gr.Tab("Nearest training pictures"):
                    gr.Markdown("Did it learn by heart? Sample A, then its nearest training pictures by 16 × 16 pixel distance.")
                    near_button = gr.Button("Search", size="sm", variant="primary", elem_classes=["quiet"])
                    near = _room.tiles("")
    _room.explanation(MODEL, EXPLANATION)

    basic, abc = [weights, seed, truncation], [a, b, c]
    room_.show, room_.shown = restored, [grid, picked]
    for trigger in (run.click, seed.submit, weights.input):
        trigger(guarded(sample), [*basic, count], grid, **_room.HEAVY).success(
            guarded(slots), [*basic, *abc], picked, **_room.QUICK
        )
    dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then(
        guarded(sample), [*basic, count], grid, **_room.HEAVY
    ).success(guarded(slots), [*basic, *abc], picked, **_room.QUICK)
    for slider in (truncation, count):
        slider.input(guarded(sample), [*basic, count], grid, **_room.QUICK)
    grid.pick(guarded(pick), [*basic, slot, *abc], [slot, picked, *abc], **_room.QUICK)
    walk_button.click(guarded(walk), [*basic, a, b], [moving, strip], **_room.HEAVY)
    add_button.click(guarded(arithmetic), [*basic, *abc], sum_, **_room.HEAVY)
    judge_button.click(guarded(judged), [*basic, count], sorted_, **_room.HEAVY)
    sorted_.pick(guarded(attention), basic, heat, **_room.HEAVY)
    near_button.click(guarded(nearest), [*basic, a], near, **_room.HEAVY)
    gr.api(dcgan_sample, api_name="dcgan_sample", concurrency_id="models")
    return room_


def _grid_sheet(weights: str, seed: float, truncation: float, count: float) -> PIL.Image.Image:
    weights, seed, truncation = settings(weights, seed, truncation)
    made = [to_pil(picture) for picture in pictures(weights, seed, truncation, whole(count, 1, MAX_COUNT, "Pictures"))]
    return _room.strip_image(made, scale=max(1, 128 // made[0].width), columns=8)


def _sum_sheet(weights: str, seed: float, truncation: float, a: float, b: float, c: float) -> PIL.Image.Image:
    made, _ = arithmetic_pictures(weights, seed, truncation, a, b, c)
    return _room.strip_image(made, scale=max(1, 128 // made[0].width))
