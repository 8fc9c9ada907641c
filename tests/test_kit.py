"""What every room with a plan owes its visitors: fields refuse by name, views show, save and are restored, events fit."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import math
import re
from types import SimpleNamespace
from typing import Any

import gradio as gr
import PIL.Image
import pytest
import torch
from conftest import ROOT
from gradio.context import LocalContext

from demos._kit import plan as kit
from demos._kit import running
from demos._kit.fields import CONTROLS, Check, Choice, Field, Number, Picks, Picture, Seed, Slider, Sliders, SmallPicture, Text
from demos._kit.plan import Action, Api, Plan, View
from demos._kit.shown import BeforeAfter, Columns, Film, Html, Rows, Shown, Single, Steps, Tiles
from demos._kit.subjects import Subjects

MODULES = [importlib.import_module(f"demos.{file.stem}") for file in sorted((ROOT / "demos").glob("[!_]*.py"))]
PLANS = {module.__name__.rpartition(".")[2]: module.PLAN for module in MODULES if hasattr(module, "PLAN")}
FIELDS = [(room, name) for room, plan in PLANS.items() for name in plan.fields]
VIEWS = [(room, view.title) for room, plan in PLANS.items() for view in plan.views]
STREAMED = 2
"""Frames of a view that streams that are looked at."""
NO_NUMBERS = [math.nan, math.inf, "seven", "7", "", True, [7], {}, None, 10**400, 1j]
NO_NAMES = [None, "", "nobody", "../weights", True, 3, ["mnist"], {}]


def wrong(field: Field) -> list[Any]:
    """Values that this field refuses, whatever the weights."""
    if isinstance(field, Slider):
        low, high = field.bounds or (field.low, field.high)
        return [*NO_NUMBERS, low - 1, high + 1]
    if isinstance(field, Seed):
        return [*NO_NUMBERS, -1, 2**31]
    if isinstance(field, Choice):
        return NO_NAMES
    if isinstance(field, Check):
        return [None, 1, "yes"]
    if isinstance(field, Picks):
        return [None, "", "1,2,x", "-1," * 9, f"{field.most}," * field.default.count(",") + f"{field.most}", 7]
    if isinstance(field, Picture):
        return [None, "", "example 999", "example -1", "../a.png", "drawing" if field.draw else "upload", "upload", 7]
    return [7, 1.5, True, ["x"], {}, "x" * 100_000]


def start(plan: Plan, weights: str) -> dict[str, list[Any]]:
    """What the room's components hold at first."""
    found = {name: [field.start(weights)] for name, field in plan.fields.items()}
    return {"weights": [weights]} | found


def offered(plan: Plan) -> list[str]:
    """The weights of the room that are here, those of its first data set first."""
    return sorted(plan.subjects.names(), key=lambda name: name.partition("-")[2] != plan.first)


def refused(function: Any, *values: Any) -> str:
    """The one sentence of a refusal."""
    with pytest.raises(gr.Error) as caught:
        function(*values)
    assert re.fullmatch(r"[^\n]{1,300}[.!?]", caught.value.message), caught.value.message
    return caught.value.message


def test_every_room_has_a_plan():
    assert {"dcgan"} < set(PLANS) == {module.__name__.rpartition(".")[2] for module in MODULES}


@pytest.mark.parametrize("room", PLANS)
def test_a_tour_has_three_stops_the_last_of_which_breaks_something(room):
    plan = PLANS[room]
    assert [one.words.startswith("Break it: ") for one in plan.tour] == [False, False, True]
    assert all(one.on in [*plan.fields, *(view.title for view in plan.views)] for one in plan.tour)


@pytest.mark.parametrize("room, name", FIELDS)
def test_a_field_refuses_what_it_cannot_be_in_one_sentence(room, name):
    plan = PLANS[room]
    weights, field = offered(plan)[0], plan.fields[name]
    assert field.check(weights, field.start(weights)) is not None or isinstance(field, Text | Choice)  # None: nothing is chosen
    for value in wrong(field):
        sentence = refused(field.check, weights, value)
        assert "Something went wrong" not in sentence
        if field.label and isinstance(field, Slider | Seed | Choice | Check):
            assert field.label in sentence, (value, sentence)


@pytest.mark.parametrize("room", PLANS)
def test_a_room_refuses_weights_that_it_does_not_have(room):
    for value in [*NO_NAMES, "dcgan", "nobody-mnist"]:
        assert refused(PLANS[room].known, value).startswith(f"{PLANS[room].subjects.label} must be one of")


