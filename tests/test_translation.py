"""Pix2Pix and CycleGAN: what their papers state, and what only they promise."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import build
from torch import nn

from gen_models import catalog, train
from gen_models.base import Draws, Recipe, rows_of_eight
from gen_models.layers import from_unit
from gen_models.translation import _tiles
from gen_models.translation._networks import InstanceNorm, PatchDiscriminator, Statistics
from gen_models.translation.cyclegan import CycleGAN, Generator, Pool, ResidualBlock
from gen_models.translation.pix2pix import Pix2Pix, UNet

# ---- shared parts -----------------------------------------------------------------------------------------------------


def test_instance_norm_is_torchs_own():
    x = torch.randn(3, 5, 7, 9) * 4 + 2
    norm = InstanceNorm(5)
    wanted = nn.functional.instance_norm(x)
    assert torch.allclose(norm(x), wanted, atol=1e-5)
    kept = Statistics()
    assert torch.allclose(norm(x, kept), wanted, atol=1e-5)
    other = torch.randn(3, 5, 4, 4)
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
    assert torch.allclose(norm(other, kept.again()), (other - mean) / (variance + norm.eps).sqrt(), atol=1e-5)


def test_a_score_sees_a_patch_of_70_pixels():
    discriminator = PatchDiscriminator(2, 4).double()
    # a norm would spread every pixel over the whole map
    layers = nn.Sequential(*(layer for layer in discriminator.layers if not isinstance(layer, InstanceNorm)))
    pixels = torch.randn(1, 2, 160, 160, dtype=torch.double, requires_grad=True)
    scores = layers(pixels)
    assert scores.shape == (1, 18, 18)
    (gradient,) = torch.autograd.grad(scores[0, 9, 9], pixels)
    rows, columns = gradient.abs().sum((0, 1)).nonzero().T
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (70, 70)
    with torch.no_grad():
        assert PatchDiscriminator(6, 8)(torch.zeros(1, 6, 256, 256)).shape == (1, 30, 30)  # the paper's 30 x 30 patches


def test_a_sheet_stands_in_turns_of_eight():
    first, second = torch.zeros(11, 1, 1, 1), torch.full((11, 1, 1, 1), 0.5)
    sheet = rows_of_eight(first, second).flatten().tolist()
    assert sheet == [0.0] * 8 + [0.5] * 8 + [0.0] * 3 + [1.0] * 5 + [0.5] * 3 + [1.0] * 5


# ---- Pix2Pix ----------------------------------------------------------------------------------------------------------


def test_the_u_net_has_the_papers_sizes():
    with torch.device("meta"):
        network = Pix2Pix(**Pix2Pix.recipes["facades"].large.arguments)
    assert sum(parameter.numel() for parameter in network.generator.parameters()) == pytest.approx(54.4e6, rel=0.01)


def test_every_level_reaches_the_output_past_the_deeper_ones():
    network = UNet(1, [4, 5, 6, 7]).eval()
    shapes = []
    for layer in network.up:
        layer.register_forward_pre_hook(lambda module, inputs: shapes.append(tuple(inputs[0].shape[1:])))
    picture = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        before = network(picture)
    # the deepest has its own code only; each after it what came up and what the encoder found there
    assert shapes == [(7, 2, 2), (12, 4, 4), (10, 8, 8), (8, 16, 16)]
    for level in range(3):
        with torch.no_grad():
            for deeper in network.up[level + 1 :]:  # cut off everything below
                for parameter in deeper.parameters():
                    parameter.zero_()
            assert (network(picture) - network(picture.flip(-1))).abs().max() > 0
            assert before.shape == picture.shape


def test_the_losses_of_pix2pix_are_those_of_the_paper(monkeypatch):
    model = build("pix2pix").train()
    inputs, real, fake = torch.rand(3, 2, 1, 32, 32) * 2 - 1
    monkeypatch.setattr(model.generator, "forward", lambda images: fake.clone().requires_grad_(True))
    scores = {"real": torch.tensor([[2.0, -1.0]]), "fake": torch.tensor([[0.5, 3.0]])}
    seen = []

    def scored(pairs):
        seen.append(pairs)
        return torch.cat([scores["real"].expand(2, 2), scores["fake"].expand(2, 2)])[-len(pairs) :]

    monkeypatch.setattr(model.discriminator, "forward", scored)
    updates = list(model.training_step((torch.cat([inputs, real], 1), None)))
    assert [name for name, _ in updates] == ["discriminator", "generator"]
    sigmoid = {key: torch.sigmoid(value) for key, value in scores.items()}
    (_, critic), (_, painter) = updates
    assert float(critic["real"]) == pytest.approx(float(-sigmoid["real"].log().mean() / 2), rel=1e-5)
    assert float(critic["fake"]) == pytest.approx(float(-(1 - sigmoid["fake"]).log().mean() / 2), rel=1e-5)
    assert float(painter["fool"].detach()) == pytest.approx(float(-sigmoid["fake"].log().mean()), rel=1e-5)
    assert float(painter["l1"].detach()) == pytest.approx(100 * float((fake - real).abs().mean()), rel=1e-5)
    # the discriminator is shown the input too
    assert torch.equal(seen[0], torch.cat([torch.cat([inputs, real], 1), torch.cat([inputs, fake], 1)]))


def test_draws_turn_the_noise_on_and_each_row_has_its_own():
    model = build("pix2pix")
    picture = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        plain = model.translate(picture)
        many = model.translate(picture, Draws(7, 5))
        assert torch.equal(many, model.translate(picture, Draws(7, 5)))
        for row in range(5):
            assert torch.allclose(model.translate(picture, Draws(7, 1, first=row))[0], many[row], atol=1e-5)
            assert (many[row] - plain[0]).abs().max() > 1e-3
        assert (many[0] - many[1]).abs().max() > 1e-3
        two = torch.cat([picture, picture.flip(-1)])
        assert torch.allclose(model.translate(two, Draws(7, 2))[0], many[0], atol=1e-5)
        with pytest.raises(ValueError, match="2 pictures need as many draws, not 3"):
            model.translate(two, Draws(7, 3))


def test_half_of_the_noise_is_zero_and_it_stands_where_dropout_does():
    model = build("pix2pix")
    masks = model.masks(Draws(0, 400), 32, 32)
    assert [mask.shape[1:] for mask in masks] == [(4, 4, 4), (4, 8, 8), (4, 16, 16)]
    for mask in masks:
        assert set(mask.unique().tolist()) == {0.0, 2.0}
        assert float(mask.mean()) == pytest.approx(1, abs=0.02)
    ones = [torch.ones_like(mask) for mask in masks]
    pictures = torch.rand(400, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(model.generator(pictures, ones), model.generator(pictures))


def test_a_closed_level_is_not_seen_and_all_closed_forget_the_drawing():
    model = build("pix2pix")
    one, other = torch.rand(2, 1, 1, 32, 32)
    levels = range(len(model.widths))
    with torch.no_grad():
        whole = model.translate(one)
        assert torch.equal(model.translate(one, closed=()), whole)
        for level in levels:
            assert not torch.allclose(model.translate(one, closed=[level]), whole), f"level {level} carries nothing"
            assert not torch.allclose(*(model.translate(each, closed={*levels} - {level}) for each in (one, other)))
        assert torch.equal(model.translate(one, closed=levels), model.translate(other, closed=levels))
        noisy = [model.translate(one, Draws(3, 2), closed) for closed in ((), [0])]
        assert noisy[0].shape == noisy[1].shape == (2, 1, 32, 32) and not torch.allclose(*noisy)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="multiples of 16 pixels, not 40 x 32"):
        build("pix2pix").translate(torch.rand(1, 1, 32, 40))
    with pytest.raises(ValueError, match="48 pixels cannot be halved 8 times"):
        Pix2Pix(size=48)
    with torch.no_grad():
        assert build("pix2pix").translate(torch.rand(2, 1, 32, 64)).shape == (2, 1, 32, 64)


def test_the_patch_map_is_of_probabilities():
    model = build("pix2pix")
    with torch.no_grad():
        found = model.patch_map(torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64))
    assert found.shape == (2, 6, 6)
    assert 0 < found.min() <= found.max() < 1


# ---- CycleGAN ---------------------------------------------------------------------------------------------------------


def test_the_losses_of_cyclegan_are_those_of_the_paper(monkeypatch):
    model = build("cyclegan").train()
    a, b = torch.rand(2, 1, 1, 32, 32) * 2 - 1
    monkeypatch.setattr(model.to_b, "forward", lambda images, statistics=None: images * 0.5)
    monkeypatch.setattr(model.to_a, "forward", lambda images, statistics=None: images + 0.25)
    for critic in (model.discriminator_a, model.discriminator_b):
        monkeypatch.setattr(critic, "forward", lambda images: images.mean(dim=1))
    updates = list(model.training_step((torch.cat([a, b], 1), None)))
    (first, painters), (second, critics) = updates
    assert (first, second) == ("generators", "discriminators")

    def size(x):
        return float(x.abs().mean())

    fake_b, fake_a = a * 0.5, b + 0.25
    assert float(painters["cycle"]) == pytest.approx(10 * (size(fake_b + 0.25 - a) + size(fake_a * 0.5 - b)), rel=1e-5)
    assert float(painters["identity"]) == pytest.approx(5 * (size(b * 0.5 - b) + size(a + 0.25 - a)), rel=1e-5)
    assert float(painters["fool_a"]) == pytest.approx(float((fake_a - 1).square().mean()), rel=1e-5)
    assert float(painters["fool_b"]) == pytest.approx(float((fake_b - 1).square().mean()), rel=1e-5)
    assert float(critics["real_a"]) == pytest.approx(float((a - 1).square().mean() / 2), rel=1e-5)
    assert float(critics["fake_b"]) == pytest.approx(float(fake_b.square().mean() / 2), rel=1e-5)


def test_the_generator_has_the_papers_size():
    with torch.device("meta"):
        network = Generator(3, 64, 9)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(11.38e6, rel=0.01)


def test_the_pool_gives_back_half_of_the_time_an_older_picture():
    pool = Pool(50, 1, 2)
    pictures = torch.arange(2050.0)[:, None, None, None].expand(-1, 1, 2, 2)
    torch.manual_seed(0)
    given = torch.cat([pool(picture[None]) for picture in pictures])[:, 0, 0, 0]
    assert torch.equal(given[:50], pictures[:50, 0, 0, 0])  # until it is full, what came in
    later, came = given[50:], pictures[50:, 0, 0, 0]
    assert 900 < int((later < came).sum()) < 1100
    assert (later <= came).all()
    assert len(later[later < came].unique()) == int((later < came).sum())  # a picture comes out once
    assert int(pool.filled) == 50
    torch.manual_seed(0)
    again = Pool(50, 1, 2)
    assert torch.equal(given, torch.cat([again(picture[None]) for picture in pictures])[:, 0, 0, 0])


def test_what_the_pool_gave_does_not_change_later():
    pool = Pool(2, 1, 1)
    given = [pool(torch.full((1, 1, 1, 1), float(number))) for number in range(30)]
    values = [float(picture) for picture in given]
    for number in range(100, 130):
        pool(torch.full((1, 1, 1, 1), float(number)))
    assert [float(picture) for picture in given] == values


def test_published_weights_have_generators_only(shelf):
    model = build("cyclegan")
    catalog.save(model, shelf / "cyclegan-test", {"model": "cyclegan"})
    loaded = catalog.load("cyclegan-test")
    assert {name for name, _ in loaded.named_children()} == {"to_a", "to_b"}
    with torch.no_grad():
        assert loaded.translate(torch.rand(1, 1, 40, 40)).shape == (1, 1, 40, 40)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (31, 57), (20, 400), (5, 100), (129, 66)])
def test_pictures_of_any_size(size):
    model = build("cyclegan")
    images = torch.rand(2, 1, *size)
    with torch.no_grad():
        there, back = model.cycle(images)
        assert there.shape == back.shape == images.shape
        assert torch.isfinite(there).all()
        assert torch.equal(back, model.translate(there, backwards=True))
        assert torch.equal(model.cycle(images, backwards=True)[0], model.translate(images, backwards=True))
    with pytest.raises(ValueError, match="up to 1024 pixels, not 1025"):
        model.translate(torch.rand(1, 1, 4, 1025))


def test_filling_up_changes_nothing_that_fits():
    model = build("cyclegan")
    images = torch.rand(1, 1, 40, 64)
    with torch.no_grad():
        plain = model.to_b(from_unit(images)) * 0.5 + 0.5
        assert torch.equal(model.translate(images), plain.clamp(0, 1))


# ---- tiles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [32, 96, 100, 160, 224, 1000, 1024])
def test_tiles_cover_a_side_and_overlap(side):
    spans = _tiles.spans(side, 96, 32)
    assert spans[0][0] == 0
    assert spans[-1][1] == side
    assert all(end - start == min(96, side) for start, end in spans)
    assert all(start % 4 == 0 for start, _ in spans)
    assert all(one[1] - other[0] >= 32 for one, other in zip(spans, spans[1:], strict=False))


def test_weights_of_tiles_add_up_smoothly():
    total = torch.zeros(160)
    for start, end in _tiles.spans(160, 96, 32):
        total[start:end] += _tiles.ramp(start, end, 160, 32)
    assert torch.allclose(total, torch.ones(160), atol=1e-5)


def test_tiles_of_plain_convolutions_are_the_whole_picture():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())
    picture = torch.rand(2, 1, 300, 204)
    with torch.no_grad():
        whole = layers(picture)
        tiled = _tiles.anywhere(lambda images, _: layers(images), picture, tile=96, overlap=32)
    assert (tiled - whole).abs().max() < 1 / 255


@pytest.mark.parametrize("size", [(228, 340), (64, 640), (128, 128)])
def test_no_seam_shows_between_tiles(size):
    """Against the whole picture in one pass with the same statistics: a seam would be a difference along a tile's border."""
    torch.manual_seed(0)
    network = Generator(1, 8, 6).eval()
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data.mul_(4)
    coarse = torch.rand(1, 1, 8, 12)
    picture = nn.functional.interpolate(coarse, size=size, mode="bilinear") * 2 - 1 + 0.1 * torch.randn(1, 1, *size)
    kept = []

    def watched(images, statistics):
        kept.append(statistics)
        return network(images, statistics)

    with torch.no_grad():
        *_, (tiled, done, total) = _tiles.in_tiles(watched, picture, tile=192, overlap=128)
        whole = network(picture, kept[0].again())
    assert (tiled - whole).abs().max() < 2 / 255  # of a range of 2: one grey level
    assert whole.std() > 0.05
    assert done == total == len(kept)


