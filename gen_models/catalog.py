"""The folder listing is the registry: which models there are, and their trained weights from here or from the Hub.

Weights come from the first of: ``weights/<name>/``, the local Hub cache, the Hub at the pinned commit. A file is used only if its
SHA-256 is the one written down for it: in ``weights.json`` of this package for what the project ships, in its own ``config.json``
for what a user trained or what ``owner/name@commit`` names.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import hashlib
import importlib
import json
import os
import re
import shlex
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as unpacked
from safetensors.torch import save as packed
from torch import Tensor
from torch.nn import functional, init
from torch.overrides import TorchFunctionMode

from gen_models import hub, runtime
from gen_models.base import Model
from gen_models.files import replacing
from gen_models.hub import WeightsError, sha256

PACKAGE = Path(__file__).parent
WEIGHTS = Path(os.environ.get("GALLERY_WEIGHTS", PACKAGE.parent / "weights"))
TABLE = PACKAGE / "weights.json"
APART = {"measures", "sets"}
"""Folders of the package that are no families."""
REFERENCE = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*@[0-9a-f]{40}", re.ASCII)
"""A commit on the Hub."""
MOST_TENSORS, LARGEST = 10_000, 1_000_000
"""What a configuration may ask for: tensors made while its model is built, and the largest number in it; ours ask for 200 and
1,000. More would be built without an end, and everybody who loads a model would wait for it."""
BUDGET = int(float(os.environ.get("GALLERY_MEMORY_MB", "512")) * 2**20)
"""Bytes of parameters that ``load`` keeps; the least recently used models beyond it are dropped."""


@cache
def names() -> dict[str, str]:
    """Model name -> family, from the files ``gen_models/<family>/<model>.py``."""
    files = sorted(PACKAGE.glob("*/[!_]*.py"))
    return {file.stem: file.parent.name for file in files if file.parent.name not in APART}


def family_of(name: str) -> str:
    """The family of the model called ``name``.

    Raises:
        KeyError: if there is no such model.
    """
    known = names()
    if name not in known:
        raise KeyError(f"there is no model {name!r}{nearest(name, known)}; choose from {', '.join(known)}")
    return known[name]


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean ...?)`` with the known name most like ``name``, or nothing if none is."""
    found = difflib.get_close_matches(name.lower(), [other for other in known if other != name], 1)
    return f" (did you mean {found[0]}?)" if found else ""


def model_class(name: str) -> type[Model]:
    """The class of the model called ``name``; imports one file, on first use.

    Raises:
        KeyError: if there is no such model.
    """
    family = family_of(name)
    module = importlib.import_module(f"gen_models.{family}.{name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Model) and value.__module__ == module.__name__ and "title" in vars(value)
    )


@cache
def about(name: str) -> dict[str, Any]:
    """The plain class attributes of a model (title, year, authors, paper, summary, keywords), read without importing its file."""
    family = family_of(name)
    facts: dict[str, Any] = {"differences": (), "keywords": ()}
    for node in ast.walk(ast.parse((PACKAGE / family / f"{name}.py").read_text(encoding="utf-8"))):
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


@cache
def methods(name: str) -> frozenset[str]:
    """What a model can do: the methods of its class and of those of the package that it is built from, read without importing them.

    Those of ``base.py`` do not count: there, what a model makes no picture with says so.
    """
    module = f"{PACKAGE.name}.{family_of(name)}.{name}"
    tree = _tree(module)
    titled = [
        node.name for node in tree.body if isinstance(node, ast.ClassDef)
        if any(isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "title" for line in node.body)
    ]  # fmt: skip
    return frozenset(_methods(module, titled[0]))


def _methods(module: str, kind: str) -> set[str]:
    """The methods of a class in a module of this package, and those it has from other classes of the package."""
    tree = _tree(module)
    node = next((part for part in tree.body if isinstance(part, ast.ClassDef) and part.name == kind), None)
    if node is None:
        return set()
    origins = {alias.name: part.module or "" for part in tree.body if isinstance(part, ast.ImportFrom) for alias in part.names}
    found = {line.name for line in node.body if isinstance(line, ast.FunctionDef)}
    for base in node.bases:
        origin = origins.get(ast.unparse(base), module)
        if origin.startswith(f"{PACKAGE.name}.") and origin != f"{PACKAGE.name}.base":
            found |= _methods(origin, ast.unparse(base))
    return found


