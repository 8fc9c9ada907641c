from __future__ import annotations

import gzip
import hashlib
import shutil
import warnings
import zipfile

import numpy as np
import pytest
import torch
from conftest import smooth, write_idx
from PIL import Image

from gen_models import data
from gen_models.data import SPLITS, Batches, DataError, DataSet, benchmark, load_data, split_of


def parts(name: str, folder=None, size: int | None = None) -> list[DataSet]:
    return [load_data(name, split, size, folder) for split in SPLITS]


def fingerprints(part: DataSet) -> list[bytes]:
    return [picture.numpy().tobytes() for picture in part.images]


@pytest.fixture(autouse=True)
def _no_data_named(monkeypatch):
    monkeypatch.delenv("GALLERY_DATA", raising=False)


# ---- readers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size"), [("mnist", None), ("fashion", None), ("fashion", 16)])
def test_grey_reader(data_folder, name, size):
    task = {"mnist": "digit", "fashion": "garment"}[name]
    train, validation, test = parts(name, data_folder, size)
    assert len(train) + len(validation) == 300
    assert 3 <= len(validation) <= 35
    assert len(test) == 60
    for part in (train, validation, test):
        assert part.images.dtype == torch.uint8
        assert part.images.shape[1:] == (1, size or 28, size or 28)
        assert part.labels.shape == (len(part), 1)
        assert part.labels.dtype == torch.int64
        assert part.labels.max() < len(part.classes[task]) == 10
        assert part.images.float().std() > 30  # resizing neither washes out nor wraps around


def test_faces_reader(data_folder):
    every = parts("faces", data_folder)
    assert sum(map(len, every)) == 60
    assert all(len(part) for part in every)
    for part in every:
        assert part.images.shape[1:] == (3, 64, 64)
        assert part.images.dtype == torch.uint8
        assert part.labels.shape == (len(part), 3)
        assert list(part.classes) == ["age", "gender", "ethnicity"]
        for column, names in enumerate(part.classes.values()):
            assert part.labels[:, column].max() < len(names)
    # an age of 118 years counts among "90 and over"
    labels = torch.cat([part.labels for part in every])
    assert labels[:, 0].max() == 9
    assert sorted(labels[:, 0].tolist()) == sorted(min(2 * number // 10, 9) for number in range(60))


def test_unit_is_bytes_over_255(data_folder):
    part = load_data("mnist", "test", folder=data_folder)
    assert part.unit().shape == (60, 1, 28, 28)
    assert torch.equal(part.unit(5, 3), part.images[5:8].float() / 255)
    assert part.unit().max() <= 1


def test_photos_reader(data_folder):
    train, validation, test = parts("photos", data_folder, 32)
    for part in (train, validation, test):
        assert part.images.dtype == torch.uint8
        assert part.images.shape[1:] == (3, 32, 32)
        assert part.partners is None
    plain = 220 + 40 - len(validation) - len(test)
    with zipfile.ZipFile(data_folder / "flowers102_64.zip") as archive:
        flowers = sum(split_of(archive.read(name)) == "train" for name in archive.namelist())
    assert len(train) == plain + plain // 4 + flowers // 16
    assert min(len(validation), len(test)) > 5
    # the corners of the first mosaic are the first pictures, halved
    halved = torch.nn.functional.avg_pool2d(train.images[:4].float(), 2).round()
    mosaic = train.images[plain].float()
    for number, (top, left) in enumerate([(0, 0), (0, 16), (16, 0), (16, 16)]):
        assert (mosaic[:, top : top + 16, left : left + 16] - halved[number]).abs().max() <= 1
    assert load_data("photos", "test", folder=data_folder).images.shape[-1] == 256


def test_the_papers_pictures_keep_their_sizes(data_folder):
    five, fourteen = (benchmark(name, data_folder) for name in ("set5", "set14"))
    assert {name: tuple(picture.shape) for name, picture in five.items()} == {"bird": (3, 41, 50), "head": (3, 36, 36)}
    assert {name: tuple(picture.shape) for name, picture in fourteen.items()} == {"bridge": (1, 40, 40), "face": (3, 52, 44)}
    assert all(picture.dtype == torch.uint8 for picture in five.values())


@pytest.mark.parametrize("name", ["monet2photo_256.zip", "textures_dtd_256.zip", "flowers102_64.zip", "sr_set5_set14.zip"])
def test_a_missing_or_damaged_archive_of_photos(tmp_path, data_folder, name):
    for file in data_folder.glob("*.zip"):
        shutil.copy(file, tmp_path / file.name)

    def read():
        return benchmark("set5", tmp_path) if name.startswith("sr") else load_data("photos", "train", 32, tmp_path)

    assert len(read())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=f"{name} is cut short or damaged"):
        read()
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"{name} is needed for"):
        read()


