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

from demos import _room
from demos._families.planes import COLOURS
from demos._families.planes import note as plane_note
from demos._room import CheckedImage, Room, chosen, guarded, real, to_pil, whole
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
EXPLANATION = r"""
An **encoder** $f$ writes a picture as a code of a few numbers and a **decoder** $g$ paints the picture of a code. They are trained
together on one wish only: what comes back should be what went in. Where the codes lie is nobody's wish, so they lie where it was
convenient, in a cloud of strange shape with holes in it, and what the decoder paints for a code in a hole was never asked of it.
The VAE beside it has the same networks and two wishes more: a code is a small cloud instead of a point, and all clouds together
should look like one Gaussian. That closes the holes, and costs some sharpness.

$$\min_{f, g} \; \sum_n d\left(x_n, \, g(f(x_n))\right) \qquad \text{hole at } z: \quad f(g(z)) \text{ is far from } z$$

A place is tested by going round: paint the picture of the code, read its code again, and see how far it has moved. A picture's own
code stays about where it is; a code in a hole comes back as another one.
"""


# ---- two models of the same pictures ----------------------------------------------------------------------------------


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


def vae_of(weights: str) -> str:
    """The weights of the VAE that was trained on the same pictures.

    Raises:
        gr.Error: if there are none.
    """
    name = f"{OTHER}-{weights.partition('-')[2]}"
    if name not in catalog.trained(OTHER):
        raise gr.Error("There is no VAE for these pictures to stand beside it; train one with the same name.")
    return name


def pair(weights: str) -> dict[str, Any]:
    """Both models: the autoencoder and the VAE."""
    return {MODEL: load(known(weights)), OTHER: load(vae_of(weights))}


def drawn_codes(kind: str, model: Any, draws: Draws, spread: float) -> Tensor:
    """Codes as a generator would draw them: from the Gaussian around the autoencoder's codes, from the VAE's prior."""
    return model.latents(draws, spread) if kind == MODEL else spread * draws.normal(model.latent_dim)


def both(weights: str, seed: float, spread: float) -> list[str]:
    """Pictures of codes drawn with the same seed from both."""
    return [_room.tiles_html(made, columns=4, words=TITLES[kind]) for kind, made in both_pictures(weights, seed, spread).items()]


def both_pictures(weights: str, seed: float, spread: float, count: int = COUNT) -> dict[str, list[PIL.Image.Image]]:
    """The pictures of :func:`both`."""
    models, seed, spread = pair(weights), whole(seed, 0, _room.MAX_SEED, "Seed"), real(spread, 0, 2, "Spread")
    made = {}
    for kind, model in models.items():
        with runtime.forward_pass():
            pictures = model.decode(drawn_codes(kind, model, Draws(seed, count, device=runtime.device()), spread)).cpu()
        made[kind] = [to_pil(picture) for picture in pictures]
    return made


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
    """How far a real picture's code moves on the way round, the median."""

    def codes(self, places: Tensor) -> Tensor:
        """(N, 2) -> (N, latent_dim)."""
        return self.middle + places[:, :1] * self.across + places[:, 1:] * self.up


def going_round(model: Any, codes: Tensor) -> tuple[Tensor, Tensor]:
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
    _, moved = going_round(model, codes)
    return Plane(middle, *steps, places, float(moved.median()))


@lru_cache(maxsize=8)
def planes(weights: str, digests: tuple[str, str]) -> dict[str, Plane]:
    """Both models' planes; ``digests`` of their weights keep the cache honest."""
    pictures, _ = shown_pictures(weights.partition("-")[2])
    return {kind: plane_of(model, pictures) for kind, model in pair(weights).items()}


def planes_of(weights: str) -> dict[str, Plane]:
    """:func:`planes` of the present weights."""
    names = known(weights), vae_of(weights)
    return planes(weights, tuple(catalog.config_of(name)["sha256"] for name in names))