@pytest.mark.parametrize("room, title", VIEWS)
def test_a_view_shows_itself_at_the_start_of_the_room(room, title, monkeypatch):
    monkeypatch.delenv("GALLERY_DATA", raising=False)
    plan = PLANS[room]
    view = next(view for view in plan.views if view.title == title)
    for weights in offered(plan)[:2]:
        try:
            made = plan.call(view.make, start(plan, weights))
            shown = (frame for frame in made if frame is not None) if inspect.isgenerator(made) else [made]
            frames = list(itertools.islice(shown, STREAMED))
        except gr.Error as error:  # some views need something first: a picture, a data folder
            assert re.fullmatch(r"[^\n]{1,300}[.!?]", error.message)
            continue
        assert frames and all(isinstance(frame, Shown) for frame in frames)
        for frame in frames:
            assert isinstance(frame.html(), str) and frame.html() and isinstance(frame.note, str)
        if view.keep:
            pictures = frames[-1].frames()
            assert pictures and all(isinstance(picture, PIL.Image.Image) for picture in pictures)
        if view.sight:
            sight = plan.call(view.sight, start(plan, weights))
            assert sight is None or sight.html()


@pytest.mark.parametrize("room", PLANS)
def test_a_room_is_laid_out_and_restores_itself(room):
    plan = PLANS[room]
    with gr.Blocks() as page:
        laid = plan.lay_out()
    values = [component.value for component in laid.controls.values()]
    found = laid.show(*values)
    assert len(found) == len(laid.shown)
    assert laid.controls[plan.key].value == offered(plan)[0]
    for event in page.fns.values():
        assert event.api_visibility != "public" or event.api_name in [verb.name for verb in plan.api]


@pytest.mark.parametrize("room", PLANS)
def test_a_room_whose_weights_are_gone_is_laid_out_all_the_same(room, shelf):
    with gr.Blocks():
        laid = PLANS[room].lay_out()
    assert laid.controls[PLANS[room].key].value is None


@pytest.mark.parametrize("room", PLANS)
def test_every_name_that_a_verb_reads_is_there(room):
    plan = PLANS[room]
    known = {plan.key, "run", "goes_on", *plan.fields}
    for view in plan.views:
        assert set(inspect.signature(view.make).parameters) <= known, view.title
    for verb in plan.api:
        assert set(inspect.signature(verb.make).parameters) <= {*known, *verb.fields}, verb.name
        assert {verb.names.get(name, name) for name in verb.defaults} <= {*known, *verb.fields}, verb.name
    for action in plan.actions:
        assert set(action.sets) <= set(plan.fields)
        assert action.button or isinstance(action.on, tuple) or action.on in known
    titles = [view.title for view in plan.views]
    assert len(set(titles)) == len(titles)
    assert all(view.into in ("", *titles) for view in plan.views)


# ---- the kit itself, by a room of numbers ---------------------------------------------------------------------------------------


def toy(**changes: Any) -> Plan:
    """A small room on DCGAN's weights that computes nothing."""
    def double(number: int, seed: int) -> Tiles:
        """Shows twice the number."""
        return Tiles([torch.full((1, 4, 4), 0.5)], [f"{2 * number} of {seed}"])

    def count(number: int):
        """Streams."""
        for step in range(number):
            yield Tiles([torch.zeros(1, 4, 4)], [f"step {step}"], note=f"{step}.")

    def up(number: int) -> dict[str, int]:
        """One more."""
        return {"number": number + 1}

    settings = dict(
        fields=dict(seed=Seed(), number=Slider("Number", 2, low=0, high=9, step=1)),
        views=[View("", double, "Double", live=True, keep="Save"), View("Count", count, "Count")],
        actions=[Action(up, ["number"], button="One more")], api=[Api("toy_double", double, dict(number=3))],
        models="dcgan", first="fashion", explanation="",
    )  # fmt: skip
    return Plan(**(settings | changes))


def events(plan: Plan) -> tuple[Any, gr.Blocks]:
    with gr.Blocks() as page:
        laid = plan.lay_out()
    return laid, page


def handlers(page: gr.Blocks, kind: str, name: str) -> list[Any]:
    """Events of a kind whose handler has this name."""
    return [event for event in page.fns.values() if event.fn and event.fn.__name__ == name
            and any(target[1] == kind for target in event.targets)]  # fmt: skip