def _tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE.parent / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


def split_name(name: str) -> tuple[str, str]:
    """``dcgan-fashion`` -> (``dcgan``, ``fashion``).

    Raises:
        KeyError: if the name is not of the form <model>-<data>.
    """
    model, dash, data = name.partition("-")
    if not dash or not data or any(part in name for part in ("/", "\\", "..")):
        raise KeyError(f"{name!r} is not of the form <model>-<data>, such as dcgan-fashion{nearest(name, trained())}")
    return model, data


def trained(model: str | None = None) -> list[str]:
    """Names of all weights at hand or known of, a user's own included; optionally those of one model only."""
    try:  # asked for at every move of a slider, hence no glob
        here = {entry.name for entry in os.scandir(WEIGHTS) if "-" in entry.name and os.path.isfile(f"{entry.path}/config.json")}
    except OSError:
        here = set()
    return sorted(name for name in here | set(table()) if model is None or name.partition("-")[0] == model)


def misplaced() -> list[str]:
    """Folders under ``weights/`` whose weights no room offers: a sentence each, with the cure."""
    folders = sorted(WEIGHTS.iterdir()) if WEIGHTS.is_dir() else []
    found = []
    for folder in folders:
        if not folder.name.startswith(".") and not folder.is_file():
            try:
                found.append(_misplaced(folder))
            except OSError as error:
                found.append(f"{folder} cannot be opened ({error.strerror}); delete it or let this user read it")
    return [sentence for sentence in found if sentence]


def _misplaced(folder: Path) -> str:
    """What is wrong with a folder under ``weights/``, and the cure; empty if nothing is."""
    name, inner = folder.name, folder / "weights"

    def cure(source: Path, name: str = name) -> str:
        return f"put them in their place: {shlex.join(['python', '-m', 'gen_models.publish', name, '--from', str(source)])}"

    if not folder.is_dir():
        return f"{folder} is a link that leads nowhere; delete it or train again"
    if not (folder / "config.json").is_file():
        if (inner / "config.json").is_file():
            return f"{folder} is the folder of a run, whose weights are one folder deeper; {cure(folder)}"
        return f"{folder} holds no weights (there is no config.json); restore or delete it"
    if (inner / "config.json").is_file() and (inner / "config.json").read_bytes() != (folder / "config.json").read_bytes():
        return f"{inner} holds other weights than {folder}, which are shown; {cure(inner)}"
    try:
        model = _read_config(name, folder, "")["model"]
    except WeightsError as error:
        return str(error)
    prefix, _, data = name.partition("-")
    if prefix != model or not data:
        return f"{folder} holds weights of {model} and is not called {model}-...; {cure(folder, f'{model}-{data or prefix}')}"
    return ""


@lru_cache(maxsize=1)
def table() -> dict[str, dict[str, Any]]:
    """Name -> repository, commit (None: not on the Hub), file, sha256, bytes, digest of the configuration; all that is shipped."""
    return hub.read_json(TABLE) if TABLE.is_file() else {}


def config_of(name: str) -> dict[str, Any]:
    """``config.json`` of trained weights.

    Raises:
        KeyError: if the name is neither <model>-<data> nor owner/name@commit.
        WeightsError: if there is none, it cannot be read or is not the one written down.
    """
    return _read_config(name, folder_of(name), _entry(name).get("config", ""))