def maps(weights: str) -> list[str]:
    """Both maps: decoded places, and where pictures' codes lie among the holes, with what that is in numbers; an empty spot."""
    found, (_, classes) = planes_of(weights), shown_pictures(weights.partition("-")[2])
    models, names = pair(weights), next(iter((catalog.config_of(weights).get("classes") or {}).values()), [])
    axis = torch.linspace(-REACH, REACH, TILES)
    places = torch.stack([axis.repeat(TILES), axis.flip(0).repeat_interleave(TILES)], dim=1)  # up is larger
    figures, told = [], []
    for kind, plane in found.items():
        pictures, moved = going_round(models[kind], plane.codes(places))
        holes = (moved / max(plane.typical, 1e-9)).view(TILES, TILES)
        sheet = _room.strip_image([to_pil(picture) for picture in pictures], columns=TILES)
        label = f"the {TITLES[kind]}'s map, decoded at {TILES} by {TILES} places"
        figures.append(
            f'<figure><div class="map" data-kind="{kind}"><img src="{_room.png_uri(sheet)}" alt="{label}"><i></i></div>'
            f"<figcaption>{TITLES[kind]}, decoded</figcaption>{codes_svg(plane, holes, classes, TITLES[kind])}"
            f"<figcaption>Dots: codes of {CODED} pictures. Dark: holes</figcaption></figure>"
        )
        told.append((f"{TITLES[kind]}", float((holes > 3).float().mean())))
    legend = "".join(
        f'<span><i style="background:{COLOURS[index % len(COLOURS)]}"></i>{html.escape(str(name))}</span>'
        for index, name in enumerate(names)
    )
    words = " ".join(f"On the {kind}'s map {100 * share:.0f} % of the places are holes." for kind, share in told)
    note = f"{words} A hole: on the way round, the code moves more than three times as far as a picture's own code does."
    return [f'<div class="maps planes">{"".join(figures)}</div><p class="legend">{legend}</p>{plane_note(note)}', ""]


def codes_svg(plane: Plane, holes: Tensor, classes: tuple[int, ...], title: str) -> str:
    """Codes as dots in their classes' colours, over squares that are the darker the further a code there moves on the way round."""
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


def visit(event: gr.EventData, weights: str) -> str:
    """What both models paint at the place of the maps that was touched, and how far it is from coming back."""
    x, y = (2 * real(part, 0, 1, "The place") - 1 for part in (event.x, event.y))
    edge = REACH * TILES / (TILES - 1)  # the outermost tiles' middles are at the reach
    place = torch.tensor([[edge * x, -edge * y]])
    tiles, captions = [], []
    models = pair(weights)
    for kind, plane in planes_of(weights).items():
        pictures, moved = going_round(models[kind], plane.codes(place))
        tiles.append(pictures[0])
        captions.append(f"{TITLES[kind]}: moves {float(moved) / max(plane.typical, 1e-9):.1f} times as far as a picture's code")
    return _room.tiles_html(tiles, captions, columns=2, words="place")


# ---- walks ------------------------------------------------------------------------------------------------------------


def walked(event: gr.EventData, weights: str, first: float) -> list:
    """The straight walk from the first picture to the one that was clicked, which is then the first."""
    pictures = _room.example_pictures(known(weights))
    second = whole(event.index, 0, len(pictures) - 1, "Example")
    return [walk_html(weights, whole(first, 0, len(pictures) - 1, "Example"), second), second]


def walk_from(weights: str, first: float) -> str:
    """The walk to a picture from the one before it."""
    here = whole(first, 0, max(len(_room.example_pictures(known(weights))) - 1, 0), "Example")
    return walk_html(weights, max(here - 1, 0), here)


def walk_html(weights: str, first: int, second: int) -> str:
    """Both models' ways between two example pictures, with how far each code moves on the way round."""
    pictures = _room.example_pictures(weights)
    ends = torch.cat([_room.picture_for(weights, pictures[index], centre=False) for index in (first, second)])
    fractions = torch.linspace(0, 1, STEPS)[:, None]
    parts, found = [], planes_of(weights)
    for kind, model in pair(weights).items():
        with runtime.forward_pass():
            codes = model.encode(ends.to(model.device)).cpu()
        made, moved = going_round(model, torch.lerp(codes[:1], codes[1:], fractions))
        captions = [f"{float(value):.1f}" for value in moved / max(found[kind].typical, 1e-9)]
        parts += [
            f"<p>The {TITLES[kind]} from picture {first} to picture {second}. Under each: how many times as far its code moves on "
            "the way round as a picture's own code does.</p>",
            _room.tiles_html(list(made), captions, words=f"{TITLES[kind]}, step"),
        ]
    return f'<div class="strip rows">{"".join(parts)}</div>'


