"""How many processes compute a training decides nothing but the time; one of them may die."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet
import pytest
import torch
from accelerate import Accelerator
from accelerate.commands.launch import launch_command_parser
from conftest import ROOT, TINY
from torch import Tensor, nn
from torch.distributed.run import get_args_parser
from torch.nn import functional

from gen_models import catalog, train
from gen_models.base import GenerativeModel, Recipe
from gen_models.data import Batches, DataSet
from gen_models.processes import SharedDraws

BATCH = 12


# ---- random numbers ---------------------------------------------------------------------------------------------------

IMAGES = torch.rand(BATCH, 3, 4, 4, generator=torch.Generator().manual_seed(5))
DRAWN = {
    "rand": lambda rows: torch.rand(len(rows), 5),
    "randn of a tuple": lambda rows: torch.randn((len(rows), 7), device="cpu"),
    "randint": lambda rows: torch.randint(0, 9, (len(rows), 1, 1)),
    "randint by name": lambda rows: torch.randint(9, size=(len(rows),)),
    "two of each": lambda rows: torch.rand(2 * len(rows), 3).unflatten(0, (2, -1)).transpose(0, 1),
    "randn_like": torch.randn_like,
    "rand_like": torch.rand_like,
    "bernoulli": torch.bernoulli,
    "dropout": lambda rows: functional.dropout(rows, 0.4),
    "dropout2d": lambda rows: nn.Dropout2d(0.5)(rows),
    "in place": lambda rows: torch.empty(len(rows), 3).normal_(2.0, 3.0),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("what", DRAWN)
def test_the_rows_of_two_halves_are_those_of_the_whole(what, layout):
    images = IMAGES.contiguous(memory_format=layout)

    def draw(first: int, last: int) -> tuple[Tensor, Tensor]:
        torch.manual_seed(3)
        rows = images[first:last].contiguous(memory_format=layout)
        if last - first == BATCH:
            return DRAWN[what](rows), torch.rand(())
        with SharedDraws(BATCH, first, last - first):
            return DRAWN[what](rows), torch.rand(())

    whole, after = draw(0, BATCH)
    parts = [draw(first, first + 4) for first in (0, 4, 8)]
    assert torch.equal(torch.cat([drawn for drawn, _ in parts]), whole)
    assert all(torch.equal(single, after) for _, single in parts)  # the generators stand at the same place, too


def test_gradients_flow_through_shared_dropout():
    rows = torch.ones(4, 50, requires_grad=True)
    with SharedDraws(BATCH, 4, 4):
        kept = functional.dropout(rows, 0.5)
    kept.sum().backward()
    assert torch.equal(rows.grad, kept.detach())


# ---- the same weights -------------------------------------------------------------------------------------------------


class Critics(GenerativeModel):
    """Five updates of a critic to one of the generator, weights clipped (the order of Arjovsky 2017, algorithm 1)."""

    title = "Critics"
    tiny = dict(channels=1, size=16)

    def __init__(self, channels: int = 1, size: int = 16, norm: bool = True) -> None:
        super().__init__()
        pixels = channels * size * size
        middle = nn.BatchNorm1d(16) if norm else nn.Identity()
        layers = [nn.Linear(4, 16, bias=False), middle, nn.ReLU(), nn.Linear(16, pixels), nn.Tanh()]
        self.generator = nn.Sequential(*layers)
        self.critic = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 16), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(16, 1))

    def optimizers(self):
        return {name: torch.optim.RMSprop(getattr(self, name).parameters(), lr=1e-3) for name in ("critic", "generator")}

    def training_step(self, batch):
        images, _ = batch
        for _ in range(5):
            with torch.no_grad():
                fake = self.generator(torch.randn(len(images), 4))
            yield "critic", {"critic": self.critic(fake).mean() - self.critic(images).mean()}
            with torch.no_grad():
                for parameter in self.critic.parameters():
                    parameter.clamp_(-0.1, 0.1)
        yield "generator", {"generator": -self.critic(self.generator(torch.randn(len(images), 4))).mean()}


def model_of(kind: str) -> GenerativeModel:
    torch.manual_seed(0)
    if kind == "gan":
        return catalog.model_class("dcgan")(**TINY)
    if "wgan" in kind:
        return Critics(norm="plain" not in kind)
    return catalog.model_class("vae")(size=16, channels=1, binary="plain" in kind, width=8, latent_dim=6)


class Fine(Batches):
    """Batches in double precision."""

    def batch(self, step):
        images, labels = super().batch(step)
        return images.double(), labels


def train_toy(kind: str, out: Path, parts: int = 1) -> None:
    """A few steps, if the model lets itself in double precision: what is left of a difference then is rounding, or is not."""
    fine = "vae" not in kind
    if fine:
        torch.set_default_dtype(torch.float64)
    chance = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 256, (50, 1, 4, 4), dtype=torch.uint8, generator=chance)
    images = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)
    data = DataSet("toy", "train", images, torch.zeros(50, 1, dtype=torch.int64), {})
    accelerator = Accelerator(cpu=True)
    batches = (Fine if fine else Batches)(data, BATCH, 0, True, accelerator.process_index, accelerator.num_processes)
    recipe = Recipe(steps=5, batch_size=BATCH, precision="no")
    model = model_of(kind)
    run = train.Run(model.double() if fine else model, recipe, accelerator, batches, out, parts=parts)
    shared = any("Shared" in type(module).__name__ for module in run.model.modules())
    assert shared == (accelerator.num_processes > 1 and "plain" not in kind)
    run.go(checkpoint_minutes=99, sample_every=0)


def state_of(out: Path) -> dict[str, Any]:
    return torch.load(out / train.CHECKPOINT, weights_only=True)


def weights(out: Path) -> dict[str, Tensor]:
    return {key: value for key, value in state_of(out)["model"].items() if value.is_floating_point()}


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of two models' weights and statistics."""
    assert one.keys() == other.keys()
    return max(float((one[key] - other[key]).abs().max()) for key in one)


