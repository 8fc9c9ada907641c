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

from gen_models import catalog, sets

PACKAGE = ROOT / "gen_models"
FILES = sorted(PACKAGE.rglob("*.py"))
SETS = sorted((PACKAGE / "sets").glob("*.py"))
MEASURES = sorted((PACKAGE / "measures").glob("*.py"))
FAMILIES = [file for file in sorted(PACKAGE.glob("*/*.py")) if file.parent.name not in catalog.APART]
MODELS = [file for file in FAMILIES if not file.name.startswith("_")]
COMMANDS = {f"gen_models.{file.stem}" for file in PACKAGE.glob("*.py") if "argparse" in file.read_text(encoding="utf-8")}
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
    assert "torchvision.datasets" in imported(PACKAGE / "sets" / "_idx.py")  # within a function


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


def stranger(file: Path, name: str) -> bool:
    """Whether a file of a family may not import this module of the package: it may its family's, and what all share."""
    return name.split(".")[0] == "gen_models" and name not in SHARED and not name.startswith(f"gen_models.{file.parent.name}.")


@pytest.mark.parametrize("file", FAMILIES, ids=label)
def test_a_model_imports_the_shared_files_and_its_own_family(file):
    assert not {name for name in imported(file) if stranger(file, name)}


def test_a_variant_may_import_its_sibling_and_no_other_crossing_is_seen_through():
    file = PACKAGE / "autoencoders" / "iaf_vae.py"
    assert not stranger(file, "gen_models.autoencoders.vae")
    assert not stranger(file, "gen_models.autoencoders._networks") and not stranger(file, "torch")
    for name in ("gans.dcgan", "gans._augment", "train", "catalog", "measures.likelihood", "verbs", "sets.mnist", "autoencoder.y"):
        assert stranger(file, f"gen_models.{name}"), name


@pytest.mark.parametrize("file", [file for file in FAMILIES if file.name.startswith("_")], ids=label)
def test_what_a_family_shares_imports_none_of_its_models(file):
    assert not {name for name in imported(file) if name in {f"gen_models.{file.parent.name}.{other.stem}" for other in MODELS}}


@pytest.mark.parametrize("file", MEASURES, ids=label)
def test_a_measure_imports_no_model_and_no_command(file):
    found = {name for name in imported(file) if name.split(".")[0] == "gen_models"}
    families = {f"gen_models.{other.parent.name}" for other in FAMILIES}
    assert not {name for name in found if name in COMMANDS or name.rpartition(".")[0] in families | {"gen_models.sets"}}


@pytest.mark.parametrize("file", sorted((ROOT / "demos").rglob("*.py")), ids=label)
def test_the_page_imports_no_command(file):
    assert {"gen_models.train", "gen_models.evaluate", "gen_models.publish", "gen_models.bundle"} <= COMMANDS
    assert not imported(file) & COMMANDS


def words_in(file: Path) -> set[str]:
    """The strings of a file that are one word, and the words between their dashes; text for people has more of them."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {word for string in strings if re.fullmatch(r"[\w-]+", string) for word in (string, *string.split("-"))}


GENERAL = [*MEASURES, *(PACKAGE / f"{name}.py" for name in ("verbs", "cards", "sheets", "evaluate"))]


@pytest.mark.parametrize("file", GENERAL, ids=label)
def test_what_measures_names_no_model_no_family_and_no_data_set(file):
    special = {*NAMES, *catalog.names().values(), *sets.names()} - {"features", "faces"}  # a verb, and what a finder finds
    assert not words_in(file) & special


@pytest.mark.parametrize("file", GENERAL, ids=label)
def test_what_a_model_can_do_is_asked_by_verb(file):
    names = {node.id if isinstance(node, ast.Name) else node.attr for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
             if isinstance(node, ast.Name | ast.Attribute)}  # fmt: skip
    assert not names & {"hasattr", "getattr", "signature"}
    assert "model.config" not in file.read_text(encoding="utf-8")  # the arguments of a constructor


def test_the_reader_of_words_sees_them():
    words = words_in(PACKAGE / "autoencoders" / "vae.py")
    assert {"nll-mnist", "mnist", "fashion"} <= words and "reconstruction" in words and "Recipe" not in words


@pytest.mark.parametrize("file", SETS, ids=label)
def test_a_data_set_imports_what_all_share_and_other_sets(file):
    """The registry itself imports nothing, so there is no circle: ``data.py`` asks it for records, which import ``data.py``."""
    found = {name for name in imported(file) if name.split(".")[0] == "gen_models"}
    shared = {"gen_models.data", "gen_models.edges", "gen_models.pictures", "gen_models.sets"}
    allowed = set() if file.stem == "__init__" else shared
    assert all(name in allowed or name.startswith("gen_models.sets.") and file.stem != "__init__" for name in found), found


@pytest.mark.parametrize("name", ["base", "layers", "losses", "runtime"])
def test_the_ground_floor_stands_on_nothing(name):
    assert not {found for found in imported(PACKAGE / f"{name}.py") if found.startswith("gen_models")}


def test_the_damages_need_only_draws():
    assert {found for found in imported(PACKAGE / "degradation.py") if found.startswith("gen_models")} == {"gen_models.base"}


@pytest.mark.parametrize("file", FILES, ids=label)
def test_no_one_imports_the_trainer(file):
    assert "gen_models.train" not in imported(file)


def test_importing_the_package_loads_no_model_and_no_torchvision():
    program = "import sys, gen_models; gen_models.names(); gen_models.trained(); print('\\n'.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(found.stdout.split())
    assert "gen_models.catalog" in modules
    families = {f"gen_models.{file.parent.name}" for file in MODELS}
    families |= {f"gen_models.{name}" for name in catalog.APART}
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
