"""The retraining script, on tiny data and a tiny DCGAN."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import replace

import fleet
import pytest
import torch
from conftest import ROOT, TINY
from filelock import FileLock
from PIL import Image

from gen_models import catalog, train
from gen_models import checkpoint as checkpoints
from gen_models.base import Draws, Recipe
from gen_models.data import DataSet, load_data, split_of

FIXED = ["--cpu", "--precision", "no", "--sample-every", "0"]


@pytest.fixture
def command(small_dcgan, shelf, data_folder, tmp_path):
    """Run the command line in this process; returns the exit status."""

    def run(*words: str, out: str = "run") -> int:
        return train.main([*words, "--data-dir", str(data_folder), "--out", str(tmp_path / out), *FIXED])

    return run


def checkpoint(folder) -> dict:
    return torch.load(folder / train.CHECKPOINT, weights_only=True)


def same(one, other) -> bool:
    """Equal to the last bit, whatever the nesting."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def stop_after(monkeypatch, steps: int) -> None:
    """An accident in the middle of the step after ``steps``."""
    update = train.Run.update

    def failing(self, check=True):
        if self.step == steps:
            raise KeyboardInterrupt
        return update(self, check)

    monkeypatch.setattr(train.Run, "update", failing)


# ---- a run ------------------------------------------------------------------------------------------------------------


def test_the_command_trains_and_the_result_loads(command, tmp_path, capsys):
    assert command("dcgan-fashion", "--steps", "5") == 0
    folder = tmp_path / "run" / "weights"
    model = catalog.read(folder, "dcgan-fashion")
    assert model.config == TINY
    images = model.sample(Draws(7, 3))
    assert images.shape == (3, 1, 16, 16)
    assert torch.isfinite(images).all()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["model"] == "dcgan"
    assert config["data"] == "fashion"
    assert config["arguments"] == TINY
    assert config["training"]["steps"] == 5
    assert config["training"]["command"] == "python -m gen_models.train dcgan-fashion --steps 5 --precision no"
    assert len(config["classes"]["garment"]) == 10
    assert str(tmp_path) not in json.dumps(config)  # no folder of this machine
    state = checkpoint(tmp_path / "run")
    assert state["step"] == 5
    fresh = catalog.model_class("dcgan")(**TINY).state_dict()
    assert not any(torch.equal(value, fresh[key]) for key, value in state["model"].items() if key.endswith("weight"))


def test_the_same_command_gives_the_same_weights(command, tmp_path):
    assert command("dcgan-fashion", out="one") == command("dcgan-fashion", out="two") == 0
    one, two = (checkpoint(tmp_path / name) for name in ("one", "two"))
    assert same(one["model"], two["model"])
    assert command("dcgan-fashion", "--seed", "1", out="three") == 0
    assert not same(one["model"], checkpoint(tmp_path / "three")["model"])


def test_a_resumed_run_is_the_run_without_a_stop_to_the_last_bit(command, tmp_path, monkeypatch):
    assert command("dcgan-fashion", out="straight") == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        assert command("dcgan-fashion", "--checkpoint-minutes", "0", out="halves") == 130
    assert checkpoint(tmp_path / "halves")["step"] == 3
    torch.manual_seed(12345)  # another process would have other random numbers
    assert command("dcgan-fashion", "--resume", out="halves") == 0
    one, two = (checkpoint(tmp_path / name) for name in ("straight", "halves"))
    assert one.pop("seconds") > 0
    assert two.pop("seconds") > 0
    assert one["step"] == 6
    assert same(one, two)
    hashes = [catalog.sha256(tmp_path / name / "weights" / "model.safetensors") for name in ("straight", "halves")]
    assert hashes[0] == hashes[1]


