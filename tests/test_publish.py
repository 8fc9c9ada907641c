"""Publishing: what is refused, what is copied, and what stays pinned."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import build
from PIL import Image

from gen_models import cards, catalog, publish, sheets
from gen_models.data import load_data


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
    assert {file.name for file in folder.iterdir()} == {
        "config.json", "model.safetensors", "README.md", "samples.png", "ends.webp"
    }  # fmt: skip
    entry = catalog.table()["vae-mnist"]
    assert entry["sha256"] == catalog.sha256(folder / "model.safetensors")
    assert entry["bytes"] == (folder / "model.safetensors").stat().st_size
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    for part in ("VAE on", "python -m gen_models.train vae-mnist", "Not measured yet", "Where it fails", entry["sha256"][:16]):
        assert part in text
    loaded = catalog.load("vae-mnist").state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in catalog.read(run / "weights").state_dict().items())


def test_a_translator_has_examples_where_its_data_is_at_hand(shelf, tmp_path, data_folder, monkeypatch):
    model = catalog.model_class("pix2pix")(size=32, widths=[4, 4, 4, 4], discriminator_width=4)
    catalog.save(model, tmp_path / "run" / "weights", {"model": "pix2pix", "data": "facades"})
    folder, files = shelf / "pix2pix-facades", (sheets.INPUTS, sheets.PARTNERS, sheets.RESULT)
    monkeypatch.delenv("GALLERY_DATA", raising=False)
    assert publish.main(["pix2pix-facades", "--from", str(tmp_path / "run")]) == 0
    assert not any((folder / file).exists() for file in (*files, sheets.SAMPLES))
    monkeypatch.setenv("GALLERY_DATA", str(data_folder))
    assert publish.main(["pix2pix-facades"]) == 0
    held = load_data("facades", "validation", 32)
    count = min(sheets.EXAMPLES, len(held))
    sheet = pixels(folder / sheets.INPUTS)
    assert sheet.shape == (32, 32 * count, 3)
    for place in range(count):  # label maps to the last bit
        assert np.array_equal(sheet[:, 32 * place : 32 * place + 32], held.images[place].permute(1, 2, 0).numpy())
    photos = held.partners[:count].permute(2, 0, 3, 1).reshape(32, -1, 3).numpy()
    assert np.abs(pixels(folder / sheets.PARTNERS).astype(int) - photos).mean() < 12
    made = catalog.load("pix2pix-facades").translate(held.unit(0, 1))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(pixels(folder / sheets.RESULT) - made).mean() < 12
    tested = load_data("facades", "test", 32)
    shown = pixels(folder / sheets.SAMPLES)
    assert shown.shape[1] == 8 * 32 and np.array_equal(shown[:32, :32], tested.images[0].permute(1, 2, 0).numpy())
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "the first pictures held back from training" in text and "| In the paper | 200 epochs of 400 pairs" in text
    # without the data they stay, and the translation is that of the present weights
    before = [(folder / file).read_bytes() for file in files]
    monkeypatch.delenv("GALLERY_DATA")
    (folder / sheets.RESULT).unlink()
    assert publish.main(["pix2pix-facades", "--card-only"]) == 0
    assert [(folder / file).read_bytes() for file in files] == before


def test_a_translator_with_a_way_back_has_an_example_of_it(shelf, tmp_path, data_folder, monkeypatch):
    model = catalog.model_class("cyclegan")(size=32, crop=32, width=4, blocks=1, discriminator_width=4, pool=2)
    catalog.save(model, tmp_path / "run" / "weights", {"model": "cyclegan", "data": "monet2photo"})
    monkeypatch.setenv("GALLERY_DATA", str(data_folder))
    assert publish.main(["cyclegan-monet2photo", "--from", str(tmp_path / "run")]) == 0
    folder, loaded = shelf / "cyclegan-monet2photo", catalog.load("cyclegan-monet2photo")
    for file, source, backwards in ((sheets.RESULT, sheets.INPUTS, False), (sheets.BACK, sheets.PARTNERS, True)):
        first = torch.tensor(pixels(folder / source)[:, :32]).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            made, other = (loaded.translate(first, way)[0].permute(1, 2, 0).numpy() * 255 for way in (backwards, not backwards))
        stored = pixels(folder / file).astype(int)  # pixels of an untrained network are noise, of which WebP loses a little
        assert np.abs(stored - made).mean() < 20 and np.abs(stored - other).mean() > 2 * np.abs(stored - made).mean()


def test_a_restorer_has_examples_where_its_data_is_at_hand(shelf, tmp_path, data_folder, monkeypatch):
    torch.manual_seed(0)
    model = catalog.model_class("edsr")(size=32, crop=16, width=4, blocks=1)
    torch.nn.init.normal_(model.network.tail[-1].weight, 0.0, 0.02)  # WebP loses much of the noise that an untrained network makes
    record = {"model": "edsr", "data": "photos", "degradation": "shrunk bicubically, to 1/4 of the side"}
    catalog.save(model, tmp_path / "run" / "weights", record)
    folder, files = shelf / "edsr-photos", (sheets.INPUTS, sheets.PARTNERS, sheets.RESULT)
    monkeypatch.delenv("GALLERY_DATA", raising=False)
    assert publish.main(["edsr-photos", "--from", str(tmp_path / "run")]) == 0
    assert not any((folder / file).exists() for file in (*files, sheets.SAMPLES))
    monkeypatch.setenv("GALLERY_DATA", str(data_folder))
    assert publish.main(["edsr-photos"]) == 0
    held = load_data("photos", "validation", 32)
    count = min(sheets.EXAMPLES, len(held))
    loaded = catalog.load("edsr-photos")
    small = (loaded.downscale(held.unit(0, count)) * 255).round().to(torch.uint8)
    assert np.array_equal(pixels(folder / sheets.INPUTS), torch.cat(list(small), dim=2).permute(1, 2, 0).numpy())
    true = torch.cat(list(held.images[:count]), dim=2).permute(1, 2, 0).numpy()
    assert np.abs(pixels(folder / sheets.PARTNERS).astype(int) - true).mean() < 12
    made = loaded.upscale(small[:1].float() / 255)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(pixels(folder / sheets.RESULT) - made).mean() < 12
    tested = load_data("photos", "test", 32)
    shown = pixels(folder / sheets.SAMPLES)
    assert shown.shape[1] == 8 * 32 and np.array_equal(shown[96:128, :32], tested.images[0].permute(1, 2, 0).numpy())
    text = (folder / "README.md").read_text(encoding="utf-8")
    for part in (
        "# EDSR on photographs, paintings and textures, 4 times", "the first pictures held back from training; rows of shrunk",
        "| Trained to undo | shrunk bicubically, to 1/4 of the side |", "-> (B, 3, 4H, 4W)", "pipeline_tag: image-to-image",
    ):  # fmt: skip
        assert part in text


def test_a_card_names_the_recipe_of_its_own_name(shelf, tmp_path):
    for name, scale in (("edsr-faces8", 8), ("edsr-faces", 4)):
        model = catalog.model_class("edsr")(size=16, crop=16, width=4, blocks=1, scale=scale)
        facts = {"origins": {"edsr-faces": "ab" * 32}} if scale == 8 else {}
        catalog.save(model, tmp_path / name / "weights", {"model": "edsr", "data": "faces", "training": facts})
        assert publish.main([name, "--from", str(tmp_path / name)]) == 0
        text = (shelf / name / "README.md").read_text(encoding="utf-8")
        assert f"gen_models.train {name} --large" in text and f"scale={scale}" in text.partition("With a GPU")[2]
        assert "here 16 x 16 colour" in text
        assert ("Started from, or asked | edsr-faces (SHA-256 `abababab" in text) == (scale == 8)


# ---- a user's own ------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_run(tmp_path):
    """Make the folder of a run on a user's own pictures; returns it."""

    def make(number: int) -> Path:
        model = build("vae")
        with torch.no_grad():
            list(model.parameters())[-1].fill_(number)
        words = "python -m gen_models.train vae-mine --data folder:PATH"
        catalog.save(model, tmp_path / "run" / "weights", {"model": "vae", "data": "folder", "training": {"command": words}})
        (tmp_path / "run" / "checkpoint.pt").write_bytes(b"state")
        return tmp_path / "run"

    return make


