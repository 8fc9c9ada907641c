"""The rooms without a browser: pictures and values that come in, recipes, links, and what every verb refuses."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import logging
import math
import re
import struct
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import ROOT, build
from gradio.data_classes import ImageData

import app
from demos import dcgan
from demos._families import latents
from demos._kit import layout
from demos._kit.checks import integer, number, one_of
from demos._kit.events import error_boundary
from demos._kit.inputs import CheckedImage, as_input
from demos._kit.layout import explanation
from demos._kit.pictures import data_uri
from demos._kit.recipes import RECIPE_KEY, png_with_recipe, read_recipe, recipe_of, rooms
from demos._kit.running import Cache, _cancelled, cancel, cancellable
from gen_models import Draws, catalog, load
from gen_models.data import DataError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
UNREADABLE = "This file is not a picture that can be read"
DAMAGED = "This picture file is damaged"
LARGE = "This picture has more than 25 million pixels"
NO_RECIPE = "This picture carries no recipe"


@contextlib.contextmanager
def refused(start: str):
    """What is done in here ends in a sentence for the page that starts like this."""
    with pytest.raises(gr.Error) as caught:
        yield
    assert re.match(start, caught.value.message), caught.value.message


# ---- pictures that come in --------------------------------------------------------------------------------------------


def raw_png(width: int, height: int, depth: int, colour: int, row: bytes) -> bytes:
    """A PNG whose rows are all alike, of any size and depth, without holding its pixels."""
    packer, packed = zlib.compressobj(1), []
    block = (b"\0" + row) * 100
    for start in range(0, height, 100):
        packed.append(packer.compress(block[: (len(row) + 1) * min(100, height - start)]))
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", b"".join(packed)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def flat_png(side: int, mode: str = "RGB") -> bytes:
    """A square picture of one colour, a few hundred kilobytes however large."""
    depth, colour, pixel = {"RGB": (8, 2, b"\x40\x80\xc0"), "RGBA": (8, 6, b"\x40\x80\xc0\x80"), "I;16": (16, 0, b"\x40\x80")}[mode]
    return raw_png(side, side, depth, colour, pixel * side)


def file_of(image: PIL.Image.Image, kind: str, **settings) -> bytes:
    """A picture as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def halves(left=RED, right=BLUE, mode: str = "RGB") -> PIL.Image.Image:
    """40 x 20, the left half of one colour, the right of another."""
    image = PIL.Image.new(mode, (40, 20), left)
    image.paste(right, (20, 0, 40, 20))
    return image