def load(name: str, source: str = "any") -> Model:
    """The trained model, ready to use: evaluation mode, float32 on a CPU.

    ``name``: ``<model>-<data>``, or ``owner/name@commit`` for a commit on the Hub. ``source``: ``any``, or ``hub`` to pass over the
    folder ``weights/`` and take the commit that the table names.

    Raises:
        KeyError: if the name is neither.
        ValueError: if there is no such source.
        WeightsError: if the weights are missing or are not the ones written down.
    """
    if source not in ("any", "hub"):
        raise ValueError(f"there is no source {source!r}; choose from any, hub")
    if source == "hub" and "/" not in name:
        name = on_hub(name)
    with _lock:
        if name in _loaded:
            _loaded.move_to_end(name)
            return _loaded[name]
    folder = folder_of(name)  # may be a download, for which nobody else should have to wait
    with _lock:
        if name in _loaded:
            return _loaded[name]
        # a first use may stand inside inference mode, and tensors made there can never give a gradient again
        with torch.inference_mode(False):
            model = _loaded[name] = read(folder, name)
        while len(_loaded) > 1 and sum(map(_bytes, _loaded.values())) > BUDGET:
            _loaded.popitem(last=False)
        return model


def loaded() -> list[str]:
    """Names of the weights in memory, the one used last at the end."""
    return list(_loaded)


def read(folder: Path, name: str | None = None) -> Model:
    """The model in ``folder``, its file checked against the SHA-256 written down.

    ``name``: published weights, whose SHA-256 stands in the package's table; without one, the folder's own ``config.json`` says it.

    Raises:
        WeightsError: as for :func:`load`.
    """
    called = name or folder.name
    entry = _entry(name or "")
    config = _read_config(called, folder, entry.get("config", ""))
    file = folder / "model.safetensors"
    if not file.is_file():
        raise WeightsError(f"the weights {called} are missing ({file.name}); restore weights/{called} or train again")
    content, stored, misfit = _Content(file), None, None
    content.start()
    try:
        model = _outline(config)
    except Exception as error:  # whatever a configuration that was written by others makes a constructor do
        misfit = error
    content.join()
    if content.sha256 == (entry or config).get("sha256"):
        with contextlib.suppress(SafetensorError):
            stored = unpacked(content.bytes)
    if stored is None:
        raise WeightsError(f"the weights {called} are damaged: {file.name} is {_what_it_is(file)}; "
                           f"restore weights/{called} or train again")  # fmt: skip
    try:
        if misfit is not None:
            raise misfit
        model.load_state_dict({key: _in_use(value) for key, value in stored.items()}, strict=True, assign=True)
        _fill_the_rest(model, config)
    except Exception as error:
        reason = " ".join(str(error).split())
        reason = f"{reason[:200]} ..." if len(reason) > 200 else reason or type(error).__name__
        raise WeightsError(f"the weights {called} do not fit this version of the model {config['model']}: {reason}") from error
    return model.eval().requires_grad_(False)


def weights_folder(given: Path) -> Path:
    """The folder that holds ``config.json``: the one given or its subfolder ``weights``, so that a run's folder will do.

    Raises:
        WeightsError: if neither does.
    """
    for folder in (given, given / "weights"):
        if (folder / "config.json").is_file():
            return folder
    raise WeightsError(f"{given} holds no weights; name the folder that a training wrote, such as runs/dcgan-fashion")


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
    with replacing(folder / "config.json") as described, replacing(folder / "model.safetensors") as weights:
        weights.write_bytes(packed(state, metadata={"format": "pt"}))  # save_file's can be read by their owner only
        digest = sha256(weights)
        complete = {**config, "arguments": model.config, "sha256": digest, "bytes": weights.stat().st_size}
        described.write_text(json.dumps(complete, indent=2, ensure_ascii=False) + "\n", "utf-8", "surrogateescape")
    return digest


_loaded: OrderedDict[str, Model] = OrderedDict()
_lock = Lock()


def after_fork() -> None:
    """Begin in a process that was just split off from another: nothing is loaded, and nobody is loading."""
    global _lock
    _lock = Lock()
    _loaded.clear()


class _Content(Thread):
    """A file of weights, read once, and hashed beside the building of its network: both let go of Python's lock."""

    def __init__(self, file: Path) -> None:
        super().__init__(name=f"reading of {file.parent.name}")
        self.file, self.bytes, self.sha256 = file, b"", ""

    def run(self) -> None:
        with contextlib.suppress(OSError):
            self.bytes = self.file.read_bytes()
        self.sha256 = hashlib.sha256(self.bytes).hexdigest()


