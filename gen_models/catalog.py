"""The folder listing is the registry: which models there are, and their trained weights from here or from the Hub.

Weights come from the first of: ``weights/<name>/``, the local Hub cache, the Hub at the pinned commit. A file is used only if its
SHA-256 is the one written down for it: in ``weights.json`` of this package for what the project ships, in its own ``config.json``
for what a user trained.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import json
import os
import socket
import urllib.request
from collections import OrderedDict
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gen_models import runtime
from gen_models.base import Model

PACKAGE = Path(__file__).parent
WEIGHTS = Path(os.environ.get("GALLERY_WEIGHTS", PACKAGE.parent / "weights"))
TABLE = PACKAGE / "weights.json"
BUDGET = int(float(os.environ.get("GALLERY_MEMORY_MB", "512")) * 2**20)
"""Bytes of parameters that ``load`` keeps; the least recently used models beyond it are dropped."""


class WeightsError(RuntimeError):
    """Weights are missing or not the ones written down; the message names the file and the cure."""


def names() -> dict[str, str]:
    """Model name -> family, from the files ``gen_models/<family>/<model>.py``."""
    return {file.stem: file.parent.name for file in sorted(PACKAGE.glob("*/[!_]*.py"))}


def model_class(name: str) -> type[Model]:
    """The class of the model called ``name``; imports one file, on first use.

    Raises:
        KeyError: if there is no such model.
    """
    family = names().get(name)
    if family is None:
        raise KeyError(f"there is no model {name!r}; choose from {', '.join(names())}")
    module = importlib.import_module(f"gen_models.{family}.{name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Model) and value.__module__ == module.__name__ and "title" in vars(value)
    )


@cache
def about(name: str) -> dict[str, Any]:
    """The plain class attributes of a model (title, year, authors, paper, summary), read without importing its file."""
    family = names().get(name)
    if family is None:
        raise KeyError(f"there is no model {name!r}; choose from {', '.join(names())}")
    facts: dict[str, Any] = {"differences": ()}
    for node in ast.walk(ast.parse((PACKAGE / family / f"{name}.py").read_text())):
        if not isinstance(node, ast.ClassDef):
            continue
        attributes = {}
        for line in node.body:
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                with contextlib.suppress(ValueError):  # recipes and the like are no plain values
                    attributes[line.targets[0].id] = ast.literal_eval(line.value)
        if "title" in attributes:
            facts |= attributes
    return facts


def split_name(name: str) -> tuple[str, str]:
    """``dcgan-fashion`` -> (``dcgan``, ``fashion``).

    Raises:
        KeyError: if the name is not of the form <model>-<data>.
    """
    model, dash, data = name.partition("-")
    if not dash or not data or any(part in name for part in ("/", "\\", "..")):
        raise KeyError(f"{name!r} is not of the form <model>-<data>, such as dcgan-fashion")
    return model, data


def trained(model: str | None = None) -> list[str]:
    """Names of all weights at hand or known of, a user's own included; optionally those of one model only."""
    try:  # asked for at every move of a slider, hence no glob
        here = {entry.name for entry in os.scandir(WEIGHTS) if "-" in entry.name and os.path.isfile(f"{entry.path}/config.json")}
    except OSError:
        here = set()
    return sorted(name for name in here | set(table()) if model is None or name.partition("-")[0] == model)


@lru_cache(maxsize=1)
def table() -> dict[str, dict[str, Any]]:
    """Name -> repository, commit (None: not published yet), file, sha256, bytes of all weights the project ships."""
    return json.loads(TABLE.read_text()) if TABLE.is_file() else {}


def config_of(name: str) -> dict[str, Any]:
    """``config.json`` of trained weights.

    Raises:
        WeightsError: if there is none or it cannot be read.
    """
    return _read_config(name, folder_of(name))


def load(name: str) -> Model:
    """The trained model, ready to use: evaluation mode, float32 on a CPU.

    Raises:
        KeyError: if the name is no <model>-<data>.
        WeightsError: if the weights are missing or are not the ones written down.
    """
    with _lock:
        if name in _loaded:
            _loaded.move_to_end(name)
            return _loaded[name]
        # a first use may stand inside inference mode, and tensors made there can never give a gradient again
        with torch.inference_mode(False):
            model = _loaded[name] = read(folder_of(name), name)
        while len(_loaded) > 1 and sum(map(_bytes, _loaded.values())) > BUDGET:
            _loaded.popitem(last=False)
        return model