def test_large_pictures_go_through_tiles(monkeypatch):
    calls = []

    def network(images, statistics):
        calls.append((tuple(images.shape), statistics is not None))
        if statistics is not None and not statistics.kept:
            statistics.kept.append(None)
        return images

    picture = torch.rand(1, 3, 1024, 1024)
    assert torch.allclose(_tiles.anywhere(network, picture), picture, atol=1e-6)
    assert calls == [((1, 3, 576, 576), True)] * 5  # once reduced, then four tiles
    calls.clear()
    _tiles.anywhere(network, torch.rand(2, 3, 320, 1024))
    assert calls == [((2, 3, 320, 1024), False)]


def test_tiles_come_one_by_one_over_the_picture_as_it_was():
    def network(images, statistics):
        if statistics is not None and not statistics.kept:
            statistics.kept.append(None)
        return images + 1

    pictures = torch.rand(2, 1, 30, 301)
    steps = list(_tiles.stepwise(network, pictures, tile=64, overlap=32))
    tiles = len(_tiles.spans(304, 64, 32))
    assert [(done, total) for _, done, total in steps] == [(number, 2 * (tiles + 1)) for number in range(1, 2 * tiles + 3)]
    added = torch.stack([made - pictures for made, _, _ in steps])
    assert (added.diff(dim=0) > -1e-5).all() and added.min() > -1e-5
    assert (added[0] == 0).all() and (added[tiles] - torch.tensor([1.0, 0.0])[:, None, None, None]).abs().max() < 1e-5
    assert ((added[1, 0] > 0.5) == (torch.arange(301) < 48)).all()  # half of the overlap is the next tile's
    assert torch.equal(steps[-1][0], _tiles.anywhere(network, pictures, tile=64, overlap=32))
    ((whole, done, total),) = _tiles.stepwise(network, pictures)
    assert done == total == 1 and torch.equal(whole, pictures + 1)