def run_of(name: str) -> float:
    """The number of the run whose weights are shown."""
    catalog._loaded.clear()
    return float(list(catalog.load(name).parameters())[-1].flatten()[0])


def test_a_second_training_takes_the_place_of_the_first(shelf, own_run):
    """Moved by hand it came to lie in a folder within the first, which the page showed for ever."""
    folder, samples = shelf / "vae-mine", []
    for number in (1, 2):
        if samples:
            (folder / "latents.json").write_text('{"0": "Width"}', encoding="utf-8")
        assert publish.main(["vae-mine", "--from", str(own_run(number))]) == 0
        assert run_of("vae-mine") == number
        samples.append((folder / "samples.png").read_bytes())
    assert {file.name for file in folder.iterdir()} == {"config.json", "model.safetensors", "README.md", "samples.png", "ends.webp"}
    assert samples[0] != samples[1]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| Put on the page with | `python -m gen_models.publish vae-mine --from runs/vae-mine` |" in card
    assert catalog.misplaced() == []


def test_a_name_with_an_umlaut_is_published_where_the_locale_is_ascii(tmp_path, own_run):
    surroundings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "GALLERY_WEIGHTS": str(tmp_path / "shelf")}
    command = [sys.executable, "-m", "gen_models.publish", "vae-blüten", "--from", str(own_run(1))]
    done = subprocess.run(command, cwd=catalog.PACKAGE.parent, env=os.environ | surroundings, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    (folder,) = (tmp_path / "shelf").iterdir()
    assert folder.name == "vae-blüten"
    assert "publish vae-blüten --from runs/vae-blüten" in (folder / "README.md").read_text(encoding="utf-8").replace("'", "")


def test_what_a_user_trained_is_not_entered_and_leaves_nothing_behind(shelf, own_run):
    publish.main(["vae-mine", "--from", str(own_run(1))])
    assert catalog.trained("vae") == ["vae-mine"] and catalog.table() == {}
    shutil.rmtree(shelf / "vae-mine")
    assert catalog.trained("vae") == []


def test_what_a_user_trained_and_uploaded_is_entered(small_hub_token, shelf, own_run):
    for number in (1, 2):
        assert publish.main(["vae-mine", "--from", str(own_run(number)), "--hub"]) == 0
        assert catalog.table()["vae-mine"]["commit"] and run_of("vae-mine") == number
    assert publish.main(["vae-mine", "--from", str(own_run(3))]) == 0
    assert catalog.table()["vae-mine"]["commit"] is None and run_of("vae-mine") == 3


def moved_twice(shelf, own_run) -> None:
    (own_run(1) / "weights").rename(shelf / "vae-mine")
    (own_run(2) / "weights").rename(shelf / "vae-mine" / "weights")


def moved_as_a_whole(shelf, own_run) -> None:
    own_run(2).rename(shelf / "vae-mine")


def without_its_model(shelf, own_run) -> None:
    (own_run(2) / "weights").rename(shelf / "mine")


def with_spaces(shelf, own_run) -> None:
    (own_run(2) / "weights").rename(shelf / "my flowers")


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (moved_twice, "holds other weights than"), (moved_as_a_whole, "is the folder of a run"),
        (without_its_model, "is not called vae-..."), (with_spaces, "is not called vae-..."),
    ],
)
def test_an_odd_folder_of_weights_is_named_with_what_puts_it_right(shelf, own_run, move, said):
    move(shelf, own_run)
    [sentence] = catalog.misplaced()
    assert said in sentence and "\n" not in sentence
    words = shlex.split(sentence.partition(": python -m gen_models.publish ")[2])
    assert publish.main(words) == 0
    assert run_of(words[0]) == 2
    left = [sentence for sentence in catalog.misplaced() if "is not called" not in sentence]
    assert left == []