def test_compiled_networks_learn_the_same(command, tmp_path, monkeypatch):
    compiled, compile_ = [], torch.nn.Module.compile

    def traced_only(network, **settings):  # what a compiler makes of the trace rounds otherwise, and takes its time
        compiled.append(type(network).__name__)
        compile_(network, backend="eager", **settings)

    monkeypatch.setattr(torch.nn.Module, "compile", traced_only)
    assert command("dcgan-fashion", out="plain") == command("dcgan-fashion", "--compile", out="compiled") == 0
    assert compiled == ["Generator", "Discriminator"]
    one, two = (checkpoint(tmp_path / name) for name in ("plain", "compiled"))
    assert same(one["model"], two["model"])
    assert same(one["average"], two["average"])
    assert two["commands"] == ["python -m gen_models.train dcgan-fashion --precision no --compile"]


def test_sampling_between_the_steps_changes_nothing(command, tmp_path):
    assert command("dcgan-fashion", out="plain") == 0
    assert command("dcgan-fashion", "--sample-every", "2", out="sampled") == 0
    published = [catalog.sha256(tmp_path / name / "weights" / "model.safetensors") for name in ("plain", "sampled")]
    assert published[0] == published[1]


def test_sample_grids(small_dcgan, data_folder, tmp_path):
    words = ["dcgan-fashion", "--data-dir", str(data_folder), "--out", str(tmp_path), "--sample-every", "3", "--cpu"]
    assert train.main(words) == 0
    assert sorted(file.name for file in tmp_path.glob("*.png")) == ["samples-000003.png", "samples-000006.png"]
    assert Image.open(tmp_path / "samples-000006.png").size == (8 * 16, 8 * 16)


def test_control_c_finishes_the_step_and_saves(command, tmp_path, monkeypatch, capsys):
    update, sent = train.Run.update, []

    def interrupted(self, check=True):
        if self.step == 2:
            sent.append(time.process_time())
            os.kill(os.getpid(), signal.SIGINT)
        return update(self, check)

    with monkeypatch.context() as patch:
        patch.setattr(train.Run, "update", interrupted)
        assert command("dcgan-fashion") == 130
    assert time.process_time() - sent[0] < 2
    assert "--resume" in capsys.readouterr().err
    assert checkpoint(tmp_path / "run")["step"] == 3
    assert command("dcgan-fashion", "--resume") == 0
    assert checkpoint(tmp_path / "run")["step"] == 6


def test_the_learning_rate_is_constant_and_then_falls_to_zero(command, small_dcgan, monkeypatch):
    rates = []
    update = train.Run.update

    def watched(self, check=True):
        seen = update(self, check)
        rates.append(self.optimizers["generator"].param_groups[0]["lr"])
        return seen

    monkeypatch.setattr(train.Run, "update", watched)
    assert command("dcgan-fashion", "--steps", "8") == 0
    assert rates == pytest.approx([2e-4] * 5 + [1.5e-4, 1e-4, 0.5e-4])


def test_the_learning_rate_rises_before_it_falls(command, small_dcgan, monkeypatch):
    warm = {name: replace(recipe, warm_up=3) for name, recipe in small_dcgan.recipes.items()}
    monkeypatch.setattr(small_dcgan, "recipes", warm)
    rates = []
    update = train.Run.update

    def watched(self, check=True):
        seen = update(self, check)
        rates.append(self.optimizers["generator"].param_groups[0]["lr"])
        return seen

    monkeypatch.setattr(train.Run, "update", watched)
    assert command("dcgan-fashion", "--steps", "8") == 0
    assert rates == pytest.approx([0.5e-4, 1e-4, 1.5e-4, 2e-4, 2e-4, 1.5e-4, 1e-4, 0.5e-4])


def test_the_moving_average_is_published_and_of_the_discriminator_the_last_weights(command, tmp_path):
    assert command("dcgan-fashion") == 0
    state = checkpoint(tmp_path / "run")
    published = catalog.read(tmp_path / "run" / "weights", "dcgan-fashion").state_dict()
    for key, last in state["model"].items():
        average = state["average"][f"module.{key}"]
        wanted = average if key.startswith("generator") else last
        assert torch.allclose(published[key].double(), wanted.double(), rtol=1e-3, atol=1e-6), key
    moved = [key for key in published if key.startswith("generator") and key.endswith("weight")]
    assert not any(torch.equal(state["model"][key], state["average"][f"module.{key}"]) for key in moved)


