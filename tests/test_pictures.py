"""Pictures as people have them: colour profiles, files cut short, large ones and many at once."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import numpy as np
import PIL.Image
import pytest
from conftest import ROOT
from gradio.data_classes import ImageData
from test_room import file_of, halves, raw_png

from demos._kit import inputs
from gen_models import pictures
from gen_models.data import square

COLOURS = np.array([(220, 60, 60), (60, 180, 75), (60, 90, 220), (230, 190, 160), (128, 128, 128), (255, 255, 255)], np.uint8)
SPACES = {
    "sRGB": ([(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)], 2.2),
    "Display P3": ([(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)], 2.2),
    "Adobe RGB": ([(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)], 2.2),
    "ProPhoto": ([(0.79767, 0.28804, 0.0), (0.13519, 0.71187, 0.0), (0.03134, 0.00009, 0.82491)], 1.8),
    "channels changed": ([(0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410), (0.43607, 0.22249, 0.01392)], 2.2),
}
EXACT = {
    "JPEG": {"subsampling": 0, "quality": 100}, "AVIF": {"subsampling": "4:4:4", "quality": 100}, "WEBP": {"lossless": True},
}  # fmt: skip
"""Name -> the primaries adapted to D50 (XYZ), and the exponent of the curve."""


def profile(name: str) -> bytes:
    """A colour profile of three primaries and a curve, or of a curve alone (version 2 of the ICC's format)."""
    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)

    grey = name not in SPACES
    primaries, exponent = SPACES.get(name, ([], 1.0))
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(exponent * 256)) + bytes(2)
    words = f"{name}\0".encode()
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(words)) + words + bytes(78), b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
    }  # fmt: skip
    for key, primary in zip((b"r", b"g", b"b"), primaries, strict=False):
        tags |= {key + b"XYZ": b"XYZ " + bytes(4) + fixed(*primary), key + b"TRC": curve}
    if grey:
        tags[b"kTRC"] = curve
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for key, content in tags.items():
        content += bytes(-len(content) % 4)
        table += key + struct.pack(">II", at + len(body), len(content))
        body += content
    head = bytes(4) + b"\2\x10\0\0mntr" + (b"GRAY" if grey else b"RGB ") + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += fixed(0.9642, 1.0, 0.8249) + bytes(48)
    return struct.pack(">I", at + len(body)) + head + table + body


def shown(name: str) -> np.ndarray:
    """What a browser shows for ``COLOURS`` in this space: (6, 3), 0 to 255."""
    primaries, exponent = SPACES[name]
    light = (COLOURS / 255) ** exponent @ np.array(primaries) @ np.linalg.inv(np.array(SPACES["sRGB"][0]))
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def swatches(mode: str = "RGB") -> PIL.Image.Image:
    """The colours side by side, 16 pixels each."""
    return PIL.Image.fromarray(COLOURS[None].repeat(16, 0).repeat(16, 1)).convert(mode)


def seen(image: PIL.Image.Image) -> np.ndarray:
    return np.array([image.getpixel((16 * place + 8, 8)) for place in range(len(COLOURS))], float)


def uploaded(content: bytes, folder, name: str = "picture") -> PIL.Image.Image:
    """The content as the page's picture input gives it to a room."""
    file = folder / name
    file.write_bytes(content)
    component = inputs.CheckedImage()
    component.GRADIO_CACHE = str(folder)
    return component.preprocess(ImageData(path=str(file), orig_name=name))