@pytest.mark.parametrize("name", ["mnist", "fashion", "faces", "folder"])
def test_the_parts_are_disjoint_and_cover_everything(data_folder, own_folder, name):
    every = parts(f"folder:{own_folder}" if name == "folder" else name, data_folder)
    seen = [set(fingerprints(part)) for part in every]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    assert len(set.union(*seen)) == {"mnist": 360, "fashion": 360, "faces": 60, "folder": 60}[name]


def test_the_part_of_a_picture_does_not_depend_on_the_order(data_folder, own_folder, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    shutil.copytree(data_folder / "MNIST" / "raw", raw)
    for stem in ("images-idx3", "labels-idx1"):
        write_idx(raw / f"train-{stem}-ubyte.gz", data._read_idx(raw / f"train-{stem}-ubyte.gz")[::-1].copy())
    for number, file in enumerate(sorted(own_folder.iterdir(), reverse=True)):
        shutil.copy(file, tmp_path / f"{number:02d}.png")
    for split in SPLITS:
        pairs = ((("mnist", data_folder), ("mnist", tmp_path)), ((f"folder:{own_folder}", None), (f"folder:{tmp_path}", None)))
        for first, second in pairs:
            one, other = (load_data(name, split, folder=folder) for name, folder in (first, second))
            assert sorted(fingerprints(one)) == sorted(fingerprints(other))


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


def test_an_unzipped_idx_file_is_read_too(data_folder, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_folder / "MNIST" / "raw").iterdir():
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    assert fingerprints(load_data("mnist", "test", folder=tmp_path)) == fingerprints(load_data("mnist", "test", folder=data_folder))


# ---- batches ----------------------------------------------------------------------------------------------------------


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


# ---- pairs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "counts", "size"),
    [
        ("facades", (60, 60), 256), ("edges2shoes", (60, 60), 128), ("edges2bags", (60, 60), 128), ("monet2photo", (120, 100), 256),
        ("faces2portraits", (120, 100), 128),
    ],
)  # fmt: skip
def test_sets_of_pairs(data_folder, name, counts, size):
    every = parts(name, data_folder, 40)
    assert (sum(map(len, every)), sum(len(part.partners) for part in every)) == counts
    for part in every:
        assert part.images.dtype == part.partners.dtype == torch.uint8
        assert part.images.shape[1:] == part.partners.shape[1:] == (3, 40, 40)
        assert part.paired == (len(part) == len(part.partners) and name not in ("monet2photo", "faces2portraits"))
        assert len(part.domains) == 2
        assert part.labels.shape == (len(part), 1)
    assert load_data(name, "validation", folder=data_folder).images.shape[2:] == (size, size)
    seen = [{pair.numpy().tobytes() for pair in part.partners} for part in every]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]


def test_label_maps_keep_their_colours_at_any_size(data_folder):
    for size in (48, 53, 20):
        part = load_data("facades", "train", size, data_folder)
        colours = part.images.permute(0, 2, 3, 1).reshape(-1, 3).unique(dim=0).tolist()
        assert colours == [[0, 0, 221], [0, 48, 255], [0, 127, 255], [255, 80, 0]]