def _outline(config: dict[str, Any]) -> Model:
    """A model whose tensors have shapes and no memory.

    Raises:
        ValueError: if the configuration asks for too much.
        Exception: whatever the constructor makes of the configuration.
    """
    if largest(config["arguments"]) > LARGEST:
        raise ValueError(f"a number in its configuration is beyond {LARGEST:,}")
    with _Outlines():
        return model_class(config["model"])(**config["arguments"]).without_scaffold()


def largest(value: Any) -> int:
    """The largest whole number in what JSON can hold, whatever its sign; 0 if there is none."""
    if isinstance(value, dict | list):
        return max(map(largest, value.values() if isinstance(value, dict) else value), default=0)
    return abs(value) if isinstance(value, int) else 0


def _fill_the_rest(model: Model, config: dict[str, Any]) -> None:
    """Give an outline the buffers that no file holds, such as the masks of a network: what the constructor computes them to be."""
    empty = [name for name, buffer in model.named_buffers(remove_duplicate=False) if buffer.is_meta]
    if empty:
        with torch.random.fork_rng(devices=[]):  # loading draws nothing from the global generator
            built = model_class(config["model"])(**config["arguments"]).without_scaffold()
        for name in empty:
            owner, _, own = name.rpartition(".")
            setattr(model.get_submodule(owner), own, _in_use(built.get_buffer(name)))


class _Outlines(TorchFunctionMode):
    """Within it, tensors are made on the device ``meta`` and not filled at random, which costs more than all else of their making.

    ``torch.device("meta")`` makes them there as well, but with a call more for everything that is asked of a tensor.
    """

    MAKING = {torch.empty, torch.zeros, torch.ones, torch.full, torch.tensor, torch.arange, torch.linspace, torch.eye}
    FILLING = {
        init.uniform_, init.normal_, init.trunc_normal_, init.constant_, init.zeros_, init.ones_, init.xavier_uniform_,
        init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_, Tensor.uniform_, Tensor.normal_,
        Tensor.fill_, Tensor.zero_, Tensor.copy_, Tensor.add_, Tensor.mul_, functional.normalize,
    }  # fmt: skip
    """What gives back its tensor; the last, and what is computed, are how spectral normalisation makes its first guess."""
    COMPUTED = {torch.mv: -1, torch.vdot: -1, Tensor.div: None}
    """Where the shape of the outcome ends in that of the first tensor: Python, which works it out on ``meta``, takes far longer."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in self.MAKING:
            self.made += 1
            if self.made > MOST_TENSORS:
                raise ValueError(f"its configuration asks for more than {MOST_TENSORS:,} tensors")
            kwargs["device"] = kwargs.get("device") or "meta"  # layers ask for the device None
        elif func in self.FILLING:
            given = args[0] if args else kwargs["tensor"]
            if given.is_meta:
                return given if kwargs.get("out") is None else kwargs["out"]
        elif func in self.COMPUTED and args[0].is_meta:
            return torch.empty(args[0].shape[: self.COMPUTED[func]], device="meta")
        return func(*args, **kwargs)


def _in_use(value: Tensor) -> Tensor:
    """A stored tensor as the model computes with it: single precision, where it computes, laid out for convolutions."""
    layout = torch.channels_last if value.ndim == 4 else torch.preserve_format
    return value.to(runtime.device(), torch.float32 if value.is_floating_point() else value.dtype, memory_format=layout)


def _bytes(model: Model) -> int:
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def _half(value: torch.Tensor) -> torch.Tensor:
    if not value.is_floating_point():
        return value
    half = value.half()
    # what half precision cannot hold (a variance of 1e6) stays as it is
    return half if torch.isfinite(half).all() else value


POINTER = b"version https://git-lfs.github.com/spec/"


def is_pointer(file: Path) -> bool:
    """Whether a file is what Git LFS leaves in its place until it is fetched."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(POINTER)) == POINTER
    except OSError:
        return False


