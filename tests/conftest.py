"""Tiny models, tiny data sets in the real formats, and a catalog that sees neither the project's weights nor the network."""

from __future__ import annotations

import gzip
import io
import random
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page

from demos._kit.events import error_boundary
from gen_models import catalog, hub
from gen_models.base import GenerativeModel, Model, Recipe, Restorer, Translator

ROOT = Path(__file__).parent.parent
NAMES = sorted(catalog.names())
SAMPLERS = [name for name in NAMES if issubclass(catalog.model_class(name), GenerativeModel)]
TRANSLATORS = [name for name in NAMES if issubclass(catalog.model_class(name), Translator)]
RESTORERS = [name for name in NAMES if issubclass(catalog.model_class(name), Restorer)]
TRAINED = [name for name in NAMES if catalog.model_class(name).training_step is not Model.training_step]
FITTED = [name for name in NAMES if catalog.model_class(name).fit is not Model.fit]
TINY = dict(size=16, channels=1, width=4, latent_dim=8, shift=0.125)
"""Constructor arguments of the DCGAN that the training tests train."""


def build(name: str) -> Model:
    """The model at its tiny size, its weights moved off their start so that no layer is near zero."""
    torch.manual_seed(0)
    kind = catalog.model_class(name)
    model = kind(**kind.tiny)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def training_batch(model: Model, count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch as the trainer makes it, with more label columns than any model reads."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, *model.training_shape, generator=generator) * 2 - 1
    return images, torch.randint(0, 2, (count, 3), generator=generator)


def write_idx(path: Path, array: np.ndarray) -> None:
    """An array of bytes as gzipped IDX."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def smooth(generator: np.random.Generator, size: int) -> Image.Image:
    """A picture of soft random colours."""
    return Image.fromarray(generator.integers(0, 256, (4, 4, 3), np.uint8)).resize((size, size), Image.Resampling.BICUBIC)


def refusal(function: Callable, *values: Any) -> str:
    """The one sentence with which a room's handler refuses."""
    import gradio as gr


    with pytest.raises(gr.Error) as caught:
        found = error_boundary(function)(*values)
        if hasattr(found, "__next__"):
            list(found)
    assert re.fullmatch(r"[^\n]+\.", caught.value.message), caught.value.message
    assert "Something went wrong" not in caught.value.message
    return caught.value.message


@pytest.fixture(scope="module")
def laid_out() -> tuple[dict[str, Any], Any]:
    """The rooms of all families, and the tabs in which they are."""
    import gradio as gr

    import app

    with gr.Blocks():
        return app.lay_out([name for members in app.rooms().values() for name in members])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser, which finds nothing but this machine."""
    from benchmarks import _page

    with _page.chromium("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost") as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of the page, started as a visitor of the repository starts it."""
    from browsing import serving

    with serving(tmp_path_factory.mktemp("server"), sys.executable, "app.py") as address:
        yield address


@pytest.fixture(scope="session")
def visitor(chromium) -> Iterator[BrowserContext]:
    """One for all tests: what a browser has compiled of the page's scripts is a visitor's, and is half the time of a page."""
    context = chromium.new_context(accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def visit(server, visitor) -> Iterator[Callable[..., Page]]:
    """Open an address of the page; in the end nothing may have gone wrong, and nothing been asked of the outside."""
    from browsing import visiting

    with visiting(server, visitor) as go:
        yield go


GENERAL = {"test_cards", "test_catalog", "test_frozen", "test_home", "test_hygiene", "test_verbs", "test_versions"}
"""Files whose tests look at all models together."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --model dcgan``: what a change in the file of one model, in its room or in its weights can break."""
    parser.addoption("--model", choices=NAMES, help="only the tests that a change in this model, its room or its weights can fail")


def concerns(item: pytest.Item, model: str) -> bool:
    """Whether a test is of a model: of its files or its family's, named after it, or given it, its class or its weights."""
    kind = catalog.model_class(model)
    family = kind.__module__.split(".")[1]
    file, name = item.path.stem, getattr(item, "originalname", item.name)
    given = item.callspec.params.values() if hasattr(item, "callspec") else []
    words = {str(getattr(value, "__name__", value)) for value in given}
    others = [other for other in NAMES if other != model and any(word == other or word.startswith(f"{other}-") for word in words)]
    own = {f"test_{model}", f"test_{model}_room", f"test_{family}", f"test_{family}_room", f"test_{family}_rooms"}
    return bool(
        any(word in (model, kind.__name__) or word.startswith(f"{model}-") for word in words)
        or (not others and (file in own or file in GENERAL or name.startswith(f"test_{model}_")))
    )


PARTS = 12
"""Tests in the browser take half of all time; the page's may run in so many parts beside each other."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes test, each file goes to one of them, the page's in parts; those in the browser come last.

    While a browser is open, an event loop runs in its thread, and a test that needs one of its own cannot have it.
    """
    if model := config.getoption("model"):
        config.hook.pytest_deselected(items=[item for item in items if not concerns(item, model)])
        items[:] = [item for item in items if concerns(item, model)]
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    page = [item for item in items if item.path.stem == "test_app"]
    for place, item in enumerate(page):
        item.add_marker(pytest.mark.xdist_group(f"test_app {place * PARTS // len(page)}"))
    for item in items:
        if item.path.stem != "test_app":
            browser = " in the browser" if item.get_closest_marker("browser") else ""
            item.add_marker(pytest.mark.xdist_group(item.path.stem + browser))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Threads that wait for each other cost tiny models more than they gain, tenfold on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded():
    """Not one test depends on what ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(params=NAMES)
def model_name(request) -> str:
    """Every model of the catalog."""
    return request.param


@pytest.fixture
def tiny(model_name) -> Model:
    """Every model of the catalog at its tiny size, in evaluation mode."""
    return build(model_name)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    """A data folder: MNIST and FashionMNIST of 300 and 60 pictures, 60 faces."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for name in ("MNIST", "FashionMNIST"):
        for stem, count in (("train", 300), ("t10k", 60)):
            coarse = generator.integers(0, 256, (count, 4, 4), np.uint8)
            write_idx(folder / name / "raw" / f"{stem}-images-idx3-ubyte.gz", coarse.repeat(7, axis=1).repeat(7, axis=2))
            write_idx(folder / name / "raw" / f"{stem}-labels-idx1-ubyte.gz", generator.integers(0, 10, count, np.uint8))
    with zipfile.ZipFile(folder / "faces_utk_128.zip", "w") as archive:
        archive.writestr("README.txt", "not a face")
        for number in range(60):
            stream = io.BytesIO()
            smooth(generator, 128).save(stream, "JPEG")
            archive.writestr(f"faces/{2 * number}_{number % 2}_{number % 5}_{number:04d}.jpg", stream.getvalue())
    write_pair_sets(folder, generator)
    write_photos(folder, generator)
    return folder


def encoded(image: Image.Image, kind: str) -> bytes:
    """A picture file."""
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def blocks(generator: np.random.Generator, size: int) -> Image.Image:
    """A label map: squares in four of the colours of the facades."""
    colours = np.array([(0, 0, 221), (0, 48, 255), (0, 127, 255), (255, 80, 0)], np.uint8)
    coarse = Image.fromarray(colours[generator.integers(0, 4, (4, 4))]).resize((size, size), Image.Resampling.NEAREST)
    return coarse.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)


def bag(generator: np.random.Generator, size: int) -> Image.Image:
    """A dark rectangle with a handle on white."""
    image = Image.new("RGB", (size, size), "white")
    brush = ImageDraw.Draw(image)
    top, dark = int(generator.integers(size // 2, 2 * size // 3)), tuple(generator.integers(0, 120, 3).tolist())
    brush.arc((size // 3, size // 5, 2 * size // 3, top + size // 4), 180, 360, dark, width=size // 16)
    brush.rectangle((size // 5, top, 4 * size // 5, 9 * size // 10), dark)
    return image


def write_pair_sets(folder: Path, generator: np.random.Generator) -> None:
    """The archives of pairs: 60 pictures of each kind, unpaired ones 120 and 100."""
    with zipfile.ZipFile(folder / "facades_256.zip", "w") as archive:
        for number in range(60):
            archive.writestr(f"train/A/{number}.jpg", encoded(smooth(generator, 48), "JPEG"))
            archive.writestr(f"train/B/{number}.png", encoded(blocks(generator, 48), "PNG"))
    with zipfile.ZipFile(folder / "monet2photo_256.zip", "w") as archive:
        for number in range(120):
            archive.writestr(f"train/A/{number}.jpg", encoded(smooth(generator, 48), "JPEG"))
        for number in range(100):
            archive.writestr(f"train/B/{number}.jpg", encoded(smooth(generator, 48), "JPEG"))
    with zipfile.ZipFile(folder / "fashion_products_128.zip", "w") as archive:
        archive.writestr("labels.csv", "file")
        for number in range(60):
            archive.writestr(f"train/bags/{number}.jpg", encoded(bag(generator, 64), "JPEG"))
            archive.writestr(f"train/shoes/{number}.jpg", encoded(bag(generator, 64), "JPEG"))
            archive.writestr(f"train/ties/{number}.jpg", encoded(bag(generator, 64), "JPEG"))


def write_photos(folder: Path, generator: np.random.Generator) -> None:
    """The other archives that super-resolution reads: 40 textures, 80 flowers, two pictures of Set5, of Set14 a grey one too."""
    for name, count, size in (("textures_dtd_256", 40, 48), ("flowers102_64", 80, 16)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for number in range(count):
                archive.writestr(f"train/kind{number % 3}/{number}.jpg", encoded(smooth(generator, size), "JPEG"))
    with zipfile.ZipFile(folder / "sr_set5_set14.zip", "w") as archive:
        for title, size in (("Set5/bird", (50, 41)), ("Set5/head", (36, 36)), ("Set14/face", (44, 52))):
            archive.writestr(f"{title}.png", encoded(smooth(generator, 64).resize(size), "PNG"))
        archive.writestr("Set14/bridge.png", encoded(smooth(generator, 40).convert("L"), "PNG"))


@pytest.fixture(scope="session")
def own_folder(tmp_path_factory) -> Path:
    """Sixty pictures as a user keeps them."""
    folder = tmp_path_factory.mktemp("own")
    generator = np.random.default_rng(2)
    for number in range(60):
        smooth(generator, 24).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """An empty weights folder in place of the project's, an empty table, nothing loaded, and no Hub."""
    from huggingface_hub import constants

    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setattr(catalog, "WEIGHTS", folder)
    monkeypatch.setattr(catalog, "TABLE", tmp_path / "table.json")
    monkeypatch.setattr(hub, "waiting", hub.Download.wait)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    ask(monkeypatch, "http://127.0.0.1:9")
    catalog.table.cache_clear()
    catalog._loaded.clear()
    yield folder
    catalog.table.cache_clear()
    catalog._loaded.clear()


def ask(monkeypatch, address: str) -> None:
    """Have the Hub's client ask this address, as HF_ENDPOINT does when it is set before the client is imported."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def small_hub(shelf, monkeypatch):
    """A Hub on loopback that the client asks, its cache empty."""
    from huggingface_hub import constants
    from small_hub import SmallHub

    small = SmallHub()
    ask(monkeypatch, small.address)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the small Hub speaks the older protocol only
    yield small
    small.close()


@pytest.fixture
def small_dcgan(monkeypatch) -> type[Model]:
    """DCGAN with recipes of a few steps at its tiny size; the processes' state of accelerate starts from nothing."""
    from accelerate.state import AcceleratorState

    kind = catalog.model_class("dcgan")
    recipe = Recipe(steps=6, batch_size=8, arguments=TINY, precision="no")
    monkeypatch.setattr(kind, "recipes", {"fashion": recipe, "mnist": recipe, "folder": recipe})
    AcceleratorState._reset_state(reset_partial_state=True)
    yield kind
    AcceleratorState._reset_state(reset_partial_state=True)
