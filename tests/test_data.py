"""Parts and batches: what all data sets share."""

from __future__ import annotations

import hashlib

import pytest
import torch

from gen_models import data
from gen_models.data import Batches, DataError, DataSet, load_data, split_of


@pytest.fixture(autouse=True)
def _no_data_named(monkeypatch):
    monkeypatch.delenv("GALLERY_DATA", raising=False)


# ---- parts -----------------------------------------------------------------------------------------------------------


def test_unit_is_bytes_over_255(data_folder):
    part = load_data("mnist", "test", folder=data_folder)
    assert part.unit().shape == (60, 1, 28, 28)
    assert torch.equal(part.unit(5, 3), part.images[5:8].float() / 255)
    assert part.unit().max() <= 1


def test_split_of_depends_on_the_bytes_alone():
    chosen = [split_of(str(number).encode()) for number in range(4000)]
    assert abs(chosen.count("test") / 4000 - 0.10) < 0.02
    assert abs(chosen.count("validation") / 4000 - 0.05) < 0.015
    place = int.from_bytes(hashlib.sha256(b"7").digest()[:8], "big") % 100
    assert split_of(b"7") == ("test" if place < 10 else "validation" if place < 15 else "train")
    assert "test" not in {split_of(str(number).encode(), test=0) for number in range(500)}