def test_a_vae_trains_too(shelf, data_folder, tmp_path, monkeypatch, small_dcgan):
    kind = catalog.model_class("vae")
    monkeypatch.setattr(kind, "recipes", {"mnist": Recipe(steps=3, batch_size=8, arguments=kind.tiny, precision="no")})
    assert train.main(["vae-mnist", "--data-dir", str(data_folder), "--out", str(tmp_path / "v"), *FIXED]) == 0
    model = catalog.read(tmp_path / "v" / "weights", "vae-mnist")
    assert model.latent_kl.min() > 0  # measured at the end


# ---- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nth", [1, 3])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(command, small_dcgan, tmp_path, monkeypatch, capsys, nth):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        command("dcgan-fashion", "--checkpoint-minutes", "0")
    before = (tmp_path / "run" / train.CHECKPOINT).read_bytes()
    step = small_dcgan.training_step
    asked = []

    def poisoned(self, batch):
        asked.append(None)
        for name, terms in step(self, batch):
            yield name, {term: value * float("nan") if len(asked) >= nth and term == "fool" else value
                         for term, value in terms.items()}  # fmt: skip

    monkeypatch.setattr(small_dcgan, "training_step", poisoned)
    capsys.readouterr()
    assert command("dcgan-fashion", "--resume", "--checkpoint-minutes", "99") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: the loss term 'fool' is not a number at step ")
    assert f"at step {2 + nth - 1};" in error  # none of these steps is one whose losses are shown
    assert (tmp_path / "run" / train.CHECKPOINT).read_bytes() == before
    assert not (tmp_path / "run" / "weights").exists()


def test_a_folder_that_holds_a_run_is_not_overwritten(command, tmp_path, capsys):
    assert command("dcgan-fashion", "--steps", "1") == 0
    before = (tmp_path / "run" / train.CHECKPOINT).read_bytes()
    assert command("dcgan-fashion", "--steps", "1") == 1
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / "run" / train.CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("change", ["seed", "arguments", "damage"])
def test_resuming_with_other_settings_is_refused(command, small_dcgan, tmp_path, capsys, monkeypatch, change):
    assert command("dcgan-fashion", "--steps", "1") == 0
    words = ["--seed", "3"] if change == "seed" else []
    if change == "arguments":
        recipe = Recipe(steps=6, batch_size=8, arguments=TINY | {"width": 6}, precision="no")
        monkeypatch.setattr(small_dcgan, "recipes", {"fashion": recipe})
    if change == "damage":
        file = tmp_path / "run" / train.CHECKPOINT
        file.write_bytes(file.read_bytes()[:2000])
    assert command("dcgan-fashion", "--resume", *words) == 1
    error = capsys.readouterr().err
    assert ("cannot be read" if change == "damage" else "other settings") in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cats-fashion"], "there is no model 'cats'"),
        (["dcgan"], "not of the form <model>-<data>"),
        (["dcgan-cats"], "no recipe for 'cats'"),
        (["dcgan-mine", "--data", "folder:/nowhere/at/all"], "does not exist"),
    ],
)
def test_what_is_not_there_is_one_line_and_exit_status_one(command, capsys, words, said):
    assert command(*words) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_missing_data_folder_is_one_line(small_dcgan, tmp_path, capsys):
    assert train.main(["dcgan-fashion", "--data-dir", str(tmp_path / "nowhere"), "--out", str(tmp_path / "o"), "--cpu"]) == 1
    assert "GALLERY_DATA" in capsys.readouterr().err


# ---- a user's own pictures --------------------------------------------------------------------------------------------


def test_a_users_own_folder_trains_and_its_weights_load_by_name(command, own_folder, shelf, tmp_path):
    assert command("dcgan-mine", "--data", f"folder:{own_folder}") == 0
    shutil.copytree(tmp_path / "run" / "weights", shelf / "dcgan-mine")
    assert catalog.trained("dcgan") == ["dcgan-mine"]
    assert catalog.load("dcgan-mine").sample(Draws(0, 2)).shape == (2, 1, 16, 16)
    config = catalog.config_of("dcgan-mine")
    assert config["data"] == "folder"
    assert str(own_folder) not in json.dumps(config)