NO_EVENT = gr.EventData(None, {})


def test_work_for_an_answer_ends_when_nobody_waits_for_it(monkeypatch):
    plan, asked = toy(), []

    def stays() -> bool:
        asked.append(True)
        return len(asked) < 3

    monkeypatch.setattr(running, "visitor_stays", lambda: stays)
    count = plan.views[1].make
    with pytest.raises(gr.Error, match="Nobody waits for this any more."):
        plan.last(count, {"weights": ["dcgan-fashion"], "number": [9]})
    assert len(asked) == 3  # of nine steps
    asked.clear()
    assert plan.last(count, {"weights": ["dcgan-fashion"], "number": [2]}).note == "1."


def test_a_slider_computes_the_views_that_read_it():
    laid, page = events(toy())
    event = handlers(page, "input", "double")[0]
    assert event.queue is False
    values = {"seed": 5, "number": 4, "weights": "dcgan-fashion"}
    given = [values[next(key for key, part in laid.controls.items() if part is component)] for component in event.inputs]
    shown, note = event.fn(NO_EVENT, *given)
    assert "8 of 5" in shown and note == ""


def test_an_action_sets_its_field_and_the_views_follow():
    laid, page = events(toy())
    (event,) = handlers(page, "click", "up")
    assert laid.controls["number"] in event.outputs
    given = [{laid.controls["number"]: 4, laid.controls["seed"]: 0}.get(part, "dcgan-fashion") for part in event.inputs]
    number, shown, _ = event.fn(NO_EVENT, *given)
    assert number == 5 and "10 of 0" in shown


def test_an_action_on_one_field_gives_its_value_and_not_a_list():
    def turn(number: int) -> dict[str, str]:
        """Another way."""
        return {"way": f"way {number}"}

    fields = dict(number=Slider("Number", 2, low=0, high=9, step=1), way=Choice("Way", "way 2", options=("way 2", "way 3")))
    look = View("", lambda number: Tiles([]), "Look")
    laid, page = events(toy(fields=fields, views=[look], actions=[Action(turn, ["way"], button="Turn")], api=[]))
    (event,) = handlers(page, "click", "turn")
    assert event.outputs == [laid.controls["way"]]
    assert event.fn(NO_EVENT, *({laid.controls["number"]: 3}.get(part, "dcgan-fashion") for part in event.inputs)) == "way 3"


def test_a_stream_carries_its_run_and_ends_when_it_is_cancelled():
    _, page = events(toy())
    (event,) = handlers(page, "submit", "count")
    frames = list(event.fn("run1", "dcgan-fashion", 3))
    assert [frame[0][:20] for frame in frames[:3]] == ["<!--run run1 busy-->"] * 3
    assert frames[-1][1].startswith("<!--run run1 done-->") and "2." in frames[-1][1]
    going = event.fn("run2", "dcgan-fashion", 9)
    next(going)
    kit.cancel("run2")
    assert list(going) == []


def test_a_change_ends_the_run_of_a_view_that_stands_still():
    class Stand(Tiles):
        """A picture with the number that it is of."""
        sets = property(lambda self: {"number": {"value": len(self.captions[0]), "maximum": 9}})

    def still(number: int) -> Stand:
        """The number alone."""
        return Stand([torch.zeros(1, 4, 4)], ["n" * number])

    def count(number: int):
        """Streams."""
        for step in range(number):
            yield still(step + 1)

    view = View("", count, "Count", live=True, still=still, sets=["number"], keep="Save")
    laid, page = events(toy(views=[view]))
    (run,) = handlers(page, "submit", "count")
    going = run.fn("run3", "dcgan-fashion", 9)
    stamp = re.match(r"<!--run run3 busy (\[.*?\])-->", next(going)[0])
    assert json.loads(stamp[1]) == [{"__type__": "update", "value": 1, "maximum": 9}]
    event = handlers(page, "input", "still")[0]
    begin = run.inputs[0]
    values = {begin: "run3", laid.controls["number"]: 4, laid.controls["seed"]: 0}
    found = dict(zip(event.outputs, event.fn(NO_EVENT, *(values.get(part, "dcgan-fashion") for part in event.inputs)), strict=True))
    assert found[begin] == "" and found[laid.controls["number"]] == {"__type__": "update", "value": 4, "maximum": 9}
    assert list(going) == []
    # a link shows the same, and begins nothing
    controls = [{"number": 4, "seed": 0}.get(name, "dcgan-fashion") for name in laid.controls]
    shown = dict(zip(laid.shown, laid.show(*controls), strict=True))
    assert shown[begin] == "" and shown[laid.controls["number"]]["value"] == 4 and "nnnn<" in "".join(map(str, shown.values()))