def turned() -> bytes:
    """A JPEG that says "turn me a quarter to the right"; turned, the red left half is on top."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    return file_of(halves(), "JPEG", exif=exif, quality=95, subsampling=0)


def frames(kind: str, **settings) -> bytes:
    """An animation that starts red."""
    first, *rest = (PIL.Image.new("RGB", (40, 20), colour) for colour in (RED, GREEN, BLUE))
    return file_of(first, kind, save_all=True, append_images=rest, duration=50, **settings)


def noise() -> bytes:
    return file_of(PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "PNG")


def broken() -> bytes:
    """A PNG whose header is sound and whose pixels are not."""
    good = bytearray(noise())
    at = good.index(b"IDAT") + 4
    good[at : at + 200] = bytes(200)
    return bytes(good)


def with_16_bits(low: int, high: int) -> bytes:
    ramp = np.linspace(low, high, 256).round().astype(np.uint16)
    return file_of(PIL.Image.fromarray(np.tile(ramp, (4, 1))), "PNG")


def holed() -> bytes:
    """A TIFF of floating point numbers, one of which is none."""
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    values[0, 0] = np.nan
    return file_of(PIL.Image.fromarray(values), "TIFF")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><script>alert(1)</script></svg>'

BLACK, GREY, WHITE = (0, 0, 0), (128, 128, 128), (255, 255, 255)
READ = {
    # what a file is -> its bytes, and the colour expected at some places
    "1x1": (lambda: file_of(PIL.Image.new("RGB", (1, 1), GREEN), "PNG"), {(0, 0): GREEN}),
    "transparent": (lambda: file_of(halves((255, 0, 0, 0), (0, 0, 0, 128), "RGBA"), "PNG"), {(5, 5): WHITE, (35, 5): GREY}),
    "grey-with-alpha": (lambda: file_of(halves((0, 0), (90, 255), "LA"), "PNG"), {(5, 5): WHITE, (35, 5): (90,) * 3}),
    "16-bit-grey": (lambda: with_16_bits(0, 65535), {(0, 0): BLACK, (128, 0): GREY, (255, 3): WHITE}),
    "16-bit-dark": (lambda: with_16_bits(1000, 2000), {(0, 0): BLACK, (128, 0): GREY, (255, 3): WHITE}),
    "16-bit-flat": (lambda: raw_png(8, 8, 16, 0, b"\x80\0" * 8), {(4, 4): GREY}),
    "16-bit-black": (lambda: raw_png(8, 8, 16, 0, bytes(16)), {(4, 4): BLACK}),
    "16-bit-colour": (lambda: raw_png(8, 8, 16, 2, b"\x40\0\x80\0\xc0\0" * 8), {(4, 4): (64, 128, 192)}),
    "not-a-number": (holed, {(7, 7): WHITE}),
    "cmyk": (lambda: file_of(PIL.Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG"), {(8, 8): (0, 255, 255)}),
    "palette": (lambda: file_of(halves().convert("P", palette=PIL.Image.Palette.ADAPTIVE), "PNG"), {(5, 5): RED, (35, 5): BLUE}),
    "1-bit": (lambda: file_of(halves(0, 1, "1"), "PNG"), {(5, 5): BLACK, (35, 5): WHITE}),
    "bmp": (lambda: file_of(halves(), "BMP"), {(5, 5): RED, (35, 5): BLUE}),
    "tiff": (lambda: file_of(halves(), "TIFF"), {(5, 5): RED, (35, 5): BLUE}),
    "turned-jpeg": (turned, {(10, 5): RED, (10, 35): BLUE}),
    "gif": (lambda: frames("GIF"), {(0, 0): RED, (39, 19): RED}),
    "webp": (lambda: frames("WEBP", lossless=True), {(0, 0): RED, (39, 19): RED}),
    "apng": (lambda: frames("PNG"), {(0, 0): RED, (39, 19): RED}),
    "avif": (lambda: file_of(halves(), "AVIF", quality=100), {(5, 5): RED, (35, 5): BLUE}),
    "largest": (lambda: flat_png(5000), {(1413, 1413): (64, 128, 192)}),
}
REFUSED = {
    "corrupt": (broken, DAMAGED),
    "truncated": (lambda: noise()[:4000], DAMAGED),
    "empty": (lambda: b"", UNREADABLE),
    "text": (lambda: b"this is a shopping list, not a picture\n" * 20, UNREADABLE),
    "one-row-too-many": (lambda: raw_png(5000, 5001, 8, 2, bytes(15000)), LARGE),
    "81-megapixels": (lambda: flat_png(9000), LARGE),
    "144-megapixels": (lambda: raw_png(12000, 12000, 1, 0, bytes(1500)), LARGE),
    "900-megapixels": (lambda: raw_png(30000, 30000, 1, 0, bytes(3750)), LARGE),
    "svg": (lambda: SVG, UNREADABLE),
    "ico": (lambda: file_of(halves(), "ICO"), UNREADABLE),
}


@pytest.fixture
def hand_in(tmp_path):
    """Give bytes to the picture input as an upload is given."""

    def give(content: bytes, name: str = "picture.png"):
        file = tmp_path / "upload" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        component = CheckedImage()
        component.GRADIO_CACHE = str(tmp_path)
        return component.preprocess(ImageData(path=str(file), orig_name=name))

    return give


@pytest.mark.parametrize("kind", READ)
def test_a_picture_is_read_as_rgb(kind, hand_in):
    make, colours = READ[kind]
    image = hand_in(make())
    assert image.mode == "RGB"
    assert min(image.size) >= 2
    for place, colour in colours.items():
        found = image.getpixel(place)
        assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= 3, (place, found)


def test_a_turned_picture_stands_upright(hand_in):
    assert hand_in(turned()).size == (20, 40)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused_in_one_sentence(kind, hand_in, tmp_path):
    make, start = REFUSED[kind]
    with pytest.raises(gr.Error) as caught:
        hand_in(make())
    message = caught.value.message
    assert message.startswith(start)
    assert message.endswith(".") and "\n" not in message and str(tmp_path) not in message


def test_no_picture_is_none():
    assert CheckedImage().preprocess(None) is None


def test_the_page_learns_the_settings_of_the_picture_input():
    """Settings that are missing from what the page is sent stop the whole page."""
    told, stock = CheckedImage(label="A picture").get_config(), gr.Image().get_config()
    assert set(stock) <= set(told)
    assert told["sources"] == ["upload", "clipboard"] and told["buttons"] == ["fullscreen"] and told["label"] == "A picture"


def test_only_uploads_are_opened(tmp_path, hand_in):
    secret = tmp_path / "secret.png"
    secret.write_bytes(noise())
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "link.png").symlink_to(secret)
    component = CheckedImage()
    component.GRADIO_CACHE = str(cache)
    uri = data_uri(noise())
    (cache / "fine.png").write_bytes(noise())
    assert component.preprocess(ImageData(path=str(cache / "fine.png"))).size == (64, 64)
    for payload in (
        ImageData(path=str(secret)),
        ImageData(path=f"{cache}/../secret.png"),
        ImageData(path=str(cache / "link.png")),
        ImageData(path=str(ROOT / "tests" / "conftest.py"), orig_name="x.svg"),
        ImageData(url=uri),
        ImageData(path=str(cache / "fine.png"), url=uri),
        ImageData(url="http://127.0.0.1:9/picture.png"),
        ImageData(path=""),
    ):
        with refused("Please upload the picture as a file.$"):
            component.preprocess(payload)


MEMORY = """
import resource, sys
from pathlib import Path
import gradio as gr
from demos._kit.inputs import as_input, read_picture

