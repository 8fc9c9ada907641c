"""What rooms of models with latents share: latents as text behind sliders, a map of two of them, a walk between two places.

A model of these rooms has ``decode`` and a buffer ``latent_kl``, the mean KL of each latent on validation pictures in nats.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import gradio as gr
import PIL.Image
import torch
from torch import Tensor

from demos._kit import charts
from demos._kit.checks import integer, number
from demos._kit.fields import Choice, Field, Picture, Seed, Slider, Sliders, Text
from demos._kit.pictures import data_uri, png_uri, strip_image, to_pil
from demos._kit.plan import Action, Api, Try, View
from demos._kit.shipped import example_pictures, picture_for, sheet_tiles, tensors
from demos._kit.shown import Film, Html, Rows, Single, Tiles
from demos._widgets import script
from gen_models import Draws, catalog, hub, load, runtime
from gen_models.latents import COUNT, ENDS, NAMES, REACH
from gen_models.layers import from_unit, of_mixture

VISIBLE = 5
"""Sliders that are seen at once."""
LIMIT = REACH
"""Latents are kept within this many standard deviations of the prior."""
SIDE = 11
"""Tiles of the map's side."""
FRAMES = 24
LOOK, MAP, WALK = "Your picture", "Map", "Walk from A to B"
FITTED, PRIOR = "Codes of pictures", "Prior"


@lru_cache(maxsize=16)
def latent_kl(weights: str) -> Tensor:
    """Mean KL of every latent on validation pictures, (latent_dim,) nats; read from the file, without the model."""
    return tensors(weights, "latent_kl")[0]


def order(weights: str) -> list[int]:
    """The latents of a model, the one with the largest KL first."""
    return latent_kl(weights).argsort(descending=True).tolist()


def has_mixture(weights: str) -> bool:
    """Whether a mixture was fitted to the codes of the training's pictures."""
    try:
        return catalog.config_of(weights)["arguments"].get("components", 0) > 0
    except (catalog.WeightsError, KeyError):  # they are not here yet
        return False


def sources(weights: str) -> dict[str, Any]:
    """Settings of the field for where seeds draw from: hidden where there is the prior alone."""
    fitted = has_mixture(weights)
    return dict(choices=[FITTED, PRIOR] if fitted else [PRIOR], value=FITTED if fitted else PRIOR, visible=fitted)


def of_seed(weights: str, seed: int, source: str = FITTED) -> Tensor:
    """Latents (latent_dim,) from the mixture fitted to codes, if there is one and it is wanted, else from the prior."""
    draws, size = Draws(seed, 1), len(latent_kl(weights))
    if source == FITTED and has_mixture(weights):
        mixture = tensors(weights, "code_weights", "code_means", "code_scales")
        return of_mixture(draws.uniform(1), draws.normal(size), *mixture)[0].clamp(-LIMIT, LIMIT)
    return draws.normal(size)[0].clamp(-LIMIT, LIMIT)


def to_text(z: Tensor) -> str:
    """(latent_dim,) -> the numbers as text, for links and saved pictures."""
    return ",".join([f"{value:.3f}" for value in z.tolist()])


def numbers(text: str, size: int, what: str) -> Tensor:
    """The numbers (size,) that :func:`to_text` wrote, within the limit; zeros for an empty text or one of another length.

    Raises:
        gr.Error: if they are no numbers; the sentence begins with ``what``.
    """
    try:
        z = torch.tensor([float(part) for part in text[:4000].split(",")]) if text else torch.zeros(size)
    except ValueError:
        z = torch.full((size,), math.nan)
    if len(z) != size:
        return torch.zeros(size)  # of another data set: start in the middle
    if not torch.isfinite(z).all():
        raise gr.Error(f"{what} must be numbers, separated by commas.")
    return z.clamp(-LIMIT, LIMIT)


def from_text(weights: str, text: str) -> Tensor:
    """The latents (latent_dim,) of a text; zeros are the middle of the prior."""
    return numbers(text, len(latent_kl(weights)), "The latents")


def names_of(weights: str) -> dict[str, str]:
    """Number of a latent -> the trait of the pictures that goes with it, found when the weights were published."""
    try:
        return hub.read_json(catalog.WEIGHTS / weights / NAMES)
    except (OSError, ValueError):
        return {}


def ends_of(weights: str) -> str:
    """The pictures of the ends of all sliders, made when the weights were published, as a data URI; "": they are not there."""
    file = catalog.WEIGHTS / weights / ENDS
    return data_uri(file.read_bytes(), "webp") if file.is_file() else ""


