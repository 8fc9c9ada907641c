"""The templates from which a model and its room are begun: trained, published and shown as CONTRIBUTING says, and a room alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

SHOW = """
import gradio as gr
import demos.mine
with gr.Blocks() as page:
    demos.mine.room()
assert {event.api_name for event in page.fns.values()} >= {"mine_sample"}
raw = {"weights": ["mine-mine"], "seed": [3], "count": [2]}
print(len(demos.mine.PLAN.call(demos.mine.sample, raw).pictures))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project with one more model and its room, and no weights."""
    folder = tmp_path_factory.mktemp("project")
    for part in ("gen_models", "demos"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", folder)
    (folder / "weights").mkdir()
    model, room = ((ROOT / part / "_template.py").read_text(encoding="utf-8") for part in ("gen_models", "demos"))
    (folder / "gen_models" / "gans" / "mine.py").write_text(model, encoding="utf-8")
    (folder / "demos" / "mine.py").write_text(room.replace('"template"', '"mine"').replace('"fashion"', '"mine"'), encoding="utf-8")
    (folder / "pictures").mkdir()
    generator = np.random.default_rng(0)
    for number in range(60):
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / "pictures" / f"{number}.png")
    return folder


def run(folder, *words: str) -> str:
    """What a Python program says that is run in the folder; it must end well."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_templates_make_a_model_with_a_room(copy):
    run(copy, "-m", "gen_models.train", "mine-mine", "--data", "folder:pictures", "--steps", "4", "--batch-size", "8", "--cpu")
    run(copy, "-m", "gen_models.publish", "mine-mine", "--from", "runs/mine-mine")
    assert "Carl Friedrich Gauss" in (copy / "weights" / "mine-mine" / "README.md").read_text(encoding="utf-8")
    assert run(copy, "-c", SHOW).strip() == "2"


def test_a_room_is_shown_alone(copy, monkeypatch):
    launched = "import gradio as gr; gr.Blocks.launch = lambda page, **settings: print(sorted(settings), len(page.fns) > 5); "
    said = run(copy, "-c", launched + "import runpy; runpy.run_module('demos.mine', run_name='__main__')")
    assert said.strip() == "['css_paths', 'js', 'theme'] True"
