"""Weights from the Hub: the real client, a small Hub on loopback, and everything that can go wrong on the way."""

from __future__ import annotations

import contextvars
import json
import os
import pickle
import subprocess
import sys
import threading
import time

import pytest
import torch
from conftest import ROOT, build
from huggingface_hub import constants, file_download

from gen_models import catalog, hub
from gen_models.base import Draws
from gen_models.catalog import WeightsError

NAME, REPOSITORY = "dcgan-fashion", "someone/dcgan-fashion"


@pytest.fixture
def uploaded(small_hub, shelf):
    """The commit of a tiny DCGAN on the Hub, which the table names; ``weights/`` is empty."""
    folder = shelf.parent / "made"
    catalog.save(build("dcgan"), folder, {"model": "dcgan", "data": "fashion"})
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    commit = small_hub.add(REPOSITORY, files)
    write_down(commit, files)
    return commit


def write_down(commit: str, files: dict[str, bytes]) -> None:
    """The row of the table for these files."""
    config = json.loads(files["config.json"])
    entry = {"repository": REPOSITORY, "commit": commit, "file": "model.safetensors", "sha256": config["sha256"],
             "bytes": config["bytes"], "config": hub.digest(config)}  # fmt: skip
    catalog.TABLE.write_text(json.dumps({NAME: entry}), encoding="utf-8")
    catalog.table.cache_clear()
    catalog._loaded.clear()


def kept() -> list[str]:
    """Files of the local cache that hold weights."""
    return [path for path, _, files in os.walk(constants.HF_HUB_CACHE) for name in files if name == "model.safetensors"]


def test_weights_come_from_the_pinned_commit_once_and_then_from_the_cache(small_hub, uploaded):
    small_hub.add(REPOSITORY, {"model.safetensors": b"a later commit, which nobody asked for"})
    model = catalog.load(NAME)
    assert torch.equal(model.sample(Draws(1, 2)), build("dcgan").half().float().sample(Draws(1, 2)))
    assert {line.split("/resolve/")[1].split("/")[0] for line in small_hub.log} == {uploaded}
    assert catalog.load(NAME) is model
    before = list(small_hub.log)
    catalog._loaded.clear()
    small_hub.close()
    assert catalog.config_of(NAME)["data"] == "fashion"
    assert catalog.load(NAME).sample(Draws(1, 1)).shape == (1, 1, 16, 16)
    assert small_hub.log == before


def test_source_hub_passes_over_the_folder(small_hub, uploaded, shelf):
    other = build("dcgan")
    with torch.no_grad():
        next(other.parameters()).add_(1)
    catalog.save(other, shelf / NAME, {"model": "dcgan", "data": "fashion"})
    theirs = catalog.load(NAME, source="hub")
    assert catalog.on_hub(NAME) == f"{REPOSITORY}@{uploaded}"
    assert catalog.load(f"{REPOSITORY}@{uploaded}") is theirs
    key, value = next(iter(build("dcgan").state_dict().items()))
    assert torch.equal(theirs.state_dict()[key], value.half().float())
    # the table is about the uploaded ones, wherever a file lies
    with pytest.raises(WeightsError, match="not the one that was published"):
        catalog.load(NAME)


def test_any_commit_of_anybody_loads_by_its_own_checksum(small_hub, uploaded, shelf):
    folder = shelf.parent / "theirs"
    catalog.save(build("vae"), folder, {"model": "vae", "data": "folder"})
    commit = small_hub.add("else/my.vae", {file.name: file.read_bytes() for file in folder.iterdir()})
    assert catalog.load(f"else/my.vae@{commit}").sample(Draws(0, 1)).shape[0] == 1
    assert catalog.config_of(f"else/my.vae@{commit}")["model"] == "vae"
    damaged = small_hub.add("else/my.vae", {"model.safetensors": b"x" * 100})
    with pytest.raises(WeightsError, match="refused: model.safetensors from the repository else/my.vae"):
        catalog.load(f"else/my.vae@{damaged}")
    assert damaged not in "".join(kept())


@pytest.mark.parametrize("name", ["a/dcgan", "a/dcgan@main", f"dcgan@{'0' * 40}", f"../x@{'0' * 40}", f"a/b/c@{'0' * 40}"])
def test_only_a_full_commit_names_weights_of_the_hub(small_hub, name):
    with pytest.raises(KeyError, match="owner/name@commit with the 40 digits|not of the form <model>-<data>"):
        catalog.load(name)
    assert small_hub.log == []


