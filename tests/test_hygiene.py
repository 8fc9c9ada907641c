"""The lines between the parts of the house (who may import whom), and what a public repository must not contain."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import NAMES, ROOT

from gen_models import catalog

PACKAGE = ROOT / "gen_models"
FILES = sorted(PACKAGE.rglob("*.py"))
MODELS = sorted(PACKAGE.glob("*/[!_]*.py"))
SHARED = {"gen_models.base", "gen_models.layers", "gen_models.losses", "gen_models.degradation"}
README = ROOT / "README.md"


def imported(file: Path) -> set[str]:
    """Every module a file imports, wherever in it; ``from gen_models import catalog`` is ``gen_models.catalog``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            module = node.module or ""
            inside = PACKAGE.parent / module.replace(".", "/")
            for alias in node.names:
                part = (inside / alias.name).with_suffix(".py").is_file() or (inside / alias.name / "__init__.py").is_file()
                found.add(f"{module}.{alias.name}" if part else module)
    return found


def label(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_the_reader_of_imports_sees_them():
    assert {"gen_models.base", "gen_models.gans._augment", "gen_models.layers", "torch"} <= imported(PACKAGE / "gans" / "dcgan.py")
    assert "gen_models.catalog" in imported(PACKAGE / "train.py")
    assert "torchvision.datasets" in imported(PACKAGE / "data.py")  # within a function


@pytest.mark.parametrize("file", FILES, ids=label)
def test_the_package_knows_nothing_of_the_page(file):
    assert not {name for name in imported(file) if name.split(".")[0] in ("gradio", "gradio_client", "demos", "app", "tests")}


FLOORS = ["demos._widgets", "demos._server", "demos._kit", "demos._families"]
"""The parts of the page, each of which may import those before it; the rooms, above them, may import all."""


def floor(module: str) -> int:
    return next((place for place, name in enumerate(FLOORS) if f"{module}.".startswith(f"{name}.")), len(FLOORS))


@pytest.mark.parametrize("file", sorted((ROOT / "demos").rglob("*.py")), ids=label)
def test_a_part_of_the_page_imports_only_what_it_stands_on(file):
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for name in imported(file):
        assert name != "app", f"{label(file)} imports the front door"
        if name.split(".")[0] == "demos":
            assert floor(name) <= floor(module), f"{label(file)} imports {name}"


def test_no_two_files_import_each_other_in_a_circle():
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "demos").rglob("*.py")]
    graph = {".".join(file.relative_to(ROOT).with_suffix("").parts): imported(file) for file in files}
    assert len(graph) > 80
    for name in graph:
        graph[name] = {other for other in graph[name] if other in graph and other != name}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("file", sorted(PACKAGE.glob("*/*.py")), ids=label)
def test_a_model_imports_the_shared_files_and_its_familys_own(file):
    for name in imported(file):
        if name.split(".")[0] == "gen_models" and name not in SHARED:
            assert name.startswith(f"gen_models.{file.parent.name}._"), f"{label(file)} imports {name}"


@pytest.mark.parametrize("name", ["base", "layers", "losses", "runtime"])
def test_the_ground_floor_stands_on_nothing(name):
    assert not {found for found in imported(PACKAGE / f"{name}.py") if found.startswith("gen_models")}


def test_the_damages_need_only_draws():
    assert {found for found in imported(PACKAGE / "degradation.py") if found.startswith("gen_models")} == {"gen_models.base"}


@pytest.mark.parametrize("file", FILES, ids=label)
def test_no_one_imports_the_trainer(file):
    if file.name not in ("train.py", "evaluate.py", "publish.py"):  # these two draw its sheets
        assert "gen_models.train" not in imported(file)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "gen_models.train":
            assert {alias.name for alias in node.names} <= {"SHEET", "middle", "save_grid", "sheet"}


def test_importing_the_package_loads_no_model_and_no_torchvision():
    program = "import sys, gen_models; gen_models.names(); gen_models.trained(); print('\\n'.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(found.stdout.split())
    assert "gen_models.catalog" in modules
    families = {f"gen_models.{file.parent.name}" for file in MODELS}
    assert not {name for name in modules if any(name == family or name.startswith(f"{family}.") for family in families)}
    assert not modules & {"torchvision", "gradio", "accelerate", "sklearn", "skimage", "torchmetrics", "gen_models.train"}


def test_families_are_packages():
    for family in {file.parent for file in MODELS}:
        assert (family / "__init__.py").is_file()
        assert (family / "__init__.py").read_text(encoding="utf-8").strip() == ""


def test_no_folder_of_one_machine_is_written_down():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert files
    private = re.compile(rb"/(?:" + b"|".join([b"work", b"root", b"home/[a-z]+", b"Users/[A-Za-z]+"]) + rb")/")
    # a link may hold any word; a path on a disk starts after a space, a quote or the like
    found = [
        f"{file.relative_to(ROOT)}: {match.group().decode()}"
        for file in files
        if file.suffix not in (".safetensors", ".png", ".jpg", ".webp", ".gif")
        for match in re.finditer(rb"(?<![\w.~$}])" + private.pattern, file.read_bytes())
    ]
    assert found == []


def without_encoding(tree: ast.AST) -> list[int]:
    """The lines that read or write text in whatever encoding the machine prefers."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(keyword.arg in ("encoding", None) for keyword in node.keywords):
            continue
        method = isinstance(node.func, ast.Attribute)
        name = node.func.attr if method else getattr(node.func, "id", "")
        modes = node.args[not method :][:1] + [keyword.value for keyword in node.keywords if keyword.arg == "mode"]
        words = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
        plain = not node.args and not node.keywords if method else len(node.args) == 1 and not modes
        text = plain or any(re.fullmatch(r"[rwax]t?\+?", word) for word in words)
        if name == "read_text" and method and plain or name == "write_text" and len(node.args) == 1 or name == "open" and text:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "line, seen",
    [
        ("path.read_text()", True), ('path.read_text(encoding="utf-8")', False), ("path.write_text(words)", True),
        ('path.open("a")', True), ('path.open("rb")', False), ("path.open()", True), ("open(path)", True),
        ('open(path, "w")', True), ('open(path, mode="w+")', True), ('open(path, "xb")', False), ("Image.open(path)", False),
        ("planes.read_text(pasted)", False), ("read_text(pasted)", False),
    ],
)  # fmt: skip
def test_the_reader_of_encodings_sees_them(line, seen):
    assert bool(without_encoding(ast.parse(line))) == seen


@pytest.mark.parametrize("folder", ["gen_models", "demos", "tests", "benchmarks", "app.py"])
def test_every_text_file_is_read_and_written_as_utf_8(folder):
    files = [ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {label(file): without_encoding(ast.parse(file.read_text(encoding="utf-8"))) for file in files}
    assert not {name: lines for name, lines in found.items() if lines}


def test_the_readme_lists_every_model_once():
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell).strip(" *`") for row in rows for cell in row.split("|")]
    titles = [catalog.model_class(name).title for name in NAMES]
    assert len(set(titles)) == len(titles)
    assert {title: cells.count(title) for title in titles} == dict.fromkeys(titles, 1)