def test_folders_that_hold_no_weights_are_named(shelf, own_run):
    publish.main(["vae-mine", "--from", str(own_run(1))])
    (shelf / "dcgan-empty").mkdir()
    (shelf / "dcgan-gone").symlink_to(shelf / "nowhere")
    for name, config in (("cats-mine", '{"model": "cats", "arguments": {}}'), ("dcgan-mine", '{"model": "vae", "arguments": {}}'),
                         ("dcgan-text", "{")):  # fmt: skip
        (shelf / name).mkdir()
        (shelf / name / "config.json").write_text(config, encoding="utf-8")
    (shelf / ".cache").mkdir()
    (shelf / "notes.txt").write_text("mine", encoding="utf-8")
    said = dict(zip(["cats-mine", "dcgan-empty", "dcgan-gone", "dcgan-mine", "dcgan-text"], catalog.misplaced(), strict=True))
    assert all(name in sentence and "\n" not in sentence for name, sentence in said.items())
    assert "no model 'cats'" in said["cats-mine"] and "holds weights of vae, not of dcgan" in said["dcgan-mine"]
    assert "there is no config.json" in said["dcgan-empty"] and "leads nowhere" in said["dcgan-gone"]
    assert "no readable config.json" in said["dcgan-text"]


def test_a_folder_of_weights_that_is_closed_is_named(shelf, own_run, monkeypatch):
    publish.main(["vae-mine", "--from", str(own_run(1))])
    (shelf / "vae-mine" / "weights").mkdir()

    def refusing(file):
        raise PermissionError(13, "Permission denied", file)

    shutil.copy(shelf / "vae-mine" / "config.json", shelf / "vae-mine" / "weights")
    monkeypatch.setattr(Path, "read_bytes", refusing)  # the super-user may read any
    [sentence] = catalog.misplaced()
    assert sentence.startswith(f"{shelf / 'vae-mine'} cannot be opened (Permission denied); ")