def test_what_is_not_on_the_hub_or_no_source_is_one_sentence(shelf):
    with pytest.raises(WeightsError, match="dcgan-mine are not on the Hub; upload them with: python -m gen_models.publish"):
        catalog.load("dcgan-mine", source="hub")
    with pytest.raises(ValueError, match="no source 'cloud'; choose from any, hub"):
        catalog.load("dcgan-mine", source="cloud")


# ---- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, sentence",
    [
        ("wrong", "were refused: model.safetensors from the repository someone/dcgan-fashion is not the file that was published"),
        ("short", "could not be fetched from the Hub .Consistency check failed"),
        ("cut", "could not be fetched from the Hub"),
        ("503", "could not be fetched from the Hub .*503"),
        ("endless", "could not be fetched from the Hub .more than the [0-9,]+ bytes that it announced"),
        ("drip", "could not be fetched from the Hub .it came too slowly"),
        ("elsewhere", "are missing: the repository someone/dcgan-fashion answers with another commit than [0-9a-f]{40}; try"),
    ],
)
def test_a_bad_file_is_refused_and_not_kept_and_the_next_try_is_clean(small_hub, uploaded, monkeypatch, fault, sentence):
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)  # between the client's tries
    if fault == "drip":
        monkeypatch.setattr(hub, "PATIENCE", -1)
    small_hub.fault = fault
    for _ in range(2):
        with pytest.raises(WeightsError, match=sentence) as caught:
            catalog.load(NAME)
        assert "\n" not in str(caught.value) and f"try again, or restore the folder weights/{NAME}" in str(caught.value)
        assert kept() == [] and not catalog._loaded and not hub._downloads
    small_hub.fault = ""
    monkeypatch.setattr(hub, "PATIENCE", 60)
    assert catalog.load(NAME).sample(Draws(0, 1)).shape == (1, 1, 16, 16)


def test_a_connection_that_breaks_once_goes_on_where_it_broke(small_hub, uploaded, monkeypatch):
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
    small_hub.fault = "cut once"
    assert catalog.load(NAME)
    assert sum(line.startswith("GET") and line.endswith("model.safetensors") for line in small_hub.log) == 2


