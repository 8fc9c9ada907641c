"""The autoencoder's room: why it is no generator. The same seed, the same map, the same walk, beside the VAE's."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gradio as gr
import PIL.Image
import torch
from torch import Tensor

from demos._families.planes import COLOURS
from demos._kit.alone import alone
from demos._kit.checks import integer, number
from demos._kit.fields import Picks, Picture, Seed, Slider
from demos._kit.pictures import png_uri, strip_image, to_pil
from demos._kit.plan import Action, Api, Plan, Try, View
from demos._kit.shipped import example_pictures, picture_for, sheet_tiles
from demos._kit.shown import Columns, Html, Rows, Single, Tiles
from demos._widgets import script
from gen_models import Draws, catalog, load, runtime

MODEL, OTHER = "autoencoder", "vae"
COUNT = 16
CODED = 300
"""Pictures whose codes stand on a map."""
TILES = 9
"""Decoded places along each side of a map."""
REACH = 3.0
"""A map's edge, in standard deviations of the codes."""
STEPS = 8
TITLES = {MODEL: "autoencoder", OTHER: "VAE"}
OVER = {MODEL: "Autoencoder", OTHER: "VAE"}
EXPLANATION = r"""
An **encoder** $f$ compresses a picture to a latent code of a few numbers, and a **decoder** $g$ turns a code back into a picture.
They are trained together with one goal: what comes out should be what went in. Nothing in that goal says where the codes should
lie, so they end up wherever training left them, in an irregular cloud with holes in it, and the decoder never learned what to draw
for a code in a hole. The VAE beside it has the same networks and two further goals: each picture's code is a small Gaussian instead
of a point, and all of these together should look like one standard Gaussian. That closes the holes, at the price of some sharpness.

$$\min_{f, g} \; \sum_n d\left(x_n, \, g(f(x_n))\right) \qquad \text{hole at } z: \quad f(g(z)) \text{ is far from } z$$

A point of the latent space is tested by a round trip: decode it, encode the resulting picture, and measure how far the code has
moved. The code of a real picture hardly moves; a code in a hole comes back as a different one.
"""


# ---- two models of the same pictures ----------------------------------------------------------------------------------


def vae_of(weights: str) -> str:
    """The weights of the VAE that was trained on the same pictures.

    Raises:
        gr.Error: if there are none.
    """
    name = f"{OTHER}-{weights.partition('-')[2]}"
    if name not in catalog.trained(OTHER):
        raise gr.Error("No VAE was trained on these pictures, so there is nothing to compare with.")
    return name


def pair(weights: str) -> dict[str, Any]:
    """Both models: the autoencoder and the VAE."""
    return {MODEL: load(weights), OTHER: load(vae_of(weights))}


def grids(pictures: dict[str, Any]) -> Columns:
    """Pictures of both models side by side."""
    return Columns([Tiles(made, columns=4, words=TITLES[kind]) for kind, made in pictures.items()], list(OVER.values()),
                   note="The autoencoder's codes lie wherever training left them; the VAE's fill a Gaussian.")  # fmt: skip


def both(weights: str, seed: int, spread: float) -> Columns:
    """Pictures of codes drawn with the same seed: from the Gaussian around the autoencoder's codes, from the VAE's prior."""
    made = {}
    for kind, model in pair(weights).items():
        draws = Draws(seed, COUNT, device=runtime.device())
        with runtime.forward_pass():
            codes = model.latents(draws, spread) if kind == MODEL else spread * draws.normal(model.latent_dim)
            made[kind] = model.decode(codes).cpu()
    return grids(made)


def sight(weights: str) -> Columns:
    """The same for seed 0, made when the weights were published."""
    return grids({kind: sheet_tiles(f"{kind}-{weights.partition('-')[2]}", COUNT) for kind in TITLES})


def sample(weights: str, seed: int, count: int, spread: float) -> Tiles:
    """Samples of the autoencoder alone."""
    model = load(weights)
    with runtime.forward_pass():
        return Tiles(model.decode(model.latents(Draws(seed, count, device=runtime.device()), spread)).cpu())