def test_there_need_be_no_folder_of_weights(shelf):
    assert catalog.misplaced() == []
    shelf.rmdir()
    assert catalog.misplaced() == []


def pixels(file) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def test_a_commit_stays_pinned_as_long_as_the_file_is_the_same(shelf, run):
    publish.main(["vae-mnist", "--from", str(run)])
    publish._enter("vae-mnist", shelf / "vae-mnist", commit="c" * 40)
    publish.main(["vae-mnist", "--card-only"])
    assert catalog.table()["vae-mnist"]["commit"] == "c" * 40
    config = json.loads((shelf / "vae-mnist" / "config.json").read_text(encoding="utf-8"))
    (shelf / "vae-mnist" / "config.json").write_text(json.dumps(config | {"value_range": "another"}), encoding="utf-8")
    publish.main(["vae-mnist", "--card-only"])
    assert catalog.table()["vae-mnist"]["commit"] is None  # the commit holds another configuration
    publish._enter("vae-mnist", shelf / "vae-mnist", commit="c" * 40)
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


def test_a_folder_with_another_model_is_not_published(shelf, run, capsys):
    (run / "weights").rename(shelf / "dcgan-mnist")
    assert publish.main(["dcgan-mnist"]) == 1
    assert "holds weights of" in capsys.readouterr().err
    assert catalog.table() == {}


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
    assert json.loads(catalog.TABLE.read_text(encoding="utf-8"))


# ---- the Hub ----------------------------------------------------------------------------------------------------------


MEASURED = {
    "measure": "Lower bound", "key": "bound", "value": 88.9, "error": 0.3, "unit": "nats", "protocol": "10000 test pictures",
    "paper": "86.8", "better": "lower",
}  # fmt: skip