def read(folder: Path, name: str | None = None) -> Model:
    """The model in ``folder``, its file checked against the SHA-256 written down.

    ``name``: published weights, whose SHA-256 stands in the package's table; without one, the folder's own ``config.json`` says it.

    Raises:
        WeightsError: as for :func:`load`.
    """
    called = name or folder.name
    config = _read_config(called, folder)
    file = folder / "model.safetensors"
    if not file.is_file():
        raise WeightsError(f"the weights {called} are missing ({file.name}); restore weights/{called} or train again")
    written = table().get(name or "", config).get("sha256")
    if sha256(file) != written:
        raise WeightsError(
            f"the weights {called} are damaged: {file.name} is not the file that was published; "
            f"restore weights/{called} or train again"
        )
    try:
        with torch.device("meta"):
            model = model_class(config["model"])(**config["arguments"]).without_scaffold()
        state = {key: value.float() if value.is_floating_point() else value for key, value in load_file(file).items()}
        model.load_state_dict(state, strict=True, assign=True)
    except (KeyError, TypeError, RuntimeError, ValueError, SafetensorError) as error:
        raise WeightsError(f"the weights {called} do not fit this version of the model {config.get('model')}: {error}") from error
    return model.to(runtime.device(), memory_format=torch.channels_last).eval().requires_grad_(False)


def save(model: Model, folder: Path, config: dict[str, Any]) -> str:
    """Write ``model.safetensors`` in half precision, without the scaffold, and ``config.json``; returns the SHA-256.

    ``config`` is what to record beside the constructor's arguments: data set, value range, training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: _half(value.detach().cpu()).contiguous()
        for key, value in model.state_dict().items()
        if key.partition(".")[0] not in model.scaffold
    }
    written = folder / "model.safetensors"
    save_file(state, f"{written}.part", metadata={"format": "pt"})
    os.replace(f"{written}.part", written)
    digest = sha256(written)
    complete = {**config, "arguments": model.config, "sha256": digest, "bytes": written.stat().st_size}
    (folder / "config.json").write_text(json.dumps(complete, indent=2) + "\n")
    return digest


def sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


_loaded: OrderedDict[str, Model] = OrderedDict()
_lock = Lock()


def _bytes(model: Model) -> int:
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def _half(value: torch.Tensor) -> torch.Tensor:
    if not value.is_floating_point():
        return value
    half = value.half()
    # what half precision cannot hold (a variance of 1e6) stays as it is
    return half if torch.isfinite(half).all() else value


def _read_config(name: str, folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text())
        if not isinstance(config, dict):
            raise ValueError("not an object")
        return config
    except (OSError, ValueError) as error:
        raise WeightsError(f"the weights {name} have no readable config.json; restore the folder weights/{name}") from error


def folder_of(name: str) -> Path:
    """Where the weights are: this project, the Hub's local cache, the Hub.

    Raises:
        KeyError: if the name is no <model>-<data>.
        WeightsError: if they are nowhere.
    """
    split_name(name)
    here = WEIGHTS / name
    if here.is_dir():
        return here
    entry = table().get(name)
    if entry is None or not entry.get("commit"):
        raise WeightsError(f"the weights {name} are missing; restore the folder weights/{name} or train them: "
                           f"python -m gen_models.train {name}")  # fmt: skip
    return _from_hub(name, entry)


def _from_hub(name: str, entry: dict[str, Any]) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    def fetch(local_only: bool) -> Path:
        for file in ("config.json", entry["file"]):
            path = hf_hub_download(entry["repository"], file, revision=entry["commit"], local_files_only=local_only)
        return Path(path).parent

    try:
        return fetch(local_only=True)
    except LocalEntryNotFoundError:
        pass  # not in the cache: ask the Hub itself
    cure = f"the weights {name} are missing and the Hub cannot be reached; connect, or restore the folder weights/{name}"
    if not hub_answers():
        raise WeightsError(cure)
    try:
        return fetch(local_only=False)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsError(cure) from error


def hub_answers() -> bool:
    """Whether the Hub's host accepts a connection within half a second; its own client would retry for 23 s."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True  # the way leads through the proxy: only asking tells
    address = urlsplit(constants.ENDPOINT)
    try:
        socket.create_connection((address.hostname, address.port or (443 if address.scheme == "https" else 80)), 0.5).close()
    except OSError:
        return False
    return True
