from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import time

import pytest
import torch
from conftest import NAMES, ROOT, build
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from gen_models import catalog
from gen_models.base import Draws, Model
from gen_models.catalog import WeightsError
from gen_models.data import DataError, load_data

SHIPPED = ROOT / "weights"


@pytest.fixture
def saved(shelf):
    """A tiny DCGAN in the empty weights folder, as a user's own training leaves it."""
    catalog.save(build("dcgan"), shelf / "dcgan-mine", {"model": "dcgan", "data": "folder"})
    return shelf / "dcgan-mine"


def write_table(**entries) -> None:
    catalog.TABLE.write_text(json.dumps({name.replace("_", "-"): entry for name, entry in entries.items()}), encoding="utf-8")
    catalog.table.cache_clear()


# ---- names ------------------------------------------------------------------------------------------------------------


def test_the_folder_listing_is_the_registry():
    assert NAMES
    for name, family in catalog.names().items():
        assert (ROOT / "gen_models" / family / f"{name}.py").is_file()
        assert name.isidentifier()  # a dash separates the model from its data
        assert not name.startswith("_")
    files = [file for file in (ROOT / "gen_models").glob("*/[!_]*.py") if file.parent.name not in catalog.APART]
    assert len(files) == len(catalog.names())  # one name never means two files


def test_a_name_gives_the_class_of_its_file(model_name):
    kind = catalog.model_class(model_name)
    assert issubclass(kind, Model)
    assert kind.__module__ == f"gen_models.{catalog.names()[model_name]}.{model_name}"


@pytest.mark.parametrize("name", ["cats", "", "_augment", "base", "../base", "dcgan-fashion"])
def test_an_unknown_model_names_the_known_ones(name):
    with pytest.raises(KeyError, match="choose from .*dcgan"):
        catalog.model_class(name)


def test_split_name():
    assert catalog.split_name("dcgan-fashion") == ("dcgan", "fashion")
    assert catalog.split_name("dcgan-my-own-pictures") == ("dcgan", "my-own-pictures")


def test_a_name_that_does_not_exist_suggests_the_nearest(saved):
    write_table(dcgan_fashion={}, vae_mnist={})
    cases = [
        (catalog.model_class, "dcgna", "there is no model 'dcgna' .did you mean dcgan.*; choose from"),
        (catalog.about, "VEA", "there is no model 'VEA' .did you mean vae"),
        (catalog.load, "dcgan-fashon", "dcgan-fashon are missing .did you mean dcgan-fashion"),
        (catalog.load, "dcgan-mne", "dcgan-mne are missing .did you mean dcgan-mine"),
        (catalog.load, "vaemnist", "'vaemnist' is not of the form .*did you mean vae-mnist"),
        (lambda name: load_data(name, "train"), "fashon", "there is no data set 'fashon' .did you mean fashion"),
    ]
    for call, name, sentence in cases:
        with pytest.raises((KeyError, WeightsError, DataError), match=sentence):
            call(name)
    with pytest.raises(WeightsError, match="^the weights dcgan-zzzzzzzz are missing; restore"):
        catalog.load("dcgan-zzzzzzzz")


@pytest.mark.parametrize("name", ["dcgan", "", "dcgan-", "a-b/c", "../a-b", "a-..", "a-b\\c"])
def test_split_name_refuses(name):
    with pytest.raises(KeyError, match="<model>-<data>"):
        catalog.split_name(name)
    with pytest.raises(KeyError):
        catalog.load(name)


