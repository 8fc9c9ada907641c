"""The folder for the stage: what is in it, and that it starts and plays with every way to the outside closed."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from browsing import OPEN, act, changed, main_picture, serving, source, width_of
from conftest import ROOT, build
from packaging.requirements import Requirement

from benchmarks._page import way_to
from gen_models import _start, bundle, catalog

SHIELD = '''"""Every name and address but loopback is refused, and noted."""
import os, sys

def hook(event, values):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = values[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(values[1], tuple):
        host = values[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host or "127.0.0.1"
    if host not in ("localhost", "::1", "0.0.0.0", "::") and not host.startswith("127."):
        with open(os.environ["SHIELD_NOTES"], "a") as notes:
            notes.write(f"{event} {host}\\n")
        raise OSError(f"the test forbids {host}")

sys.addaudithook(hook)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bundle of this project, as the command writes it."""
    target = tmp_path_factory.mktemp("stage") / "gallery"
    done = subprocess.run([sys.executable, "-m", "gen_models.bundle", str(target)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"start with: python {target / 'start.py'}" in done.stdout
    return target


@pytest.fixture(scope="module")
def shield(tmp_path_factory):
    """Environment of a process for which there is nothing but loopback; what it asked for is in SHIELD_NOTES."""
    place = tmp_path_factory.mktemp("shield")
    (place / "sitecustomize.py").write_text(SHIELD, encoding="utf-8")
    (place / "notes.txt").touch()
    return {"PYTHONPATH": str(place), "SHIELD_NOTES": str(place / "notes.txt")}


# ---- what is in it ----------------------------------------------------------------------------------------------------


def test_the_folder_holds_code_weights_examples_and_the_list_of_packages(folder):
    assert {file.name for file in folder.iterdir()} == {*bundle.CODE, "weights", "start.py", "requirements.lock"}
    for part in ("demos", "gen_models", "weights"):
        wanted = {file.relative_to(ROOT) for file in (ROOT / part).rglob("*") if file.is_file() and "__pycache__" not in file.parts}
        wanted = {file for file in wanted if file.suffix not in (".pyc", ".part") and (part != "weights" or len(file.parts) == 3)}
        assert {file.relative_to(folder) for file in (folder / part).rglob("*") if file.is_file()} == wanted
        assert all((folder / file).read_bytes() == (ROOT / file).read_bytes() for file in wanted)
    assert (folder / "start.py").read_bytes() == (ROOT / "gen_models" / "_start.py").read_bytes()


def test_the_list_has_every_package_in_the_version_that_is_installed(folder):
    from importlib import metadata

    first, *lines = (folder / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert first == f"# {_start.here()}"
    pinned = dict(line.split("==") for line in lines)
    assert list(pinned) == sorted(pinned)
    wanted = [Requirement(line) for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    for requirement in wanted:
        name = requirement.name.replace("_", "-")
        assert metadata.version(name).startswith(pinned[name]) and requirement.specifier.contains(pinned[name])
    assert {"starlette", "markupsafe", "sympy"} <= set(pinned)  # required by what is required
    assert not {"pytest", "ruff", "playwright"} & set(pinned)


def test_a_package_that_is_not_installed_is_named(monkeypatch, tmp_path):
    (tmp_path / "requirements.txt").write_text("# what\nnumpy>=2\nno-such-package-anywhere>=1\n", encoding="utf-8")
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    with pytest.raises(bundle.BundleError, match="no-such-package-anywhere is not installed here; first: pip install"):
        bundle.locked()


def test_a_folder_that_is_there_and_damaged_weights_are_refused_and_nothing_is_left(shelf, tmp_path, capsys):
    catalog.save(build("dcgan"), shelf / "dcgan-mine", {"model": "dcgan"})
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "thing.txt").write_text("mine", encoding="utf-8")
    assert bundle.main([str(tmp_path / "old")]) == 1
    assert "is there already; name a new folder" in capsys.readouterr().err
    catalog.TABLE.write_text("{}", encoding="utf-8")
    with (shelf / "dcgan-mine" / "model.safetensors").open("r+b") as file:
        file.truncate(100)
    assert bundle.main([str(tmp_path / "new")]) == 1
    assert capsys.readouterr().err.startswith("error: the weights dcgan-mine are damaged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "shelf", "table.json"]
    assert os.listdir(tmp_path / "old") == ["thing.txt"]


def test_weights_that_are_only_on_the_hub_come_along(small_hub, shelf, tmp_path):
    import json

    catalog.save(build("dcgan"), tmp_path / "made", {"model": "dcgan", "data": "fashion"})
    files = {file.name: file.read_bytes() for file in (tmp_path / "made").iterdir()}
    entry = {"repository": "someone/x", "commit": small_hub.add("someone/x", files), "file": "model.safetensors"}
    entry["sha256"] = json.loads(files["config.json"])["sha256"]
    catalog.TABLE.write_text(json.dumps({"dcgan-fashion": entry}), encoding="utf-8")
    catalog.table.cache_clear()
    bundle.write_weights(tmp_path / "weights")
    assert {file.name: file.read_bytes() for file in (tmp_path / "weights" / "dcgan-fashion").iterdir()} == files
    assert not any(file.is_symlink() for file in (tmp_path / "weights" / "dcgan-fashion").iterdir())


# ---- how it starts ----------------------------------------------------------------------------------------------------


def write_wheel(place, version: str = "1.0"):
    """A package ``stagehand`` with one line in it, as a wheel."""
    content = {
        "stagehand.py": "WORD = 'from the wheel'\n",
        f"stagehand-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: stagehand\nVersion: {version}\n",
        f"stagehand-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    with zipfile.ZipFile(place / f"stagehand-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in content.items():
            wheel.writestr(name, text)
            seal = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={seal},{len(text)}")
        wheel.writestr(f"stagehand-{version}.dist-info/RECORD", "\n".join([*rows, f"stagehand-{version}.dist-info/RECORD,,"]))


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A bundle of one package and a page that says one word; pip sees one folder and no index."""
    (tmp_path / "index").mkdir()
    write_wheel(tmp_path / "index")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index")}.items():
        monkeypatch.setenv(name, value)
    target = tmp_path / "gallery"
    target.mkdir()
    (target / "requirements.lock").write_text(f"# {_start.here()}\nstagehand==1.0\n", encoding="utf-8")
    page = "import os, stagehand, sys\nprint(stagehand.WORD, os.environ['HF_HUB_OFFLINE'], *sys.argv[1:])\n"
    (target / "app.py").write_text(page, encoding="utf-8")
    (target / "start.py").write_bytes((ROOT / "gen_models" / "_start.py").read_bytes())
    return target


def start(folder, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(folder / "start.py"), *arguments], capture_output=True, text=True, cwd="/")


@pytest.mark.slow
def test_wheels_are_downloaded_and_installed_without_an_index(stage, monkeypatch):
    bundle.download_wheels(stage)
    assert os.listdir(stage / "wheels") == ["stagehand-1.0-py3-none-any.whl"]
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    done = start(stage, "--port", "7")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "from the wheel 1 --port 7", done.stderr
    (stage / "wheels" / "stagehand-1.0-py3-none-any.whl").unlink()  # installed once
    assert start(stage).stdout == "from the wheel 1\n"


def test_what_cannot_be_downloaded_or_does_not_fit_is_one_sentence(stage):
    (stage / "requirements.lock").write_text("# Python 2.7, Plan9 vax\nstagehand==9.0\n", encoding="utf-8")
    with pytest.raises(bundle.BundleError, match="the packages cannot be downloaded .*stagehand==9.0.*; connect and try again"):
        bundle.download_wheels(stage)
    shutil.rmtree(stage / "wheels", ignore_errors=True)  # of a whole bundle nothing is left then
    lacking = start(stage)
    assert lacking.returncode == 1
    assert lacking.stderr.strip() == (
        "error: this Python lacks stagehand; with a network: pip install -r requirements.lock, or bundle with --wheels"
    )
    (stage / "wheels").mkdir()
    other = start(stage)
    assert other.returncode == 1
    assert other.stderr.strip() == f"error: the wheels in this folder are for Python 2.7, Plan9 vax, and this is {_start.here()}"


def test_the_shield_lets_nothing_out(shield, tmp_path):
    program = """
import socket
for act in (lambda: socket.getaddrinfo("example.org", 80), lambda: socket.create_connection(("192.0.2.1", 80), 1),
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))):
    try:
        act()
        print("open")
    except OSError as error:
        print(error)
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname()).close()
"""
    environment = os.environ | shield | {"SHIELD_NOTES": str(tmp_path / "notes")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    said = ["the test forbids example.org", "the test forbids 192.0.2.1", "the test forbids 192.0.2.1"]
    assert done.returncode == 0 and done.stdout.splitlines() == said, done.stderr
    assert len((tmp_path / "notes").read_text(encoding="utf-8").splitlines()) == 3


@pytest.fixture(scope="module")
def server(folder, shield, tmp_path_factory):
    """The address of the page that the bundle starts; in the end it asked for nothing outside."""
    settings = shield | {"GALLERY_WEIGHTS": "/nowhere", "HF_HUB_OFFLINE": "0", "GRADIO_ANALYTICS_ENABLED": "True"}
    with serving(tmp_path_factory.mktemp("server"), sys.executable, "start.py", cwd=folder, **settings) as address:
        yield address
    with open(shield["SHIELD_NOTES"], encoding="utf-8") as notes:
        assert notes.read() == ""


@pytest.mark.browser
@pytest.mark.parametrize("room", OPEN)
def test_every_room_plays_from_the_bundle_with_no_network(visit, room):  # noqa: F811
    page = visit(way_to(room))
    picture = main_picture(page, room)
    before = source(picture)
    assert width_of(picture) > 1
    act(page, room)
    changed(picture, before)
