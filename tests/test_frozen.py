"""What visitors and callers could do on 2026-11-28 they can still do: calls, controls, saved pictures and links.

``frozen/`` holds them as they were then, and is not brought up to date: it holds what people have kept.

- ``api.json``: verb -> its parameters (name -> type, default), its returns, a cheap call, and the kinds of value in the answer;
- ``controls.json``: room -> the key of each control -> component, kind of value, default, choices or range;
- ``links.json``: room -> a link to it with other values than the defaults;
- ``<room>.png``: a picture saved in the room, with its recipe, with others again.

A room that gives a control another key says so in its ``migrate``.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import gradio as gr
import numpy as np
import PIL.Image
import pytest

import app
from demos._kit.recipes import Room

FROZEN = Path(__file__).parent / "frozen"
API, CONTROLS, LINKS = (json.loads((FROZEN / f"{name}.json").read_text(encoding="utf-8")) for name in ("api", "controls", "links"))
RENAMED: dict[str, str] = {"Eight heaps": "Eight clusters", "cyclegan-faces2portraits": "cyclegan-monet2photo"}
"""Values that have another name now, or something else in their place: old -> new. The old one is still taken."""


# ---- how the gallery is reached: where it is rebuilt, this changes and nothing below ------------------------------------------


@cache
def page() -> gr.Blocks:
    """The page as the front door builds it."""
    return app.build()


@cache
def laid_out() -> tuple[dict[str, Room], gr.Tabs]:
    """The rooms by name, and the tabs in which they are."""
    with gr.Blocks():
        return app.lay_out([*app.shared(), *(name for members in app.rooms().values() for name in members)])


def built_rooms() -> dict[str, Room]:
    """The rooms by name."""
    return laid_out()[0]


def schema() -> dict[str, Any]:
    """Verb of the public API -> its description."""
    return {name.removeprefix("/"): verb for name, verb in page().get_api_info()["named_endpoints"].items()}


def call(verb: str, values: dict[str, Any]) -> Any:
    """What a verb of the public API returns."""
    (function,) = [event.fn for event in page().fns.values() if event.api_name == verb and event.api_visibility == "public"]
    return function(**values)


def link_of(file: Path) -> str:
    """The link that a saved picture becomes when it is dropped on the page."""
    return app.link_of(str(file))


def follow(link: str) -> tuple[str, dict[Any, Any]]:
    """The room that a link opens, and what it changes there: component -> value or update."""
    rooms, tabs = laid_out()
    updates = app.restore(SimpleNamespace(query_params=dict(parse_qsl(urlsplit(link).query))), rooms, tabs)
    *_, opened = [tabs.children[0].id, *(value.selected for value in updates.values() if isinstance(value, gr.Tabs))]
    return opened, updates


# ---- the public API -----------------------------------------------------------------------------------------------------------


def kind(value: Any) -> str:
    """Of a value in an answer."""
    if isinstance(value, str):
        return "picture" if value.startswith("data:image/") else "text"
    return {bool: "boolean", int: "number", float: "number", type(None): "nothing"}[type(value)]


def kinds(value: Any, place: str = "") -> dict[str, set[str]]:
    """Place in an answer -> the kinds of value there; all items of a list are at one place."""
    if not isinstance(value, dict | list | tuple):
        return {place: {kind(value)}}
    found: dict[str, set[str]] = {}
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        for inside, names in kinds(part, f"{place}.{key}" if isinstance(value, dict) else f"{place}[]").items():
            found.setdefault(inside, set()).update(names)
    return found


def test_an_answer_is_known_by_the_kinds_of_its_values():
    answer = [{"a": 1, "b": ["data:image/png;base64,"]}, {"a": None, "b": []}]
    assert kinds(answer) == {"[].a": {"number", "nothing"}, "[].b[]": {"picture"}}


@pytest.mark.parametrize("verb", API)
def test_a_verb_takes_the_parameters_that_it_took(verb):
    now = {part["parameter_name"]: part for part in schema()[verb]["parameters"]}
    old = API[verb]["parameters"]
    assert list(now)[: len(old)] == list(old)  # values may be sent without their names
    assert all(part["parameter_has_default"] for part in now.values())
    for name, (type_, default) in old.items():
        assert now[name]["type"]["type"] == type_, name
        assert now[name]["parameter_default"] == RENAMED.get(default, default), name
    assert len(schema()[verb]["returns"]) == len(API[verb]["returns"])


@pytest.mark.parametrize("verb", API)
def test_a_verb_answers_as_it_did(verb):
    now = kinds(call(verb, API[verb]["call"]))
    for place, names in API[verb]["answer"].items():
        assert now.get(place, set()) and now[place] <= set(names), place


# ---- controls, links, saved pictures ------------------------------------------------------------------------------------------


def today(room: str, state: dict[str, Any]) -> dict[str, Any]:
    """The values of a link as the room's controls hold them today; what has no control any more went into another one."""
    migrated = built_rooms()[room].migrate(dict(state))
    gone = state.keys() - built_rooms()[room].controls.keys()
    assert not gone or migrated.keys() > state.keys(), gone
    return {key: value for key, value in migrated.items() if key not in gone}


