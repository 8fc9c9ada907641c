"""Points in the plane: what comes in, what is refused, and what the drawing of Gaussians among them says."""

from __future__ import annotations

import math
import re

import gradio as gr
import numpy as np
import pytest
from conftest import refusal
from scipy import stats

from demos._families import planes
from demos._families.planes import HEIGHT, MAX_POINTS, Board, Mixture, Walk


@pytest.fixture
def mixture() -> Mixture:
    covariances = np.array([[[0.01, 0.004], [0.004, 0.005]], [[0.002, 0.0], [0.0, 0.004]]])
    return Mixture(np.array([0.7, 0.3]), np.array([[0.3, 0.4], [0.7, 0.2]]), covariances)


# ---- what comes in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", planes.PRESETS)
def test_a_preset_fits_the_board_and_is_always_the_same(name):
    points = planes.unpack(name)
    assert 200 <= len(points) <= MAX_POINTS
    assert (points >= 0).all() and (points <= (1, HEIGHT)).all()
    assert np.array_equal(planes.PRESETS[name](), planes.PRESETS[name]())
    assert points.std(axis=0).min() > 0.05


def test_points_survive_the_text():
    points = np.random.default_rng(0).random((MAX_POINTS, 2)) * (1, HEIGHT)
    text = planes.pack(points)
    assert np.abs(planes.unpack(text) - points).max() < 1e-5
    assert len(text) < 6000, "a link must hold it"
    assert len(planes.unpack("")) == 0


@pytest.mark.parametrize("text", ["blobs", "x", "AAA=", "AAAA", None, 3, True, ["Blobs"], "é", planes.pack(np.zeros((1001, 2)))],
                         ids=lambda text: repr(text)[:12])  # fmt: skip
def test_what_is_no_board_is_refused(text):
    assert re.match("The points cannot be read|There is room for 1,000 points", refusal(planes.given, text))


def test_clicks_are_added_from_the_top_down():
    text = planes.with_clicked("", [[0.0, 0.0], [1.0, 1.0], [0.5, 0.25]])
    assert planes.unpack(text) == pytest.approx(np.array([[0, HEIGHT], [1, 0], [0.5, 0.75 * HEIGHT]]), abs=1e-4)
    assert len(planes.unpack(planes.with_clicked("Rings", [[0.5, 0.5]]))) == len(planes.unpack("Rings")) + 1


@pytest.mark.parametrize(
    "clicked",
    [None, [], "here", [[0.5]], [0.5, 0.5], [[0.5, 1.1]], [[math.nan, 0.5]], [["a", 0.5]], [[0.5, None]], [[True, 0.5]], {},
     [[0.5, 0.5]] * 1001],
    ids=lambda clicked: repr(clicked)[:12],
)  # fmt: skip
def test_a_click_that_says_nothing_is_refused(clicked):
    assert re.match("A click must say|The place must be a number|There is room for", refusal(planes.with_clicked, "", clicked))


def test_a_full_board_takes_no_more():
    full = planes.pack(np.full((MAX_POINTS, 2), 0.5))
    assert "these are 1,001" in refusal(planes.with_clicked, full, [[0.5, 0.5]])


@pytest.mark.parametrize(
    "text, points",
    [("0.1 0.2\n0.3 0.4", [[0.1, 0.2], [0.3, 0.4]]), ("0.1,0.2;0.3, 0.4", [[0.1, 0.2], [0.3, 0.4]]),
     (" .5\t.5 \n\n\n", [[0.5, 0.5]]), ("1e-1, 2e-1", [[0.1, 0.2]])],
)  # fmt: skip
def test_pasted_points_on_the_board_stay_where_they_are(text, points):
    found, moved = planes.read_text(text)
    assert not moved and found.tolist() == points


@pytest.mark.parametrize("text", ["-5, 3\n200, 44\n7, 9", "1e9 -1e9\n-1e9 1e9", "3 3\n3 3", "0 0\n1e-300 5", "7, 7"])
def test_pasted_points_off_the_board_are_fitted(text):
    found, moved = planes.read_text(text)
    assert moved
    assert (found >= 0).all() and (found <= (1, HEIGHT)).all()
    assert np.isfinite(found).all()