def slider_settings(weights: str, text: str) -> list[dict[str, Any]]:
    """Value, label and visibility of every slider; those of latents that carry nothing are hidden."""
    try:
        z, places, kl = from_text(weights, text), order(weights), latent_kl(weights)
    except (catalog.WeightsError, KeyError):  # the page opens all the same, and the first click says what is wrong
        z, places, kl = torch.zeros(0), [], torch.zeros(0)
    found, names = [], names_of(weights)
    for rank in range(COUNT):
        if rank < len(places) and kl[places[rank]] > 0.02:
            latent = places[rank]
            label = names.get(str(latent), f"Latent {latent}")
            found.append(dict(value=round(float(z[latent]), 2), label=label, visible=True))
        else:
            found.append(dict(value=0, label=f"Latent of rank {rank + 1}", visible=not places))
    return found


def moved(weights: str, text: str, rank: int, value: Any) -> str:
    """The text after the slider of a rank moved."""
    z, places = from_text(weights, text), order(weights)
    if rank < len(places):
        z[places[rank]] = number(value, -LIMIT, LIMIT, "A latent")
    return to_text(z)


def at_first(weights: str) -> str:
    """The latents of sample 0 of seed 0, which the sheet of samples begins with."""
    try:
        return to_text(of_seed(weights, 0))
    except (catalog.WeightsError, KeyError):
        return ""


def sliders() -> Sliders:
    """The latents of the place where the room is."""
    return Sliders(
        "The latents", count=COUNT, visible=VISIBLE, rest="More latents", low=-LIMIT, high=LIMIT, begin=at_first, read=from_text,
        shown=slider_settings, moved=moved, ends=ends_of,
    )  # fmt: skip


def places(what: str, name: str, count: int, rest: str, size: Callable[[str], int]) -> Sliders:
    """Numbers as they come, the first ``count`` behind sliders "``name`` 1", "``name`` 2", ...; ``size``: weights -> how many."""
    def read(weights: str, text: str) -> Tensor:
        return numbers(text, size(weights) if weights else 0, what)

    def shown(weights: str, text: str) -> list[dict[str, Any]]:
        values = read(weights, text).tolist()
        return [dict(value=round(values[rank], 2) if rank < len(values) else 0, label=f"{name} {rank + 1}",
                     visible=rank < len(values)) for rank in range(count)]  # fmt: skip

    def moved(weights: str, text: str, rank: int, value: Any) -> str:
        values = read(weights, text)
        values[rank : rank + 1] = number(value, -LIMIT, LIMIT, name)  # there may be fewer of them than sliders
        return to_text(values)

    return Sliders(what, count=count, visible=3, rest=rest, low=-LIMIT, high=LIMIT, read=read, shown=shown, moved=moved)


def end(letter: str) -> Text:
    """The latents of one end of a walk; None: nothing is kept there yet."""
    return Text(f"Place {letter}", read=lambda weights, text: from_text(weights, text) if text else None)


def decoded(weights: str, z: Tensor) -> Tensor:
    """(B, latent_dim) -> (B, C, H, W) in [0, 1]; concurrent requests share a pass."""
    model = load(weights)
    return runtime.together((weights, "decode"), z, lambda rows: model.decode(rows).cpu())


# ---- verbs ------------------------------------------------------------------------------------------------------------


def place(weights: str, z: Tensor) -> Single:
    """The decoder's picture of latents, to the digits that a link or a saved picture keeps, so that these restore the very same."""
    kept = (z * 1000).round() / 1000
    return Single(decoded(weights, kept[None])[0], "the decoder's picture of these latents")


def draw(weights: str, seed: int, source: str) -> dict[str, str]:
    """The place that a seed draws."""
    return {"z": to_text(of_seed(weights, seed, source))}


def begin_anew(weights: str, seed: int) -> dict[str, str]:
    """Other weights: the place that the seed draws, and no ends of a walk."""
    return draw(weights, seed, FITTED) | {"a": "", "b": ""}


def middle(weights: str) -> dict[str, str]:
    """The middle of the prior: every latent zero."""
    return {"z": to_text(torch.zeros(len(latent_kl(weights))))}


def keep_a(z: Tensor) -> dict[str, str]:
    """This place is where the walk begins."""
    return {"a": to_text(z)}


def keep_b(z: Tensor) -> dict[str, str]:
    """This place is where the walk ends."""
    return {"b": to_text(z)}


def ends(weights: str, a: Tensor | None, b: Tensor | None) -> Tiles | Html:
    """The two ends of the walk, as far as they are kept."""
    kept = {letter: z for letter, z in (("A", a), ("B", b)) if z is not None}
    if not kept:
        return Html('<p class="note">Nothing is kept yet.</p>')
    return Tiles(decoded(weights, torch.stack(list(kept.values()))), list(kept), columns=2)