def pointers() -> list[Path]:
    """The files beside weights that Git LFS did not fetch."""
    found = sorted(WEIGHTS.glob("*-*/*")) if WEIGHTS.is_dir() else []
    return [file for file in found if is_pointer(file)]


def _is_safetensors(file: Path) -> bool:
    try:
        with safe_open(file, "pt"):
            return True
    except (SafetensorError, OSError):
        return False


def _what_it_is(file: Path) -> str:
    """What stands in place of published weights, told from the first bytes; nothing is unpickled."""
    with file.open("rb") as stream:
        head = stream.read(8)
    if is_pointer(file):
        return "a pointer of Git LFS, whose content was not fetched (git lfs pull)"
    if _is_safetensors(file):
        return "not the file that was published"
    if head.startswith(b"PK\x03\x04") or (head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")):
        return "a pickle under another name, which could run any program and is never opened"
    return "cut short, or no safetensors file"


def _read_config(name: str, folder: Path, written: str) -> dict[str, Any]:
    """``config.json``; ``written``: its digest in the table, if it stands there."""
    cure = f"restore the folder weights/{name}"
    try:
        config = hub.read_json(folder / "config.json")
    except (OSError, ValueError) as error:
        raise WeightsError(f"the weights {name} have no readable config.json; {cure}") from error
    for key in ("model", "arguments"):
        if key not in config:
            raise WeightsError(f"config.json of the weights {name} names no {key}; {cure}")
    try:
        family_of(config["model"])
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"config.json of the weights {name} is wrong: {error.args[0]}") from error
    wanted = name.partition("-")[0]
    if "/" not in name and wanted in names() and config["model"] != wanted:
        raise WeightsError(f"the folder weights/{name} holds weights of {config['model']}, not of {wanted}; {cure}")
    if written and hub.digest(config) != written:
        raise WeightsError(f"config.json of the weights {name} is not the one that was published; {cure}")
    return config


def folder_of(name: str) -> Path:
    """Where the weights are: this project, the Hub's local cache, the Hub.

    Raises:
        KeyError: if the name is neither <model>-<data> nor owner/name@commit.
        WeightsError: if they are nowhere.
    """
    if "/" in name:
        return hub.folder_of(_pinned(name))
    split_name(name)
    here = WEIGHTS / name
    if here.is_dir():
        return here
    if not table().get(name, {}).get("commit"):
        raise WeightsError(f"the weights {name} are missing{nearest(name, trained())}; restore the folder weights/{name} or train "
                           f"them: python -m gen_models.train {shlex.quote(name)}")  # fmt: skip
    return hub.folder_of(_pinned(name))


def on_hub(name: str) -> str:
    """``dcgan-faces`` -> ``owner/dcgan-faces@commit``, as the table has it.

    Raises:
        KeyError: if the name is no <model>-<data>.
        WeightsError: if these weights were not uploaded.
    """
    split_name(name)
    entry = table().get(name, {})
    if not entry.get("commit"):
        cure = f"upload them with: python -m gen_models.publish {shlex.quote(name)} --hub"
        raise WeightsError(f"the weights {name} are not on the Hub; {cure}")
    return f"{entry['repository']}@{entry['commit']}"


def _entry(name: str) -> dict[str, Any]:
    """The row of the table for a name or for a commit on the Hub; {}: there is none."""
    if "/" not in name:
        return table().get(name, {})
    return next((entry for entry in table().values() if f"{entry.get('repository')}@{entry.get('commit')}" == name), {})


def _pinned(name: str) -> hub.Pinned:
    """What to ask the Hub for."""
    entry = _entry(name)
    if "/" in name:
        if not REFERENCE.fullmatch(name):
            raise KeyError(f"{name!r} is not of the form owner/name@commit with the 40 digits of the commit")
        repository, _, commit = name.partition("@")
    else:
        repository, commit = entry["repository"], entry["commit"]
    known = {key: entry[key] for key in ("file", "sha256", "config") if key in entry}
    return hub.Pinned(name, repository, commit, **known)
