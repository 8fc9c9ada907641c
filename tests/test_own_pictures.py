"""A visitor's own picture of a face, in every room of a model of faces: set upright, or one sentence and no reconstruction."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import skimage
from conftest import refusal

from demos import compare, cyclegan, ddpm, edsr, vae
from demos._families.completions import board_of
from demos._families.translators import HOME, THERE
from demos._kit.faces import NO_FACE, own_picture
from demos._kit.shipped import shape_of
from demos.edsr import faces_in
from gen_models import sets

BUNDLED = Path(skimage.__file__).parent / "data"
VAE, DDPM, CYCLEGAN = "vae-faces", "ddpm-faces", "cyclegan-monet2photo"


def photo(name: str) -> PIL.Image.Image:
    with PIL.Image.open(BUNDLED / name) as image:
        return image.convert("RGB")


@pytest.fixture(scope="module")
def leaning() -> PIL.Image.Image:
    """A portrait that leans by 25 degrees (NASA, public domain)."""
    return photo("astronaut.png").crop((0, 0, 400, 400)).rotate(25, PIL.Image.Resampling.BICUBIC, fillcolor=(120, 120, 120))


@pytest.fixture(scope="module")
def nobody() -> PIL.Image.Image:
    return photo("coffee.png")


@pytest.fixture
def of_faces(monkeypatch):
    """The first kind of the translator's pictures is said to be faces, as in a set of a visitor's own."""
    known = sets.record
    record = replace(known("monet2photo"), finder="finder-faces2photos", framing=1.2)
    monkeypatch.setattr(sets, "record", lambda name: record if name == "monet2photo" else known(name))


def sent(picture: PIL.Image.Image) -> str:
    """As callers of the API send it."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def verb(plan, name: str):
    """A verb of the API as callers have it."""
    with gr.Blocks() as page:
        plan.lay_out()
    return next(event.fn for event in page.fns.values() if event.api_name == name)


def handler(plan, kind: str, name: str) -> tuple[gr.Blocks, object]:
    """The handler of an event of this kind, by the verb for which it stands."""
    with gr.Blocks() as page:
        laid = plan.lay_out()
    found = [event for event in page.fns.values() if event.fn and event.fn.__name__ == name
             and any(target[1] == kind for target in event.targets)]  # fmt: skip
    return laid, found[0]


def is_upright(picture: PIL.Image.Image) -> bool:
    """Whether it is the astronaut as the data set of faces shows faces: near to what is found in the straight photograph."""
    wanted = own_picture(VAE, photo("astronaut.png").crop((0, 0, 400, 400)))
    return np.abs(np.float32(picture.convert("RGB").resize(wanted.size)) - np.float32(wanted)).mean() < 12


@pytest.mark.parametrize("weights", [VAE, DDPM])
def test_weights_that_know_faces_get_the_face_upright(weights, leaning, nobody):
    found = own_picture(weights, leaning)
    assert found.size == (shape_of(weights)[1],) * 2 and is_upright(found) and not is_upright(leaning)
    assert refusal(own_picture, weights, nobody) == NO_FACE


def test_other_weights_get_the_picture_as_it_is(leaning, nobody):
    assert own_picture("vae-mnist", leaning) is leaning and own_picture("edsr-photos", nobody) is nobody


def test_a_field_aligns_what_was_brought_and_no_example(leaning, nobody):
    field = vae.PLAN.fields["picture"]
    assert is_upright(field.check(VAE, "upload", leaning))
    assert refusal(field.check, VAE, "upload", nobody) == NO_FACE
    assert field.check(VAE, "example 3").tobytes() == field.examples(VAE)[3].convert("RGB").tobytes()