# ---- missing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offline", [False, True])
def test_missing_weights_are_an_error_within_a_second(shelf, monkeypatch, offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    entry = {"repository": "someone/dcgan-fashion", "commit": "0" * 40, "file": "model.safetensors", "sha256": "", "bytes": 1}
    write_table(dcgan_fashion=entry, dcgan_faces=entry | {"commit": None})
    for name in ("dcgan-fashion", "dcgan-faces", "dcgan-nobodys"):
        taken = []
        for _ in range(3):  # the first try imports the Hub's client; on a busy machine only the quickest says anything
            started = time.monotonic()
            with pytest.raises(WeightsError, match=f"the weights {name} are missing") as caught:
                catalog.load(name)
            taken.append(time.monotonic() - started)
            assert f"weights/{name}" in str(caught.value)
        assert min(taken) < 1  # the client alone would try again for 23 seconds


def test_the_hub_cache_is_used_before_the_hub(shelf, saved):
    """A folder laid out as the Hub's own cache, and no Hub."""
    commit = "1" * 40
    snapshot = shelf.parent / "hub" / "models--someone--dcgan-fashion" / "snapshots" / commit
    shutil.copytree(saved, snapshot)
    digest = catalog.sha256(snapshot / "model.safetensors")
    entry = {"repository": "someone/dcgan-fashion", "commit": commit, "file": "model.safetensors", "sha256": digest, "bytes": 1}
    write_table(dcgan_fashion=entry)
    assert catalog.load("dcgan-fashion").sample(Draws(0, 1)).shape == (1, 1, 16, 16)
    write_table(dcgan_fashion=entry | {"sha256": "0" * 64})
    catalog._loaded.clear()
    with pytest.raises(WeightsError, match="damaged"):
        catalog.load("dcgan-fashion")


# ---- damaged ----------------------------------------------------------------------------------------------------------


def test_one_flipped_byte_is_refused_by_name_with_the_cure(saved):
    file = saved / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-7] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="dcgan-mine are damaged: model.safetensors.*restore weights/dcgan-mine or train again"):
        catalog.load("dcgan-mine")
    assert not catalog._loaded


def test_shipped_weights_answer_to_the_table_not_to_their_own_config(saved):
    digest = catalog.sha256(saved / "model.safetensors")
    write_table(dcgan_mine={"sha256": digest})
    assert catalog.load("dcgan-mine")
    catalog._loaded.clear()
    write_table(dcgan_mine={"sha256": "0" * 64})
    with pytest.raises(WeightsError, match="damaged"):
        catalog.load("dcgan-mine")