def test_the_trajectory_of_cyclegan_ends_in_the_translation():
    model = build("cyclegan")
    picture = torch.rand(1, 1, 600, 700)
    with torch.no_grad():
        steps = list(model.trajectory(picture, backwards=True))
        assert len(steps) == steps[-1][2] > 2
        assert torch.equal(steps[-1][0], model.translate(picture, backwards=True))
        assert (steps[0][0] - picture).abs().max() < 1e-6
        with pytest.raises(ValueError, match="up to 1024 pixels, not 1025"):
            next(model.trajectory(torch.rand(1, 1, 8, 1025)))


def test_the_strength_of_the_blocks_is_that_of_what_they_add():
    model = build("cyclegan")
    picture = torch.rand(1, 1, 40, 40)
    with torch.no_grad():
        plain, full, none = (model.translate(picture, strength=strength) for strength in (1.0, 1.5, 0.0))
        assert torch.equal(model.translate(picture), plain)
        assert (full - plain).abs().max() > 1e-3 and (none - plain).abs().max() > 1e-3
        for block in model.to_b.body:
            if isinstance(block, ResidualBlock):
                block.second.norm.weight.zero_(), block.second.norm.bias.zero_()
        assert torch.allclose(model.translate(picture, strength=0.7), none, atol=1e-6)