def test_the_board_gets_the_face_and_keeps_what_it_has_without_one(leaning, nobody):
    with gr.Blocks():
        board = ddpm.PLAN.fields["board"]
        upload = board.changes(board.build(DDPM))[-1].value
    before = board.first(DDPM).text
    found = board_of(DDPM, upload(DDPM, before, leaning))
    assert is_upright(PIL.Image.fromarray(found.pixels.transpose(1, 2, 0))) and found.example == ""
    assert refusal(upload, DDPM, before, nobody) == NO_FACE


def test_only_the_kind_that_is_a_face_is_aligned(of_faces, leaning, nobody):
    source = cyclegan.PLAN.fields["source"]
    found = source.check(CYCLEGAN, "upload", leaning, way=THERE)
    assert found.size == (256, 256)
    inner = found.crop((22, 22, 234, 234))  # these pictures show more around a face
    assert is_upright(inner)
    assert refusal(lambda: source.check(CYCLEGAN, "upload", nobody, way=THERE)) == NO_FACE
    assert source.check(CYCLEGAN, "upload", nobody, way=HOME) is nobody


def test_a_picture_for_a_model_of_other_things_is_taken_as_it_is(nobody):
    assert cyclegan.PLAN.fields["source"].check(CYCLEGAN, "upload", nobody, way=THERE) is nobody


def test_the_page_of_all_models_passes_the_face_on(leaning, nobody):
    assert is_upright(compare.small("faces", leaning))
    assert refusal(compare.small, "faces", nobody) == NO_FACE


def test_a_view_says_that_no_face_was_found_and_shows_nothing(leaning, nobody):
    laid, event = handler(vae.PLAN, "upload", "to_its_place")
    fields = {laid.controls["weights"]: VAE, laid.controls["seed"]: 0, laid.controls["z"]: ""}
    shown = {}
    for name, picture in {"face": leaning, "nobody": nobody}.items():
        given = [fields.get(part, picture if isinstance(part, gr.Image) else None) for part in event.inputs]
        given = ["upload" if part is None and isinstance(component, gr.Textbox) else part
                 for part, component in zip(given, event.inputs, strict=True)]  # fmt: skip
        shown[name] = " ".join(str(part) for part in event.fn(gr.EventData(None, {}), *given))
    assert NO_FACE in shown["nobody"] and "its reconstruction" not in shown["nobody"]
    assert NO_FACE not in shown["face"] and "its reconstruction" in shown["face"]


def test_a_stream_that_cannot_begin_empties_its_view(of_faces, nobody):
    laid, event = handler(cyclegan.PLAN, "submit", "translate")
    values = {laid.controls["weights"]: CYCLEGAN, laid.controls["way"]: THERE, laid.controls["source"]: "upload",
              laid.controls["size"]: "256", laid.controls["strength"]: 1.0}  # fmt: skip
    given = [values.get(part, nobody) for part in event.inputs[1:]]
    frames = list(event.fn("run1", *given))
    assert len(frames) == 1 and frames[0][0] == "<!--run run1 busy-->"
    assert frames[0][1].startswith("<!--run run1 done-->") and NO_FACE in frames[0][1]


def test_callers_of_the_api_get_the_same(of_faces, leaning, nobody):
    for plan, name, more in ((ddpm.PLAN, "ddpm_redraw", dict(weights=DDPM, steps=1, count=1)),
                             (cyclegan.PLAN, "cyclegan_translate", dict(weights=CYCLEGAN, direction=THERE))):
        call = verb(plan, name)
        assert refusal(lambda call=call, more=more: call(picture=sent(nobody), **more)) == NO_FACE
        assert call(picture=sent(leaning), **more)


@pytest.mark.parametrize("degrees", [-30, -20, 20, 30])
def test_a_face_that_leans_is_found_where_faces_are_restored(degrees):
    small = photo("astronaut.png").crop((0, 0, 400, 400)).resize((150, 150), PIL.Image.Resampling.LANCZOS)
    picture = small.rotate(degrees, PIL.Image.Resampling.BICUBIC, fillcolor=(120, 120, 120))
    (face,) = faces_in(picture, edsr.FINDER)
    assert edsr.weights_for(face)