def test_the_environment_names_the_data_folder(data_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("GALLERY_DATA", str(data_folder))
    assert len(load_data("mnist", "test")) == 60
    monkeypatch.setenv("GALLERY_DATA", str(tmp_path))
    assert len(load_data("mnist", "test", folder=data_folder)) == 60  # the argument comes first


@pytest.mark.parametrize(
    ("name", "split", "words"),
    [
        ("cats", "train", "choose from .*faces, .*mnist, .*, folder:PATH, paired:PATH or unpaired:PATH"),
        ("mnst", "train", "did you mean mnist"), ("mnist", "tests", "train, validation, test"), ("", "train", "from"),
        ("folder:", "train", "write its path behind the colon: folder:PATH"), ("paired: ", "test", "behind the colon: paired:PATH"),
        ("mnist:here", "train", "there is no data set 'mnist:here'"), ("folder", "train", "there is no data set 'folder'"),
    ],
)  # fmt: skip
def test_unknown_names(name, split, words):
    with pytest.raises(DataError, match=words):
        load_data(name, split)


# ---- batches ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def numbered() -> DataSet:
    """Twenty pictures, each with its own number as grey value and as label."""
    numbers = torch.arange(20)
    images = numbers.to(torch.uint8)[:, None, None, None].expand(20, 1, 2, 4).contiguous()
    return DataSet("numbered", "train", images, numbers[:, None], {})


def test_a_batch_is_a_function_of_seed_and_step(numbered):
    first = [Batches(numbered, 8, seed=3, mirror=True).batch(step) for step in range(9)]
    data._permutation.cache_clear()
    later = Batches(numbered, 8, seed=3, mirror=True)
    for step in (8, 2, 5):  # a resumed run asks in the middle
        for one, other in zip(first[step], later.batch(step), strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(first[0][1], Batches(numbered, 8, seed=4).batch(0)[1])


def test_pictures_come_in_the_training_range_with_their_labels(numbered):
    images, labels = Batches(numbered, 8).batch(0)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert torch.allclose(images[:, 0, 0, 0], labels[:, 0] / 127.5 - 1)
    numbered.images.fill_(255)
    assert Batches(numbered, 4).batch(0)[0].unique().tolist() == [1.0]


@pytest.mark.parametrize("batch_size", [1, 4, 8, 20, 50])
def test_every_epoch_visits_every_picture_once(numbered, batch_size):
    batches = Batches(numbered, batch_size, seed=1)
    labels = torch.cat([batches.batch(step)[1][:, 0] for step in range(-(-100 // batch_size))]).tolist()
    epochs = [labels[start : start + 20] for start in range(0, 100, 20)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5  # in another order each time


@pytest.mark.parametrize("world", [2, 4])
def test_the_processes_share_one_global_batch(numbered, world):
    whole = Batches(numbered, 8, seed=5, mirror=True)
    shares = [Batches(numbered, 8, seed=5, mirror=True, rank=rank, world=world) for rank in range(world)]
    for step in range(4):
        for place in (0, 1):
            assert torch.equal(torch.cat([share.batch(step)[place] for share in shares]), whole.batch(step)[place])


def test_a_batch_that_cannot_be_shared_is_refused(numbered):
    with pytest.raises(ValueError, match="9 cannot be shared evenly by 2"):
        Batches(numbered, 9, world=2)


def test_mirroring_flips_about_half(numbered):
    numbered.images.copy_(torch.arange(4, dtype=torch.uint8).expand(20, 1, 2, 4))
    plain = torch.arange(4) / 127.5 - 1
    flipped = 0
    for step in range(50):
        for picture in Batches(numbered, 8, mirror=True).batch(step)[0]:
            rows = picture[0]
            assert torch.allclose(rows, plain.expand(2, 4)) or torch.allclose(rows, plain.flip(0).expand(2, 4))
            flipped += int(rows[0, 0] > rows[0, 3])
    assert 150 < flipped < 250
    assert all(torch.allclose(picture[0, 0], plain) for picture in Batches(numbered, 8).batch(0)[0])


def test_turning_gives_all_eight_ways_and_leaves_the_rest_as_it_was(numbered):
    square = torch.arange(9, dtype=torch.uint8).view(1, 1, 3, 3).expand(20, 1, 3, 3).contiguous()
    data = DataSet("square", "train", square, numbered.labels, {})
    plain = square[0].float() / 127.5 - 1
    ways = [way for turns in range(4) for way in (plain.rot90(turns, (1, 2)), plain.rot90(turns, (1, 2)).flip(-1))]
    seen = [0] * 8
    for step in range(40):
        turned, labels = Batches(data, 8, mirror=True, turn=True).batch(step)
        same, same_labels = Batches(data, 8, mirror=True).batch(step)
        assert torch.equal(labels, same_labels)
        for picture, before in zip(turned, same, strict=True):
            (way,) = [number for number, wanted in enumerate(ways) if torch.allclose(picture, wanted)]
            seen[way] += 1
            assert any(torch.allclose(picture, before.rot90(turns, (1, 2))) for turns in range(4))  # mirrored as without turning
    assert min(seen) > 20
    shares = [Batches(data, 8, mirror=True, turn=True, rank=rank, world=2, side=2).batch(3)[0] for rank in range(2)]
    assert torch.equal(torch.cat(shares), Batches(data, 8, mirror=True, turn=True, side=2).batch(3)[0])


@pytest.fixture
def numbered_pairs() -> DataSet:
    """Ten pairs of 6 x 8 pixels: A's grey value is the number, B's is 100 more; columns count up in the first row."""
    images = torch.arange(10, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 6, 8)
    images[:, :, 0] = torch.arange(8, dtype=torch.uint8) + 200
    return DataSet("pairs", "train", images, torch.zeros(10, 1, dtype=torch.int64), {}, images + 100, ("A", "B"), True)


def test_both_of_a_pair_are_cut_and_mirrored_alike(numbered_pairs):
    batches = Batches(numbered_pairs, 5, seed=1, mirror=True, side=4)
    seen = set()
    for step in range(20):
        pictures = ((batches.batch(step)[0] + 1) * 127.5).round().to(torch.uint8)
        assert pictures.shape == (5, 2, 4, 4)
        first, second = pictures.chunk(2, dim=1)
        assert torch.equal(first + 100, second)
        seen |= {tuple(picture[0, 0].tolist()) for picture in first if picture[0, 0, 0] >= 200}
    assert len(seen) == 2 * 5  # five places, either way round


def test_unpaired_kinds_have_orders_of_their_own_and_each_visits_every_picture(numbered_pairs):
    few = DataSet("u", "train", numbered_pairs.images[:, :, 1:], numbered_pairs.labels, {},
                  numbered_pairs.partners[:7, :, 1:], ("A", "B"))  # fmt: skip
    batches = Batches(few, 5, seed=1)
    pictures = torch.cat([((batches.batch(step)[0] + 1) * 127.5).round()[:, :, 0, 0] for step in range(14)])
    first, second = pictures[:, 0].tolist(), (pictures[:, 1] - 100).tolist()
    for start in range(0, 70, 10):
        assert sorted(first[start : start + 10]) == list(range(10))
    for start in range(0, 70, 7):
        assert sorted(second[start : start + 7]) == list(range(7))
    assert first[:7] != second[:7]
    again = Batches(few, 5, seed=1).batch(9)[0]
    assert torch.equal(again, batches.batch(9)[0])


@pytest.mark.parametrize("world", [2, 4])
def test_the_processes_share_one_batch_of_pairs(numbered_pairs, world):
    for paired in (True, False):
        data = DataSet("p", "train", numbered_pairs.images, numbered_pairs.labels, {}, numbered_pairs.partners, ("A", "B"), paired)
        whole = Batches(data, 8, seed=5, mirror=True, side=4)
        shares = [Batches(data, 8, seed=5, mirror=True, rank=rank, world=world, side=4) for rank in range(world)]
        for step in range(4):
            assert torch.equal(torch.cat([share.batch(step)[0] for share in shares]), whole.batch(step)[0])
