"""Ways through latents along which one trait changes: on a model whose traits are known, and on the published weights."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import refusal

from demos import dcgan
from gen_models import Draws, catalog, directions, load, runtime
from gen_models.sets import faces

CONTRASTS = {"older": ("age", 1), "younger": ("age", -1), "female": ("sex", 1)}
NAME = "dcgan-faces"


class Painter:
    """Red follows latents 0 and 1, green 1 and 2, blue 3: grey squares of 8 x 8."""

    device = torch.device("cpu")

    def latents(self, draws: Draws) -> torch.Tensor:
        return draws.normal(5)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        colours = torch.stack([z[:, 0] + z[:, 1], z[:, 1] + z[:, 2], z[:, 3]], dim=1)
        return (0.5 + 0.05 * colours)[:, :, None, None].expand(-1, -1, 8, 8)


class Judge:
    """Red pictures are old, green ones female."""

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3)) - 0.5

    def logits(self, features: torch.Tensor) -> list[torch.Tensor]:
        red, green, _ = features.unbind(dim=1)
        return [torch.stack([-8 * red, 0 * red, 8 * red], dim=1), torch.stack([-8 * green, 8 * green], dim=1)]


def test_a_change_moves_its_trait_and_neither_another_nor_the_brightness():
    found = directions.directions(Painter(), Judge(), CONTRASTS, ["age", "sex"], count=600)
    assert list(found) == list(CONTRASTS) and torch.allclose(found["older"], -found["younger"])
    z = Painter().latents(Draws(9, 300))

    def seen(z: torch.Tensor) -> torch.Tensor:
        return directions.measured(Judge(), Painter().decode(z), CONTRASTS, ["age", "sex"])

    before, spread = seen(z), seen(z).std(dim=0)
    for change, place, sign in (("older", 0, 1), ("younger", 0, -1), ("female", 1, 1)):
        moved = (seen(z + found[change].float()) - before).mean(dim=0) / spread
        assert float(moved[place]) == pytest.approx(sign * directions.STEP, rel=0.15)
        moved[place] = 0
        assert moved.abs().max() < 0.15, change


def test_only_what_a_data_set_asks_for_is_written(tmp_path):
    (tmp_path / directions.FILE).write_text("{}", encoding="utf-8")  # of other weights
    directions.write(load("dcgan-mnist"), "mnist", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert {task for task, _ in faces.RECORD.contrasts.values()} <= set(faces.CLASSES)


def test_the_published_ones_keep_the_skin_and_do_what_they_say():
    """Of 60 samples, by the network that found them: its trait moves for most, and the middle keeps its brightness."""
    found = json.loads((catalog.WEIGHTS / NAME / directions.FILE).read_text(encoding="utf-8"))
    model, judge, tasks = load(NAME), load("features-faces"), list(faces.CLASSES)
    assert list(found) == list(faces.RECORD.contrasts) and {len(step) for step in found.values()} == {model.latent_dim}
    z = model.latents(Draws(5, 60))

    def seen(z: torch.Tensor) -> torch.Tensor:
        return directions.measured(judge, model.decode(z), faces.RECORD.contrasts, tasks)

    with runtime.forward_pass():
        before = seen(z)
        for change, (task, sign) in faces.RECORD.contrasts.items():
            moved = seen(z + torch.tensor(found[change])) - before
            assert (sign * moved[:, ["age", "gender"].index(task)] > 0).float().mean() > 0.75, change
            assert abs(float(moved[:, -1].mean())) < 0.08, change


def test_the_room_adds_them_to_c_and_only_where_they_are():
    shown = dcgan.arithmetic(NAME, 7, 1.0, [4, 5, 6], "older")
    assert shown.captions == ["C", "½ × older", "older", "1½ × older"] and len(shown.pictures) == 4
    assert torch.equal(shown.pictures[0], dcgan.picked(NAME, 7, 1.0, [4, 5, 6]).pictures[2])
    assert dcgan.arithmetic(NAME, 7, 1.0, [4, 5, 6], dcgan.PICKED).captions[-1] == "= A − B + C"
    assert dcgan.changes(NAME)["choices"] == [dcgan.PICKED, "older", "younger", "female", "male"]
    assert dcgan.changes("dcgan-mnist") == dict(choices=[dcgan.PICKED], value=dcgan.PICKED, visible=False)
    assert "Add to C" in refusal(dcgan.PLAN.fields["change"].check, "dcgan-mnist", "older")