def walk(weights: str, a: Tensor | None, b: Tensor | None) -> Film:
    """The straight way from A to B."""
    if a is None or b is None:
        raise gr.Error("Keep a picture as A and another as B first.")
    fractions = torch.linspace(0, 1, FRAMES)[:, None]
    return Film(decoded(weights, torch.lerp(a[None], b[None], fractions)), "the walk from A to B and back")


def pad(value: str = "", **settings: Any) -> gr.HTML:
    """A component on which a place is pressed and dragged; its event ``move`` carries ``x`` and ``y``, 0 to 1 from the top left."""
    return gr.HTML(value, js_on_load=script("pad"), **settings)


def axes(weights: str, across: int, down: int) -> tuple[int, int]:
    """The latents at two ranks, 1 being the most telling.

    Raises:
        gr.Error: if there are not so many.
    """
    places = order(weights)
    first, second = (places[integer(rank, 1, min(COUNT, len(places)), "Rank") - 1] for rank in (across, down))
    return first, second


def tile_map(weights: str, z: Tensor, across: int, down: int) -> Html:
    """Decoded tiles over two latents with a knob at the present place."""
    first, second = axes(weights, across, down)
    axis = torch.linspace(-3, 3, SIDE)
    grid = z.repeat(SIDE * SIDE, 1)
    grid[:, first] = axis.repeat(SIDE)
    grid[:, second] = axis.flip(0).repeat_interleave(SIDE)  # up is larger
    sheet = strip_image([to_pil(picture) for picture in decoded(weights, grid)], columns=SIDE)
    left, top = 100 * (float(z[first]) + 3) / 6, 100 * (3 - float(z[second])) / 6
    left, top = (min(max(part, 0.0), 100.0) for part in (left, top))
    label = html.escape(f"map of latent {first} (across) and latent {second} (up)")
    return Html(
        f'<div class="pad" role="img" aria-label="{label}"><img src="{png_uri(sheet)}" alt="{label}">'
        f'<i style="left:{left:.1f}%;top:{top:.1f}%"></i></div>', [sheet],
    )  # fmt: skip


def move(x: float, y: float, weights: str, z: Tensor, across: int, down: int) -> dict[str, str]:
    """The place where the map was touched."""
    first, second = axes(weights, across, down)
    z[first] = 6 * number(x, 0, 1, "The place") - 3
    z[second] = 3 - 6 * number(y, 0, 1, "The place")
    return {"z": to_text(z)}


def bars(weights: str) -> Html:
    """The KL of every latent, largest first."""
    kl = latent_kl(weights)
    top = float(kl.max()) or 1.0
    rows = [charts.Bar(f"latent {k}", float(kl[k]) / top, f"{float(kl[k]):.2f} nats") for k in order(weights)]
    carrying = int((kl > 0.1).sum())
    words = f"<p>{carrying} of {len(kl)} latents carry more than 0.1 nats; together they carry {float(kl.sum()):.1f}.</p>"
    return Html(f"{words}{charts.bars(rows)}")


# ---- of models with a posterior q(z|x) ---------------------------------------------------------------------------------


def posterior(weights: str, picture: PIL.Image.Image) -> tuple[Tensor, Tensor, Tensor]:
    """A picture as the model sees it, (1, C, H, W) in [0, 1], and the mean and standard deviation of q(z|x), (latent_dim,)."""
    seen = picture_for(weights, picture)
    with runtime.forward_pass():
        mean, spread = (part[0].cpu() for part in load(weights).posterior(seen))
    return seen, mean, spread


def to_its_place(weights: str, picture: PIL.Image.Image) -> dict[str, str]:
    """The room goes to the mean of the picture's posterior."""
    return {"z": to_text(posterior(weights, picture)[1].clamp(-LIMIT, LIMIT))}


def look(weights: str, picture: PIL.Image.Image, seed: int) -> Rows:
    """What the model makes of a picture: what it sees, its reconstruction, its bound, the posterior of every latent."""
    picture, mean, spread = posterior(weights, picture)
    model, draws = load(weights), Draws(seed, 1, device=runtime.device())
    with runtime.forward_pass():
        seen = model.seen(picture).cpu()
        likelihood, kl = model.evidence(picture, draws, samples=64)
        drawn, _ = model.transform(draws.normal(model.latent_dim), *model.encode_parameters(from_unit(model.seen(picture))))
        made = model.decode(torch.stack([mean, drawn[0].cpu()])).cpu()
    rate, distortion = float(kl.sum()), float(likelihood[0])
    per_pixel = (distortion - rate) / math.prod(model.image_shape) / math.log(2)
    facts = [
        ("Expected log-likelihood E[log p(x|z)]", f"{distortion:,.1f} nats"), ("KL from the prior", f"− {rate:,.1f} nats"),
        ("Evidence lower bound", f"{distortion - rate:,.1f} nats"), ("that is, per pixel and channel", f"{-per_pixel:.3f} bits"),
    ]  # fmt: skip
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{value}</td></tr>" for name, value in facts)
    return Rows([
        Tiles([seen[0], *made], ["what it sees", "its reconstruction", "a draw from its posterior"], columns=3),
        Html(f'<table class="facts">{rows}</table>{posterior_bars(weights, mean, spread, kl[0].cpu())}'),
    ])  # fmt: skip