# ---- training ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Recipes of a few steps at the tiny size, in colour."""
    from accelerate.state import AcceleratorState

    for kind, data, more in ((Pix2Pix, "facades", {}), (CycleGAN, "monet2photo", {"pool": 2})):
        arguments = kind.tiny | {"channels": 3} | more
        recipe = Recipe(steps=6, batch_size=2, arguments=arguments, precision="no", mirror=True, jitter=1.2)
        monkeypatch.setattr(kind, "recipes", {data: recipe, "paired" if kind is Pix2Pix else "unpaired": recipe})
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("name", ["pix2pix-facades", "cyclegan-monet2photo"])
def test_a_resumed_run_is_the_run_without_a_stop_to_the_last_bit(small, shelf, data_folder, tmp_path, monkeypatch, name):
    def run(out: str, *words: str) -> int:
        fixed = ["--data-dir", str(data_folder), "--out", str(tmp_path / out), "--cpu", "--sample-every", "4"]
        return train.main([name, *fixed, *words])

    assert run("straight") == 0
    update = train.Run.update

    def failing(self, check=True):
        if self.step == 4:  # the pool is full by then, and half of its answers are by chance
            raise KeyboardInterrupt
        return update(self, check)

    with monkeypatch.context() as patch:
        patch.setattr(train.Run, "update", failing)
        assert run("halves", "--checkpoint-minutes", "0") == 130
    torch.manual_seed(12345)
    assert run("halves", "--resume") == 0
    one, two = (torch.load(tmp_path / out / train.CHECKPOINT, weights_only=True) for out in ("straight", "halves"))
    assert one["model"].keys() == two["model"].keys()
    assert all(torch.equal(value, two["model"][key]) for key, value in one["model"].items())
    assert all(torch.equal(value, two["average"][key]) for key, value in one["average"].items())
    folder = tmp_path / "straight" / "weights"
    assert catalog.sha256(folder / "model.safetensors") == catalog.sha256(tmp_path / "halves" / "weights" / "model.safetensors")
    assert (folder / "samples.png").is_file()
    assert (tmp_path / "straight" / "samples-000004.png").is_file()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert len(config["domains"]) == 2
    assert config["data"] == name.partition("-")[2]
    if name.startswith("cyclegan"):
        assert int(one["model"]["pool_a.filled"]) == 2


def test_a_users_own_pairs_train(small, shelf, tmp_path, capsys):
    from PIL import Image

    for kind in "AB":
        (tmp_path / "own" / kind).mkdir(parents=True)
    for number in range(12):
        for kind in "AB":
            Image.new("RGB", (40, 30), (20 * number, 99, 0)).save(tmp_path / "own" / kind / f"{number}.png")
    for name, layout in (("pix2pix-mine", "paired"), ("cyclegan-mine", "unpaired")):
        data = f"{layout}:{tmp_path / 'own'}"
        words = [name, "--data", data, "--out", str(tmp_path / name), "--steps", "2", "--sample-every", "0"]
        assert train.main([*words, "--cpu"]) == 0
        config = (tmp_path / name / "weights" / "config.json").read_text(encoding="utf-8")
        assert json.loads(config)["data"] == layout
        assert f"--data {layout}:PATH" in config
        assert str(tmp_path) not in config
    capsys.readouterr()
    assert train.main(["pix2pix-mine", "--data", f"unpaired:{tmp_path / 'own'}", "--out", str(tmp_path / "no"), "--cpu"]) == 1
    assert "no recipe for 'unpaired'" in capsys.readouterr().err