def test_a_handful_of_pictures_is_enough(command, own_folder, tmp_path):
    """None of them may fall into the validation part; a training must not end in an error over that."""
    few = tmp_path / "few"
    few.mkdir()
    for file in sorted(own_folder.iterdir()):
        shutil.copy(file, few)
        try:
            load_data(f"folder:{few}", "validation")
            (few / file.name).unlink()
        except ValueError:
            pass
        if len(list(few.iterdir())) == 6:
            break
    assert command("dcgan-mine", "--data", f"folder:{few}", "--steps", "2") == 0
    assert (tmp_path / "run" / "weights" / "config.json").is_file()


def test_the_first_and_the_last_line_say_what_is_used_and_where_the_weights_are(command, own_folder, tmp_path, capsys):
    """Of 86 pictures 6 were trained on, without a word."""
    folder = tmp_path / "pictures"
    shutil.copytree(own_folder, folder)
    for number in range(40):
        (folder / f"{number:02d}.txt").write_text(str(number), encoding="utf-8")
    assert command("dcgan-mine", "--data", f"folder:{folder}") == 0
    first, last = capsys.readouterr().out.splitlines()
    used = len(load_data(f"folder:{folder}"))
    assert used < 60
    account = (
        f"{used} pictures of folder:{folder}, {60 - used} kept for validation and test; 40 left out: "
        "no picture that can be read (40: 00.txt, 01.txt, 02.txt, ...)"
    )
    run = tmp_path / "run"
    assert first == f"training on {account}; the weights will be in {run / 'weights'}"
    publish = f"python -m gen_models.publish dcgan-mine --from {run}"
    assert last == f"trained on {account}; the weights are in {run / 'weights'}; to see them on the page: {publish}"


def test_what_is_damaged_in_either_part_counts_once():
    pictures = torch.zeros(5, 1, 2, 2, dtype=torch.uint8)

    def part(split: str, left_out: dict) -> DataSet:
        return DataSet("folder:x", split, pictures, pictures[:, 0, 0, :1].long(), {}, others=9, left_out=left_out)

    first, second = part("train", {"damaged": ["a"], "odd": ["b"]}), part("validation", {"damaged": ["c"], "odd": ["b"]})
    assert train.account(first, second) == (
        "5 pictures of folder:x, 8 kept for validation and test; 3 left out: damaged (2: a, c), odd (1: b)"
    )
    assert train.account(first, first) == (
        "5 pictures of folder:x, 9 kept for validation and test; 2 left out: damaged (1: a), odd (1: b)"
    )
    both = replace(first, partners=pictures[:3], left_out={})
    assert train.account(both, both).startswith("5 pictures of kind A and 3 of kind B of folder:x, ")
    assert train.account(replace(both, paired=True), both).startswith("5 pairs of folder:x, ")
    single = replace(first, images=pictures[:1], left_out={}, others=0)
    assert train.account(single, single) == "1 picture of folder:x"


# ---- going on with a user's own pictures --------------------------------------------------------------------------------