class Counted(Steps):
    """A run of the toy."""

    unit = "numbers"

    def __init__(self, step: int, steps: int) -> None:
        self.step, self.steps, self.note = step, steps, f"{step}."

    def at(self, step):
        return f"at {step}"

    def sheet(self, step, scale):
        return PIL.Image.new("L", (1 + step, scale))


def counting() -> tuple[Plan, Any, gr.Blocks]:
    """A room whose main view streams and is scrubbed, and the room and the page in which it is."""
    def count(number: int):
        """Streams."""
        yield None
        for step in range(number + 1):
            yield Counted(step, number)

    def reached(run: Counted | None) -> Tiles:
        """Reads the run."""
        return Tiles([torch.zeros(1, 4, 4)], [f"reached {run.step if run else 'nothing'}"])

    views = [
        View("", count, "Count", live=True, keep="Save", film="Save the film", scrub="Back", sight=lambda number: None),
        View("Reached", reached, "Look"),
    ]
    plan = toy(views=views, actions=[], api=[])
    laid, page = events(plan)
    return plan, laid, page


def test_a_run_is_scrubbed_read_by_another_view_and_saved_as_a_film():
    _, _, page = counting()
    run, back = handlers(page, "submit", "count")[0].fn, handlers(page, "input", "step_back")[0].fn
    look = handlers(page, "click", "reached")[0]
    frames = list(run("scrubbed", "dcgan-fashion", 3))
    assert [frame[0].partition("-->")[2] for frame in frames[1:-1]] == ["at 0", "at 1", "at 2", "at 3"]
    assert frames[1][2].maximum == 3 and not frames[1][2].interactive and frames[3][2] == 2 and frames[-1][2].interactive
    assert [back("scrubbed", step) for step in (0, 2, 3)] == ["at 0", "at 2", "at 3"]
    assert refused(back, "scrubbed", 4).startswith("Step must be") and "begin again" in refused(back, "nobody", 1)
    assert "reached 3" in look.fn("dcgan-fashion", "scrubbed")[0] and "reached nothing" in look.fn("dcgan-fashion", "")[0]
    assert [len(shown.film()) for shown in (Counted(0, 3), Counted(3, 3))] == [1 + 12, 4 + 12]


def test_stop_shows_how_far_a_run_came_once():
    _, _, page = counting()
    run, stop = handlers(page, "submit", "count")[0].fn, handlers(page, "click", "stopped")[0].fn
    going = run("stopped", "dcgan-fashion", 9)
    assert stop("early")[1].startswith("<!--run early stopped-->")
    for _ in range(4):
        next(going)
    shown, note, slider = stop("stopped")
    assert shown == "<!--run stopped stopped-->at 2" and "Stopped after 2 of 9 numbers." in note
    assert slider.value == 2 and slider.interactive and list(going) == []
    list(run("done", "dcgan-fashion", 1))
    assert stop("done") == stop("") == [gr.skip()] * 3


def going(**changes: Any) -> tuple[Any, gr.Blocks]:
    """A room whose main view goes on from where it was until it is stopped, and what it shows at once."""
    def count(number: int, run: Counted | None = None, goes_on=lambda: True):
        """Streams and ends by itself."""
        step = run.step if run is not None else 0
        while goes_on():
            yield Counted(step, number)
            step += 1
        yield Counted(step, number)

    def still(number: int) -> Tiles | None:
        """None for odd numbers."""
        return Tiles([torch.zeros(1, 4, 4)], [f"even {number}"]) if number % 2 == 0 else None

    return events(toy(views=[View("", count, "Count", live=True, still=still, keep="Save")], api=[], **changes))


