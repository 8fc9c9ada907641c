"""Cards: what they say of numbers, and the commands that they name."""

from __future__ import annotations

import ast
import json
import re
import shlex
from dataclasses import replace

import pytest

from gen_models import cards, catalog, evaluate, publish, train


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [(12.345, 0.0678, "12.345 ± 0.068"), (100.0, 12.0, "100 ± 12"), (0.5, 0.0, "0.500 ± 0.000"), (88.88, 0.25, "88.88 ± 0.25")],
)
def test_numbers_have_two_digits_of_their_error(value, error, text):
    assert cards.shown(value, error) == text


@pytest.mark.parametrize("name", ["dcgan-my cats", "dcgan-it's \"mine\" & yours", "dcgan-Katzen & Füchse"])
def test_a_card_names_commands_that_work_for_a_model_of_any_name(
    small_dcgan, shelf, own_folder, tmp_path, name, capsys, monkeypatch
):
    recipe = small_dcgan.recipes["folder"]
    monkeypatch.setitem(small_dcgan.recipes, "folder", replace(recipe, large=recipe))
    words = [name, "--data", f"folder:{own_folder}", "--steps", "1", "--out", str(tmp_path / "run"), "--cpu", "--sample-every", "0"]
    assert train.main(words) == 0
    assert publish.main([name, "--from", str(tmp_path / "run")]) == 0
    text = (shelf / name / "README.md").read_text(encoding="utf-8")
    typed = [shlex.split(found) for found in re.findall(r"`python -m (.+?)`", text)]
    assert [words[0] for words in typed] == [f"gen_models.{verb}" for verb in ("evaluate", "train", "publish", "train")]
    assert [words[-1] == "--large" for words in typed] == [False, False, False, True]
    for words in typed:
        assert words[1] == name
        assert words[2] == "--from" if words[0] == "gen_models.publish" else words[words.index("--data") + 1] == "folder:PATH"
    parsed = ast.parse(re.search(r"```python\n(.+?)```", text, re.DOTALL)[1])
    loaded = next(node.args[0].value for node in ast.walk(parsed) if isinstance(node, ast.Call) and node.args)
    assert loaded == name and catalog.load(loaded).image_shape == (1, 16, 16)
    capsys.readouterr()
    # as typed, with the folder in place of PATH: only that the pictures are too few keeps it from measuring
    assert evaluate.main([word.replace("PATH", str(own_folder)) for word in typed[0][1:]]) == 1
    assert re.fullmatch(r"error: the test part of .+ holds \d+ pictures?; \d+ are needed .+\n", capsys.readouterr().err)


@pytest.mark.parametrize("file", ["config.json", "evaluation.json"])
@pytest.mark.parametrize("content", ["", "[", "7", "[]", "{}", None])
def test_of_weights_with_a_damaged_file_nothing_was_measured(shelf, file, content):
    folder = shelf / "dcgan-mnist"
    folder.mkdir()
    sound = {"sha256": "a", "model": "dcgan", "arguments": {}, "measures": [{"key": "frechet"}]}
    for each in ("config.json", "evaluation.json"):
        (folder / each).write_text(json.dumps(sound), encoding="utf-8")
    assert cards.measures_of("dcgan-mnist") == [{"key": "frechet"}]
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content, encoding="utf-8")
    assert cards.measures_of("dcgan-mnist") == []


@pytest.mark.parametrize("name", [name for name in catalog.trained() if cards.measures_of(name)])
def test_a_way_of_measuring_is_described_once(name):
    lines = cards.numbers_table(name).splitlines()
    notes = [line.partition(". ")[2] for line in lines[lines.index("How each was measured:") :] if line[:1].isdigit()]
    marks = {int(number) for number in re.findall(r"\) \[(\d+)\] \|", "\n".join(lines))}
    assert len(set(notes)) == len(notes) and marks == set(range(1, len(notes) + 1))
