"""The container file: what it copies is there, and the page starts and is healthy from these files alone."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import httpx
import pytest
from browsing import serving
from conftest import ROOT

import app

FILE = ROOT / ".ci" / "Containerfile"
STEPS = [line.split(maxsplit=1) for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def steps(word: str) -> list[str]:
    return [rest for first, rest in STEPS if first == word]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the page as the container has it."""
    folder = tmp_path_factory.mktemp("container")
    for step in steps("COPY"):
        *sources, target = shlex.split(step)
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / source, folder / target / source)
    return folder


def test_it_is_built_with_the_python_of_the_space_and_run_by_nobody_in_particular():
    wanted = re.search(r'python_version: "(.+)"', (ROOT / "README.md").read_text(encoding="utf-8"))[1]
    assert steps("FROM") == [f"python:{wanted}-slim"]
    assert [first for first, _ in STEPS].index("USER") < [first for first, _ in STEPS].index("CMD")
    assert steps("USER") == ["gallery"]


@pytest.mark.browser
def test_the_page_starts_from_what_was_copied_and_is_healthy(built, tmp_path):
    (command,) = map(json.loads, steps("CMD"))
    assert command[0] == "python" and steps("EXPOSE") == [command[command.index("--port") + 1]]
    command = [sys.executable, *command[1 : command.index("--port")]]  # ``serving`` adds a port that is free
    with serving(tmp_path, *command, cwd=built, PYTHONPATH="") as address:
        told = httpx.get(f"{address}/health").json()
        assert told["status"] == "ok" and told["weights"] == len(app.catalog.trained())
        (check,) = steps("HEALTHCHECK")
        words = json.loads(check[check.index("CMD ") + 4 :])
        words = [sys.executable, *(word.replace("http://127.0.0.1:7860", address) for word in words[1:])]
        assert subprocess.run(words, env=os.environ, timeout=60).returncode == 0