@pytest.mark.parametrize("kind", ["gan", "vae", "wgan"])
def test_two_processes_give_the_weights_of_one(kind, tmp_path):
    fleet.run(train_toy, 1, kind, tmp_path / "one")
    fleet.run(train_toy, 2, kind, tmp_path / "two")
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    start = {key: value for key, value in model_of(kind).state_dict().items() if key in one}
    assert min(float((one[key] - start[key]).abs().max()) for key in one if key.endswith("weight")) > 1e-4
    assert apart(one, two) < (1e-5 if kind == "vae" else 1e-9)
    for key, value in state_of(tmp_path / "one")["model"].items():
        assert value.shape == state_of(tmp_path / "two")["model"][key].shape


@pytest.mark.parametrize("kind", ["plain vae", "plain wgan"])
def test_parts_one_after_the_other_give_the_weights_of_the_whole_batch(kind, tmp_path):
    """Without batch normalisation, which would see one part at a time."""
    fleet.run(train_toy, 1, kind, tmp_path / "whole")
    fleet.run(train_toy, 1, kind, tmp_path / "parts", 3)
    assert apart(weights(tmp_path / "whole"), weights(tmp_path / "parts")) < (1e-5 if kind == "plain vae" else 1e-9)


# ---- the command, and a process that dies -----------------------------------------------------------------------------


def command(words: list[str], slow: float = 0.0, poisoned: int | None = None) -> int:
    """``gen_models.train`` on a tiny DCGAN; ``slow``: seconds added to each step; ``poisoned``: a process whose loss fails."""
    kind = catalog.model_class("dcgan")
    kind.recipes = {"folder": Recipe(steps=12, batch_size=8, arguments=TINY, precision="no")}
    update, step = train.Run.update, kind.training_step

    def slower(self, check=True):
        time.sleep(slow)
        return update(self, check)

    def failing(self, batch):
        for name, terms in step(self, batch):
            yield name, {term: value * float("nan") if term == "fool" else value for term, value in terms.items()}

    train.Run.update = slower
    if poisoned is not None and os.environ["RANK"] == str(poisoned):
        kind.training_step = failing
    return train.main([*words, "--cpu", "--sample-every", "0"])