def test_a_run_goes_on_wherever_its_pictures_lie(command, own_folder, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(own_folder)
    shutil.copytree(own_folder, tmp_path / "copy")
    monkeypatch.chdir(own_folder.parent)
    spelled = [own_folder, f"{own_folder}/", own_folder.name, f"./{own_folder.name}//.", tmp_path / "link", tmp_path / "copy"]
    for steps, path in enumerate(spelled, 1):
        assert command("dcgan-mine", "--data", f"folder:{path}", "--steps", str(steps), "--resume") == 0
        assert checkpoint(tmp_path / "run")["step"] == steps


def test_a_run_does_not_go_on_with_other_pictures(command, own_folder, tmp_path, capsys):
    """It went on when 40 of 60 pictures were gone."""
    folder = tmp_path / "pictures"
    shutil.copytree(own_folder, folder)
    used = len(load_data(f"folder:{folder}"))
    assert command("dcgan-mine", "--data", f"folder:{folder}", "--steps", "1") == 0

    def said() -> str:
        assert command("dcgan-mine", "--data", f"folder:{folder}", "--steps", "2", "--resume") == 1
        return capsys.readouterr().err.splitlines()[-1]

    for file in sorted(folder.iterdir())[20:]:
        file.unlink()
    left = len(load_data(f"folder:{folder}"))
    assert f"other settings (of {used} pictures {used - left} gone and 0 new); give the same" in said()
    for file in sorted(folder.iterdir()):
        shutil.copy(file, folder / f"again {file.name}")
    assert f"(of {used} pictures {used - left} gone and {left} new)" in said()
    shutil.rmtree(folder)
    shutil.copytree(own_folder, folder)
    assert command("dcgan-mine", "--data", f"folder:{folder}", "--steps", "2", "--resume") == 0
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(folder / f"picture {99 - number}.png")
    assert "(the names of the pictures put them in another order)" in said()


def test_a_run_of_an_earlier_version_goes_on(command, own_folder, tmp_path):
    """Its checkpoint names the path in place of the pictures."""
    words = ["dcgan-mine", "--data", f"folder:{own_folder}", "--resume"]
    assert command(*words, "--steps", "1") == 0
    state = checkpoint(tmp_path / "run")
    del state["sources"]
    torch.save(state | {"data": "folder:/somewhere/else"}, tmp_path / "run" / train.CHECKPOINT)
    assert command(*words, "--steps", "2") == 0
    assert checkpoint(tmp_path / "run")["step"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "3"], "(seed was 0 and is 3)"), (["--batch-size", "4"], "(batch size was 8 and is 4)"),
        (["--data", "mnist", "--seed", "2"], "(seed was 0 and is 2, data was 'fashion' and is 'mnist')"),
    ],
)
def test_what_differs_is_named(command, capsys, words, said):
    assert command("dcgan-fashion", "--steps", "1") == 0
    assert command("dcgan-fashion", "--resume", *words) == 1
    assert said in capsys.readouterr().err.splitlines()[-1]


# ---- odd numbers --------------------------------------------------------------------------------------------------------


ODD = [
    (option, value) for option, values in {
        "--steps": ["0", "-5", "1.5", "1e3", "many", "", "99999999999999999999"], "--batch-size": ["0", "-1", "nan", "1000000000"],
        "--accumulate": ["0", "-2"], "--seed": ["-1", "9" * 30], "--sample-every": ["-1"],
        "--checkpoint-minutes": ["-1", "nan", "inf", "soon"],
    }.items() for value in values
]  # fmt: skip


@pytest.mark.parametrize(("option", "value"), ODD)
def test_odd_numbers_are_one_sentence(command, tmp_path, capsys, option, value):
    with pytest.raises(SystemExit) as caught:
        command("dcgan-fashion", f"{option}={value}")
    assert caught.value.code == 2
    usage, said = capsys.readouterr().err.splitlines()
    assert f"argument {option}: {value!r} is not a" in said and "number from " in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", ["folder:", "folder: "])
def test_a_folder_that_is_not_named_is_refused(command, capsys, data):
    """To pathlib an empty path is the working directory."""
    assert command("dcgan-mine", "--data", data) == 1
    assert capsys.readouterr().err == f"error: {data} names no folder; write its path behind the colon: folder:PATH\n"


