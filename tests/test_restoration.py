"""EDSR and SRGAN: what their papers state, tiles without seams, and the way from one to the other."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import build
from torch import nn

from gen_models import catalog, train
from gen_models.base import Draws, Recipe
from gen_models.degradation import BICUBIC, REALISTIC, upscale
from gen_models.layers import from_unit
from gen_models.restoration import _restorer, _tiles
from gen_models.restoration._network import Network
from gen_models.restoration.edsr import EDSR
from gen_models.restoration.srgan import DEPTH, SRGAN, Discriminator, maps


@pytest.fixture
def model() -> EDSR:
    """In colour, two blocks, with weights that matter."""
    torch.manual_seed(0)
    return EDSR(size=32, crop=16, width=8, blocks=2).eval().requires_grad_(False)


# ---- the network ------------------------------------------------------------------------------------------------------


def test_at_the_papers_sizes_it_has_the_papers_parameters():
    with torch.device("meta"):
        small, large = (Network(3, width, blocks, 4, 1, 1.0) for width, blocks in ((64, 16), (256, 32)))
    assert sum(parameter.numel() for parameter in small.parameters()) == 1_517_571
    assert sum(parameter.numel() for parameter in large.parameters()) == 43_089_923


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_pixel_is_felt_as_far_as_the_reach_and_no_further(scale):
    torch.manual_seed(0)
    network = Network(1, 6, 2, scale, 2, 1.0).double()
    side = 2 * network.reach + 5
    middle = side // 2
    pixels = torch.rand(1, 1, side, side, dtype=torch.double, requires_grad=True)
    for _ in range(3):  # a ReLU may hide a path
        pixels.data.normal_()
        made = network(pixels)
        assert made.shape[-1] == scale * side
        first = scale * middle
        (gradient,) = torch.autograd.grad(made[..., first : first + scale, first].sum(), pixels)
        rows = gradient.abs().sum((0, 1, 3)).nonzero()[:, 0]
        assert rows.min() >= middle - network.reach and rows.max() <= middle + network.reach
    assert rows.min() <= middle - network.reach + 1  # no wider than it must be


def test_residual_scaling_is_what_a_block_adds():
    full, tenth = (Network(1, 4, 1, 2, 2, strength) for strength in (1.0, 0.1))
    tenth.load_state_dict(full.state_dict())
    x = torch.rand(1, 4, 6, 6)
    added, scaled = (network.body[0](x) - x for network in (full, tenth))
    assert torch.allclose(scaled, 0.1 * added, atol=1e-6)


@pytest.mark.parametrize("scale", [0, 1, 3, 6, -4])
def test_other_scales_are_refused(scale):
    with pytest.raises(ValueError, match=f"not by {scale}"):
        EDSR(scale=scale)


def test_a_network_that_finds_nothing_gives_the_bicubic_enlargement(model):
    model.network.tail[-1].weight.zero_(), model.network.tail[-1].bias.zero_()
    images = torch.rand(2, 3, 9, 7)
    assert torch.equal(model.upscale(images), upscale(images, 4))


# ---- any size, tile by tile -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 2), (40, 56), (61, 33), (5, 130)])
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_tiles_are_the_whole_picture(shape, scale):
    torch.manual_seed(0)
    model = EDSR(size=32, crop=32, width=8, blocks=1, scale=scale).eval().requires_grad_(False)
    images = torch.rand(2, 3, *shape)
    whole = (upscale(images, scale) + model.network(from_unit(images)) / 2).clamp(0, 1)
    *_, (tiled, done, total) = model.trajectory(images, side=16 * scale)
    assert done == total
    assert total >= -(-shape[0] // 16) * -(-shape[1] // 16)
    assert tiled.shape == (2, 3, scale * shape[0], scale * shape[1])
    assert (tiled - whole).abs().max() < 1e-5
    assert (model.upscale(images) - whole).abs().max() < 1e-5
    assert (whole - upscale(images, scale)).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (3, 3, 64, 64), (2, 3, 65, 200), (40, 3, 16, 16)])
def test_every_pixel_is_made_once(shape):
    made = torch.zeros(shape[0], *shape[2:], dtype=torch.int64)
    for tile in _tiles.tiles(torch.Size(shape), 64, 10):
        top, below, left, right = tile.inside
        assert below - top <= 64 and right - left <= 64
        assert (tile.rows.stop - tile.rows.start) * (below - top) * (right - left) <= 64**2
        made[tile.rows, top:below, left:right] += 1
        for inner, outer, edge in zip(tile.inside, tile.around, (0, shape[2], 0, shape[3]), strict=True):
            assert abs(inner - outer) == 10 or (outer == edge and abs(inner - outer) < 10)
    assert (made == 1).all()


def test_tiles_come_one_by_one_over_the_bicubic_picture(model):
    images = torch.rand(1, 3, 40, 24)
    start, final = upscale(images, 4), model.upscale(images)
    for made, done, total in model.trajectory(images, side=32):
        assert total == 5 * 3
        ready = torch.isclose(made, final, atol=1e-5).all(dim=1)
        assert ready.float().mean() >= done / total - 1e-6
        if done == 1:
            assert torch.equal(made[..., 32:, :], start[..., 32:, :])
            assert torch.equal(made[..., 32:], start[..., 32:])
    assert done == total
    assert torch.equal(images, images.clamp(0, 1))


def test_the_callers_picture_stays_as_it_was(model):
    images = torch.rand(2, 3, 8, 8)
    before = images.clone()
    model.upscale(images)
    assert torch.equal(images, before)


def test_what_cannot_be_enlarged_is_one_sentence(model, monkeypatch):
    with pytest.raises(ValueError, match="pictures need 3 channels, not 1"):
        model.upscale(torch.rand(1, 1, 8, 8))
    monkeypatch.setattr(_restorer, "MAX_PIXELS", 2 * 10**6)
    with pytest.raises(ValueError, match="1 pictures of 500 x 400 pixels become more than 2 million"):
        next(model.trajectory(torch.rand(1, 3, 400, 500)))


# ---- self-ensemble, mixed weights -------------------------------------------------------------------------------------


def test_the_ensemble_is_the_mean_over_the_eight_ways_to_turn_a_square(model):
    images = torch.rand(1, 3, 10, 14)
    results = []
    for turned in (images, images.transpose(-1, -2)):
        for dims in ((), (-1,), (-2,), (-1, -2)):
            made = model.network(from_unit(turned.flip(dims))).flip(dims)
            results.append(made if turned is images else made.transpose(-1, -2))
    wanted = (upscale(images, 4) + torch.stack(results).mean(0) / 2).clamp(0, 1)
    found = model.upscale(images, ensemble=True)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert (found - model.upscale(images)).abs().max() > 1e-4
    steps = [(done, total) for _, done, total in model.trajectory(images, ensemble=True)]
    assert steps == [(number, 8) for number in range(1, 9)]
    turned = model.upscale(images.rot90(1, (-2, -1)), ensemble=True)  # turned in, turned out
    assert torch.allclose(turned, found.rot90(1, (-2, -1)), atol=1e-5)


def test_mixed_weights_lie_between(model):
    torch.manual_seed(1)
    other = EDSR(size=32, crop=16, width=8, blocks=2).requires_grad_(False)
    images = torch.rand(1, 3, 8, 8)
    for fraction, whose in ((0.0, model), (1.0, other)):
        assert torch.allclose(model.towards(other, fraction).upscale(images), whose.upscale(images), atol=1e-6)
    half = model.towards(other, 0.25)
    for key, value in half.network.state_dict().items():
        wanted = 0.75 * model.network.state_dict()[key] + 0.25 * other.network.state_dict()[key]
        assert torch.allclose(value, wanted, atol=1e-6)
    assert half.config == model.config
    adversarial = build("srgan")
    plain = build("edsr")
    mixed = plain.towards(adversarial, 0.5)  # one network, two trainings
    assert type(mixed) is EDSR and mixed.network is not plain.network
    with pytest.raises(ValueError, match="same names and sizes"):
        model.towards(EDSR(size=32, crop=16, width=8, blocks=3), 0.5)


# ---- shrinking and losses ---------------------------------------------------------------------------------------------


def test_the_model_says_what_it_undoes():
    assert build("edsr").damage == BICUBIC
    real = EDSR(size=32, crop=16, width=8, blocks=1, realistic=True)
    assert real.damage == REALISTIC
    images = torch.rand(2, 3, 16, 16)
    assert real.downscale(images, Draws(0, 2)).shape == (2, 3, 4, 4)
    with pytest.raises(ValueError, match="draws"):
        real.downscale(images)


@pytest.mark.parametrize("realistic", [False, True])
def test_a_training_batch_is_shrunk_within_the_step(realistic):
    model = EDSR(size=32, crop=16, width=8, blocks=1, realistic=realistic)
    real = torch.rand(2, 3, 16, 16) - 0.5  # so that nothing is clipped
    torch.manual_seed(5)
    ((name, terms),) = model.training_step((real, None))
    torch.manual_seed(5)
    ((_, again),) = model.training_step((real, None))
    assert name == "network" and torch.equal(terms["l1"], again["l1"])
    if realistic:
        torch.manual_seed(6)
        ((_, other),) = model.training_step((real, None))
        assert not torch.equal(terms["l1"], other["l1"])
    else:
        made = model.upscale(model.downscale(real * 0.5 + 0.5)) * 2 - 1
        assert float(terms["l1"].detach()) == pytest.approx(float((made - real).abs().mean()), rel=1e-3)


def test_the_losses_of_srgan_are_those_of_the_paper(monkeypatch):
    model = build("srgan").train()
    real, fake = torch.rand(2, 2, 1, 16, 16) * 2 - 1
    monkeypatch.setattr(model, "restored", lambda images: fake.clone().requires_grad_(True))
    monkeypatch.setattr(model.discriminator, "forward", lambda images: images.mean(dim=(1, 2, 3))[:, None] * 3)
    judge = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LeakyReLU(0.2)).eval()
    monkeypatch.setattr("gen_models.restoration.srgan.DEPTH", 1)
    model.judges = (judge,)
    (first, critic), (second, painter) = list(model.training_step((real, None)))
    assert (first, second) == ("discriminator", "network")
    scores = {name: 3 * images.mean(dim=(1, 2, 3)) for name, images in (("real", real), ("fake", fake))}
    assert float(critic["real"]) == pytest.approx(float(-torch.sigmoid(scores["real"]).log().mean()), rel=1e-5)
    assert float(critic["fake"]) == pytest.approx(float(-torch.sigmoid(-scores["fake"]).log().mean()), rel=1e-5)
    weights = model.weights
    fooled = -torch.sigmoid(scores["fake"]).log().mean()
    apart = (judge[1](judge[0](fake)) - judge[1](judge[0](real))).abs().mean()
    assert float(painter["fool"].detach()) == pytest.approx(weights["adversarial"] * float(fooled), rel=1e-5)
    assert float(painter["pixels"].detach()) == pytest.approx(weights["pixels"] * float((fake - real).abs().mean()), rel=1e-5)
    assert float(painter["perceptual"].detach()) == pytest.approx(weights["perceptual"] * float(apart), rel=1e-4)


def test_the_judge_is_asked_before_its_activations_and_is_no_part_of_the_model(shelf):
    features = catalog.model_class("features")(size=32, channels=3, width=4, classes=[2])
    body, images = features.body.eval(), torch.rand(2, 3, 64, 64)
    found = list(maps(body, images))
    assert [tuple(each.shape) for each in found] == [(2, 4, 32, 32), (2, 8, 16, 16), (2, 16, 8, 8)][:DEPTH]
    assert torch.equal(found[0], body[:2](images)) and torch.equal(found[1], body[:5](images))
    catalog.save(features, shelf / "features-faces", {"model": "features"})
    start = EDSR(size=16, crop=16, width=4, blocks=1)
    catalog.save(start, shelf / "edsr-faces", {"model": "edsr"})
    model = SRGAN(size=32, crop=32, width=4, blocks=1, discriminator_width=4)
    before = set(model.state_dict())
    origins = train.begin(model)
    assert set(origins) == {"edsr-faces", "features-faces"}
    assert origins["edsr-faces"] == catalog.sha256(shelf / "edsr-faces" / "model.safetensors")
    assert set(model.state_dict()) == before
    for key, value in model.network.state_dict().items():
        assert torch.allclose(value, start.network.state_dict()[key], atol=1e-3)
    names = [set(terms) for _, terms in model.train().training_step((torch.rand(2, 3, 32, 32) * 2 - 1, None))]
    assert names == [{"real", "fake"}, {"pixels", "fool", "perceptual"}]


def test_a_discriminator_scores_places():
    with torch.no_grad():
        assert Discriminator(3, 4)(torch.rand(2, 3, 128, 96)).shape == (2, 8, 6)
    with torch.device("meta"):
        widths = [layer.weight.shape[0] for layer in Discriminator(3, 64).layers if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 512, 512, 1]  # paper, figure 4


# ---- training ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch, shelf):
    """Recipes of a few steps at a tiny size, in colour, and the network that judges faces."""
    from accelerate.state import AcceleratorState

    base = dict(size=32, crop=32, width=4, blocks=1)
    for kind, more in ((EDSR, {}), (SRGAN, {"discriminator_width": 4})):
        recipe = Recipe(steps=6, batch_size=2, arguments=base | more, precision="no", mirror=True, turn=True, warm_up=2)
        eight = Recipe(steps=4, batch_size=2, arguments=base | more | {"scale": 8}, precision="no", data="faces")
        monkeypatch.setattr(kind, "recipes", {"faces": recipe, "photos": recipe, "folder": recipe, "faces8": eight})
    features = catalog.model_class("features")
    torch.manual_seed(0)
    catalog.save(features(size=16, channels=3, width=4, classes=[10, 2, 5]), shelf / "features-faces", {"model": "features"})
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def run(name: str, data_folder, out, *words: str) -> int:
    return train.main([name, "--data-dir", str(data_folder), "--out", str(out), "--cpu", "--sample-every", "4", *words])


def test_the_second_starts_from_the_first_and_resumes_to_the_last_bit(small, data_folder, tmp_path, monkeypatch, capsys):
    assert run("srgan-faces", data_folder, tmp_path / "s") == 1
    said = capsys.readouterr().err
    assert "the weights edsr-faces are missing" in said and "python -m gen_models.train edsr-faces" in said
    assert run("srgan-faces", data_folder, tmp_path / "s", "--start", str(tmp_path / "nowhere")) == 1
    assert "holds no weights" in capsys.readouterr().err
    assert run("edsr-faces", data_folder, tmp_path / "e") == 0
    assert run("edsr-faces", data_folder, tmp_path / "f", "--start", str(tmp_path / "e")) == 1
    assert "starts from no other weights" in capsys.readouterr().err
    started = ["--start", str(tmp_path / "e")]
    assert run("srgan-faces", data_folder, tmp_path / "straight", *started) == 0
    update = train.Run.update

    def failing(self, check=True):
        if self.step == 4:
            raise KeyboardInterrupt
        return update(self, check)

    with monkeypatch.context() as patch:
        patch.setattr(train.Run, "update", failing)
        assert run("srgan-faces", data_folder, tmp_path / "halves", "--checkpoint-minutes", "0", *started) == 130
    torch.manual_seed(12345)
    assert run("srgan-faces", data_folder, tmp_path / "halves", "--resume", *started) == 0
    one, two = (torch.load(tmp_path / out / train.CHECKPOINT, weights_only=True) for out in ("straight", "halves"))
    assert one["model"].keys() == two["model"].keys()
    assert all(torch.equal(value, two["model"][key]) for key, value in one["model"].items())
    folder = tmp_path / "straight" / "weights"
    assert catalog.sha256(folder / "model.safetensors") == catalog.sha256(tmp_path / "halves" / "weights" / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["training"]["origins"]["edsr-faces"] == catalog.sha256(tmp_path / "e" / "weights" / "model.safetensors")
    assert config["training"]["command"] == "python -m gen_models.train srgan-faces --start PATH"
    assert config["degradation"] == "shrunk bicubically, to 1/4 of the side"
    assert str(tmp_path) not in json.dumps(config)
    assert (folder / "samples.png").is_file()
    published = catalog.read(folder)
    assert {name for name, _ in published.named_children()} == {"network"}
    torch.manual_seed(0)
    first = SRGAN(**config["arguments"])
    train.begin(first, tmp_path / "e")
    moved = [not torch.equal(value, published.network.state_dict()[key]) for key, value in first.network.state_dict().items()]
    assert all(moved)


def test_weights_of_another_scale_do_not_start_it(small, data_folder, tmp_path, capsys):
    assert run("edsr-faces8", data_folder, tmp_path / "e8") == 0
    config = json.loads((tmp_path / "e8" / "weights" / "config.json").read_text(encoding="utf-8"))
    assert config["data"] == "faces" and config["arguments"]["scale"] == 8
    assert run("srgan-faces", data_folder, tmp_path / "s", "--start", str(tmp_path / "e8")) == 1
    assert "of another size or scale" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [4, 8])
def test_a_network_starts_from_that_for_another_way_of_shrinking_or_another_scale(shelf, scale):
    torch.manual_seed(0)
    first = EDSR(size=16, crop=16, width=4, blocks=1)
    catalog.save(first, shelf / "edsr-photos", {"model": "edsr"})
    model = EDSR(size=16, crop=16, width=4, blocks=1, scale=scale, start="edsr-photos")
    assert set(train.begin(model)) == {"edsr-photos"}
    wanted = first.network.state_dict()
    for key, value in model.network.state_dict().items():
        taken = value.shape == wanted[key].shape and torch.allclose(value, wanted[key], atol=1e-3) if key in wanted else False
        assert taken == (scale == 4 or not key.startswith("tail")), key
    with pytest.raises(catalog.WeightsError, match="of another size"):
        train.begin(EDSR(size=16, crop=16, width=6, blocks=1, start="edsr-photos"))
    assert train.begin(EDSR(size=16, crop=16, width=6, blocks=1)) == {}


def test_photos_and_a_users_own_folder_train(small, data_folder, own_folder, tmp_path):
    assert run("edsr-photos", data_folder, tmp_path / "p") == 0
    assert run("edsr-mine", data_folder, tmp_path / "m", "--data", f"folder:{own_folder}") == 0
    for out, data in (("p", "photos"), ("m", "folder")):
        config = json.loads((tmp_path / out / "weights" / "config.json").read_text(encoding="utf-8"))
        assert config["data"] == data
        with torch.no_grad():
            assert catalog.read(tmp_path / out / "weights").upscale(torch.rand(1, 3, 9, 11)).shape == (1, 3, 36, 44)
