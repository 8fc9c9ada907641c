"""What a visitor sees while weights are on their way from the Hub."""

from __future__ import annotations

import json
import re
import sys

import pytest
from browsing import PATIENCE, READY, TOLD, WIDE, press, serving, width_of
from playwright.sync_api import expect
from small_hub import SmallHub

from benchmarks._page import way_to
from gen_models import catalog

pytestmark = pytest.mark.browser


@pytest.fixture
def small(tmp_path):
    """A Hub with a small DCGAN, a table that names it, and no weights here."""
    hub = SmallHub()
    kind = catalog.model_class("dcgan")
    catalog.save(kind(**kind.tiny | {"width": 64}), tmp_path / "made", {"model": "dcgan", "data": "fashion"})
    files = {file.name: file.read_bytes() for file in (tmp_path / "made").iterdir()}
    config = json.loads(files["config.json"])
    entry = {"repository": "someone/dcgan-fashion", "commit": hub.add("someone/dcgan-fashion", files), "file": "model.safetensors",
             "sha256": config["sha256"], "bytes": config["bytes"]}  # fmt: skip
    (tmp_path / "table.json").write_text(json.dumps({"dcgan-fashion": entry}), encoding="utf-8")
    yield hub
    hub.close()


def test_a_room_opens_without_its_weights_tells_what_is_missing_how_far_it_is_and_shows_the_pictures(
    small, tmp_path, chromium  # noqa: F811
):
    start = f"""
import pathlib
from gen_models import catalog
catalog.TABLE = pathlib.Path({str(tmp_path / "table.json")!r})
import app
app.main()
"""
    settings = {
        "HF_ENDPOINT": small.address, "HF_HOME": str(tmp_path / "home"), "GALLERY_WEIGHTS": str(tmp_path / "none"),
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_HUB_DOWNLOAD_TIMEOUT": "500", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    with serving(tmp_path, sys.executable, "-c", start, **settings) as address:
        context = chromium.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        page.goto(f"{address}/{way_to('dcgan')}")
        expect(page.locator(".room-header:visible h2").first).to_contain_text("DCGAN")
        page.wait_for_function(READY)
        assert small.log == [], "the Hub was asked before anybody needed it"

        small.closed = True
        press(page, "Sample")
        expect(page.locator(TOLD).first).to_contain_text("weights dcgan-fashion could not be fetched from the Hub (")
        expect(page.locator(TOLD).first).to_contain_text("try again, or restore the folder weights/dcgan-fashion")

        small.closed = False
        small.gate.clear()
        slider = page.locator("input[type=range]:visible").first  # bypasses the queue
        slider.evaluate("slider => { slider.value = 0.5; slider.dispatchEvent(new Event('input', {bubbles: true})); }")
        told = page.locator(".refusal:visible").filter(has_text="The weights dcgan-fashion are being fetched from the Hub")
        expect(told).to_contain_text("try again in a moment")

        press(page, "Sample")
        progress = page.locator(".progress-level:visible").first
        expect(progress).to_contain_text(re.compile(r"are being fetched from the Hub \([1-9]\d+ of \d+ kB\)"))
        done, total = map(int, re.search(r"(\d+) of (\d+) kB", progress.inner_text()).groups())
        assert total / 4 < done < total
        assert page.locator(".result img:visible").count() == 0
        small.gate.set()
        picture = page.locator('button[aria-label="sample 0"] img').locator("visible=true").first
        expect(picture).to_be_visible()
        assert width_of(picture) == 16
        context.close()