# ---- a visitor's picture ----------------------------------------------------------------------------------------------


def look_example(event: gr.EventData, weights: str) -> list[str]:
    """An example there and back."""
    return look(weights, _room.picture_for(weights, _room.picked_example(event, known(weights)), centre=False))


def look_drawn(weights: str, board: dict | None) -> list[str]:
    """A drawing there and back."""
    known(weights)
    return look(weights, _room.picture_for(weights, _room.drawing(board)))


def look_uploaded(weights: str, image: PIL.Image.Image | None) -> list[str]:
    """An uploaded picture there and back."""
    known(weights)
    if image is None:
        raise gr.Error("Upload a picture first.")
    return look(weights, _room.picture_for(weights, image))


def look(weights: str, picture: Tensor) -> list[str]:
    """A picture and what comes back from either model's code of it, with the mean squared differences."""
    tiles, captions, rows = [picture[0]], ["the picture"], []
    for kind, model in pair(weights).items():
        with runtime.forward_pass():
            again = model.decode(model.encode(picture.to(model.device))).cpu()
        tiles.append(again[0])
        captions.append(TITLES[kind])
        error = float((again - picture).square().mean())
        rows.append(f"<tr><td>{TITLES[kind]}: mean squared difference</td><td>{error:.4f}</td></tr>")
    return [_room.tiles_html(tiles, captions, columns=3, words="there and back"), f'<table class="facts">{"".join(rows)}</table>']


def switch(weights: str, seed: float, spread: float) -> list:
    """Other weights: their pictures and examples, nothing kept from before."""
    examples = _room.examples_html(weights)
    return [*both(weights, seed, spread), "", "", examples, examples, walk_html(weights, 0, 1), 1, "", ""]


def restored(weights: str, seed: float, spread: float) -> list[str]:
    """The room as a link or a saved picture describes it."""
    return both(weights, seed, spread)


def sheet(weights: str, seed: float, spread: float) -> list[PIL.Image.Image]:
    """Both models' pictures side by side, to save."""
    return [_room.side_by_side(*(_room.strip_image(made, 4, columns=4) for made in both_pictures(weights, seed, spread).values()))]


# ---- verbs for the API ------------------------------------------------------------------------------------------------


@guarded
def autoencoder_sample(weights: str = "autoencoder-mnist", seed: int = 7, count: int = 16, spread: float = 1.0) -> list[str]:
    """Decode points of a Gaussian around an autoencoder's codes. Picture i of a seed is always the same. Returns PNG data URIs."""
    model, spread = load(known(weights)), real(spread, 0, 2, "Spread")
    draws = Draws(whole(seed, 0, _room.MAX_SEED, "Seed"), whole(count, 1, 64, "Pictures"), device=runtime.device())
    with runtime.forward_pass():
        return [_room.png_uri(picture) for picture in model.decode(model.latents(draws, spread)).cpu()]


@guarded
def autoencoder_reconstruct(weights: str = "autoencoder-mnist", picture: str = "") -> str:
    """A picture there and back: a picture file in base64 or a data URI, made grey and 28 x 28. Returns a PNG data URI."""
    model = load(known(weights))
    values = _room.picture_for(weights, _room.sent_picture(picture), centre=False)
    with runtime.forward_pass():
        return _room.png_uri(model.reconstruct(values).cpu()[0])


# ---- the room ---------------------------------------------------------------------------------------------------------