# ---- the maps ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plane:
    """The two directions in which a model's codes vary most."""

    middle: Tensor
    """Mean of the codes, (latent_dim,)."""
    across: Tensor
    """A step of one standard deviation in the first direction, (latent_dim,)."""
    up: Tensor
    """The same in the second, at right angles."""
    places: Tensor
    """Where the codes lie on it, (N, 2), in standard deviations."""
    typical: float
    """How far a real picture's code moves on its round trip, the median."""

    def codes(self, places: Tensor) -> Tensor:
        """(N, 2) -> (N, latent_dim)."""
        return self.middle + places[:, :1] * self.across + places[:, 1:] * self.up


def round_trip(model: Any, codes: Tensor) -> tuple[Tensor, Tensor]:
    """The pictures of codes, and how far each code moves when its picture is encoded again."""
    with runtime.forward_pass():
        pictures = model.decode(codes)
        return pictures.cpu(), (model.encode(pictures) - codes.to(pictures.device)).norm(dim=1).cpu()


@lru_cache(maxsize=8)
def shown_pictures(data: str) -> tuple[Tensor, tuple[int, ...]]:
    """Pictures of a kind that are nobody's, (N, C, H, W) in [0, 1], and the class that a classifier takes each for.

    They are samples of seed 0 of the gallery's GAN; without it, of the VAE, and without a classifier all are of one class.
    """
    source = next((name for name in (f"dcgan-{data}", f"{OTHER}-{data}") if name in catalog.trained()), None)
    if source is None:
        raise gr.Error("There are no pictures to show on the map: neither a GAN nor a VAE is trained on this data set.")
    judge = f"features-{data}"
    with runtime.forward_pass():
        pictures = load(source).sample(Draws(0, CODED, device=runtime.device()))
        classes = load(judge).predict(pictures)[:, 0].cpu() if judge in catalog.trained() else torch.zeros(CODED)
    return pictures.cpu(), tuple(int(label) for label in classes)


def plane_of(model: Any, pictures: Tensor) -> Plane:
    """The plane of a model's codes of some pictures."""
    with runtime.forward_pass():
        codes = model.encode(pictures.to(model.device)).cpu()
    middle = codes.mean(dim=0)
    _, values, ways = torch.linalg.svd(codes - middle, full_matrices=False)
    deviations = values[:2] / (len(codes) - 1) ** 0.5
    # a direction and its opposite are the same; the one whose largest part is positive is taken
    steps = [way * way[way.abs().argmax()].sign() * deviation for way, deviation in zip(ways[:2], deviations, strict=True)]
    places = torch.stack([(codes - middle) @ step / step.square().sum() for step in steps], dim=1)
    _, moved = round_trip(model, codes)
    return Plane(middle, *steps, places, float(moved.median()))


@lru_cache(maxsize=8)
def planes(weights: str, digests: tuple[str, str]) -> dict[str, Plane]:
    """Both models' planes; ``digests`` of their weights keep the cache honest."""
    pictures, _ = shown_pictures(weights.partition("-")[2])
    return {kind: plane_of(model, pictures) for kind, model in pair(weights).items()}


def planes_of(weights: str) -> dict[str, Plane]:
    """:func:`planes` of the present weights."""
    names = weights, vae_of(weights)
    return planes(weights, tuple(catalog.config_of(name)["sha256"] for name in names))