def test_a_line_drawing_is_thin_black_on_white_and_closes(data_folder):
    from skimage.measure import label

    part = load_data("edges2bags", "test", 128, data_folder)
    for drawing, photo in zip(part.images[:, 0].float() / 255, part.partners.float() / 255, strict=True):
        assert 0.01 < (drawing < 0.5).float().mean() < 0.12
        pieces = label((drawing > 0.5).numpy(), connectivity=1)
        inside = photo.amax(dim=0).numpy() < 0.7
        assert pieces[64 + 30, 64] != pieces[0, 0]  # the outline parts the bag from what is around it
        assert inside[64 + 30, 64]
        # a tenth of margin around the thing
        places = (drawing < 0.5).nonzero()
        assert min(int(places.min()), 127 - int(places.max())) == pytest.approx(0.1 * 128 / 1.2, abs=3)


def test_a_blank_photograph_is_a_blank_drawing():
    from gen_models.edges import framed, line_drawing

    white = Image.new("RGB", (30, 20), "white")
    assert np.asarray(framed(white, 16)).min() == 255
    assert np.asarray(line_drawing(white)).min() == 255


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


@pytest.fixture
def own_pairs(tmp_path):
    """Forty pictures in A/ and in B/, B's of the opposite brightness and another format."""
    generator = np.random.default_rng(0)
    for kind in "AB":
        (tmp_path / kind).mkdir()
    for number in range(40):
        image = smooth(generator, 24)
        image.save(tmp_path / "A" / f"{number}.png")
        Image.eval(image, lambda value: 255 - value).save(tmp_path / "B" / f"{number}.bmp")
    return tmp_path


def test_two_folders_are_a_paired_set(own_pairs):
    every = parts(f"paired:{own_pairs}", size=24)
    assert sum(map(len, every)) == 40
    for part in every:
        assert part.paired
        assert torch.equal(part.partners, 255 - part.images)
    grey = load_data(f"paired:{own_pairs}", "train", 16, channels=1)
    assert grey.images.shape[1:] == grey.partners.shape[1:] == (1, 16, 16)


def test_both_halves_of_a_picture_are_a_paired_set(own_pairs, tmp_path):
    folder = tmp_path / "halves"
    folder.mkdir()
    for number in range(40):
        both = Image.new("RGB", (48, 24))
        for kind, place in (("A", 0), ("B", 24)):
            file = next((own_pairs / kind).glob(f"{number}.*"))
            both.paste(Image.open(file), (place, 0))
        both.save(folder / f"{number}.png")
    every = parts(f"paired:{folder}", size=24)
    assert sum(map(len, every)) == 40
    assert all(torch.equal(part.partners, 255 - part.images) for part in every)


def test_two_folders_are_an_unpaired_set(own_pairs):
    for file in sorted((own_pairs / "B").iterdir())[:10]:
        file.unlink()
    every = parts(f"unpaired:{own_pairs}", size=16)
    assert sum(map(len, every)) == 40
    assert sum(len(part.partners) for part in every) == 30
    assert not any(part.paired for part in every)


def test_pairs_that_do_not_match_are_one_sentence(own_pairs, tmp_path):
    def said(name: str) -> str:
        with pytest.raises(DataError) as caught:
            load_data(name)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    (own_pairs / "A" / "3.png").unlink()
    (own_pairs / "B" / "5.bmp").unlink()
    assert "2 pictures" in said(f"paired:{own_pairs}")
    assert "(B/3, A/5)" in said(f"paired:{own_pairs}")
    lonely = tmp_path / "lonely"
    (lonely / "A").mkdir(parents=True)
    Image.new("RGB", (20, 20)).save(lonely / "A" / "x.png")
    assert "two folders, A/ and B/" in said(f"unpaired:{lonely}")
    assert "not two pictures side by side" in said(f"paired:{lonely}")
    (lonely / "B").mkdir()
    assert "no readable picture of kind B" in said(f"unpaired:{lonely}") or "kind A" in said(f"unpaired:{lonely}")
    assert "does not exist" in said("paired:/nowhere/at/all")


def test_a_broken_half_takes_its_pair_along(own_pairs):
    (own_pairs / "B" / "7.bmp").write_text("not a picture", encoding="utf-8")
    with pytest.warns(UserWarning, match="skipped 7"):
        every = parts(f"paired:{own_pairs}", size=16)
    assert sum(map(len, every)) == 39