def resave(folder, change) -> None:
    """Change the tensors, and write down the new checksum as an honest mistake would."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    rewrite(folder, sha256=catalog.sha256(folder / "model.safetensors"))


def rewrite(folder, **changes) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_refused(saved, change):
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        key = next(key for key in tensors if key.endswith("weight"))
        if change == "extra":
            tensors["more"] = torch.zeros(2)
        elif change == "missing":
            del tensors[key]
        else:
            tensors[key] = tensors[key][:1].contiguous()

    resave(saved, edit)
    with pytest.raises(WeightsError, match="dcgan-mine do not fit this version of the model dcgan"):
        catalog.load("dcgan-mine")


@pytest.mark.parametrize(
    "arguments", [{"size": 16, "channels": 3}, {"size": 17}, {"colour": 1}, {"size": "big"}, []], ids=str
)
def test_a_config_that_does_not_fit_is_refused(saved, arguments):
    rewrite(saved, arguments=arguments)
    with pytest.raises(WeightsError, match="dcgan-mine do not fit"):
        catalog.load("dcgan-mine")


@pytest.mark.parametrize(
    "model, arguments, sentence",
    [
        ("edsr", {"blocks": 10**7}, "a number in its configuration is beyond 1,000,000"),
        ("edsr", {"blocks": 10**6}, "its configuration asks for more than 10,000 tensors"),
        ("cyclegan", {"blocks": -(10**30)}, "a number in its configuration is beyond 1,000,000"),
        ("features", {"classes": [4] * 20_000}, "its configuration asks for more than 10,000 tensors"),
        ("ddpm", {"times": 10**9}, "a number in its configuration is beyond 1,000,000"),
    ],
    ids=str,
)
def test_a_config_that_asks_for_too_much_is_refused_before_it_is_built(saved, shelf, model, arguments, sentence):
    (shelf / f"{model}-mine").mkdir()
    for file in saved.iterdir():
        shutil.copy(file, shelf / f"{model}-mine")
    rewrite(shelf / f"{model}-mine", model=model, arguments=catalog.model_class(model).tiny | arguments)
    with pytest.raises(WeightsError, match=f"^the weights {model}-mine do not fit this version of the model {model}: {sentence}$"):
        catalog.load(f"{model}-mine")
    assert catalog.load("dcgan-mine")


def test_any_number_of_any_configuration_is_built_or_refused_at_once(model_name):
    kind = catalog.model_class(model_name)
    assert catalog.largest(kind().config) <= 1000
    for key, value in kind().config.items():
        most = {int: [10**6], list: [[4] * 20_000, [10**6, 10**6]]}.get(type(value), [])
        for given in most:
            try:
                outline = catalog._outline({"model": model_name, "arguments": kind.tiny | {key: given}})
            except Exception as error:
                assert str(error), key
            else:
                assert len(outline.state_dict()) < catalog.MOST_TENSORS


def test_a_config_of_an_unknown_model_is_refused(saved):
    rewrite(saved, model="cats")
    with pytest.raises(WeightsError, match="there is no model 'cats'"):
        catalog.load("dcgan-mine")


@pytest.mark.parametrize("key", ["model", "arguments"])
def test_a_config_without_what_is_needed_says_what(saved, key):
    config = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    del config[key]
    (saved / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for read in (catalog.load, catalog.config_of):
        with pytest.raises(WeightsError, match=f"config.json of the weights dcgan-mine names no {key}; restore"):
            read("dcgan-mine")


@pytest.mark.parametrize("model", [None, 3, ["dcgan"], {}, ""], ids=repr)
def test_a_config_whose_model_is_no_name_is_refused(saved, model):
    rewrite(saved, model=model)
    with pytest.raises(WeightsError, match="config.json of the weights dcgan-mine is wrong"):
        catalog.load("dcgan-mine")


def test_a_misfit_is_told_in_one_line(saved):
    resave(saved, lambda tensors: [tensors.pop(key) for key in list(tensors)[:-1]])
    with pytest.raises(WeightsError, match="dcgan-mine do not fit this version of the model dcgan: .*Missing key") as caught:
        catalog.load("dcgan-mine")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("published", [False, True])
def test_the_folder_of_another_model_is_refused_by_its_name(saved, shelf, published):
    shutil.copytree(saved, shelf / "vae-mine")
    if published:
        write_table(vae_mine={"sha256": catalog.sha256(saved / "model.safetensors")})
    for read in (catalog.load, catalog.config_of):
        with pytest.raises(WeightsError, match="^the folder weights/vae-mine holds weights of dcgan, not of vae; restore"):
            read("vae-mine")


class Trap:
    """Something that runs when it is unpickled."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("kind", ["torch", "pickle 2", "pickle 4", "pickle 5"])
def test_a_pickle_renamed_to_safetensors_is_never_opened(saved, tmp_path, kind, published):
    file, content = saved / "model.safetensors", {"weights": torch.zeros(3), "trap": Trap(tmp_path / "sprung")}
    if kind == "torch":
        torch.save(content, file)
    else:
        file.write_bytes(pickle.dumps(content, protocol=int(kind[-1])))
    rewrite(saved, sha256=catalog.sha256(file))
    if published:
        write_table(dcgan_mine={"sha256": "0" * 64})
    with pytest.raises(WeightsError, match="dcgan-mine are damaged: model.safetensors is a pickle under another name, .*never"):
        catalog.load("dcgan-mine")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("size", [0, 4, 100, -100])
def test_a_file_that_is_cut_short_is_refused(saved, size):
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    rewrite(saved, sha256=catalog.sha256(file))  # an honest mistake
    with pytest.raises(WeightsError, match="dcgan-mine are damaged: model.safetensors is cut short, or no safetensors file"):
        catalog.load("dcgan-mine")