def test_a_run_that_asks_shows_how_far_it_came_and_the_next_one_goes_on_from_there():
    _, page = going()
    (run,) = handlers(page, "submit", "count")
    names = [getattr(part, "elem_id", None) or part.label for part in run.inputs]
    with_number = {"Number": 3, "Trained on": "dcgan-fashion"}
    values = [with_number.get(name, "asks1") for name in names]
    request = LocalContext.request.set(SimpleNamespace(session_hash="a page"))
    try:
        first = run.fn(*values)
        next(first), next(first)
        kit.cancel("asks1")
        assert [frame[0] for frame in first] == ["<!--run asks1 stopped-->at 2"]
        second = run.fn(*(value.replace("asks1", "asks2") if isinstance(value, str) else value for value in values))
        assert next(second)[0] == "<!--run asks2 busy-->at 2"
        second.close()
    finally:
        LocalContext.request.reset(request)


def test_what_cannot_be_shown_at_once_begins_a_run():
    laid, page = going(actions=[])
    (event,) = handlers(page, "input", "still")
    for number in (4, 5):
        values = {laid.controls["number"]: number, laid.controls["weights"]: "dcgan-fashion"}
        shown, _, begun = event.fn(NO_EVENT, *(values.get(part, "") for part in event.inputs))
        restored = dict(zip(laid.shown, laid.show("dcgan-fashion", 0, number), strict=True))[event.outputs[-1]]
        if number == 4:
            assert "even 4" in shown and begun == restored == ""
        else:
            assert shown == gr.skip() and all(re.fullmatch("[0-9a-f]{8}", one) for one in (begun, restored))
    save = next(event.fn for event in page.fns.values() if event.fn and event.fn.__name__ == "save")
    assert refused(save, "dcgan-fashion", 0, 5) == "What is shown is no longer here; begin again."


def test_an_action_begins_the_main_view_and_stands_where_it_says_while_it_applies():
    def odd(number: int) -> dict[str, int]:
        """The next odd number."""
        return {"number": number + 1 + number % 2}

    fields = dict(number=Slider("Number", 2, low=0, high=9, step=1), way=Choice("Way", "up", options=("up", "down")))
    action = Action(odd, ["number"], button="Next odd", place=CONTROLS, begins=True, when=("way", ("up",)))
    laid, page = going(fields=fields, actions=[action])
    (event,) = handlers(page, "click", "odd")
    values = {laid.controls["number"]: 2, laid.controls["weights"]: "dcgan-fashion"}
    number, begun = event.fn(NO_EVENT, *(values.get(part, "") for part in event.inputs))
    assert number == 3 and re.fullmatch("[0-9a-f]{8}", begun)
    (choose,) = handlers(page, "change", "count")
    (button,) = choose.outputs
    assert button.value == "Next odd" and button.visible
    assert [choose.fn(value).visible for value in ("up", "down")] == [True, False]


def test_a_number_is_taken_at_enter_and_when_its_field_is_left():
    field = Number("Rate", 0.1, low=0.001, high=10)
    with gr.Blocks():
        parts = field.build("dcgan-fashion")
    assert field.check("dcgan-fashion", 0.0375) == 0.0375 and field.check("dcgan-fashion", 2) == 2.0
    assert [change.event for change in field.changes(parts)] == [parts[0].submit, parts[0].blur]


def test_a_run_that_fails_leaves_the_page_at_rest():
    _, _, page = counting()
    going = handlers(page, "submit", "count")[0].fn("failed", "dcgan-fashion", "many")
    assert next(going)[1] == "<!--run failed done-->"
    assert refused(next, going).startswith("Number must be")


def test_a_slider_begins_a_run_when_it_is_let_go():
    _, _, page = counting()
    names = {target[1] for event in page.fns.values() for target in event.targets if event.js and "Math.random" in event.js}
    assert "release" in names and "input" not in names


def test_other_weights_begin_a_run_where_nothing_is_there_to_show():
    _, laid, page = counting()
    (switch,) = handlers(page, "input", "count")
    values = {laid.controls["number"]: 2, laid.controls["weights"]: "dcgan-faces"}
    assert re.fullmatch("[0-9a-f]{8}", switch.fn(*[values.get(part, 0) for part in switch.inputs])[2])


def test_a_field_is_shown_while_another_one_says_so():
    fields = dict(way=Choice("Way", "short", options=("short", "long")), extra=Slider("Extra", when=("way", ("long",))))
    _, page = events(toy(fields=fields, views=[View("", lambda extra: None, "Go")], actions=[], api=[]))
    (event,) = handlers(page, "change", "<lambda>")
    assert [event.fn(value).visible for value in ("short", "long", "?")] == [False, True, False]
    (column,) = event.outputs
    assert not column.visible