@pytest.fixture
def words(own_folder) -> list[str]:
    return ["dcgan-mine", "--data", f"folder:{own_folder}"]


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.slow
def test_when_one_of_two_is_killed_the_run_goes_on_with_two_or_with_one(words, tmp_path):
    fleet.run(command, 2, [*words, "--out", str(tmp_path / "straight")])
    straight = state_of(tmp_path / "straight")
    assert json.loads((tmp_path / "straight" / "weights" / "config.json").read_text(encoding="utf-8"))["training"]["processes"] == 2

    out = tmp_path / "killed"
    often = [*words, "--checkpoint-minutes", "0"]
    group = fleet.start(command, 2, [*often, "--out", str(out)], 0.2, log=tmp_path / "log")
    wait_for(lambda: (out / train.CHECKPOINT).exists())
    group[1].kill()
    for process in group:
        process.join(60)
    assert [process.exitcode for process in group] == [1, -signal.SIGKILL]
    last = (tmp_path / "log.0").read_text(encoding="utf-8").strip().splitlines()[-1]
    assert last.startswith("error: another process of this training is gone at step ")
    assert "--resume" in last
    assert 1 <= state_of(out)["step"] < 12

    shutil.copytree(out, tmp_path / "alone")
    fleet.run(command, 2, [*often, "--out", str(out), "--resume"])
    again = state_of(out)
    assert all(torch.equal(value, again["model"][key]) for key, value in straight["model"].items())
    hashes = {catalog.sha256(folder / "weights" / "model.safetensors") for folder in (out, tmp_path / "straight")}
    assert len(hashes) == 1
    fleet.run(command, 1, [*often, "--out", str(tmp_path / "alone"), "--resume"])
    assert state_of(tmp_path / "alone")["step"] == 12
    assert apart(weights(tmp_path / "alone"), weights(tmp_path / "straight")) < 1e-3


@pytest.mark.slow
def test_control_c_and_a_loss_that_fails_in_one_process_end_both(words, tmp_path):
    out = tmp_path / "stopped"
    group = fleet.start(command, 2, [*words, "--out", str(out), "--steps", "100000"], 0.02, log=tmp_path / "log")
    log = tmp_path / "log.0"
    wait_for(lambda: log.exists() and "1/100000" in log.read_text(encoding="utf-8"))
    os.kill(group[1].pid, signal.SIGINT)  # one of them hears it, both stop after the same step
    for process in group:
        process.join(60)
    assert [process.exitcode for process in group] == [130, 130]
    assert state_of(out)["step"] >= 1

    group = fleet.start(command, 2, [*words, "--out", str(tmp_path / "failed")], 0.0, 1, log=tmp_path / "bad")
    for process in group:
        process.join(60)
    assert [process.exitcode for process in group] == [1, 1]
    for rank in (0, 1):
        said = (tmp_path / f"bad.{rank}").read_text(encoding="utf-8").strip().splitlines()[-1]
        assert said.startswith("error: the loss term 'fool' is not a number at step 0;")
    assert not (tmp_path / "failed" / train.CHECKPOINT).exists()


def test_a_batch_that_cannot_be_shared_is_refused(small_dcgan, own_folder, tmp_path, capsys):
    words = ["dcgan-mine", "--data", f"folder:{own_folder}", "--out", str(tmp_path), "--cpu"]
    assert train.main([*words, "--accumulate", "3"]) == 1
    assert "a batch of 8 cannot be shared evenly by 1 processes in 3 parts each" in capsys.readouterr().err
    assert train.main([*words, "--accumulate", "2", "--compile"]) == 1
    assert "--compile" in capsys.readouterr().err


def test_the_commands_of_the_readme_are_understood():
    """By those who start the processes, and by the trainer."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = [shlex.split(line, comments=True) for line in re.findall(r"^(?:torchrun|accelerate launch) .*", text, re.MULTILINE)]
    assert {words[0] for words in found} == {"torchrun", "accelerate"}
    machines = []
    for words in found:
        many = get_args_parser() if words[0] == "torchrun" else launch_command_parser()
        given = many.parse_args(words[1 if words[0] == "torchrun" else 2 :])
        assert given.module and given.training_script == "gen_models.train"
        machines.append(given.nnodes if words[0] == "torchrun" else given.num_machines)
        asked = train.parser().parse_args(given.training_script_args)
        model, data = catalog.split_name(asked.name)
        assert train.recipe_for(catalog.model_class(model), asked.data or data, asked).steps
    assert "4" in machines