def test_a_missing_or_damaged_archive_of_pairs(tmp_path, data_folder):
    for name in ("facades", "edges2bags", "monet2photo"):
        with pytest.raises(DataError, match="zip is needed"):
            load_data(name, folder=tmp_path)
    whole = (data_folder / "facades_256.zip").read_bytes()
    (tmp_path / "facades_256.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        load_data("facades", folder=tmp_path)


# ---- a user's folder --------------------------------------------------------------------------------------------------


def read_every_part(path, **options) -> list[np.ndarray]:
    """All pictures of a folder, whichever part they fall into."""
    found = []
    for split in SPLITS:
        try:
            found += list(load_data(f"folder:{path}", split, **options).images)
        except DataError as error:
            assert "no readable picture" in str(error)
    return found


def colour(image: Image.Image, path, **options) -> np.ndarray:
    image.save(path, **options)
    (found,) = read_every_part(path.parent, size=8)
    path.unlink()
    return found.permute(1, 2, 0).numpy()


def test_odd_modes_become_what_a_viewer_shows(tmp_path):
    def close(found: np.ndarray, wanted: tuple[int, int, int], by: int = 3) -> bool:
        return bool(np.abs(found.astype(int).reshape(-1, 3).mean(axis=0) - wanted).max() <= by)

    assert close(colour(Image.new("RGBA", (9, 9), (200, 0, 0, 0)), tmp_path / "a.png"), (255, 255, 255))  # transparent: white
    assert close(colour(Image.new("RGBA", (9, 9), (200, 0, 0, 255)), tmp_path / "a.png"), (200, 0, 0))
    assert close(colour(Image.new("LA", (9, 9), (0, 128)), tmp_path / "a.png"), (127, 127, 127))
    assert close(colour(Image.new("L", (9, 9), 40), tmp_path / "a.png"), (40, 40, 40))
    assert close(colour(Image.new("1", (9, 9), 1), tmp_path / "a.png"), (255, 255, 255))
    assert close(colour(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), tmp_path / "a.jpg"), (255, 0, 0), by=6)
    palette = Image.new("RGB", (9, 9), (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert close(colour(palette, tmp_path / "a.png"), (10, 20, 30))
    assert close(colour(palette, tmp_path / "a.gif"), (10, 20, 30))
    assert close(colour(palette, tmp_path / "a.png", transparency=0), (255, 255, 255))
    assert close(colour(Image.new("RGB", (1, 1), (1, 2, 3)), tmp_path / "a.png"), (1, 2, 3))  # 1 x 1 is enlarged
    assert close(colour(Image.new("RGB", (400, 3), (1, 2, 3)), tmp_path / "a.bmp"), (1, 2, 3))


def test_sixteen_bits_keep_their_gradient(tmp_path):
    ramp = np.linspace(1000, 60000, 64).astype(np.uint16).reshape(1, 64).repeat(64, axis=0)
    found = colour(Image.fromarray(ramp), tmp_path / "a.png")[4, :, 0].astype(int)
    assert found[0] < 40
    assert found[-1] > 215
    assert (np.diff(found) > 0).all()


def test_a_turned_photograph_stands_upright(tmp_path):
    image = Image.new("RGB", (16, 16), "white")
    image.paste((0, 0, 0), (0, 0, 16, 8))  # black above
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me a quarter clockwise"
    found = colour(image, tmp_path / "a.jpg", exif=exif).mean(axis=2)
    assert found[:, 6:].max() < 60  # black on the right
    assert found[:, :2].min() > 200


def test_grey_from_a_colour_folder(own_folder):
    part = load_data(f"folder:{own_folder}", "train", 16, channels=1)
    assert part.images.shape[1:] == (1, 16, 16)
    assert part.labels.shape == (len(part), 1)
    assert part.classes == {}


def test_a_broken_file_is_skipped_by_name(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(30):
        smooth(generator, 20).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture, and not looked at", encoding="utf-8")
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture either", encoding="utf-8")
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match="skipped") as caught:
        found = read_every_part(tmp_path, size=8)
    assert len(found) == 30
    named = sorted(str(warning.message).split(":")[0] for warning in caught)
    assert named == ["skipped cut.png", "skipped empty.jpg", "skipped text.png"]


def test_a_huge_picture_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "MAX_PIXELS", 99)
    Image.new("RGB", (10, 10)).save(tmp_path / "big.png")
    with pytest.warns(UserWarning, match="big.png: more than 99 pixels"):
        assert read_every_part(tmp_path, size=8) == []


def test_folders_within_folders_and_capital_letters(tmp_path):
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    Image.new("RGB", (5, 5), "red").save(tmp_path / "in" / "deeper" / "A.PNG")
    Image.new("RGB", (5, 5), "blue").save(tmp_path / "b.JPeG", "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_every_part(tmp_path, size=8)) == 2


# ---- what can be wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split", "words"),
    [("cats", "train", "choose from mnist, fashion, faces"), ("mnist", "tests", "train, validation, test"), ("", "train", "from")],
)
def test_unknown_names(name, split, words):
    with pytest.raises(DataError, match=words):
        load_data(name, split)


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="no readable picture") as caught:
        load_data(f"folder:{tmp_path}")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="does not exist"):
        load_data(f"folder:{tmp_path / 'nowhere'}")


