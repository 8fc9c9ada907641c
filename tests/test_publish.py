"""Publishing: what is refused, what is copied, and what stays pinned."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import build

from gen_models import catalog, publish


@pytest.fixture
def run(tmp_path):
    """The folder of a run with the weights of a tiny VAE."""
    model = build("vae")
    record = {"model": "vae", "data": "mnist", "training": {"command": "python -m gen_models.train vae-mnist", "steps": 3}}
    catalog.save(model, tmp_path / "run" / "weights", record)
    return tmp_path / "run"


def test_a_run_becomes_weights_with_card_samples_and_checksum(shelf, run):
    assert publish.main(["vae-mnist", "--from", str(run)]) == 0
    folder = shelf / "vae-mnist"
    assert {file.name for file in folder.iterdir()} == {"config.json", "model.safetensors", "README.md", "samples.png"}
    entry = catalog.table()["vae-mnist"]
    assert entry["sha256"] == catalog.sha256(folder / "model.safetensors")
    assert entry["bytes"] == (folder / "model.safetensors").stat().st_size
    text = (folder / "README.md").read_text()
    assert text.startswith("---\n")
    for part in ("VAE on", "python -m gen_models.train vae-mnist", "Not measured yet", "Where it fails", entry["sha256"][:16]):
        assert part in text
    loaded = catalog.load("vae-mnist").state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in catalog.read(run / "weights").state_dict().items())


def test_a_commit_stays_pinned_as_long_as_the_file_is_the_same(shelf, run):
    publish.main(["vae-mnist", "--from", str(run)])
    publish._enter("vae-mnist", shelf / "vae-mnist", commit="c" * 40)
    publish.main(["vae-mnist", "--card-only"])
    assert catalog.table()["vae-mnist"]["commit"] == "c" * 40
    torch.manual_seed(5)
    other = build("vae")
    other.latent_kl.fill_(0.5)
    catalog.save(other, run / "weights", {"model": "vae", "data": "mnist"})
    publish.main(["vae-mnist", "--from", str(run)])
    assert catalog.table()["vae-mnist"]["commit"] is None


def test_what_cannot_be_published_is_one_sentence(shelf, run, tmp_path, capsys):
    cases = [
        (["vae-mnist"], "no folder"),
        (["dcgan-mnist", "--from", str(run)], "not dcgan-mnist"),
        (["vae-mnist", "--from", str(tmp_path / "nowhere")], "no weights"),
        (["nonsense-mnist", "--from", str(run)], "nonsense"),
    ]
    for arguments, word in cases:
        assert publish.main(arguments) == 1
        said = capsys.readouterr().err.strip()
        assert said.startswith("error: ")
        assert word in said
        assert "\n" not in said
    assert list(shelf.iterdir()) == []


def test_weights_with_a_flipped_byte_are_not_published(shelf, run, capsys):
    file = run / "weights" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert publish.main(["vae-mnist", "--from", str(run)]) == 1
    assert "error: " in capsys.readouterr().err
    assert list(shelf.iterdir()) == []


def test_without_a_network_an_upload_says_so(shelf, run, capsys):
    assert publish.main(["vae-mnist", "--from", str(run), "--hub"]) == 1
    assert "the Hub cannot be reached" in capsys.readouterr().err
    assert catalog.table()["vae-mnist"]["commit"] is None
    assert json.loads(catalog.TABLE.read_text())