def maps(weights: str) -> Html:
    """Both maps: decoded places, and where pictures' codes lie among the holes, with what that is in numbers."""
    found, (_, classes) = planes_of(weights), shown_pictures(weights.partition("-")[2])
    models, names = pair(weights), next(iter((catalog.config_of(weights).get("classes") or {}).values()), [])
    axis = torch.linspace(-REACH, REACH, TILES)
    places = torch.stack([axis.repeat(TILES), axis.flip(0).repeat_interleave(TILES)], dim=1)  # up is larger
    figures, said = [], []
    for kind, plane in found.items():
        pictures, moved = round_trip(models[kind], plane.codes(places))
        holes = (moved / max(plane.typical, 1e-9)).view(TILES, TILES)
        sheet = strip_image([to_pil(picture) for picture in pictures], columns=TILES)
        label = f"the {TITLES[kind]}'s map, decoded at {TILES} by {TILES} places"
        figures.append(
            f'<figure><div class="map" data-kind="{kind}"><img src="{png_uri(sheet)}" alt="{label}"><i></i></div>'
            f"<figcaption>{TITLES[kind]}, decoded</figcaption>{codes_svg(plane, holes, classes, TITLES[kind])}"
            f"<figcaption>Dots: codes of {CODED} pictures. Dark: holes</figcaption></figure>"
        )
        said.append((f"{TITLES[kind]}", float((holes > 3).float().mean())))
    legend = "".join(
        f'<span><i style="background:{COLOURS[index % len(COLOURS)]}"></i>{html.escape(str(name))}</span>'
        for index, name in enumerate(names)
    )
    words = " ".join(f"On the {kind}'s map {100 * share:.0f} % of the points are holes." for kind, share in said)
    note = f"{words} At a hole, the code moves more than three times as far on its round trip as the code of a real picture does."
    return Html(f'<div class="maps planes">{"".join(figures)}</div><p class="legend">{legend}</p>', note=note)


def codes_svg(plane: Plane, holes: Tensor, classes: tuple[int, ...], title: str) -> str:
    """Codes as dots in their classes' colours, over squares that are darker the further a code there moves on its round trip."""
    side = 1000 / TILES
    squares = [
        f'<rect x="{column * side:.1f}" y="{row * side:.1f}" width="{side + 0.5:.1f}" height="{side + 0.5:.1f}" '
        f'opacity="{min(1.0, max(0.0, (float(holes[row, column]) - 1) / 5)):.2f}"/>'
        for row in range(TILES)
        for column in range(TILES)
    ]
    # the outermost tiles' middles are at the reach
    scale = 1000 * (TILES - 1) / TILES / (2 * REACH)
    colours = [COLOURS[label % len(COLOURS)] for label in classes]
    dots = [
        f'<circle cx="{500 + scale * x:.0f}" cy="{500 - scale * y:.0f}" r="9" fill="{colour}"/>'
        for (x, y), colour in zip(plane.places.tolist(), colours, strict=True)
        if max(abs(x), abs(y)) <= REACH * TILES / (TILES - 1)
    ]
    label = f"codes of {len(classes)} pictures on the {title}'s map"
    return f'<svg class="codes" viewBox="0 0 1000 1000" role="img" aria-label="{label}">{"".join(squares)}{"".join(dots)}</svg>'


def visit(x: float, y: float, weights: str) -> Tiles:
    """What both models paint at the place of the maps that was touched, and how far it is from coming back."""
    x, y = (2 * number(part, 0, 1, "The place") - 1 for part in (x, y))
    edge = REACH * TILES / (TILES - 1)  # the outermost tiles' middles are at the reach
    place = torch.tensor([[edge * x, -edge * y]])
    tiles, captions = [], []
    models = pair(weights)
    for kind, plane in planes_of(weights).items():
        pictures, moved = round_trip(models[kind], plane.codes(place))
        tiles.append(pictures[0])
        captions.append(f"{TITLES[kind]}: moves {float(moved) / max(plane.typical, 1e-9):.1f} times as far as a picture's code")
    return Tiles(tiles, captions, "place", 2)


def map_component(value: str = "", **settings: Any) -> gr.HTML:
    """Maps on which a place is pressed and dragged; the event ``pick`` carries ``x`` and ``y``, 0 to 1 from the top left."""
    return gr.HTML(value, js_on_load=script("maps"), elem_classes=["flush"], **settings)


# ---- walks and a visitor's picture -----------------------------------------------------------------------------------


def examples(weights: str) -> Tiles:
    """Where a walk may go."""
    return Tiles(example_pictures(weights), words="example", columns=2)


def walk_on(index: int, weights: str, stops: list[int]) -> dict[str, str]:
    """The walk goes on from where it ended to the picture that was clicked."""
    return {"stops": f"{stops[1]},{integer(index, 0, len(example_pictures(weights)) - 1, 'Example')}"}