@pytest.mark.parametrize("header", [
    "[]", "{", '{"a": {}}', "[" * 100_000,
    '{"a": {"dtype": "O", "shape": [4], "data_offsets": [0, 8]}}',
    '{"a": {"dtype": "F16", "shape": [9], "data_offsets": [0, 18]}}',
    '{"a": {"dtype": "F16", "shape": [3], "data_offsets": [0, 8]}}',
    '{"a": {"dtype": "F16", "shape": [3], "data_offsets": [0, 6]}}',
])  # fmt: skip
def test_a_header_that_lies_about_what_follows_is_refused(saved, header):
    file = saved / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(8))
    rewrite(saved, sha256=catalog.sha256(file))
    with pytest.raises(WeightsError, match="dcgan-mine are damaged: model.safetensors is cut short, or no safetensors file"):
        catalog.load("dcgan-mine")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", None, "[" * 10**6, '{"a":' * 10**5, f'{{"a": "{10**7 * "b"}"}}'])
def test_an_unreadable_config_is_refused(saved, text):
    if text is None:
        (saved / "config.json").unlink()
    else:
        (saved / "config.json").write_text(text, encoding="utf-8")
    for read in (catalog.load, catalog.config_of):
        with pytest.raises(WeightsError, match="no readable config.json; restore the folder weights/dcgan-mine"):
            read("dcgan-mine")


@pytest.mark.parametrize("name, words", [("dcgan", ""), ("dcgam", " (did you mean dcgan?)"), ("DCGAN", " (did you mean dcgan?)")])
def test_nobody_is_asked_whether_they_meant_what_they_said(name, words):
    assert catalog.nearest(name, ["dcgan", "pixelcnn"]) == words


def test_a_config_may_begin_with_a_byte_order_mark(saved):
    config = (saved / "config.json").read_text(encoding="utf-8")
    (saved / "config.json").write_text(config, encoding="utf-8-sig")
    assert catalog.config_of("dcgan-mine") == json.loads(config)
    catalog.load("dcgan-mine")


def test_a_missing_file_is_refused(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="missing .model.safetensors."):
        catalog.load("dcgan-mine")


def test_an_outline_has_the_models_shapes_and_no_memory(model_name):
    """What is filled before the weights come is filled for nothing."""
    arguments = catalog.model_class(model_name).tiny
    outline = catalog._outline({"model": model_name, "arguments": arguments})
    whole = catalog.model_class(model_name)(**arguments).without_scaffold()
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (outline, whole)]
    assert shapes[0] == shapes[1]
    assert all(value.is_meta for value in outline.state_dict().values())


def tensors(model: Model) -> dict[str, torch.Tensor]:
    """All tensors that the modules of a model hold, registered or not."""
    return {
        f"{place}.{name}": value
        for place, module in model.named_modules()
        for held in (module._parameters, module._buffers, vars(module))
        for name, value in held.items()
        if isinstance(value, torch.Tensor)
    }


def test_after_loading_every_tensor_is_real(shelf, model_name):
    model = build(model_name).without_scaffold()
    catalog.save(model, shelf / f"{model_name}-mine", {"model": model_name, "data": "folder"})
    found, kept = tensors(catalog.load(f"{model_name}-mine")), model.state_dict()
    assert found.keys() == tensors(model).keys()
    for name, value in tensors(model).items():
        assert not found[name].is_meta
        if name.removeprefix(".") not in kept:
            assert torch.equal(found[name], value), name


def test_buffers_that_no_file_holds_are_computed_again(shelf, monkeypatch):
    class Masked(catalog.model_class("dcgan")):
        """With buffers that are computed, one of them in a child and one that two modules share."""

        def __init__(self, size: int = 16, channels: int = 1, width: int = 4, latent_dim: int = 8) -> None:
            super().__init__(size, channels, width, latent_dim)
            self.child, self.twin = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
            self.register_buffer("steps", torch.arange(5), persistent=False)
            self.child.register_buffer("mask", torch.tril(torch.ones(3, 3)), persistent=False)
            self.twin.register_buffer("mask", self.child.mask, persistent=False)
            self.register_buffer("kept", torch.zeros(2))

    monkeypatch.setattr(catalog, "model_class", lambda name: Masked)
    model = Masked()
    model.kept.fill_(3)
    catalog.save(model, shelf / "dcgan-mine", {"model": "dcgan", "data": "folder"})
    seed = torch.get_rng_state()
    read = catalog.read(shelf / "dcgan-mine")
    assert torch.equal(torch.get_rng_state(), seed)
    assert not any(value.is_meta for value in tensors(read).values())
    assert read.steps.tolist() == list(range(5)) and read.steps.dtype == torch.int64
    assert torch.equal(read.child.mask, torch.tril(torch.ones(3, 3))) and torch.equal(read.twin.mask, read.child.mask)
    assert read.kept.tolist() == [3, 3]
    assert read.state_dict().keys() == {key for key in model.state_dict() if key.partition(".")[0] not in model.scaffold}
    assert torch.equal(read.child(torch.ones(1, 3)), torch.nn.functional.linear(
        torch.ones(1, 3), model.child.weight.half().float(), model.child.bias.half().float()))  # fmt: skip


