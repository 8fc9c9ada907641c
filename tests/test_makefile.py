"""``make``: what it says before it fetches anything, and how it installs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT, concerns


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A project with this Makefile that needs nothing, so that no network is asked."""
    folder = tmp_path / "a project"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (folder / name).touch()
    (folder / "app.py").write_text("import sys; print('started in', sys.prefix)", encoding="utf-8")
    return folder


def make(folder: Path, *words: str) -> str:
    """What ``make`` prints."""
    command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_run_says_what_it_fetches_installs_once_and_starts(checkout):
    said = make(checkout, "run")
    told, started = said.index("Fetching what requirements.txt names into .venv: on Linux about 6 GB"), said.index("started in")
    assert told < said.index("pip install --quiet -r requirements.txt") < started
    assert "make run TORCH=cpu" in said and str(checkout / ".venv") in said[started:]
    again = make(checkout, "run")
    assert "Fetching" not in again and "started in" in again


def test_the_environment_may_be_elsewhere(checkout, tmp_path):
    before = sorted(checkout.iterdir())
    assert f"started in {tmp_path / 'venv'}\n" in make(checkout, "run", f"VENV={tmp_path / 'venv'}")
    assert sorted(checkout.iterdir()) == before


@pytest.mark.parametrize("target, file", [("run", "requirements.txt"), ("test", "requirements-dev.txt")])
def test_without_cuda_uv_chooses_the_wheels(checkout, target, file):
    said = make(checkout, "--dry-run", target, "TORCH=cpu")
    assert "about 2 GB without CUDA" in said and "6 GB" not in said
    assert re.search(rf"\.venv/bin/uv pip install --python \.venv/bin/python --torch-backend=cpu -r {file}$", said, re.MULTILINE)


@pytest.mark.parametrize("file, name, given, wanted", [
    ("test_dcgan", "test_shapes", [], True), ("test_gans", "test_losses", [], True), ("test_hygiene", "test_names", [], True),
    ("test_weights", "test_a_seed", ["dcgan-faces"], True), ("test_weights", "test_a_seed", ["vae-faces"], False),
    ("test_contract", "test_shapes", ["dcgan"], True), ("test_hygiene", "test_names", ["gan-mnist"], False),
    ("test_app", "test_dcgan_picks", [], True), ("test_app", "test_vae_looks", [], False), ("test_gan", "test_shapes", [], False),
])  # fmt: skip
def test_of_one_model_those_tests_are_chosen_that_it_can_fail(file, name, given, wanted):
    item = SimpleNamespace(path=Path(f"{file}.py"), name=name, callspec=SimpleNamespace(params=dict(enumerate(given))))
    assert concerns(item, "dcgan") is wanted


def test_make_tests_one_model(checkout):
    command = "-m pytest -n 2 --dist loadgroup"
    assert f"{command} --model vae\n" in make(checkout, "--dry-run", "test", "MODEL=vae")
    assert re.search(f"{command} *\n", make(checkout, "--dry-run", "test"))


def test_the_readme_names_the_small_way():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make run TORCH=cpu" in readme and "uv pip install --torch-backend=cpu -r requirements.txt" in readme