def test_fitting_keeps_the_shape():
    points = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 10.0]])
    found, _ = planes.read_text("\n".join(f"{x} {y}" for x, y in points))
    assert found[1, 0] - found[0, 0] == pytest.approx(3 * (found[2, 1] - found[0, 1]))
    assert found[:, 0].max() - found[:, 0].min() == pytest.approx(0.9)


@pytest.mark.parametrize(
    "text, start",
    [
        ("", "There are no points"), ("  \n ;\n", "There are no points"), (None, "There are no points"), (7, "There are no points"),
        ("nan, 0.5", "Line 1 holds a coordinate that is no finite number"), ("0.1 0.1\n0.2 inf", "Line 2 holds a coordinate"),
        ("1e10 0", "Line 1 holds a coordinate"), ("0.1", "Line 1 must hold two numbers"), ("0.1 0.2 0.3", "Line 1 must hold two"),
        ("0.1 0.2\nhello", "Line 2 must hold two numbers"),
        ("0.5 0.5\n" * 10_000, "There is room for 1,000 points; these are 10,000"),
        ("0.5 0.5\n" * 10**6, "This text is too long"),
    ],
    ids=lambda text: repr(text)[:14],
)  # fmt: skip
def test_pasted_text_without_points_is_told(text, start):
    assert refusal(planes.read_text, text).startswith(start)


@pytest.mark.parametrize("count, components, words", [(0, 1, "there are none"), (1, 1, "there is one"), (2, 3, "there are 2")])
def test_too_few_points_are_told(count, components, words):
    assert words in refusal(planes.enough, np.zeros((count, 2)), components)
    planes.enough(np.zeros((3, 2)), 3)


# ---- Gaussians --------------------------------------------------------------------------------------------------------


def test_densities_and_responsibilities_are_scipys(mixture):
    points = planes.unpack("Moons")
    wanted = np.stack([
        weight * stats.multivariate_normal.pdf(points, mean, covariance)
        for weight, mean, covariance in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    ], axis=1)  # fmt: skip
    assert np.exp(mixture.log_joint(points)) == pytest.approx(wanted)
    assert mixture.responsibilities(points) == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True))


def test_new_points_have_the_mixtures_moments(mixture):
    drawn = mixture.sample(20_000, 1)
    assert len(drawn) > 19_000
    assert drawn.mean(axis=0) == pytest.approx(mixture.weights @ mixture.means, abs=0.01)
    assert np.array_equal(mixture.sample(50, 4), mixture.sample(50, 4))
    assert (drawn >= 0).all() and (drawn <= (1, HEIGHT)).all()


def test_axes_of_an_ellipse():
    turn = np.deg2rad(30)
    ways = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    long, short, angle = planes.axes(ways @ np.diag([0.09, 0.01]) @ ways.T)
    assert (long, short) == pytest.approx((0.3, 0.1))
    assert angle % 180 == pytest.approx(30)


# ---- drawing ----------------------------------------------------------------------------------------------------------


def test_the_board_is_drawn_from_its_numbers(mixture):
    points = planes.unpack("Blobs")
    svg = planes.plot_svg(points, mixture, np.array([[0.5, 0.5]]))
    assert svg.count("<circle") == len(points) and svg.count("<ellipse") == 4 and svg.count('class="drawn"') == 1
    x, y = re.search(r'cx="(\d+)" cy="(\d+)"', svg).groups()
    assert (int(x) / 1000, HEIGHT - int(y) / 1000) == pytest.approx(tuple(points[0]), abs=1e-3)
    assert "translate(300.0 300.0)" in svg  # mean (0.3, 0.4) on a board 0.7 high
    assert not re.search(r"nan|inf|https?:|data:", svg)
    bare = planes.plot_svg(points[:0], None)
    assert "<circle" not in bare and 'data-count="0"' in bare


