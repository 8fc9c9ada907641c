"""Starting and ending: taken ports, odd hosts, proxies, ASCII locales, folders of others; and what is left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from conftest import ROOT

from benchmarks._page import free_port
from demos._server import address, uploads

SOON = 120


@contextlib.contextmanager
def taken(host: str = "127.0.0.1"):
    """A port at which somebody listens."""
    with socket.create_server((host, 0)) as server:
        yield server.getsockname()[1]


# ---- where the page listens -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given, host", [("::1", "::1"), ("[::1]", "::1"), (" localhost ", "localhost"), ("0.0.0.0", "0.0.0.0")])
def test_a_host_may_be_written_as_in_an_address(given, host):
    assert address.host_name(given) == host
    port = free_port()
    assert address.free_port(host, port) == port


@pytest.mark.parametrize(
    "host, port, sentence",
    [
        ("no-such-host.invalid", 7860, "there is no host 'no-such-host.invalid'; "),
        ("x" * 300, 7860, "there is no host "),
        ("192.0.2.1", 7860, "192.0.2.1 is not an address of this machine"),
        ("127.0.0.1", 0, "0 is no port; ports go from 1 to 65535"),
        ("127.0.0.1", 65536, "65536 is no port; ports go from 1 to 65535"),
        ("127.0.0.1", -1, "-1 is no port; ports go from 1 to 65535"),
    ],
)
def test_where_the_page_cannot_listen_is_one_sentence(host, port, sentence):
    with pytest.raises(address.AddressError, match=re.escape(sentence)) as caught:
        address.free_port(host, port)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["", "[]", "  "])
def test_an_empty_host_is_refused(host):
    with pytest.raises(address.AddressError, match="the host is empty"):
        address.host_name(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1"])
def test_a_taken_port_is_passed_over_or_named(host):
    with taken() as port:
        with pytest.raises(address.AddressError, match=f"port {port} is taken by another program; choose another with --port"):
            address.free_port(host, port)
        with pytest.raises(address.AddressError, match=f"the ports {port} to {port} are all taken"):
            address.free_port(host, None, first=port, count=1)
        assert address.free_port(host, None, first=port, count=50) > port


# ---- proxies ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_proxies(monkeypatch):
    """An environment that names no proxy; what a test puts into it is gone afterwards."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for spelled in (name, name.upper()):
            monkeypatch.setenv(spelled, "")  # so that it is put back, whatever the test does
            monkeypatch.delenv(spelled)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    return monkeypatch


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("listed", ["", "intranet.example"])
def test_the_own_page_is_reached_past_the_proxy_and_all_else_through_it(no_proxies, name, listed):
    no_proxies.setenv(name, "http://127.0.0.1:9")
    if listed:
        no_proxies.setenv("no_proxy", listed)
    address.bypass_proxies([*address.LOOPBACK, "192.0.2.7"])
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == ",".join(filter(None, [listed, *address.LOOPBACK, "192.0.2.7"]))
    with httpx.Client() as client:
        hosts = ("127.0.0.1", "localhost", "[::1]", "192.0.2.7")
        direct = [client._transport_for_url(httpx.URL(f"http://{host}:80")) for host in hosts]
        assert all(transport is client._transport for transport in direct)
        scheme = "https" if name == "HTTPS_PROXY" else "http"
        assert client._transport_for_url(httpx.URL(f"{scheme}://hub.example")) is not client._transport


def test_without_a_proxy_nothing_is_said_about_them(no_proxies):
    address.bypass_proxies()
    assert "no_proxy" not in os.environ and "NO_PROXY" not in os.environ


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "socks://127.0.0.1:9", "socks4://127.0.0.1:9", "ftp://127.0.0.1:9"])
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "http_proxy"])
def test_a_proxy_that_cannot_be_used_is_dropped_and_the_hub_not_asked_past_it(no_proxies, proxy, name):
    no_proxies.setattr(address.importlib.util, "find_spec", lambda package: None)
    no_proxies.setenv(name, proxy)
    assert address.drop_unusable_proxies() == [name]
    assert name not in os.environ and os.environ["HF_HUB_OFFLINE"] == "1"
    httpx.Client().close()


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "127.0.0.1:9", "socks5h://127.0.0.1:9"])
def test_a_proxy_that_can_be_used_stays(no_proxies, proxy):
    no_proxies.setattr(address.importlib.util, "find_spec", lambda package: object())
    no_proxies.setenv("all_proxy", proxy)
    assert address.drop_unusable_proxies() == []
    assert address.getproxies_environment()["all"] == proxy and os.environ["HF_HUB_OFFLINE"] == "0"


# ---- the folder of uploads ----------------------------------------------------------------------------------------------


def test_each_server_has_a_folder_of_its_own_that_goes_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "not" / "there"))
    with uploads.own_folder() as one, uploads.own_folder() as other:
        assert one != other and Path(os.environ["GRADIO_TEMP_DIR"]) == other
        if os.name == "posix":
            assert one.stat().st_mode & 0o077 == 0
        (one / "abc").mkdir()
        (one / "abc" / "face.jpg").write_bytes(b"x")
        uploads.sweep(one.parent)
        assert (one / "abc" / "face.jpg").exists(), "a server that runs keeps its own"
    assert not one.exists() and not other.exists()
    assert os.environ["GRADIO_TEMP_DIR"] == str(tmp_path / "not" / "there")