def test_a_file_that_spoils_in_the_cache_is_fetched_again(small_hub, uploaded):
    catalog.load(NAME)
    [folder] = kept()
    with open(f"{folder}/model.safetensors", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    catalog._loaded.clear()
    assert catalog.load(NAME)
    catalog._loaded.clear()
    (hub.cached(catalog._pinned(NAME)) / "model.safetensors").write_bytes(b"spoilt again")
    small_hub.close()
    with pytest.raises(WeightsError, match="dcgan-fashion are damaged in the Hub's cache and the Hub cannot be reached; connect"):
        catalog.load(NAME)


def test_another_configuration_than_the_published_is_refused(small_hub, uploaded):
    files = dict(small_hub.repositories[REPOSITORY][uploaded])
    config = json.loads(files["config.json"])
    changed = small_hub.add(REPOSITORY, {"config.json": json.dumps(config | {"value_range": "another"}).encode()})
    write_down(changed, files)
    with pytest.raises(WeightsError, match="refused: config.json"):
        catalog.load(NAME)
    same = small_hub.add(REPOSITORY, {"config.json": json.dumps(config, indent=1).replace("\n", "\r\n").encode()})
    write_down(same, files)  # the ends of lines are no change
    assert catalog.load(NAME)


def test_the_three_kinds_of_not_found_are_told_apart(small_hub, uploaded):
    entry = catalog.table()[NAME]
    bare = small_hub.add("someone/bare", {"config.json": small_hub.repositories[REPOSITORY][uploaded]["config.json"]})
    cases = [
        ({"repository": "nobody/nothing"}, "the repository nobody/nothing does not exist, or is private and wants: hf auth login"),
        ({"commit": "0" * 40}, f"the repository {REPOSITORY} has no commit {'0' * 40}"),
        (
            {"repository": "someone/bare", "commit": bare},
            f"the repository someone/bare has no model.safetensors at commit {bare[:12]}",
        ),
    ]
    for change, sentence in cases:
        catalog.TABLE.write_text(json.dumps({NAME: entry | change}), encoding="utf-8")
        catalog.table.cache_clear()
        with pytest.raises(WeightsError, match=f"^the weights {NAME} are missing: {sentence}$"):
            catalog.load(NAME)


def test_a_pickle_on_the_hub_is_never_opened(small_hub, uploaded, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    content = pickle.dumps(Trap())
    config = json.loads(small_hub.repositories[REPOSITORY][uploaded]["config.json"]) | {
        "sha256": hub.hashlib.sha256(content).hexdigest()
    }
    commit = small_hub.add("evil/dcgan", {"config.json": json.dumps(config).encode(), "model.safetensors": content})
    with pytest.raises(WeightsError, match="evil/dcgan"):
        catalog.load(f"evil/dcgan@{commit}")
    assert not (tmp_path / "sprung").exists()
    pickle.loads(content)
    assert (tmp_path / "sprung").exists()  # the trap would have sprung


def test_a_slow_hub_shows_how_far_it_is_and_holds_up_nobody_else(small_hub, uploaded, shelf, monkeypatch):
    catalog.save(build("dcgan"), shelf / "dcgan-mine", {"model": "dcgan"})
    kind = catalog.model_class("dcgan")
    catalog.save(kind(**kind.tiny | {"width": 64}), shelf.parent / "large", {"model": "dcgan"})
    files = {file.name: file.read_bytes() for file in (shelf.parent / "large").iterdir()}
    commit = small_hub.add(REPOSITORY, files)
    write_down(commit, files)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 300)
    small_hub.gate.clear()
    found = []
    threads = [threading.Thread(target=lambda: found.append(catalog.load(NAME))) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    third = len(files["model.safetensors"]) // 3
    while not any(download.done >= third for download in hub._downloads.values()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    [download] = hub._downloads.values()
    assert catalog.load("dcgan-mine") and not found
    assert not download.finished.is_set()
    whole = sum(map(len, files.values()))
    assert third <= download.done < download.total == whole
    small_hub.gate.set()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3 and len(set(map(id, found))) == 1
    assert download.done == whole
    assert sum(line.startswith("GET") and line.endswith("model.safetensors") for line in small_hub.log) == 1


def test_hf_endpoint_is_the_hub_in_a_fresh_process(small_hub, uploaded, tmp_path):
    program = f"""
import gen_models, sys
assert "huggingface_hub" not in sys.modules
from gen_models import catalog, Draws
catalog.TABLE = catalog.Path({str(catalog.TABLE)!r})
print(tuple(gen_models.load("{NAME}").sample(Draws(0, 2)).shape))
"""
    environment = {key: value for key, value in os.environ.items() if key not in ("HF_HUB_OFFLINE", "HF_HUB_CACHE")}
    environment |= {"HF_ENDPOINT": small_hub.address, "HF_HOME": str(tmp_path / "home"), "GALLERY_WEIGHTS": str(tmp_path / "none")}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == "(2, 1, 16, 16)", done.stderr
        small_hub.close()  # the second time the cache answers


def test_a_proxy_is_asked_unless_it_is_passed_by(shelf, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert not hub.answers()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert hub.answers()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert not hub.answers()


def test_nothing_is_fetched_at_import_or_while_the_page_is_built(small_hub, uploaded):
    import app

    entry = catalog.table()[NAME]
    names = [f"{room.stem}-mine" for room in app.DEMOS.glob("[!_]*.py") if room.stem in catalog.names()]
    catalog.TABLE.write_text(json.dumps(dict.fromkeys([NAME, *names], entry)), encoding="utf-8")
    catalog.table.cache_clear()
    assert {name.partition("-")[0] for name in names} <= {room for rooms in app.rooms().values() for room in rooms}
    app.build()
    assert small_hub.log == []
    with pytest.raises(WeightsError, match="are not here yet; the first who uses them in the page fetches them"):
        catalog.load(NAME)
    assert small_hub.log == []


def test_an_event_waits_for_weights_only_so_long_and_only_for_who_is_there(monkeypatch):
    """The others in the queue wait for it; the download goes on."""
    import gradio as gr
    from gradio.context import LocalContext

    from demos._kit import events

    download = hub.Download(hub.Pinned(NAME, REPOSITORY, 40 * "a"))
    monkeypatch.setattr(hub, "_fetch", lambda download: threading.Event().wait(5))
    monkeypatch.setattr(events.gr, "Progress", lambda: lambda *values, **named: None)
    monkeypatch.setattr(events.gr, "Info", lambda *values, **named: None)

    def wait() -> None:
        LocalContext.blocks.set(object())
        LocalContext.event_id.set("event")
        with pytest.raises(gr.Error, match="The weights dcgan-fashion are being fetched from the Hub; try again in a moment."):
            events.wait_in_page(download)
        assert not download.finished.is_set()

    monkeypatch.setattr(events, "PATIENCE", 0.5)
    contextvars.Context().run(wait)
    monkeypatch.setattr(events, "PATIENCE", 60)
    monkeypatch.setattr(events, "visitor_stays", lambda: lambda: False)
    contextvars.Context().run(wait)