@pytest.fixture
def small_hub_token(small_hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_letmein")
    small_hub.token = "hf_letmein"
    return small_hub


def measured(run) -> None:
    digest = catalog.sha256(run / "weights" / "model.safetensors")
    (run / "weights" / "evaluation.json").write_text(json.dumps({"sha256": digest, "measures": [MEASURED]}), encoding="utf-8")


def test_an_upload_makes_a_repository_from_which_the_weights_load(small_hub_token, shelf, run, capsys):
    measured(run)
    assert publish.main(["vae-mnist", "--from", str(run), "--hub"]) == 0
    [(repository, commits)] = small_hub_token.repositories.items()
    assert repository == f"{publish.OWNER}/vae-mnist"
    commit = catalog.table()["vae-mnist"]["commit"]
    assert commit == list(commits)[-1] and f"{repository} at {commit}" in capsys.readouterr().out
    files, folder = commits[commit], shelf / "vae-mnist"
    assert set(files) == {".gitattributes", *(file.name for file in folder.iterdir())}
    for file in folder.iterdir():
        assert file.name == "README.md" or files[file.name] == file.read_bytes()
    assert list(small_hub_token.large) == [catalog.table()["vae-mnist"]["sha256"]]  # the weights alone are a large file
    publish.shutil.rmtree(folder)
    model = catalog.load("vae-mnist", source="hub")
    assert catalog.load("vae-mnist").state_dict().keys() == model.state_dict().keys()
    assert small_hub_token.log


def test_the_card_on_the_hub_has_license_tags_data_set_task_and_numbers_with_their_protocol(shelf, run):
    from huggingface_hub import ModelCard

    measured(run)
    publish.main(["vae-mnist", "--from", str(run)])
    plain = ModelCard((shelf / "vae-mnist" / "README.md").read_text(encoding="utf-8"))
    card = ModelCard(cards.hub_card("vae-mnist"))
    assert card.text == plain.text and plain.data.eval_results is None
    assert (card.data.license, card.data.pipeline_tag) == ("mit", "unconditional-image-generation")
    assert card.data.datasets == ["ylecun/mnist"] and {"vae", "autoencoders"} <= set(card.data.tags)
    [number] = card.data.eval_results
    assert (number.metric_type, number.metric_value, number.dataset_type) == ("bound", 88.9, "ylecun/mnist")
    assert number.metric_args["protocol"] == "10000 test pictures" and number.metric_args["error"] == 0.3
    # of other weights than these, no number
    config = json.loads((shelf / "vae-mnist" / "evaluation.json").read_text(encoding="utf-8"))
    (shelf / "vae-mnist" / "evaluation.json").write_text(json.dumps(config | {"sha256": "0" * 64}), encoding="utf-8")
    assert ModelCard(cards.hub_card("vae-mnist")).data.eval_results is None


def test_a_second_upload_is_a_second_commit(small_hub_token, shelf, run):
    publish.main(["vae-mnist", "--from", str(run), "--hub"])
    first = catalog.table()["vae-mnist"]["commit"]
    measured(run)
    assert publish.main(["vae-mnist", "--from", str(run), "--hub"]) == 0
    second = catalog.table()["vae-mnist"]["commit"]
    commits = small_hub_token.repositories[f"{publish.OWNER}/vae-mnist"]
    assert first != second and list(commits)[-2:] == [first, second]
    assert "evaluation.json" in commits[second] and "evaluation.json" not in commits[first]


def test_a_refused_upload_is_one_sentence_and_pins_nothing(small_hub_token, shelf, run, capsys, monkeypatch):
    small_hub_token.fault = "503"  # large files are not taken
    assert publish.main(["vae-mnist", "--from", str(run), "--hub"]) == 1
    first = capsys.readouterr().err.strip().splitlines()[-1].partition("error: ")[2]  # after the client's bar
    assert first.startswith("vae-mnist was not uploaded: sending it to the Hub failed (") and "403" in first
    small_hub_token.fault = ""
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert publish.main(["vae-mnist", "--hub"]) == 1
    second = capsys.readouterr().err.strip().splitlines()[-1]
    assert "vae-mnist was not uploaded: the Hub refused (" in second and "401" in second and second.endswith("hf auth login")
    assert catalog.table()["vae-mnist"]["commit"] is None