def peak():
    # what getrusage says of a child starts with its parent's peak; the kernel's own line does not
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)

rest = peak()
for name in sys.argv[1:]:
    try:
        as_input(read_picture(Path(name)), 64, 3, centre=False)
        said = "read"
    except gr.Error as error:
        said = "refused"
    print(Path(name).stem, said, round(peak() - rest))
"""


def test_a_large_picture_takes_little_memory(tmp_path):
    contents = {name: REFUSED[name][0] for name in ("81-megapixels", "144-megapixels", "900-megapixels")}
    contents |= {f"largest-{mode.replace(';', '')}": lambda mode=mode: flat_png(5000, mode) for mode in ("RGB", "RGBA", "I;16")}
    names = []
    for name, make in contents.items():
        names.append(tmp_path / f"{name}.png")
        names[-1].write_bytes(make())
    done = subprocess.run([sys.executable, "-c", MEMORY, *names], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [[name, "read" if name.startswith("largest") else "refused"] for name in contents]
    assert max(float(row[2]) for row in rows[:3]) < 50, done.stdout
    assert max(float(row[2]) for row in rows) < 500, done.stdout


def test_dark_on_light_is_turned_round():
    page = PIL.Image.new("RGB", (300, 200), "white")
    page.paste((0, 0, 0), (20, 30, 60, 150))
    board = PIL.Image.fromarray(255 - np.asarray(page))
    seen = as_input(page, 28, 1, centre=True)
    assert np.array_equal(seen, as_input(board, 28, 1, centre=True))
    assert seen[0, 14, 14] > 0.9 and seen[0, 0].max() == 0


@pytest.mark.parametrize("corner", [(0, 0), (240, 0), (0, 140), (180, 100)])
def test_a_figure_is_scaled_and_centred(corner):
    board = PIL.Image.new("RGB", (300, 200))
    left, top = corner
    board.paste((255, 255, 255), (left, top, left + 50, top + 60))
    seen = as_input(board, 28, 1, centre=True)
    assert seen.shape == (1, 28, 28) and seen.dtype == np.float32 and seen.min() >= 0 and seen.max() <= 1
    rows, columns = np.nonzero(seen[0] > 0.2)
    assert rows.max() - rows.min() + 1 == 20 and columns.max() - columns.min() + 1 in (16, 17, 18)
    mass = seen[0] / seen.sum()
    assert abs((mass.sum(1) * (np.arange(28) + 0.5)).sum() - 14) <= 0.75
    assert abs((mass.sum(0) * (np.arange(28) + 0.5)).sum() - 14) <= 0.75


@pytest.mark.parametrize("colour", ["black", "white", "#f0f0f0"])
def test_an_empty_drawing_is_refused(colour):
    with refused("The picture is empty"):
        as_input(PIL.Image.new("RGB", (280, 280), colour), 28, 1, centre=True)


@pytest.mark.parametrize("size", [16, 28, 64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (40, 20), (3, 3)])
def test_a_model_gets_its_own_size_and_channels(size, channels, shape):
    image = PIL.Image.new("RGB", shape, (250, 10, 10))
    plain = as_input(image, size, channels, centre=False)
    assert plain.shape == (channels, size, size) and plain.dtype == np.float32
    assert np.allclose(plain, plain[:, :1, :1]) and abs(plain[0, 0, 0] - (250 / 255 if channels == 3 else 0.32)) < 0.02
    if channels == 1:
        assert as_input(image, size, 1, centre=True).shape == (1, size, size)


def test_the_middle_square_is_used():
    image = PIL.Image.new("RGB", (60, 20), BLUE)
    image.paste(RED, (20, 0, 40, 20))
    assert np.allclose(as_input(image, 20, 3, centre=False).mean((1, 2)), (1, 0, 0))


# ---- values that come in ----------------------------------------------------------------------------------------------

NO_NUMBERS = [math.nan, math.inf, -math.inf, "seven", "7", "", True, False, [7], {}, (), None, 10**400, -(10**400), 1j]


@pytest.mark.parametrize("value", [*NO_NUMBERS, -1, 9], ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("check", [integer, number])
def test_what_is_no_number_in_range_is_refused_by_name(check, value):
    with refused(r"Seed must be a number from 0 to 8\.$"):
        check(value, 0, 8, "Seed")


def test_numbers_in_range_pass():
    assert [integer(value, 0, 8, "Seed") for value in (0, 3.7, 8.0)] == [0, 3, 8]
    assert [number(value, -1, 1.5, "Truncation") for value in (-1, 0.25, 1.5)] == [-1, 0.25, 1.5]
    assert type(integer(3.0, 0, 8, "Seed")) is int and type(number(1, 0, 8, "Seed")) is float


@pytest.mark.parametrize("value", ["d", "", None, True, 1, math.nan, ["a"], {"a": 1}], ids=repr)
def test_a_choice_is_one_of_the_options(value):
    assert one_of("a", ["a", "b"], "Slot") == "a"
    with refused("Slot must be one of a, b.$"):
        one_of(value, ["a", "b"], "Slot")


def test_a_choice_without_options_says_so():
    with refused("Trained on .*none is trained yet"):
        one_of("a", [], "Trained on")


def in_steps(error):
    """A handler that streams."""
    yield 1
    raise error


def at_once(error):
    """A handler that answers."""
    raise error


@pytest.mark.parametrize("handler", [at_once, in_steps])
def test_known_trouble_keeps_its_sentence_and_the_unknown_gets_a_number(handler, caplog):
    def message(error):
        with pytest.raises(gr.Error) as caught:
            found = guarded(error)
            if inspect.isgenerator(found):
                assert next(found) == 1
                next(found)
        return caught.value.message

    guarded = error_boundary(handler)
    assert inspect.isgeneratorfunction(guarded) == inspect.isgeneratorfunction(handler)
    with caplog.at_level(logging.ERROR, "gallery"):
        assert message(gr.Error("Draw something first.")) == "Draw something first."
        assert message(catalog.WeightsError("the weights are missing")) == "the weights are missing"
        assert message(DataError("the folder is empty")) == "the folder is empty"
        assert caplog.records == []
        said = message(ZeroDivisionError("a secret of the server"))
    number = re.fullmatch(r"Something went wrong here\. If you report it, give the id ([0-9a-f]{8})\.", said)[1]
    (record,) = caplog.records
    assert number in record.getMessage() and handler.__qualname__ in record.getMessage()
    assert record.exc_info[0] is ZeroDivisionError


def test_a_guarded_handler_answers_as_before():
    assert error_boundary(lambda a, b=2: a + b)(1, b=4) == 5
    assert list(error_boundary(lambda: 3 if False else [])()) == []
    assert list(error_boundary(counting)(3)) == [0, 1, 2]


def counting(count):
    """Streams numbers."""
    yield from range(count)


# ---- parts of a room --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [None, lambda: "| a | table |"], ids=["cards", "own"])
def test_the_accordions_are_written_when_they_are_opened(numbers):
    with gr.Blocks() as page:
        explanation(["vae", "dcgan"], "How, by $x$.", numbers)
    assert not any(part.value for part in page.blocks.values() if isinstance(part, gr.Markdown))
    how, (standings, measured) = (event.fn() for event in page.fns.values() if event.targets[0][1] == "expand")
    assert how.startswith("How, by $x$.")
    for model in ("vae", "dcgan"):
        assert all(line in how for line in catalog.about(model)["differences"])
        for name in catalog.trained(model):
            assert (layout.measured(name) in measured) is (f"<b>{name}</b>" in standings) is (numbers is None)
    assert numbers is None or measured == numbers()


@pytest.mark.parametrize("there", [True, False])
def test_what_is_near_in_the_training_pictures_is_offered_where_these_are(monkeypatch, data_folder, there):
    monkeypatch.setenv("GALLERY_DATA", str(data_folder)) if there else monkeypatch.delenv("GALLERY_DATA", raising=False)
    with gr.Blocks() as blocks:
        dcgan.room()
    tabs = [part.label for part in blocks.blocks.values() if isinstance(part, gr.Tab)]
    assert ("Nearest training pictures" in tabs) is there and "Walk from A to B" in tabs
    if not there:
        with pytest.raises(gr.Error, match="trained on are not on this machine"):
            dcgan.nearest(catalog.trained("dcgan")[0], 7, 1.0, [3, 1, 2])


def test_latents_beyond_the_bounds_are_clamped():
    name = catalog.trained("vae")[0]
    z = latents.from_text(name, ",".join(["1e30"] * len(latents.latent_kl(name))))
    assert z.max() == z.min() == latents.LIMIT
    assert latents.from_text(name, "1,2,3").tolist() == latents.from_text(name, "").tolist() == [0.0] * len(z)  # of other weights
    assert latents.from_text(name, "1," * 999 + "1").abs().max() == 0
    for text in ("a,b", "x", "1;2", "nan," * 9 + "x", "{}", "1,2,"):
        with pytest.raises(gr.Error, match="The latents must be numbers"):
            latents.from_text(name, text)


def test_seeds_draw_from_what_was_fitted_to_codes_or_from_the_prior():
    fitted = [name for name in catalog.trained("vae") if latents.has_mixture(name)]
    assert fitted, "no weights have one"
    for name in catalog.trained("vae"):
        drawn, prior = (latents.of_seed(name, 3, source) for source in (latents.FITTED, latents.PRIOR))
        assert torch.equal(prior, Draws(3, 1).normal(len(prior))[0].clamp(-latents.LIMIT, latents.LIMIT))
        assert torch.equal(drawn, prior) is (name not in fitted)
        assert torch.allclose(drawn, load(name).latents(Draws(3, 1))[0].clamp(-latents.LIMIT, latents.LIMIT), atol=1e-5)
        settings = latents.sources(name)
        assert settings["visible"] is (name in fitted) and settings["value"] == settings["choices"][0]
        assert latents.draw(name, 3, settings["value"])["z"] == latents.begin_anew(name, 3)["z"] == latents.to_text(drawn)


def test_latents_survive_the_text():
    name = catalog.trained("vae")[0]
    z = latents.of_seed(name, 11)
    again = latents.from_text(name, latents.to_text(z))
    assert (again - z).abs().max() <= 0.0005 + 1e-6
    assert latents.place(name, z).html() == latents.place(name, again).html()


# ---- recipes ----------------------------------------------------------------------------------------------------------

RECIPE = {"room": "vae", "controls": {"weights": "vae-mnist", "seed": 3, "z": "0.1,0.2", "a": "ä → ?", "b": ""}, "sha256": "0" * 16}


def saved(tmp_path: Path, text: str | None, frames_: int = 1) -> str:
    """A PNG file with some text where a recipe belongs."""
    info = PIL.PngImagePlugin.PngInfo()
    if text is not None:
        info.add_text(RECIPE_KEY, text)
    pictures = [PIL.Image.new("L", (8, 8), 40 * number) for number in range(frames_)]
    pictures[0].save(tmp_path / "saved.png", pnginfo=info, save_all=frames_ > 1, append_images=pictures[1:])
    return str(tmp_path / "saved.png")


@pytest.mark.parametrize("count", [1, 5])
def test_a_saved_picture_keeps_its_recipe_and_frames(tmp_path, count):
    pictures = [PIL.Image.new("RGB", (8, 8), (40 * number, 0, 9)) for number in range(count)]
    file = tmp_path / "saved.png"
    file.write_bytes(png_with_recipe(pictures, RECIPE))
    assert read_recipe(file) == RECIPE
    with PIL.Image.open(file) as image:
        assert getattr(image, "n_frames", 1) == count
        for number, picture in enumerate(pictures):
            image.seek(number)
            assert image.convert("RGB").tobytes() == picture.tobytes()


def test_a_picture_without_a_sound_recipe_is_refused(tmp_path):
    assert read_recipe(saved(tmp_path, json.dumps(RECIPE))) == RECIPE
    wrong = [
        None, "", "{", "null", "[]", "[" * 5000, '"vae"', "{}", json.dumps({"room": "vae"}), json.dumps(RECIPE | {"controls": [1]}),
        *(json.dumps(RECIPE | {"room": room}) for room in ("nobody", "", None, ["vae"], {})),
    ]  # fmt: skip
    for text in wrong:
        with refused(NO_RECIPE):
            read_recipe(saved(tmp_path, text))
    for name, content in {"photo.jpg": turned(), "text.png": b"hello", "empty.png": b"", "broken.png": noise()[:30]}.items():
        (tmp_path / name).write_bytes(content)
        with refused(NO_RECIPE):
            read_recipe(str(tmp_path / name))


def test_the_link_of_a_saved_picture(tmp_path):
    from urllib.parse import parse_qs

    link = app.link_of(saved(tmp_path, json.dumps(RECIPE)))
    query = {key: values[0] for key, values in parse_qs(link.removeprefix("?")).items()}
    assert link.startswith("?")
    assert (query["room"], json.loads(query["state"]), query["sha"]) == ("vae", RECIPE["controls"], RECIPE["sha256"])
    assert app.link_of(None) == app.link_of("") == ""
    with refused(NO_RECIPE):
        app.link_of(saved(tmp_path, None))


@pytest.mark.parametrize("model", ["dcgan", "vae"])
def test_a_recipe_names_the_weights_by_hash(model):
    name = catalog.trained(model)[0]
    recipe = recipe_of(model, ["weights", "seed"], [name, 3])
    assert recipe["controls"] == {"weights": name, "seed": 3}
    assert len(recipe["sha256"]) == 16 and catalog.sha256(catalog.WEIGHTS / name / "model.safetensors").startswith(recipe["sha256"])
    assert recipe_of(model, ["weights"], ["nobody-mnist"])["sha256"] == ""


# ---- what is kept for visitors ----------------------------------------------------------------------------------------


def test_what_was_used_or_put_last_is_kept_longest():
    kept = Cache(3, cost=len)
    for key in "abc":
        kept.put(key, key)
    assert kept.get("a") == "a"
    kept.put("b", "B")
    kept.put("d", "d")
    assert [key in kept for key in "abcd"] == [True, True, False, True] and kept.get("b") == "B"
    kept.put("e", "far too large")
    assert len(kept) == 1 and kept.get("e") and kept.get("a") is None


# ---- links ------------------------------------------------------------------------------------------------------------


def follow(laid_out, room: str, state, **more) -> dict:
    """What a link with a state changes: key of the control, or the component -> value."""
    built, tabs = laid_out
    text = state if isinstance(state, str) else json.dumps(state)
    updates = app.restore(SimpleNamespace(query_params={"room": room, "state": text} | more), built, tabs)
    keys = {component: key for key, component in built[room].controls.items()} if room in built else {}
    return {keys.get(component, component): value for component, value in updates.items()}


def tabs_only(found: dict) -> bool:
    """Whether the room was opened and nothing else changed."""
    return len(found) == 1 and all(isinstance(component, gr.Tabs) for component in found)


def test_a_link_restores_every_room(laid_out):
    built, tabs = laid_out
    assert set(built) >= {"dcgan", "vae"}
    for name, room in built.items():
        if room.controls["weights"].value is None:
            continue  # nothing is trained yet
        state = {key: component.value for key, component in room.controls.items() if component.value is not None}
        state["seed"] = 123
        found = follow(laid_out, name, state)
        first = tabs.children[0].id == name  # is open already, and is not opened again behind a visitor who has gone on
        assert first == (tabs not in found) and (first or found[tabs].selected == name)
        assert found["seed"] == 123 and found["weights"] == state["weights"]
        assert set(room.shown) - set(room.controls.values()) <= set(found)
        assert any(re.search("data:image/(png|jpeg);base64,", value) for value in found.values() if isinstance(value, str))
        opened = follow(laid_out, name, {})
        assert opened == {} if first else tabs_only(opened)


def test_a_link_restores_the_very_pictures(laid_out):
    built, _ = laid_out
    name = catalog.trained("dcgan")[-1]
    found = follow(laid_out, "dcgan", {"weights": name, "seed": 5, "truncation": 0.7, "count": 8, "a": 6, "b": 3, "c": 1})
    assert found["picks"] == "6,3,1"
    for made in (dcgan.sample(name, 5, 0.7, 8), dcgan.picked(name, 5, 0.7, [6, 3, 1])):
        assert made.html() in found.values()
    name = catalog.trained("vae")[-1]
    z = latents.to_text(latents.of_seed(name, 9))
    found = follow(laid_out, "vae", {"weights": name, "seed": 5, "z": z})
    assert latents.place(name, latents.from_text(name, z)).html() in found.values()


@pytest.mark.parametrize("state", ["{", "", "[[", "[" * 7000, "{" * 9000, '{"seed": 1' + " " * 9000 + "}"], ids=len)
def test_a_damaged_link_says_so_and_opens_the_room(laid_out, state):
    for room in ("vae", "dcgan"):
        with pytest.warns(UserWarning, match="^This link is damaged"):
            assert tabs_only(follow(laid_out, room, state))


@pytest.mark.parametrize("state", ["null", "[]", "7", '"x"', "{}"])
def test_a_link_without_a_state_opens_the_room(laid_out, state):
    assert tabs_only(follow(laid_out, "vae", state))


@pytest.mark.parametrize("room", ["", "nobody", "../app", "gans", "VAE"])
def test_a_link_to_no_room_changes_nothing(laid_out, room):
    assert follow(laid_out, room, {"seed": 1}) == {}


WRONG_STATES = {
    "dcgan": {
        "weights": ["nobody-mnist", None, 3, ["dcgan-mnist"]], "seed": [-1, 2**31, 1e30, "7", True, None, [1], math.nan, math.inf],
        "truncation": [0, 99, "1", True, math.nan, -math.inf], "count": [0, 1e9, None, False], "b": [99], "c": [[0], {}],
        "a": [-1, 64, 10**300, "x", math.nan], "nobody": [1], "__class__": ["x"],
    },
    "vae": {"weights": ["nobody-mnist", {}], "seed": [-1, 2**40, "7", False], "z": [None, 3, ["1"], True], "a": [0], "b": [{}]},
    "pixelcnn": {
        "weights": ["dcgan-fashion", None], "seed": [-1, "7"], "board": [None, 3, ["x"], True], "count": [0, 17, "4"],
        "temperature": [0, 2.1, math.nan], "mode": ["", "best", None],
    },
    "pix2pix": {
        "weights": ["vae-mnist", None], "seed": [-1, "7"], "noise": ["on", True, None], "count": [0, 9, "4"], "pick": [-1, 8, "x"],
        "drawing": [None, 3, ["example 1"], True],
    },
}  # fmt: skip


@pytest.mark.parametrize("room, key", [(room, key) for room, keys in WRONG_STATES.items() if catalog.trained(room) for key in keys])
def test_a_value_out_of_range_is_ignored(laid_out, room, key):
    other, kept = ("weights", catalog.trained(room)[0]) if key == "seed" else ("seed", 77)
    component = laid_out[0][room].controls.get(key)
    usual = None if component is None else component.value
    for value in WRONG_STATES[room][key]:
        found = follow(laid_out, room, {key: value, other: kept})
        set_to = found.get(key, usual)
        assert (set_to["value"] if isinstance(set_to, dict) and "value" in set_to else set_to) == usual, value
        assert found[other] == kept


@pytest.mark.parametrize("text", ["a,b", "x", "1;2"])
def test_a_link_that_makes_no_picture_says_so_and_opens_the_room(laid_out, text):
    with pytest.warns(UserWarning, match="^This link does not fit: The latents must be numbers"):
        assert tabs_only(follow(laid_out, "vae", {"z": text, "seed": 4}))
    with pytest.warns(UserWarning, match="^This link does not fit: "):
        assert tabs_only(follow(laid_out, "pixelcnn", {"board": text, "seed": 4}))


def test_a_link_made_with_other_weights_says_so(laid_out, recwarn):
    name = catalog.trained("vae")[0]
    follow(laid_out, "vae", {"weights": name}, sha=catalog.config_of(name)["sha256"][:16])
    assert not [warning for warning in recwarn if "retrained" in str(warning.message)]
    with pytest.warns(UserWarning, match="retrained"):
        follow(laid_out, "vae", {"weights": name}, sha="f" * 16)


# ---- the house --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    return app.build()


def test_the_page_is_laid_out_without_importing_a_model():
    program = "import sys, app; app.build(); print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    assert {"demos.vae", "demos.dcgan", "gen_models.catalog"} <= modules
    assert not modules & {f"gen_models.{family}.{name}" for name, family in catalog.names().items()}
    assert not modules & {"torchvision", "accelerate", "torchmetrics", "gen_models.train"}


def test_every_public_verb_has_a_name_and_a_docstring(page):
    public = {event.api_name: event.fn for event in page.fns.values() if event.api_visibility == "public"}
    shown = [*app.shared(), *(name for members in app.rooms().values() for name in members)]
    for name in shown:
        assert [verb for verb in public if str(verb).startswith(f"{name}_")], f"the room {name} has no verb"
    for name, verb in public.items():
        assert [room for room in shown if str(name).startswith(f"{room}_")], f"{name} belongs to no room"
        assert name == verb.__name__
        words = inspect.getdoc(verb)
        assert words and words.endswith("."), name
        parameters = inspect.signature(verb).parameters.values()
        assert all(parameter.default is not parameter.empty and parameter.annotation for parameter in parameters), name


def test_everything_else_is_private(page):
    assert {event.api_visibility for event in page.fns.values()} == {"public", "private"}
    listed = page.get_api_info()["named_endpoints"]
    assert set(listed) == {f"/{event.api_name}" for event in page.fns.values() if event.api_visibility == "public"}


def test_heavy_work_waits_its_turn(page):
    """Whatever runs a model in the queue shares one place in it."""
    queued = [event for event in page.fns.values() if event.queue and event.fn is not None and event.api_visibility == "public"]
    assert queued
    assert {event.concurrency_id for event in queued} == {"models"}


def test_every_room_that_has_something_to_show_is_shown(page):
    shown, all_ = ({name for members in app.rooms(closed).values() for name in members} for closed in (False, True))
    assert all_ | set(app.shared()) == set(rooms()) == {file.stem for file in (ROOT / "demos").glob("[!_]*.py")}
    assert shown == {name for name in all_ if catalog.trained(name)}
    headers = " ".join(block.value for block in page.blocks.values() if isinstance(block, gr.HTML) and block.value)
    assert set(re.findall(r'class="room-header" data-room="(\w+)"', headers)) == shown | set(app.shared())


def test_a_users_own_weights_open_their_rooms_without_an_edit(shelf):
    assert app.rooms() == app.shared() == {}
    models = set(rooms()) & set(catalog.names())
    own = {"pix2pix": "paired", "cyclegan": "unpaired"}
    for model in models:
        catalog.save(build(model), shelf / f"{model}-mine", {"model": model, "data": own.get(model, "folder"), "classes": {}})
    assert {name for members in app.rooms().values() for name in members} == models
    offered = {component.value: component.choices for component in app.build().blocks.values() if isinstance(component, gr.Radio)}
    for model in models:
        assert ("mine", f"{model}-mine") in [(title.partition(" · ")[0], name) for title, name in offered[f"{model}-mine"]]
    assert dcgan.sample("dcgan-mine", 7, 1.0, 4).html().count("data:image/png") == 4


def test_the_launch_gives_nothing_away():
    settings = app.launch_settings()
    assert not any(settings[key] for key in ("show_error", "enable_monitoring", "run_history", "share", "ssr_mode"))
    assert settings["strict_cors"] is True and settings["max_file_size"] == 25_000_000


def test_no_event_has_two_handlers_that_the_page_calls_once_more(page):
    """Each would have the other called again, without end."""
    again = Counter(
        (target, event)
        for found in page.get_config_file()["dependencies"]
        if found["trigger_mode"] == "always_last"
        for target, event in found["targets"]
        if target is not None
    )
    assert len(again) > 50
    assert [listened for listened, count in again.items() if count > 1] == []
    stops = {number for number, part in page.blocks.items() if isinstance(part, gr.Button) and part.value == "Stop"}
    assert len(stops) > 5 and not stops & {target for target, _ in again}, "once more, it would stop what began after it"


def test_the_page_itself_stops_before_it_tells_the_server(page):
    """The second handler of a click begins when the first was answered: on a slow network it would stop what began meanwhile."""
    dependencies = page.get_config_file()["dependencies"]
    stops = [number for number, part in page.blocks.items() if isinstance(part, gr.Button) and part.value == "Stop"]
    for stop in stops:
        handlers = [found for found in dependencies if (stop, "click") in map(tuple, found["targets"])]
        in_page = ["galleryStop" in str(found["js"]) for found in handlers]
        assert True not in in_page or in_page[0], handlers


# ---- stopping ---------------------------------------------------------------------------------------------------------


def test_work_that_was_stopped_ends_at_its_next_frame():
    made = []

    def work(count: int):
        for step in range(count):
            made.append(step)
            yield step

    run, other = cancellable(work)("one", 9), cancellable(work)("two", 3)
    assert [next(run), next(run)] == [0, 1]
    cancel("one")
    assert list(run) == [] and made == [0, 1, 2]
    assert list(other) == [0, 1, 2]
    (frame,) = cancellable(work)("one", 3)  # before its first frame: what the page shows stays
    assert frame == gr.skip()
    for token in (None, "", 7, ["x"]):
        cancel(token)
    for place in range(1100):
        cancel(str(place))
    assert len(_cancelled) == 1000


@pytest.mark.parametrize("token", [{}, [], None, 7])
def test_work_whose_starter_is_no_text_runs_to_its_end(token):
    assert list(cancellable(counting)(token, 3)) == [0, 1, 2]


def test_the_middle_can_be_kept_before_any_sample():
    name = catalog.trained("vae")[0]
    text = latents.keep_a(latents.from_text(name, ""))["a"]
    kept = latents.end("A").check(name, text)
    assert kept.abs().max() == 0 and latents.ends(name, kept, None).html().count("<img") == 1