def posterior_bars(weights: str, mean: Tensor, spread: Tensor, kl: Tensor) -> str:
    """Mean (line) and one standard deviation either side (bar) of the most telling latents, on the scale -4 to 4."""
    rows = []
    for latent in order(weights)[:COUNT]:
        low, middle, high = (min(max(0.5 + float(mean[latent] + side * spread[latent]) / 8, 0), 1) for side in (-1, 0, 1))
        rows.append(charts.Bar(f"latent {latent}", max(high, low + 0.005), f"{float(kl[latent]):.2f} nats", low, middle))
    return f"<details><summary>The posterior of every latent</summary>{charts.bars(rows)}</details>"


def sample(weights: str, seed: int, count: int) -> Tiles:
    """Samples of the model."""
    with runtime.forward_pass():
        return Tiles(load(weights).sample(Draws(seed, count, device=runtime.device())).cpu(), words="sample")


def sight(weights: str) -> Single | None:
    """Sample 0 of seed 0, made when the weights were published; the sliders begin there."""
    first = sheet_tiles(weights, 1)
    return Single(first[0], "a sample of the model") if first else None


# ---- what their rooms are made of ---------------------------------------------------------------------------------------


def fields() -> dict[str, Field]:
    """A place among the latents, a picture to find its place, the ends of a walk, the axes of the map."""
    return dict(
        seed=Seed(), source=Choice("Seeds draw from", of=sources, default=PRIOR), z=sliders(), a=end("A"), b=end("B"),
        picture=Picture(
            examples=example_pictures, draw=True, place=LOOK, kept=False,
            examples_words="Pictures made by a GAN of this gallery; click one.",
        ),
        across=Slider("Across: latent of rank", 1, "1: most informative", low=1, high=COUNT, step=1, place=MAP, redo=False,
                      kept=False),
        down=Slider("Up: latent of rank", 2, low=1, high=COUNT, step=1, place=MAP, redo=False, kept=False),
    )  # fmt: skip


def views() -> list[View]:
    """The decoder's picture, and what can be done with it."""
    return [
        View("", place, keep="Save picture", live=True, sight=sight),
        View(LOOK, look, live=True),
        View(MAP, tile_map, "Draw the map", component=pad,
             intro="A map of two latents; press on it and drag. The other latents keep their values."),
        View("There", place, live=True, within=MAP),
        View(WALK, walk, "Walk", keep="Save the animation",
             intro="Make a picture and keep it as A, then another and keep it as B."),
        View("Its ends", ends, live=True, within=WALK),
        View("What each latent carries", bars, "Measure the latents"),
    ]  # fmt: skip


def tour() -> list[Try]:
    """What to try first."""
    return [
        Try("Drag the first slider from end to end.", "z"),
        Try("Draw the map, and drag over it from digit to digit.", MAP),
        Try("Break it: draw something that is no digit.", "picture"),
    ]


def actions() -> list[Action]:
    """What moves the room to another place."""
    return [
        Action(draw, ["z"], on="seed"), Action(draw, ["z"], on="source"), Action(begin_anew, ["z", "a", "b"], on="weights"),
        Action(to_its_place, ["z"], on="picture"), Action(move, ["z"], on=(MAP, "move")),
        Action(middle, ["z"], button="To the middle"), Action(keep_a, ["a"], button="Keep as A"),
        Action(keep_b, ["b"], button="Keep as B"),
    ]  # fmt: skip


def api(model: str, words: str) -> list[Api]:
    """Decoding and sampling for callers of the API; ``words``: the model as a noun."""
    weights = f"{model}-mnist"
    return [
        Api(f"{model}_decode", place, dict(weights=weights, latents=""), names={"latents": "z"}, words="Decode latents "
            "(numbers separated by commas; none: the middle of the prior) to a picture. Returns a PNG data URI."),
        Api(f"{model}_sample", sample, dict(weights=weights, seed=7, count=16), words=f"Sample pictures from the prior of {words}. "
            "Picture i of a seed is always the same. Returns PNG data URIs.",
            fields={"count": Slider("Pictures", low=1, high=64, step=1)}),
    ]  # fmt: skip