def walk(weights: str, stops: list[int]) -> Rows:
    """Both models' straight ways between two example pictures, with how far each code moves on its round trip."""
    pictures = example_pictures(weights)
    first, second = (integer(stop, 0, len(pictures) - 1, "Example") for stop in stops)
    ends = torch.cat([picture_for(weights, pictures[index], centre=False) for index in (first, second)])
    fractions = torch.linspace(0, 1, STEPS)[:, None]
    parts, found = [], planes_of(weights)
    for kind, model in pair(weights).items():
        with runtime.forward_pass():
            codes = model.encode(ends.to(model.device)).cpu()
        made, moved = round_trip(model, torch.lerp(codes[:1], codes[1:], fractions))
        captions = [f"{float(value):.1f}" for value in moved / max(found[kind].typical, 1e-9)]
        words = (f"The {TITLES[kind]} from picture {first} to picture {second}. Below each: how far its code moves on its "
                 "round trip, as a multiple of what the code of a real picture does.")  # fmt: skip
        parts.append(Tiles(made, captions, f"{TITLES[kind]}, step", title=words))
    return Rows(parts)


def look(weights: str, picture: PIL.Image.Image) -> Rows:
    """A picture and what comes back from either model's code of it, with the mean squared differences."""
    seen = picture_for(weights, picture)
    tiles, captions, rows = [seen[0]], ["the picture"], []
    for kind, model in pair(weights).items():
        with runtime.forward_pass():
            again = model.reconstruct(seen).cpu()
        tiles.append(again[0])
        captions.append(TITLES[kind])
        error = float((again - seen).square().mean())
        rows.append(f"<tr><td>{TITLES[kind]}: mean squared difference</td><td>{error:.4f}</td></tr>")
    return Rows([Tiles(tiles, captions, "round trip", 3), Html(f'<table class="facts">{"".join(rows)}</table>')])


def reconstruct(weights: str, picture: PIL.Image.Image) -> Single:
    """A picture there and back, the middle square of it, whatever its margins."""
    values = picture_for(weights, picture, centre=False)
    with runtime.forward_pass():
        return Single(load(weights).reconstruct(values).cpu()[0], "what comes back")


LOOK, WALK, MAPS = "Your picture", "Walk", "Holes in the map"
PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION,
    fields=dict(
        seed=Seed(), spread=Slider("Spread", 1.0, "Width of the Gaussian from which both sample", low=0, high=2, step=0.05),
        stops=Picks(default="0,1", most=8, kept=False),
        picture=Picture("A picture of a single object", examples=example_pictures, draw=True, place=LOOK, kept=False,
                        examples_words="Pictures made by a GAN of this gallery; click one."),
    ),
    tour=[
        Try("Draw a new seed: which of the two still makes digits?", "seed"),
        Try("Draw both maps and drag over a hole in the left one.", "Holes in the map"),
        Try("Break it: raise the spread to 2.", "spread"),
    ],
    views=[
        View("", both, keep="Save picture", live=True, sight=sight),
        View(MAPS, maps, "Draw both maps", component=map_component, pick=visit,
             intro="The two directions in which each model's codes vary most. Press on a map and drag: both decode that point."),
        View(WALK, walk, live=True,
             intro="A straight line from one picture's code to another's (linear interpolation). Click a picture to walk to it."),
        View("Where to", examples, within=WALK),
        View(LOOK, look, live=True),
    ],
    actions=[Action(walk_on, ["stops"], on=("Where to", "pick"))],
    api=[
        Api("autoencoder_sample", sample, dict(weights="autoencoder-mnist", seed=7, count=16, spread=1.0),
            words="Decode points of a Gaussian around an autoencoder's codes. Picture i of a seed is always the same. Returns PNG "
            "data URIs.", fields={"count": Slider("Pictures", low=1, high=64, step=1)}),
        Api("autoencoder_reconstruct", reconstruct, dict(weights="autoencoder-mnist", picture=""), words="A picture there and "
            "back: a picture file in base64 or a data URI, made grey and 28 x 28. Returns a PNG data URI."),
    ],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