VISIT_JS = """let down = false;
const at = event => {
  const map = event.target.closest('.map');
  if (!map) return;
  const box = map.getBoundingClientRect();
  const part = (value, size) => Math.min(1, Math.max(0, value / size));
  const x = part(event.clientX - box.left, box.width), y = part(event.clientY - box.top, box.height);
  element.querySelectorAll('.map i').forEach(mark => { mark.style.left = 100 * x + '%'; mark.style.top = 100 * y + '%'; });
  trigger('visit', {x, y});
};
element.addEventListener('pointerdown', event => { down = true; at(event); });
element.addEventListener('pointermove', event => { if (down) at(event); });
window.addEventListener('pointerup', () => { down = false; });
window.addEventListener('pointercancel', () => { down = false; });"""


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    with gr.Row(elem_classes=["room"]):
        with gr.Column(scale=2, min_width=280):
            weights = _room.weights_choice(MODEL, "mnist")
            seed, dice = _room.seed_row(0)
            spread = gr.Slider(0, 2, 1, step=0.05, label="Spread", info="How far from the middle of the codes")
            gr.Markdown(
                "Draw a code, paint its picture: that is how a VAE makes pictures. An autoencoder with the same networks paints "
                "these from codes drawn around its own, with the same seed."
            )
        with gr.Column(scale=5, min_width=300):
            with gr.Row():
                grids = []
                titles = {MODEL: "**Autoencoder**: nobody looked after its codes", OTHER: "**VAE**: its codes fill a Gaussian"}
                for kind, words in titles.items():
                    with gr.Column(min_width=260):
                        gr.Markdown(words)
                        name = weights.value if kind == MODEL else f"{OTHER}-{(weights.value or '').partition('-')[2]}"
                        made = _room.sheet_tiles(name or "", COUNT)
                        grids.append(_room.tiles(_room.tiles_html(made, columns=4, words=TITLES[kind]), elem_classes=["flush"]))
            room_ = Room(MODEL, dict(weights=weights, seed=seed, spread=spread))
            with gr.Row(elem_classes=["keep"]):
                _room.save_button(room_, sheet)
                _room.link_button(room_)
    with gr.Tabs(elem_classes=["views"]):
        with gr.Tab("Holes in the map"):
            gr.Markdown("The two directions in which each model's codes vary most. Press on a map and drag: both paint that place.")
            draw_maps = gr.Button("Draw both maps", size="sm", variant="primary", elem_classes=["quiet"])
            with gr.Row():
                with gr.Column(scale=4, min_width=300):
                    charts = gr.HTML("", js_on_load=VISIT_JS, elem_classes=["flush"])
                with gr.Column(scale=1, min_width=200):
                    spot = _room.tiles("", elem_classes=["flush"])
        with gr.Tab("Walk") as walk_tab:
            gr.Markdown("The straight way from one picture's code to another's. Click a picture: the walk goes on to it.")
            stops = _room.tiles(_room.examples_html(weights.value), elem_classes=["strip", "flush"])
            first = gr.Number(1, visible="hidden", precision=0)
            way = gr.HTML("", js_on_load=None, elem_classes=["flush"])
        with gr.Tab("Your picture"), gr.Row():
            with gr.Column(scale=2, min_width=300), gr.Tabs():
                with gr.Tab("Examples"):
                    gr.Markdown("Pictures that a GAN of this gallery made; click one.")
                    examples = _room.tiles(_room.examples_html(weights.value), elem_classes=["flush"])
                with gr.Tab("Draw"):
                    board = _room.sketchpad()
                    draw_button = gr.Button("There and back", variant="primary")
                with gr.Tab("Upload"):
                    upload = CheckedImage(label="A picture with one thing on it")
            with gr.Column(scale=3, min_width=300):
                seen = _room.tiles("", elem_classes=["flush"])
                facts = gr.HTML("", js_on_load=None, elem_classes=["flush"])
    _room.explanation(MODEL, EXPLANATION)

    basic = [weights, seed, spread]
    seed.submit(guarded(both), basic, grids, **_room.QUICK)
    dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then(guarded(both), basic, grids, **_room.QUICK)
    spread.input(guarded(both), basic, grids, **_room.QUICK)
    weights.input(guarded(switch), basic, [*grids, charts, spot, stops, examples, way, first, seen, facts], **_room.HEAVY)
    draw_maps.click(guarded(maps), weights, [charts, spot], **_room.HEAVY)
    charts.visit(guarded(visit), weights, spot, **_room.QUICK)
    walk_tab.select(guarded(walk_from), [weights, first], way, **_room.HEAVY)
    stops.pick(guarded(walked), [weights, first], [way, first], **_room.HEAVY)
    examples.pick(guarded(look_example), weights, [seen, facts], **_room.QUICK)
    draw_button.click(guarded(look_drawn), [weights, board], [seen, facts], **_room.HEAVY)
    upload.upload(guarded(look_uploaded), [weights, upload], [seen, facts], **_room.HEAVY)
    room_.show, room_.shown = restored, grids
    gr.api(autoencoder_sample, api_name="autoencoder_sample", concurrency_id="models")
    gr.api(autoencoder_reconstruct, api_name="autoencoder_reconstruct", concurrency_id="models")
    return room_