def test_a_missing_data_folder(tmp_path, monkeypatch):
    for name in ("mnist", "fashion", "faces"):
        with pytest.raises(DataError, match="does not exist; give another"):
            load_data(name, folder=tmp_path / "nowhere")
        with pytest.raises(DataError, match="data folder|faces_utk_128.zip"):
            load_data(name, folder=tmp_path)
    with pytest.raises(DataError, match="faces_utk_128.zip"):
        load_data("faces")
    monkeypatch.setenv("GALLERY_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="GALLERY_DATA"):
        load_data("mnist")


def test_a_failed_download_names_the_cure(tmp_path, monkeypatch):
    import torchvision.datasets

    def fail(*_, **__):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torchvision.datasets, "MNIST", fail)
    with pytest.raises(DataError, match="could not be downloaded.*--data-dir"):
        load_data("mnist")


@pytest.mark.parametrize("damage", ["short body", "short gzip", "no gzip", "short header", "other type", "empty"])
def test_a_damaged_idx_file_is_refused_by_name(data_folder, tmp_path, damage):
    raw = tmp_path / "MNIST" / "raw"
    shutil.copytree(data_folder / "MNIST" / "raw", raw)
    file = raw / "t10k-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    content = gzip.decompress(whole)
    file.write_bytes(
        {
            "short body": gzip.compress(content[:-100]), "short gzip": whole[: len(whole) // 2], "no gzip": content,
            "short header": gzip.compress(content[:10]), "other type": gzip.compress(b"\x00\x00\x0d" + content[3:]), "empty": b"",
        }[damage]
    )  # fmt: skip
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte.gz.*fetch it again"):
        load_data("mnist", "test", folder=tmp_path)
    file.unlink()
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte.gz is not in the data folder"):
        load_data("mnist", "test", folder=tmp_path)


def test_fewer_labels_than_pictures_is_refused(data_folder, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    shutil.copytree(data_folder / "MNIST" / "raw", raw)
    write_idx(raw / "t10k-labels-idx1-ubyte.gz", np.zeros(59, np.uint8))
    with pytest.raises(DataError, match="59 labels"):
        load_data("mnist", "test", folder=tmp_path)


@pytest.mark.parametrize("damage", ["short", "no zip", "no faces"])
def test_a_damaged_archive_of_faces_is_refused_by_name(data_folder, tmp_path, damage):
    archive = tmp_path / "faces_utk_128.zip"
    if damage == "no faces":
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("README.txt", "nothing here")
    else:
        whole = (data_folder / archive.name).read_bytes()
        archive.write_bytes(whole[: len(whole) // 2] if damage == "short" else b"not a zip")
    with pytest.raises(DataError, match="faces_utk_128.zip"):
        load_data("faces", "train", folder=tmp_path)