def test_a_verb_of_the_api_has_the_fields_defaults_and_refuses_by_name():
    _, page = events(toy())
    verb = next(event.fn for event in page.fns.values() if event.api_name == "toy_double")
    assert list(inspect.signature(verb).parameters) == ["number"] and verb.__doc__ == "Shows twice the number."
    (uri,) = verb(4)
    assert uri.startswith("data:image/png;base64,")
    assert refused(verb, "four") == "Number must be a number from 0 to 9."


def test_a_field_that_stands_nowhere_is_found():
    with pytest.raises(ValueError, match="number"), gr.Blocks():
        toy(fields=dict(seed=Seed(), number=Slider("Number", 2, low=0, high=9, step=1, place="Nowhere"))).lay_out()


def test_sliders_behind_a_text_move_it_and_are_set_by_it():
    field = Sliders(
        count=3, visible=2, begin=lambda weights: "0,0,0",
        shown=lambda weights, text: [dict(label=f"n{k}", value=float(part)) for k, part in enumerate(text.split(","))],
        moved=lambda weights, text, rank, value: ",".join(str(value) if k == rank else p for k, p in enumerate(text.split(","))),
    )  # fmt: skip
    with gr.Blocks():
        parts = field.build("dcgan-fashion")
    assert len(parts) == 5 and [part.label for part in parts[1:4]] == ["n0", "n1", "n2"]
    move = field.changes(parts)[1]
    assert move.inputs == [parts[0], parts[2]] and move.value("dcgan-fashion", "0,0,0", 2) == "0,2,0"
    assert [update.value for update in field.updates("dcgan-fashion", "1,2,3")[1:4]] == [1, 2, 3]
    assert parts[4].value == field.updates("dcgan-fashion", "1,2,3")[4] == "", "without pictures there is nothing at their ends"


def test_sliders_stand_between_the_pictures_of_their_ends():
    one, other = (Sliders(count=2, visible=1, shown=lambda weights, text: [dict(label="a"), dict(label="b")],
                          ends=lambda weights: f"data:{weights}") for _ in range(2))  # fmt: skip
    with gr.Blocks():
        *sliders, style = one.build("x")[1:]
        others = other.build("x")[1:-1]
    (own,) = {name for name in sliders[0].elem_classes if name.startswith("ends-")}
    assert [slider.elem_classes[-1] for slider in sliders] == ["end-0", "end-1"]
    assert all(own in slider.elem_classes for slider in sliders) and not any(own in slider.elem_classes for slider in others)
    assert f".{own}{{--row:url(\"data:x\")" in style.value and f".{own}.end-1{{--rank:1}}" in style.value
    assert 'url("data:y")' in one.updates("y", "")[-1], "other weights bring their own"


@pytest.mark.parametrize(
    "shown, frames",
    [
        (Tiles([torch.zeros(1, 4, 4)] * 3), 1), (Single(torch.zeros(3, 8, 8), "a picture"), 1),
        (Film([torch.zeros(1, 4, 4)] * 5, "a film"), 8),
        (BeforeAfter(PIL.Image.new("RGB", (9, 9)), PIL.Image.new("RGB", (9, 9)), ("a", "b"), strength=0.5), 1),
        (Columns([Tiles([torch.zeros(1, 4, 4)]), Tiles([torch.zeros(1, 4, 4)])], ["one", "other"]), 1),
    ],
    ids=lambda part: type(part).__name__,
)  # fmt: skip
def test_a_shown_value_knows_its_html_its_frames_and_its_json(shown, frames):
    assert shown.html() and len(shown.frames()) == frames
    if not isinstance(shown, Film):
        assert shown.json()


@pytest.mark.parametrize("value, stamp", [("<p>x</p>", "<!--run t busy--><p>x</p>"), ('{"a": 1}', '{"run": "t", "a": 1}')])
def test_a_frame_names_its_run(value, stamp):
    assert kit.stamped(value, "t") == stamp
    assert json.dumps([{"value": 1}]) in kit.stamped(value, "t", sets=[{"value": 1}])


@pytest.mark.parametrize("sent", [None, 7, ["x"], {}, "x" * 100_000], ids=lambda sent: repr(sent)[:8])
def test_what_is_no_token_begins_no_trouble_and_takes_no_room(sent):
    _, page = events(toy())
    (event,) = handlers(page, "submit", "count")
    assert "step 1" in list(event.fn(sent, "dcgan-fashion", 2))[-2][0]
    assert max(len(key) for key in kit._finished._results) <= 64