def link_to(room: str, state: dict[str, Any]) -> str:
    """The link that "Copy link" made."""
    return "?" + urlencode({"room": room, "state": json.dumps(state)})


def state_of(link: str) -> dict[str, Any]:
    """The values in a link by the keys of their controls."""
    return json.loads(dict(parse_qsl(urlsplit(link).query))["state"])


def pixels(text: Any) -> np.ndarray | None:
    """The picture that a text holds, if it holds one."""
    try:
        return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(text, altchars=b"-_"))).convert("RGB"))
    except (TypeError, ValueError, binascii.Error, OSError):
        return None


def same(now: Any, old: Any) -> bool:
    """Whether a control holds what a link says, if it says anything; a picture may be encoded in another way."""
    if old in (None, ""):
        return True
    if now == (RENAMED.get(old, old) if isinstance(old, str) else old):
        return True
    one, other = pixels(now), pixels(old)
    return one is not None and other is not None and np.array_equal(one, other)


def restored(room: str, link: str) -> None:
    """Follow a link to a room, and find every value of it in a control."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened, updates = follow(link)
    words = [str(warning.message) for warning in caught if "These weights were retrained" not in str(warning.message)]
    assert not [word for word in words if word.startswith(("This link", "The drawing had"))], words
    assert opened == room
    for key, old in today(room, state_of(link)).items():
        part = built_rooms()[room].controls[key]
        now = updates.get(part, part)
        now = now.get("value") if isinstance(now, dict) else getattr(now, "value", now)
        assert same(now, old), f"{key}: {now!r} in place of {old!r}"


def test_a_value_that_does_not_arrive_is_seen():
    room, link = next(iter(LINKS.items()))
    wrong = state_of(link) | {"seed": -1}
    with pytest.raises(AssertionError, match="^seed: "):
        restored(room, link_to(room, wrong))


def test_every_room_of_then_is_frozen():
    assert set(CONTROLS) == set(LINKS) == {file.stem for file in FROZEN.glob("*.png")}
    assert set(CONTROLS) <= set(built_rooms())


@pytest.mark.parametrize("room", CONTROLS)
def test_a_control_takes_what_it_took(room):
    for key, old in CONTROLS[room].items():
        now = built_rooms()[room].controls.get(key)
        if hasattr(now, "choices"):
            assert {RENAMED.get(choice, choice) for choice in old.get("choices", [])} <= {value for _, value in now.choices}, key
        if hasattr(now, "minimum") and "range" in old:
            assert now.minimum <= old["range"][0] and now.maximum >= old["range"][1], key
    restored(room, link_to(room, {key: old["default"] for key, old in CONTROLS[room].items()}))


@pytest.mark.parametrize("room", LINKS)
def test_a_link_opens_its_room_as_it_was(room):
    assert state_of(LINKS[room]).keys() == CONTROLS[room].keys()
    restored(room, LINKS[room])


@pytest.mark.parametrize("room", CONTROLS)
def test_a_saved_picture_opens_its_room_as_it_was(room):
    link = link_of(FROZEN / f"{room}.png")
    assert state_of(link).keys() == CONTROLS[room].keys()
    restored(room, link)
