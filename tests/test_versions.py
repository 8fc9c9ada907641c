"""What is said of the versions of Python is the same everywhere, and holds for every source."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib

import pytest
from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
TESTED = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", WORKFLOW)[1])
"""The Pythons of the workflow, the oldest first."""


def sources() -> list[str]:
    """The project's Python, files without an ending among it."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in listed if name.endswith(".py") or name == ".ci/versions"]


@pytest.mark.parametrize("version", TESTED)
def test_every_source_is_written_in_the_grammar_of_each_python(version):
    major, minor = map(int, version.split("."))
    names = sources()
    assert len(names) > 100
    for name in names:
        ast.parse((ROOT / name).read_text(encoding="utf-8"), name, feature_version=(major, minor))


def test_a_newer_grammar_would_be_noticed():
    with pytest.raises(SyntaxError):
        ast.parse("def first[T](of: list[T]) -> T: ...", feature_version=(3, 11))


def test_everyone_names_the_same_pythons():
    oldest = re.fullmatch(r">=(3\.\d+)", PROJECT["project"]["requires-python"])[1]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert TESTED[0] == oldest
    assert re.findall(r"Python (3\.\d+) or newer", readme) == [oldest]
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert re.search(r'^python_version: "(.+)"$', readme, re.MULTILINE)[1] in TESTED