def test_what_a_killed_server_left_is_deleted_and_nothing_else(tmp_path):
    left, other, foreign = tmp_path / "gallery-left", tmp_path / "gallery-of-paintings", tmp_path / "abc"
    for folder in (left / "abc", other, foreign):
        folder.mkdir(parents=True)
        (folder / "face.jpg").write_bytes(b"x")
    (left / uploads.LOCK).touch()
    (tmp_path / "gallery-link").symlink_to(other)
    (other / "kept").mkdir()
    uploads.sweep(tmp_path)
    assert not left.exists()
    assert (other / "face.jpg").exists() and (foreign / "face.jpg").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    with pytest.raises(SystemExit) as caught, uploads.own_folder():
        pass
    sentence = r"error: GRADIO_TEMP_DIR names .*file, where nothing can be written \(.+\); name another folder.*"
    assert re.fullmatch(sentence, caught.value.code)


# ---- the whole program --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def program(folder: Path, *words: str, **environment: str):
    """``python app.py`` with few weights, its output in ``log``."""
    environment = dict(os.environ, GRADIO_TEMP_DIR=str(folder / "cache"), GALLERY_WEIGHTS=str(folder / "weights")) | environment
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-u", "app.py", *words], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(folder: Path) -> str:
    return (folder / "log").read_text(encoding="utf-8", errors="replace")


def answers(process: subprocess.Popen, folder: Path, page: str) -> httpx.Client:
    """A client of the page, once it answers; it uses no proxy."""
    client = httpx.Client(base_url=page, trust_env=False, timeout=SOON)
    due = time.monotonic() + SOON
    while True:
        assert process.poll() is None, said(folder)
        assert time.monotonic() < due, said(folder)
        with contextlib.suppress(httpx.TransportError):
            assert client.get("/").status_code == 200
            return client
        time.sleep(0.2)


def test_the_program_says_so_before_its_work_begins(tmp_path):
    with taken() as port, program(tmp_path, "--port", str(port)) as process:
        assert process.wait(SOON) == 1
    assert said(tmp_path).strip() == f"error: port {port} is taken by another program; choose another with --port"


def test_a_clone_without_lfs_opens_and_says_so_in_one_sentence(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * b"0" + b"\nsize 12345\n"
    for name in ("dcgan-mnist", "gmm-mnist"):
        shutil.copytree(ROOT / "weights" / name, tmp_path / "weights" / name)
        for file in ("model.safetensors", "samples.png"):
            (tmp_path / "weights" / name / file).write_bytes(pointer)
    port = free_port()
    with program(tmp_path, "--port", str(port)) as process:
        client = answers(process, tmp_path, f"http://127.0.0.1:{port}")
        assert client.get("/gans").status_code == 200
    lines = [line for line in said(tmp_path).splitlines() if "LFS" in line]
    assert lines == ["note: 4 files under weights/ were not fetched from Git LFS; run: git lfs pull"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_page_opens_behind_odd_surroundings_and_leaves_no_picture(tmp_path, number):
    """A proxy that refuses all, a SOCKS proxy, an ASCII locale, an IPv6 address; and the end comes in the middle of work."""
    (tmp_path / "gradio").touch()  # as unusable as another user's folder of this name
    surroundings = dict(
        http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9", ALL_PROXY="socks4://127.0.0.1:9", no_proxy="",
        LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", GRADIO_SERVER_NAME="::1", GALLERY_WEIGHTS=str(ROOT / "weights"),
    )  # fmt: skip
    port = free_port()
    with program(tmp_path, "--port", str(port), **surroundings, GRADIO_TEMP_DIR="", TMPDIR=str(tmp_path)) as process:
        client = answers(process, tmp_path, f"http://[::1]:{port}")
        (path,) = client.post("/gradio_api/upload", files={"files": ("face.png", b"x" * 5000)}).json()
        assert Path(path).is_file() and Path(path).is_relative_to(tmp_path)
        verb = client.post("/gradio_api/call/gan_train", json={"data": []})
        process.send_signal(number)
        assert process.wait(SOON) == 0, said(tmp_path)
        assert verb.status_code < 500
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["gradio", "log"]
    assert "Traceback" not in said(tmp_path) and "ALL_PROXY cannot be used" in said(tmp_path)


def test_an_odd_folder_of_weights_is_named_at_the_start(tmp_path):
    (tmp_path / "weights" / "vae-mine" / "weights").mkdir(parents=True)
    port = free_port()
    with program(tmp_path, "--port", str(port)) as process:
        answers(process, tmp_path, f"http://127.0.0.1:{port}")
    [note] = [line for line in said(tmp_path).splitlines() if line.startswith("note: ")]
    assert f"{tmp_path / 'weights' / 'vae-mine'} holds no weights" in note