def test_a_file_is_for_everyone_who_may_read_the_folder(saved):
    modes = {file.stat().st_mode & 0o777 for file in saved.iterdir()}
    assert len(modes) == 1  # whatever a new file's is here


# ---- saving and memory ------------------------------------------------------------------------------------------------


def test_weights_are_half_precision_on_disk_and_float_in_use(saved):
    stored = load_file(saved / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16, torch.int64}
    model = catalog.load("dcgan-mine")
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    # none of them keeps the file in memory
    assert all(value.untyped_storage().nbytes() == value.nbytes for value in model.state_dict().values())
    assert json.loads((saved / "config.json").read_text(encoding="utf-8"))["bytes"] == (saved / "model.safetensors").stat().st_size


def test_what_half_precision_cannot_hold_stays_as_it_is(shelf):
    model = build("dcgan")
    variance = next(value for name, value in model.named_buffers() if name.endswith("running_var"))
    variance.fill_(1e6)
    catalog.save(model, shelf / "dcgan-mine", {"model": "dcgan"})
    found = dict(catalog.load("dcgan-mine").named_buffers())
    assert max(float(value.max()) for value in found.values() if value.is_floating_point()) == 1e6


def test_saving_leaves_no_half_written_file(saved):
    assert sorted(file.name for file in saved.iterdir()) == ["config.json", "model.safetensors"]


def test_the_memory_budget_drops_the_least_recently_used(shelf, monkeypatch):
    model = build("dcgan")
    for letter in "abc":
        catalog.save(model, shelf / f"dcgan-{letter}", {"model": "dcgan"})
    monkeypatch.setattr(catalog, "BUDGET", 2 * catalog._bytes(model) + 1)
    first = catalog.load("dcgan-a")
    catalog.load("dcgan-b")
    assert catalog.load("dcgan-a") is first  # and now b is the oldest
    catalog.load("dcgan-c")
    assert list(catalog._loaded) == ["dcgan-a", "dcgan-c"]
    assert catalog.load("dcgan-a") is first
    monkeypatch.setattr(catalog, "BUDGET", 1)
    catalog.load("dcgan-b")  # one model is kept, however large
    assert list(catalog._loaded) == ["dcgan-b"]


def test_trained_lists_the_users_own_and_the_shipped(saved):
    write_table(dcgan_fashion={}, vae_mnist={})
    assert catalog.trained() == ["dcgan-fashion", "dcgan-mine", "vae-mnist"]
    assert catalog.trained("dcgan") == ["dcgan-fashion", "dcgan-mine"]
    assert catalog.trained("vae") == ["vae-mnist"]


def test_the_environment_sets_weights_folder_and_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("GALLERY_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("GALLERY_MEMORY_MB", "1.5")
    spec = importlib.util.spec_from_file_location("fresh_catalog", catalog.__file__)
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    assert tmp_path == fresh.WEIGHTS
    assert fresh.BUDGET == 3 * 2**19


# ---- what the project ships -------------------------------------------------------------------------------------------


def test_the_table_and_the_weights_folder_agree():
    assert set(catalog.table()) == {file.parent.name for file in SHIPPED.glob("*/config.json")}


def test_shipped_weights_are_the_ones_written_down():
    total = 0
    for name, entry in catalog.table().items():
        file = SHIPPED / name / entry["file"]
        assert catalog.sha256(file) == entry["sha256"], name
        assert file.stat().st_size == entry["bytes"], name
        assert entry["bytes"] <= 8 * 2**20, name
        assert catalog.split_name(name)[0] == json.loads((SHIPPED / name / "config.json").read_text(encoding="utf-8"))["model"]
        total += entry["bytes"]
    assert total <= 120 * 2**20


def test_shipped_weights_load():
    for name in catalog.table():
        model = catalog.read(SHIPPED / name, name)
        assert all(torch.isfinite(value).all() for value in model.state_dict().values()), name
