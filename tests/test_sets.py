"""The data sets: their records, what their readers give, and what becomes of damaged files."""

from __future__ import annotations

import gzip
import os
import shutil
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import PIL.features
import pytest
import torch
from conftest import ROOT, smooth, write_idx
from PIL import Image
from test_pictures import profile, shown

from gen_models import catalog, sets
from gen_models.data import SPLITS, DataError, DataSet, benchmarks, load_data, split_of, summary
from gen_models.sets import _idx, _own


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
    ],
)  # fmt: skip
def test_sets_of_pairs(data_folder, name, counts, size):
    every = parts(name, data_folder, 40)
    assert (sum(map(len, every)), sum(len(part.partners) for part in every)) == counts
    for part in every:
        assert part.images.dtype == part.partners.dtype == torch.uint8
        assert part.images.shape[1:] == part.partners.shape[1:] == (3, 40, 40)
        assert part.paired == (len(part) == len(part.partners) and name != "monet2photo")
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


def refused(name: str) -> str:
    """The one sentence with which a data set is refused."""
    with pytest.raises(DataError) as caught:
        load_data(name, size=16)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pictures_without_a_partner_are_left_out_by_name(own_pairs):
    (own_pairs / "A" / "3.png").unlink()
    (own_pairs / "B" / "5.bmp").unlink()
    every = parts(f"paired:{own_pairs}", size=16)
    assert sum(map(len, every)) == 38
    for part in every:
        assert part.left_out == {"no single partner of the same name": ["A/5.png", "B/3.bmp"]}
        assert len(part) + part.others == 38
    for file in (own_pairs / "B").iterdir():
        file.rename(file.with_name(f"photo {file.name}"))
    assert "no two pictures" in refused(f"paired:{own_pairs}") and "A/0.png, B/photo 0.bmp" in refused(f"paired:{own_pairs}")


def test_folders_that_are_no_pairs_are_one_sentence(tmp_path):
    (tmp_path / "A").mkdir()
    smooth(np.random.default_rng(0), 20).save(tmp_path / "A" / "x.png")
    for name in ("paired", "unpaired"):
        said = refused(f"{name}:{tmp_path}")
        assert "needs two folders, A/ and B/" in said and "; it has A/" in said
    assert refused(f"unpaired:{tmp_path / 'A'}").endswith("it has no folders")
    assert "not two pictures side by side" in refused(f"paired:{tmp_path / 'A'}")
    (tmp_path / "B").mkdir()
    assert "no readable picture of kind" in refused(f"unpaired:{tmp_path}")
    assert "does not exist" in refused("paired:/nowhere/at/all")


def test_a_broken_picture_takes_its_pair_along(own_pairs):
    for name, content in (("7", b"not a picture"), ("8", (own_pairs / "B" / "8.bmp").read_bytes()[:900])):
        (own_pairs / "B" / f"{name}.bmp").write_bytes(content)
    every = parts(f"paired:{own_pairs}", size=16)
    assert sum(map(len, every)) == 38
    found = {reason: names for part in every for reason, names in part.left_out.items()}
    assert found == {
        "no picture that can be read": ["B/7.bmp"], "no single partner of the same name": ["A/7.png"], "damaged": ["B/8.bmp"],
    }  # fmt: skip


def test_a_missing_or_damaged_archive_of_pairs(tmp_path, data_folder):
    for name in ("facades", "edges2bags", "monet2photo"):
        with pytest.raises(DataError, match="zip is needed"):
            load_data(name, folder=tmp_path)
    whole = (data_folder / "facades_256.zip").read_bytes()
    (tmp_path / "facades_256.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        load_data("facades", folder=tmp_path)


# ---- a user's folder --------------------------------------------------------------------------------------------------


def nonempty_parts(name: str, size: int = 8) -> list[DataSet]:
    """The parts of a small set of a user's own that hold a picture."""
    found = []
    for split in SPLITS:
        try:
            found.append(load_data(name, split, size))
        except DataError as error:
            assert "no readable picture" in str(error)
    return found


def read_every_part(path, **options) -> list[np.ndarray]:
    """All pictures of a folder, whichever part they fall into."""
    return [image for part in nonempty_parts(f"folder:{path}", **options) for image in part.images]


def left_out(name: str) -> dict[str, list[str]]:
    """What is in no part of a set of a user's own, sorted."""
    found: dict[str, set[str]] = {}
    for part in nonempty_parts(name):
        for reason, names in part.left_out.items():
            found.setdefault(reason, set()).update(names)
    return {reason: sorted(names) for reason, names in found.items()}


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


def test_a_broken_file_is_left_out_by_name(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(30):
        smooth(generator, 20).save(tmp_path / f"{number}.png")
    content = (tmp_path / "0.png").read_bytes()
    (tmp_path / "notes.txt").write_text("not a picture", encoding="utf-8")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture either", encoding="utf-8")
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "film.jpg").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    assert len(read_every_part(tmp_path)) == 30
    assert left_out(f"folder:{tmp_path}") == {
        "no picture that can be read": ["empty.jpg", "film.jpg", "notes.txt", "text.png"], "damaged": ["cut.png"],
    }  # fmt: skip


@pytest.mark.parametrize("bound", ["ours", "Pillow's"])
def test_a_huge_picture_is_left_out(tmp_path, monkeypatch, bound):
    if bound == "ours":
        monkeypatch.setattr(_own, "MAX_PIXELS", 99)
    else:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 49)
    Image.new("RGB", (10, 10)).save(tmp_path / "big.png")
    said = refused(f"folder:{tmp_path}")
    assert "no readable picture for the part 'train'; 1 left out: more than" in said and "pixels (1: big.png)" in said