# ---- a disk, a folder, a signal ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def room_for(count: int):
    """A disk with room for files of so many bytes: the system itself refuses what lies beyond."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0.0, 0.5, 0.999])
def test_a_full_disk_keeps_the_last_checkpoint(command, tmp_path, monkeypatch, capsys, room):
    assert command("dcgan-fashion", out="straight") == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        command("dcgan-fashion", "--checkpoint-minutes", "0")
    before = (tmp_path / "run" / train.CHECKPOINT).read_bytes()
    capsys.readouterr()
    with room_for(int(room * len(before))):
        assert command("dcgan-fashion", "--resume", "--checkpoint-minutes", "0") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: the checkpoint could not be written to ")
    assert "File too large" in error  # the system's word; on a full disk it says that no space is left
    assert "the last one is kept" in error
    assert (tmp_path / "run" / train.CHECKPOINT).read_bytes() == before
    assert not list((tmp_path / "run").glob("*.part"))  # it would only be in the way
    assert command("dcgan-fashion", "--resume") == 0
    one, two = (checkpoint(tmp_path / name) for name in ("straight", "run"))
    assert one.pop("seconds") != two.pop("seconds")
    assert same(one, two)


def test_a_disk_that_is_full_at_the_end_keeps_the_weights_before(command, tmp_path, monkeypatch, capsys):
    assert command("dcgan-fashion") == 0
    weights = tmp_path / "run" / "weights"
    before = {file.name: file.read_bytes() for file in weights.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(train.Run, "save", lambda self: None)
        with room_for(100):
            assert command("dcgan-fashion", "--resume", "--steps", "8") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: the weights could not be written to ")
    assert "--resume" in error
    assert {file.name: file.read_bytes() for file in weights.iterdir()} == before
    catalog.read(weights)


def without_rights(words: list[str]) -> int:
    """The command as a user who may write nothing; the super-user may write anywhere."""
    if os.geteuid() == 0:
        os.setuid(65534)
    return train.main(words)


def test_a_folder_that_is_read_only_is_refused_before_anything_is_read(tmp_path_factory, data_folder):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # unlike pytest's own, open to every user
        os.chmod(name, 0o555)
        log = tmp_path_factory.mktemp("log") / "log"
        (process,) = fleet.start(without_rights, 1, ["dcgan-fashion", "--out", f"{name}/run", "--data-dir", "/nowhere"], log=log)
        process.join(120)
    assert process.exitcode == 1
    error = log.with_name("log.0").read_text(encoding="utf-8").strip()
    assert error == f"error: nothing can be written to {name}/run (Permission denied); name another folder with --out"


def test_a_broken_picture_in_the_middle_is_named_and_left_out(command, own_folder, tmp_path, capsys):
    folder = tmp_path / "pictures"
    shutil.copytree(own_folder, folder)
    assert command("dcgan-mine", "--data", f"folder:{folder}", out="whole") == 0
    files = sorted(folder.iterdir())
    content = files[30].read_bytes()
    number = next(number for number in range(100) if split_of(content[:200] + bytes([number])) == "train")
    (folder / "30a.png").write_bytes(content[:200] + bytes([number]))
    capsys.readouterr()
    assert command("dcgan-mine", "--data", f"folder:{folder}", out="broken") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all("; 1 left out: damaged (1: 30a.png); the weights " in line for line in lines)
    assert same(checkpoint(tmp_path / "whole")["model"], checkpoint(tmp_path / "broken")["model"])


def test_a_gradient_that_is_no_number_keeps_the_checkpoint(command, small_dcgan, tmp_path, monkeypatch, capsys):
    """The loss was still one, and the next would have come too late."""
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        command("dcgan-fashion", "--checkpoint-minutes", "0")
    before = (tmp_path / "run" / train.CHECKPOINT).read_bytes()
    step = small_dcgan.training_step

    def steep(self, batch):
        for name, terms in step(self, batch):
            zero = next(self.generator.parameters()).sum() * 0
            yield name, terms | ({"steep": torch.sqrt(zero)} if name == "generator" else {})  # of infinite slope at 0

    monkeypatch.setattr(small_dcgan, "training_step", steep)
    capsys.readouterr()
    assert command("dcgan-fashion", "--resume", "--checkpoint-minutes", "0") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: the weight generator.layers.1.weight is not a number after step 2;")
    assert (tmp_path / "run" / train.CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_sheet_is_painted_ends_the_run_at_once(command, small_dcgan, data_folder, tmp_path, monkeypatch, number):
    sent = []

    def endless(self, draws):
        sent.append(time.monotonic())
        os.kill(os.getpid(), number)
        time.sleep(30)

    with monkeypatch.context() as patch:
        patch.setattr(small_dcgan, "sample", endless)
        words = ["dcgan-fashion", "--data-dir", str(data_folder), "--out", str(tmp_path / "run"), "--sample-every", "3", "--cpu"]
        assert train.main(words) == 130
    assert time.monotonic() - sent[0] < 2
    assert checkpoint(tmp_path / "run")["step"] == 3
    assert command("dcgan-fashion", "--resume") == command("dcgan-fashion", out="straight") == 0
    hashes = {catalog.sha256(tmp_path / name / "weights" / "model.safetensors") for name in ("run", "straight")}
    assert len(hashes) == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and nothing more"])
def test_a_checkpoint_that_is_none_is_one_line(command, tmp_path, capsys, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / train.CHECKPOINT).write_bytes(content)
    assert command("dcgan-fashion", "--resume") == 1
    error = capsys.readouterr().err
    assert "cannot be read" in error
    assert error.count("\n") == 1


def test_a_byte_that_changed_in_a_checkpoint_is_noticed(command, tmp_path, capsys):
    """In every part of it, the tensors above all, which PyTorch reads without a look at their checksums."""
    assert command("dcgan-fashion", "--steps", "1") == 0
    file = tmp_path / "run" / train.CHECKPOINT
    content = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        parts = [part for part in archive.infolist() if part.file_size]
    assert len(parts) > 20
    for part in parts:
        begin = part.header_offset
        names = sum(int.from_bytes(content[begin + place : begin + place + 2], "little") for place in (26, 28))
        changed = bytearray(content)
        changed[begin + 30 + names + part.file_size // 2] ^= 16
        file.write_bytes(changed)
        with pytest.raises(ValueError, match=f"its part {part.filename} is damaged"):
            checkpoints.read(file)
    capsys.readouterr()
    assert command("dcgan-fashion", "--resume", "--steps", "2") == 1
    said = f"error: {file} cannot be read (its part {parts[-1].filename} is damaged); delete it and start again\n"
    assert capsys.readouterr().err == said
    file.write_bytes(content)
    assert command("dcgan-fashion", "--resume", "--steps", "2") == 0


@pytest.mark.parametrize("words", [[], ["--resume"]])
def test_two_trainings_do_not_share_a_folder(command, tmp_path, capsys, words):
    out = tmp_path / "run"
    out.mkdir()
    with FileLock(out / train.LOCK):
        assert command("dcgan-fashion", *words) == 1
        said = f"error: another training is at work in {out}; wait for its end, or name another folder with --out\n"
        assert capsys.readouterr().err == said and [file.name for file in out.iterdir()] == [train.LOCK]
        assert command("dcgan-fashion", *words, out="other") == 0
    assert command("dcgan-fashion", "--resume") == 0


# ---- kill -9 ----------------------------------------------------------------------------------------------------------

KILLED = """
import sys, torch
torch.set_num_threads(1)
from gen_models import catalog, train
from gen_models.base import Recipe
recipe = Recipe(steps=10**6, batch_size=8, arguments={arguments}, precision="no")
catalog.model_class("dcgan").recipes = {{"fashion": recipe}}
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_checkpoint_that_resumes(command, tmp_path, data_folder):
    out = tmp_path / "run"
    words = ["dcgan-fashion", "--data-dir", str(data_folder), "--out", str(out), "--checkpoint-minutes", "0", *FIXED]
    program = [sys.executable, "-c", KILLED.format(arguments=TINY), *words]
    process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 120
        while not (out / train.CHECKPOINT).exists():
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(random.Random().uniform(0.2, 0.6))  # somewhere within a step or a save
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    step = checkpoint(out)["step"]
    assert step >= 1
    assert command("dcgan-fashion", "--resume", "--steps", str(step + 2)) == 0
    assert checkpoint(out)["step"] == step + 2