def test_a_point_has_the_colour_of_the_gaussian_that_made_it(mixture):
    near = np.concatenate([mixture.means, [[0.5, 0.3]]])
    colours = re.findall(r'fill="(#[0-9a-f]{6})"/>', planes.plot_svg(near, mixture))[-3:]
    assert colours[:2] == [colour.lower() for colour in planes.COLOURS[:2]]


def test_what_is_saved_is_what_is_shown(mixture):
    points = np.array([[0.5, 0.35]])
    image = planes.plot_picture(points, mixture)
    assert image.size == (1000, 700)
    colour = re.search(r'fill="(#[0-9a-f]{6})"/>$', planes.plot_svg(points, mixture).removesuffix("</svg>"))[1]
    assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((500, 350))) == colour
    assert planes.plot_picture(points[:0], None).getcolors(10) == [(700_000, (250, 248, 244))]


def test_a_component_that_nothing_belongs_to_fades():
    assert planes.presence(0.0, 10) < 0.2 < 0.5 < planes.presence(0.1, 10) == 1.0


# ---- iterations, fields and actions -----------------------------------------------------------------------------------


def test_the_words_say_where_a_walk_stands(mixture):
    walk = Walk((mixture,) * 4, (1.0, 2.0, 3.0, 3.0))
    assert walk.last == 3
    assert [planes.progress(walk, step, 100) for step in (0, 3)] == ["Iteration 0 of 3.", "Converged after 3 iterations."]
    assert "not yet converged" in planes.progress(walk, 3, 3)


@pytest.mark.parametrize("step, first", [(0, [0, 1, 2]), (5, [6, 7, 8]), (100, [0, 1, 2]), (99, [100])])
def test_a_run_goes_on_from_where_it_is_in_longer_and_longer_strides(mixture, step, first):
    steps = list(planes.strides(Walk((mixture,) * 101, (0.0,) * 101), step))
    assert steps[: len(first)] == first and steps[-1] == 100 and steps == sorted(set(steps)) and len(steps) < 60


def test_the_slider_ends_where_the_fit_comes_to_rest(mixture):
    points = planes.unpack("Moons")
    assert Board(points, mixture, 3, 9).sets == {"step": {"value": 3, "maximum": 9}}
    assert Board(points, mixture, 0, 0).sets == {"step": {"value": 0, "maximum": 1}}  # one whose ends are one cannot be dragged
    assert Board(points, mixture).sets == {"step": {"value": 0}}
    assert Board(points, mixture, charts="<i></i>").html().endswith("</svg><i></i>")
    assert planes.waiting(points[:1], 3).note.endswith("1 of 3 are there.")


def test_points_are_chosen_clicked_and_pasted():
    field = planes.Points()
    assert field.updates("", "Rings") == ["Rings", "Rings"] and field.updates("", planes.pack(np.zeros((2, 2))))[1] == planes.OWN
    with gr.Blocks():
        choose = field.changes(field.build(""))[0].value
    assert [choose("", choice) for choice in ("Rings", planes.OWN)] == ["Rings", ""]
    assert "Points must be one of" in refusal(choose, "", "Stars")
    added = planes.add_points({"step": 0}, [[0.2, 0.2]], "")
    assert len(planes.unpack(added["points"])) == 1 and added["step"] == 0
    pasted = planes.use_pasted({"step": 0}, "1 1\n9 9\n5 1")
    assert len(planes.unpack(pasted["points"])) == 3 and pasted["step"] == 0
    (step,) = (action.do for action in planes.actions(7) if action.button == "One step")
    assert [step("Rings", 3, before)["step"] for before in (0, 6, 7)] == [1, 7, 7]
    assert "there are none" in refusal(step, "", 3, 0)


def test_older_names_of_presets_are_still_taken():
    assert planes.migrate({"points": "Eight heaps", "seed": 1}) == {"points": "Eight clusters", "seed": 1}
    assert planes.migrate({"points": ["x"]}) == {"points": ["x"]} and planes.migrate({}) == {}
    assert planes.sent("Eight heaps") == "Eight clusters" == planes.SentPoints().check("", "Eight heaps")