def test_folders_within_folders_and_capital_letters(tmp_path):
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    Image.new("RGB", (5, 5), "red").save(tmp_path / "in" / "deeper" / "A.PNG")
    Image.new("RGB", (5, 5), "blue").save(tmp_path / "b.JPeG", "JPEG")
    assert len(read_every_part(tmp_path)) == 2
    assert left_out(f"folder:{tmp_path}") == {}


FORMATS = {"jfif": "JPEG", "pgm": "PPM", "ppm": "PPM", "jp2": "JPEG2000", "tga": "TGA", "ico": "ICO", "avif": "AVIF", "mpo": "MPO"}


def test_the_content_makes_a_picture_and_not_the_ending(tmp_path):
    """JFIF, as Windows saves pictures of a page, was left out without a word."""
    generator = np.random.default_rng(0)
    for ending, kind in FORMATS.items():
        if kind != "AVIF" or PIL.features.check("avif"):
            smooth(generator, 32).save(tmp_path / f"picture.{ending}", kind)
    for name in ("IMG_0001", "page.html", "picture.png.1", "photo.txt"):
        smooth(generator, 32).save(tmp_path / name, "PNG")
    assert len(read_every_part(tmp_path)) == len(list(tmp_path.iterdir())) >= 11
    assert left_out(f"folder:{tmp_path}") == {}


