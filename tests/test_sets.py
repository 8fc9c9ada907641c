"""The data sets: their records, what their readers give, and what becomes of damaged files."""

from __future__ import annotations

import gzip
import shutil
import warnings
import zipfile

import numpy as np
import pytest
import torch
from conftest import ROOT, smooth, write_idx
from PIL import Image

from gen_models import catalog, sets
from gen_models.data import SPLITS, DataError, DataSet, benchmarks, load_data, split_of
from gen_models.sets import _idx, _pictures


def parts(name: str, folder=None, size: int | None = None) -> list[DataSet]:
    return [load_data(name, split, size, folder) for split in SPLITS]


def fingerprints(part: DataSet) -> list[bytes]:
    return [picture.numpy().tobytes() for picture in part.images]


@pytest.fixture(autouse=True)
def _no_data_named(monkeypatch):
    monkeypatch.delenv("GALLERY_DATA", raising=False)


# ---- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sets.names())
def test_a_record_says_what_page_and_card_need(name):
    record = sets.record(name)
    for text in (record.title, record.card_title, record.what, record.terms, record.pictures):
        assert text.strip() == text != ""
    assert all(line.startswith("license") for line in record.license.splitlines())
    assert (record.what == "the user's own pictures") == record.own
    assert callable(record.read)
    assert len(record.kinds) == 2
    assert 0 < record.fill <= 1
    assert record.opposite == "" or sets.record(record.opposite).opposite == name
    assert all(callable(read) for read in record.benchmarks.values())


def test_a_file_is_a_data_set_and_its_name_is_its_files():
    files = [file.stem for file in (ROOT / "gen_models" / "sets").glob("*.py") if not file.stem.startswith("_")]
    assert sorted(files) == list(sets.names())
    titles = [sets.record(name).title for name in sets.names()]
    assert len(set(titles)) == len(titles)
    assert not set(sets.names()) & set(catalog.names())  # a data set is no model


def test_a_path_or_a_name_without_a_record_are_a_users_own_pictures(tmp_path):
    own = sets.record("folder")
    assert sets.record(f"folder:{tmp_path}") is own
    mine = sets.record("mine")
    assert mine.title == "mine"
    assert (mine.terms, mine.license, mine.kinds) == (own.terms, own.license, ("A", "B"))


@pytest.mark.parametrize("name", [name for name in sets.names() if not sets.record(name).own])
def test_a_reader_gives_what_its_record_says(data_folder, name):
    part, record = load_data(name, "test", 32, data_folder), sets.record(name)
    assert (part.name, part.split) == (name, "test")
    assert part.classes == record.classes
    assert (part.partners is None) == (record.kinds == ("A", "B")) == (part.domains == ())
    if record.opposite:
        assert load_data(record.opposite, "test", 32, data_folder).images.shape[1:] == part.images.shape[1:]
    if record.labels:
        pixels = part.images.permute(0, 2, 3, 1).reshape(-1, 3)
        assert {bytes(colour).hex() for colour in pixels.tolist()} <= set(record.labels.values())


@pytest.mark.parametrize("weights", sorted(catalog.table()))
def test_shipped_weights_are_of_a_data_set_with_a_record(weights):
    assert catalog.config_of(weights)["data"] in sets.names()


def test_one_file_more_is_one_data_set_more(tmp_path, monkeypatch):
    (tmp_path / "stripes.py").write_text(
        "from gen_models.sets import Record\n"
        "RECORD = Record(title='Stripes', card_title='stripes', what='lines', terms='none', license='license: mit', read=print)\n"
    , encoding="utf-8")
    monkeypatch.setattr(sets, "PACKAGE", tmp_path)
    monkeypatch.setattr(sets, "__path__", [str(tmp_path)])
    sets.names.cache_clear()
    sets.record.cache_clear()
    try:
        assert sets.names() == ("stripes",)
        assert sets.record("stripes").title == "Stripes"
    finally:
        sets.names.cache_clear()
        sets.record.cache_clear()


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
    five, fourteen = (benchmarks("photos", data_folder)[name] for name in ("set5", "set14"))
    assert {name: tuple(picture.shape) for name, picture in five.items()} == {"bird": (3, 41, 50), "head": (3, 36, 36)}
    assert {name: tuple(picture.shape) for name, picture in fourteen.items()} == {"bridge": (1, 40, 40), "face": (3, 52, 44)}
    assert all(picture.dtype == torch.uint8 for picture in five.values())


@pytest.mark.parametrize("name", ["monet2photo_256.zip", "textures_dtd_256.zip", "flowers102_64.zip", "sr_set5_set14.zip"])
def test_a_missing_or_damaged_archive_of_photos(tmp_path, data_folder, name):
    for file in data_folder.glob("*.zip"):
        shutil.copy(file, tmp_path / file.name)

    def read():
        return benchmarks("photos", tmp_path) if name.startswith("sr") else load_data("photos", "train", 32, tmp_path)

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
        write_idx(raw / f"train-{stem}-ubyte.gz", _idx.read_idx(raw / f"train-{stem}-ubyte.gz")[::-1].copy())
    for number, file in enumerate(sorted(own_folder.iterdir(), reverse=True)):
        shutil.copy(file, tmp_path / f"{number:02d}.png")
    for split in SPLITS:
        pairs = ((("mnist", data_folder), ("mnist", tmp_path)), ((f"folder:{own_folder}", None), (f"folder:{tmp_path}", None)))
        for first, second in pairs:
            one, other = (load_data(name, split, folder=folder) for name, folder in (first, second))
            assert sorted(fingerprints(one)) == sorted(fingerprints(other))


def test_an_unzipped_idx_file_is_read_too(data_folder, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_folder / "MNIST" / "raw").iterdir():
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    assert fingerprints(load_data("mnist", "test", folder=tmp_path)) == fingerprints(load_data("mnist", "test", folder=data_folder))


# ---- batches ----------------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(_pictures, "MAX_PIXELS", 99)
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
