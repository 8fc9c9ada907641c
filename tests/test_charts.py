"""Charts say what their numbers say."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import numpy as np

from demos._kit import charts
from demos._kit.charts import Bar


def test_bars_are_as_long_as_their_values():
    found = charts.bars([Bar("a", 0.75, "x", 0.25, 0.5), Bar("<b>", 0.9, "90 %", colour="#5b5ad0", faded=True)])
    assert "left:25.0%;width:50.0%" in found and 'class="mean" style="left:50.0%"' in found and "background:#5b5ad0" in found
    assert 'data-used="1"' in found and found.count("unused") == 1 and "&lt;b&gt;" in found
    assert charts.shares([("a", 0.123)]).count("12.3 %") == 1


def test_ranked_shares_fall_and_those_that_are_not_used_are_pale():
    svg = charts.ranked(np.array([0.1, 0.0, 0.9]), np.array([True, False, True]), "weights", "2 of 3 are used")
    heights = [float(height) for height in re.findall(r'<rect class="\w+" .*?height="([\d.]+)"', svg)]
    assert heights == sorted(heights, reverse=True) and heights[0] == 140
    assert re.findall(r'<rect class="(\w+)"', svg) == ["used", "used", "unused"] and "2 of 3 are used" in svg


def test_a_curve_rises_with_its_values():
    svg = charts.curve([-3.0, -1.0, -0.5, -0.25], 2, "Bound", "nats")
    places = [tuple(map(float, pair.split(","))) for pair in re.search(r'polyline points="([^"]+)"', svg)[1].split()]
    assert len(places) == 4
    assert all(before[0] < after[0] and before[1] > after[1] for before, after in zip(places, places[1:], strict=False))
    assert re.search(r'<circle cx="([\d.]+)"', svg)[1] == f"{places[2][0]:.1f}"
    assert "−0.500" in svg and "-0" not in re.sub(r"<[^>]+>", "", svg)
    assert charts.curve([1.0], 0, "Bound", "nats") == "" and "nan" not in charts.curve([1.0, 1.0], 0, "Bound", "nats")


def test_a_diagram_has_its_boxes_and_arrows_within_its_bounds():
    boxes = {"x": (0, 0, "real"), "<net>": (1, 0, "net"), "one\ntwo": (2, 1, "made")}
    found = charts.diagram("how x goes", boxes, [("x", "<net>"), ("<net>", "one\ntwo"), ("one\ntwo", "x", "gradient")])
    assert found.startswith('<img class="diagram" alt="how x goes" src="data:image/svg+xml;base64,')
    drawing = ElementTree.fromstring(base64.b64decode(found.split("base64,")[1].rstrip('">')))
    space = "{http://www.w3.org/2000/svg}"
    assert [text.text for text in drawing.iter(f"{space}text")] == ["gradient", "x", "<net>", "one", "two"]
    assert len([path for path in drawing.iter(f"{space}path") if path.get("d").startswith("M") and not path.get("style")]) == 3
    _, _, width, height = map(float, drawing.get("viewBox").split())
    for rect in drawing.iter(f"{space}rect"):
        assert float(rect.get("x", 0)) + float(rect.get("width")) <= width
        assert float(rect.get("y", 0)) + float(rect.get("height")) <= height


def test_losses_are_named_where_there_are_several():
    falling = [(step, 1.0 - step / 400) for step in range(400)]
    svg = charts.losses({"discriminator": falling, "generator": [(step, -2.0) for step in range(400)]}, 400)
    lines = re.findall(r'<polyline class="set\d" points="([^"]+)"', svg)
    assert [len(line.split()) for line in lines] == [200, 200]
    heights = [float(pair.partition(",")[2]) for pair in lines[0].split()]
    assert heights == sorted(heights) and heights[0] < heights[-1]
    assert re.sub(r"<[^>]+>", "|", svg).count("|discriminator 0.00|") == 1 and "|generator −2.00|" in re.sub(r"<[^>]+>", "|", svg)
    alone = re.sub(r"<[^>]+>", "", charts.losses({"both": falling}, 400))
    assert alone.startswith("Loss: 0.00") and "both" not in alone
    assert charts.losses({"both": falling[:1]}, 1) == "" and "nan" not in charts.losses({"both": [(0, 1.0), (1, 1.0)]}, 2)