def test_heic_is_called_by_its_name_where_it_cannot_be_read(tmp_path, own_folder):
    shutil.copytree(own_folder, tmp_path, dirs_exist_ok=True)
    for number in range(5):
        (tmp_path / f"IMG_{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes([number]) * 100)
    part = load_data(f"folder:{tmp_path}", size=8)
    assert len(part) + part.others == 60
    assert summary(part.left_out) in (
        "; 5 left out: HEIC while pillow-heif is not installed (5: IMG_0.HEIC, IMG_1.HEIC, IMG_2.HEIC, ...)",
        "; 5 left out: damaged (5: IMG_0.HEIC, IMG_1.HEIC, IMG_2.HEIC, ...)",  # where it is installed
    )


# ---- folders as people have them ----------------------------------------------------------------------------------------


LAYOUTS = [
    ("A", "B"), ("trainA", "trainB"), ("train_A", "train_B"), ("Input", "Target"), ("inputs", "targets"), ("source", "target"),
    ("train/A", "train/B"), ("a", "b"),
]  # fmt: skip


@pytest.mark.parametrize("names", LAYOUTS, ids=" ".join)
def test_common_names_of_two_folders(own_pairs, names, tmp_path_factory):
    root = tmp_path_factory.mktemp("other")
    for kind, name in zip("AB", names, strict=True):
        shutil.copytree(own_pairs / kind, root / name)
    for layout in ("paired", "unpaired"):
        for split in SPLITS:
            one, other = (load_data(f"{layout}:{folder}", split, 16) for folder in (own_pairs, root))
            assert torch.equal(one.images, other.images) and torch.equal(one.partners, other.partners)
            assert (one.sources, one.others, one.left_out) == (other.sources, other.others, other.left_out)


def test_parts_that_a_set_comes_with_are_subfolders_of_each_kind(own_pairs):
    for kind in "AB":
        for number, file in enumerate(sorted((own_pairs / kind).iterdir(), key=lambda file: int(file.stem))):
            folder = own_pairs / kind / ("val" if number % 4 == 0 else "train")
            folder.mkdir(exist_ok=True)
            file.rename(folder / f"{number % 20}{file.suffix}" if number % 4 else folder / file.name)
    every = parts(f"paired:{own_pairs}", size=24)
    assert 20 < sum(map(len, every)) <= 40
    assert all(torch.equal(part.partners, 255 - part.images) for part in every)


def test_what_is_beside_the_two_folders_is_named(own_pairs):
    for kind in "AB":
        (own_pairs / kind).rename(own_pairs / f"train{kind}")
        (own_pairs / f"test{kind}").mkdir()
    (own_pairs / "list.txt").write_text("0 1 2", encoding="utf-8")
    assert left_out(f"unpaired:{own_pairs}") == {"beside trainA/ and trainB/": ["list.txt", "testA/", "testB/"]}


@pytest.mark.parametrize("names", [("left", "right"), ("trainA", "testA"), ("photos",), ("train", "val")], ids=" ".join)
def test_other_folders_are_named_and_no_halves_guessed(tmp_path, names):
    """Landscapes in trainA/ and trainB/ were cut into halves, each of which learned from the other."""
    for name in names:
        (tmp_path / name).mkdir()
        smooth(np.random.default_rng(0), 24).resize((48, 24)).save(tmp_path / name / "0.png")
    smooth(np.random.default_rng(0), 24).resize((48, 24)).save(tmp_path / "0.png")
    said = refused(f"paired:{tmp_path}")
    assert f"; it has {', '.join(f'{name}/' for name in sorted(names))}; " in said and "trainA/ and trainB/" in said


def test_pictures_whose_names_differ_in_their_endings_are_all_used(tmp_path):
    """Each .jpg went when there was a .png of its name: 40 pictures became 20."""
    generator = np.random.default_rng(0)
    for kind in "AB":
        (tmp_path / kind).mkdir()
        for number in range(20):
            for ending in ("jpg", "png"):
                smooth(generator, 24).save(tmp_path / kind / f"{number}.{ending}")
    for name, seen in (("paired", 40), ("unpaired", 80), ("folder", 80)):
        every = parts(f"{name}:{tmp_path}", size=16)
        assert sum(len(part.sources) for part in every) == seen
        assert left_out(f"{name}:{tmp_path}") == {}
    for file in (tmp_path / "B").glob("*.jpg"):
        file.rename(file.with_suffix(".jpeg"))
    paired = parts(f"paired:{tmp_path}", size=16)  # 0.png and 0.png first, so that 0.jpg and 0.jpeg are left
    assert sum(map(len, paired)) == 40
    for file in (tmp_path / "B").glob("*.png"):
        file.rename(file.with_suffix(".PNG"))
    assert "no two pictures" in refused(f"paired:{tmp_path}")  # 0.jpg with 0.jpeg or with 0.PNG?


def test_a_name_is_the_same_however_its_umlaut_and_its_case_are_written(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(20):
        for kind, form in (("A", "NFC"), ("B", "NFD")):
            (tmp_path / kind).mkdir(exist_ok=True)
            name = unicodedata.normalize(form, "Tür" if kind == "A" else "tür")
            smooth(generator, 24).save(tmp_path / kind / f"{name} {number}.png")
    assert sum(map(len, parts(f"paired:{tmp_path}", size=16))) == 20


@pytest.fixture(params=["folder", "paired", "unpaired", "halves"])
def odd_folder(request, own_pairs, tmp_path):
    """A set of a user's own in each layout, and a folder of it that holds pictures."""
    if request.param in ("paired", "unpaired"):
        return f"{request.param}:{own_pairs}", own_pairs / "B", 40
    folder = tmp_path / "one"
    folder.mkdir()
    for file in (own_pairs / "A").iterdir():
        Image.open(file).resize((48, 24)).save(folder / file.name)
    return f"{'paired' if request.param == 'halves' else 'folder'}:{folder}", folder, 40


def test_shadows_are_passed_over(odd_folder):
    """What macOS and Windows write beside pictures, which nobody sees, counted as pictures without a partner."""
    name, folder, count = odd_folder
    before = nonempty_parts(name)
    files = list(folder.iterdir())
    for file in files:
        (folder / f"._{file.name}").write_bytes(b"\0\5\x16\7" + bytes(100))
    for hidden in (".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r"):
        (folder / hidden).write_bytes(bytes(100))
    for hidden in ("__MACOSX", ".thumbnails", "@eaDir"):
        (folder / hidden).mkdir()
        shutil.copy(files[0], folder / hidden / "x.png")
    for one, other in zip(before, nonempty_parts(name), strict=True):
        assert (one.sources, one.others, one.left_out) == (other.sources, other.others, {})
    assert sum(map(len, before)) == count


def test_one_odd_entry_does_not_stop_all(odd_folder):
    name, folder, count = odd_folder
    names = sorted(folder.iterdir())
    odd = names[:3]
    for file in odd:
        file.unlink()
    odd[0].mkdir()
    odd[1].symlink_to(folder / "nowhere")
    os.mkfifo(odd[2])
    where = "B/" if folder.name == "B" else ""
    expected = {
        "a folder named like a picture": [f"{where}{odd[0].name}/"], "a link that leads nowhere": [f"{where}{odd[1].name}"],
        "neither a file nor a folder": [f"{where}{odd[2].name}"],
    }  # fmt: skip
    if name.startswith("paired") and where:
        expected["no single partner of the same name"] = [f"A/{file.stem}.png" for file in odd]
    assert left_out(name) == expected
    assert sum(len(part.images) for part in nonempty_parts(name)) == count - (0 if name.startswith("unpaired") else 3)


def test_one_picture_that_is_not_two_is_left_out(own_pairs, tmp_path):
    folder = tmp_path / "halves"
    folder.mkdir()
    for number in range(24):
        size = {5: (191, 96), 7: (96, 96)}.get(number, (192, 96))
        smooth(np.random.default_rng(number), 96).resize(size).save(folder / f"{number:03d}.jpg")
    assert left_out(f"paired:{folder}") == {"not two pictures side by side": ["005.jpg", "007.jpg"]}
    assert sum(map(len, nonempty_parts(f"paired:{folder}"))) == 22


def test_folders_behind_links_are_followed_once(own_folder, tmp_path):
    (tmp_path / "hand").mkdir()
    (tmp_path / "hand" / "photos").symlink_to(own_folder)
    for again in ("album", "more"):
        (tmp_path / "hand" / again).symlink_to(own_folder)
    (tmp_path / "hand" / "round").symlink_to(tmp_path / "hand")
    for split in SPLITS:
        found, plain = (load_data(f"folder:{folder}", split) for folder in (tmp_path / "hand", own_folder))
        assert found.sources == plain.sources and torch.equal(found.images, plain.images)
    assert left_out(f"folder:{tmp_path / 'hand'}") == {}


def test_the_two_folders_may_be_links(own_pairs, tmp_path):
    root = tmp_path / "linked"
    root.mkdir()
    for kind in "AB":
        (root / f"train{kind}").symlink_to(own_pairs / kind)
    assert sum(map(len, parts(f"paired:{root}", size=16))) == 40


def test_names_that_cannot_be_printed(tmp_path, own_folder, capsys):
    shutil.copytree(own_folder, tmp_path, dirs_exist_ok=True)
    for name in (b"two\nlines.txt", b"\xff\xfe.txt", "\u202ereversed.txt".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"text")
    said = summary(load_data(f"folder:{tmp_path}", size=8).left_out)
    assert said.isprintable() and "two?lines.txt" in said
    print(said)


def test_a_folder_that_is_closed_is_named(tmp_path, own_folder, monkeypatch):
    shutil.copytree(own_folder, tmp_path / "pictures")
    (tmp_path / "pictures" / "closed").mkdir()
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # the super-user may open any
    assert left_out(f"folder:{tmp_path / 'pictures'}") == {"cannot be opened (Permission denied)": ["closed/"]}


def test_colours_of_a_profile_count_in_pairs_too(tmp_path):
    """Of label maps, whose few colours are not mixed, and of halves."""
    flat = np.array([(220, 60, 60), (60, 180, 75), (60, 90, 220)], np.uint8)[None].repeat(30, 0).repeat(20, 1)
    both = Image.fromarray(np.concatenate([flat, flat], axis=1))
    for number in range(30):
        both.putpixel((0, 0), (number, 0, 0))
        both.save(tmp_path / f"{number}.png", icc_profile=profile("channels changed"))
    part = load_data(f"paired:{tmp_path}", "train", 30)
    wanted = shown("channels changed")[1]  # the colour in the middle
    for images in (part.images, part.partners):
        assert np.abs(images[0, :, 15, 15].numpy() - wanted).max() <= 5


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