@pytest.mark.parametrize("name", ["Display P3", "Adobe RGB", "ProPhoto", "channels changed"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_the_colours_of_a_profile_are_those_that_a_browser_shows(name, kind, tmp_path):
    content = file_of(swatches(), kind, icc_profile=profile(name), **EXACT.get(kind, {}))
    assert np.abs(shown(name) - COLOURS).max() > 20, "a profile that changes nothing tests nothing"
    assert np.abs(seen(uploaded(content, tmp_path)) - shown(name)).max() <= 5
    assert np.abs(seen(inputs.sent_picture(inputs.base64.b64encode(content).decode())) - shown(name)).max() <= 5
    trained = np.asarray(square(PIL.Image.open(io.BytesIO(content)), 16), float)  # the two in the middle
    assert np.abs(trained[8, [3, 12]] - shown(name)[2:4]).max() <= 12


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_a_profile_counts_in_other_modes(mode, tmp_path):
    image = swatches().quantize(16) if mode == "P" else swatches(mode)
    content = file_of(image, "PNG", icc_profile=profile("ProPhoto"))
    assert np.abs(seen(uploaded(content, tmp_path)) - shown("ProPhoto")).max() <= 4


def test_what_is_transparent_stays_so_with_a_profile(tmp_path):
    image = halves((220, 60, 60, 255), (0, 0, 0, 0), "RGBA")
    found = uploaded(file_of(image, "PNG", icc_profile=profile("ProPhoto")), tmp_path)
    assert found.getpixel((30, 10)) == (255, 255, 255)
    assert np.abs(np.array(found.getpixel((10, 10))) - shown("ProPhoto")[0]).max() <= 4


def test_a_grey_profile_is_used(tmp_path):
    """128 on a straight curve is the light of 188 in sRGB."""
    content = file_of(PIL.Image.new("L", (16, 16), 128), "PNG", icc_profile=profile("straight"))
    assert abs(uploaded(content, tmp_path).getpixel((8, 8))[0] - 188) <= 3


@pytest.mark.parametrize("found", [b"", b"nonsense", profile("Display P3")[:200], bytes(128), profile("straight")])
def test_a_profile_that_is_damaged_or_for_another_mode_changes_nothing(found, tmp_path):
    content = file_of(swatches(), "PNG", icc_profile=found)
    assert np.array_equal(seen(uploaded(content, tmp_path)), COLOURS)


def test_srgb_stays_as_it_is(tmp_path):
    content = file_of(swatches(), "PNG", icc_profile=profile("sRGB"))
    assert np.array_equal(seen(uploaded(content, tmp_path)), COLOURS)


# ---- files that are not quite right -------------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2, 200])
def test_a_jpeg_without_its_end_is_used_and_a_word_said(missing, progressive, tmp_path):
    whole = file_of(swatches().resize((960, 160)), "JPEG", quality=90, progressive=progressive)
    with pytest.warns(UserWarning, match="The end of this JPEG is missing; what is there is used."):
        found = uploaded(whole[:-missing], tmp_path)
    expected = np.asarray(uploaded(whole, tmp_path), float)
    assert found.size == (960, 160)
    upper = np.abs(np.asarray(found, float) - expected)[:80]
    assert upper.max() <= (40 if progressive else 0), "what is there is what a whole file shows"


def test_other_files_without_their_end_are_refused(tmp_path):
    for kind in ("PNG", "WEBP", "TIFF", "BMP"):
        whole = file_of(swatches().resize((960, 160)), kind)
        with pytest.raises(gr.Error, match="This picture file is damaged and cannot be read.|is not a picture that can be read"):
            uploaded(whole[: len(whole) // 2], tmp_path)


EXIFS = [b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", b"nonsense", bytes(64)]


@pytest.mark.parametrize("exif", EXIFS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_whose_exif_cannot_be_read_is_taken_as_it_is(exif, kind, tmp_path):
    assert uploaded(file_of(swatches(), kind, exif=exif), tmp_path).size == (96, 16)


def test_a_heic_is_called_by_its_name(tmp_path):
    content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(gr.Error, match="This is a HEIC picture, as iPhones take them; save or send it as JPEG first."):
        uploaded(content, tmp_path)
    with pytest.raises(gr.Error, match="This is a HEIC picture"):
        inputs.read_picture(io.BytesIO(content))


# ---- large pictures, and many -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(25_000_000, 1), (1, 25_000_000), (20_001, 8), (8, 20_001)])
def test_a_picture_with_an_endless_side_is_refused_before_it_is_decoded(shape, monkeypatch, tmp_path):
    monkeypatch.setattr(PIL.Image.Image, "load", lambda image: pytest.fail("it was decoded"))
    content = raw_png(shape[0], min(shape[1], 100), 1, 0, bytes(-(-shape[0] // 8)))
    head = content[:16] + struct.pack(">II", *shape) + content[24:29]
    content = head + struct.pack(">I", inputs.binascii.crc32(head[12:])) + content[33:]
    with pytest.raises(gr.Error, match="A side of this picture has more than 20,000 pixels; make it smaller first."):
        uploaded(content, tmp_path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_a_large_picture_is_reduced_before_anything_else(mode, monkeypatch):
    monkeypatch.setattr(inputs, "KEPT_PIXELS", 20_000)
    image = halves(0, 255, "L").resize((400, 200), PIL.Image.Resampling.NEAREST)
    if mode in ("I;16", "I", "F"):
        image = PIL.Image.fromarray(np.asarray(image).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        image = image.convert("RGBA").convert("P" if mode == "PA" else mode) if mode != "1" else image.convert("1")
    found = pictures.reduced(image, 20_000)
    assert found.size == (200, 100)
    assert [pictures.upright_rgb(found).getpixel(place) for place in ((20, 50), (180, 50))] == [(0, 0, 0), (255, 255, 255)]
    assert pictures.reduced(found, 20_000) is found


def test_one_large_picture_is_decoded_at_a_time_and_small_ones_beside_it(monkeypatch, tmp_path):
    inside, most, door, lock = [], [0], threading.Event(), threading.Lock()
    decode = inputs._loaded

    def counted(file):
        with inputs._opened(file) as image:
            large = image.width * image.height > inputs.KEPT_PIXELS
        with lock:
            inside.append(large)
            most[0] = max(most[0], inside.count(True), inside.count(False))
        if large:
            assert door.wait(60)
        try:
            return decode(file)
        finally:
            with lock:
                inside.remove(large)

    monkeypatch.setattr(inputs, "_loaded", counted)
    for name, side in (("large", 1500), ("small", 20)):
        (tmp_path / name).write_bytes(raw_png(side, side, 8, 0, bytes(side)))
    with ThreadPoolExecutor(12) as pool:
        large = [pool.submit(inputs.read_picture, tmp_path / "large") for _ in range(4)]
        small = [pool.submit(inputs.read_picture, tmp_path / "small") for _ in range(8)]
        assert {found.result(60).size for found in small} == {(20, 20)}
        assert not any(found.done() for found in large)
        door.set()
        assert {found.result(60).size for found in large} == {(1414, 1414)}
    assert most == [1]
    monkeypatch.setattr(inputs, "PATIENCE", 0.01)
    with inputs._PLACES[True], pytest.raises(gr.Error, match="Many pictures are being read right now; try again in a moment."):
        inputs.read_picture(tmp_path / "large")
    assert inputs.read_picture(tmp_path / "small").size == (20, 20)


MEMORY = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import psutil
from demos._kit import inputs

inputs.PATIENCE = 600  # a busy machine decodes slowly
process, over = psutil.Process(), threading.Event()
rest = most = process.memory_info().rss

def watch():
    global most
    while not over.wait(0.01):
        most = max(most, process.memory_info().rss)

watching = threading.Thread(target=watch, daemon=True)
watching.start()
with ThreadPoolExecutor(8) as pool:  # decoded at once, they would take eight times as much
    found = list(pool.map(inputs.read_picture, 8 * [Path(sys.argv[1])]))
over.set()
watching.join()
print({picture.size for picture in found}, round((most - rest) / 2**20))
"""


@pytest.mark.slow
def test_uploads_at_once_take_at_most_500_mb(tmp_path):
    row = b"\1\2\3\4\5\6\7\x08" * 5000
    (tmp_path / "picture.png").write_bytes(raw_png(5000, 5000, 16, 6, row))
    done = subprocess.run([sys.executable, "-c", MEMORY, tmp_path / "picture.png"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sizes, most = done.stdout.rsplit(maxsplit=1)
    assert sizes == "{(1414, 1414)}" and 10 < float(most) < 500, done.stdout  # 25 million pixels are more than 10 MB, however read