def test_a_picture_that_is_none_of_a_visitors_begins_anew():
    field = Picture(examples=lambda weights: [PIL.Image.new("RGB", (4, 4))] * 3)
    assert [field.follow("w", value) for value in ("upload", "drawing")] == ["upload", "drawing"]
    assert [field.follow("w", value) for value in ("example 9", None, 7, "None", "example x")] == ["example 2", *["example 0"] * 4]


def test_a_verb_of_the_api_says_what_it_returns():
    _, page = events(toy())
    verb = next(event.fn for event in page.fns.values() if event.api_name == "toy_double")
    assert inspect.signature(verb).return_annotation == list[str]


def test_rows_save_the_first_part_that_is_saved():
    picture = PIL.Image.new("RGB", (200, 9))
    assert Rows([Html("words"), Html("chart", [picture])]).frames() == [picture]
    assert not Rows([Html("words")]).is_saved
    with pytest.raises(NotImplementedError, match="is not saved"):
        Rows([Html("words")]).frames()


def test_a_room_of_subjects_calls_them_by_their_own_name():
    def double(planet: str, number: int) -> Tiles:
        """Twice a number."""
        return Tiles([torch.zeros(1, 4, 4)], [f"{2 * number} on {planet}"])

    subjects = Subjects("toys", "Toys", "A sentence.", "planet", "Planet", lambda: {"mars": "Mars", "venus": "Venus"},
                        lambda controls: str(controls["planet"]), lambda: "Nothing.")  # fmt: skip
    verb = Api("toy_double", double, dict(planet="", number=3), given=dict(number=4))
    plan = toy(models=subjects, views=[View("", double, "Double", live=True, keep="Save")], actions=[], api=[verb])
    laid, page = events(plan)
    assert laid.controls["planet"].choices == [("Mars", "mars"), ("Venus", "venus")] and laid.controls["planet"].value == "mars"
    assert laid.model == "toys" and laid.digest({"planet": "venus"}) == "venus"
    (switch,) = (event for event in handlers(page, "input", "double") if event.targets[0][0] == laid.controls["planet"]._id)
    values = {laid.controls["planet"]: "venus", laid.controls["number"]: 2}
    assert "4 on venus" in "".join(map(str, switch.fn(*(values.get(part, 0) for part in switch.inputs))))
    assert refused(plan.known, "earth") == "Planet must be one of mars, venus."
    called: list[str] = []
    plan.api[0].make = lambda planet, number: called.append(f"{planet} {number}") or double(planet, number)
    answer = next(event.fn for event in events(plan)[1].fns.values() if event.api_name == "toy_double")
    answer(), answer("venus", 9)
    assert called == ["mars 4", "venus 4"], "a caller does not set what is given"


def test_a_view_under_a_field_is_shown_while_the_field_is():
    fields = dict(way=Choice("Way", "short", options=("short", "long")), extra=Slider("Extra", when=("way", ("long",))))
    views = [View("", lambda way: None, "Go"), View("Under", lambda extra: None, live=True, within="extra")]
    _, page = events(toy(fields=fields, views=views, actions=[], api=[]))
    (choose,) = handlers(page, "change", "<lambda>")
    (column,) = choose.outputs
    assert [part.elem_id for part in column.children if isinstance(part, gr.HTML)][:1] == ["dcgan-under"] and not column.visible


def test_a_small_picture_is_kept_as_text():
    field = SmallPicture(examples=lambda weights: [], small=lambda weights, picture: picture.resize((8, 8)))
    with gr.Blocks():
        change = field.changes(field.build("dcgan-fashion"))[1]
    text = change.value("dcgan-fashion", PIL.Image.linear_gradient("L").convert("RGB"))
    assert len(text) < 4500 and field.restored("dcgan-fashion", text) == field.follow("dcgan-faces", text) == text
    assert [field.restored("dcgan-fashion", value) for value in ("", "example 3")] == ["example 0", "example 3"]
    assert field.check("dcgan-fashion", text).tobytes() == PIL.Image.linear_gradient("L").convert("RGB").resize((8, 8)).tobytes()
    assert refused(field.check, "dcgan-fashion", "A" * 5000) == "This picture is too large for a link; upload it."
