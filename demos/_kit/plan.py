"""A room by declaration: fields, views and actions; from these follow its layout, its events, Stop, links, saving and API verbs.

A *verb* is a plain function. The names of its parameters say what it reads: ``weights`` is the name of the chosen weights (in a
room of :class:`Subjects`, its ``key`` is that of the chosen one), a field's name gives that field's checked value, ``run`` gives
what the main view, if that streams, shows at the moment in this page (None: nothing that was computed; the main view's own verb
gets what the run before showed), and any other name is a part of the event that called it (``index`` of a tile that was
clicked, ``x`` and ``y`` of a place). It returns a :class:`~demos._kit.shown.Shown` value, or yields several while it works, and
None where there is nothing new to show but it could be stopped.

A verb that yields and reads ``goes_on``, a function, asks it at every step whether it is still wanted: neither stopped nor its page
closed. Such a verb ends by itself; what it yields after Stop is shown, too, so that the page shows exactly how far it came.
"""

from __future__ import annotations

import html
import inspect
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, get_type_hints

import gradio as gr
import PIL.Image
from gradio.components.base import Component
from gradio.context import LocalContext

from demos._kit.checks import Unusable, integer, one_of
from demos._kit.events import BESIDE, HEAVY, QUICK, ROLL_JS, error_boundary
from demos._kit.fields import BROUGHT, CONTROLS, MORE, NOWHERE, RESULT, Change, Choice, Field, Picture, Seed
from demos._kit.inputs import sent_picture
from demos._kit.markup import note_html
from demos._kit.recipes import Room, link_button, save_button
from demos._kit.running import Cache, cancel, cancellable, is_cancelled, token, token_of, visitor_stays, while_awaited
from demos._kit.shown import Bars, Html, Shown, Single, Steps, Tiles
from demos._kit.subjects import Subjects, Trained
from demos._kit.widgets import BEGIN_JS, guarded_html, note_line, starter, tiles
from demos._server import request_log
from gen_models import catalog

WEIGHTS, RUN, GOES_ON = "weights", "run", "goes_on"
STOPPED = "Stopped: what had not been reached is unchanged."
_begun: Cache[str] = Cache(1000)
"""Page and view -> the token of its latest run."""
_finished: Cache[tuple[dict[str, Any], Shown, bool]] = Cache(64_000_000, lambda kept: kept[1].nbytes)
"""Token of a run -> the raw values that it read, the last that it showed, and whether that is its end."""
_ended: Cache[None] = Cache(1000)
"""Tokens of the latest runs that reached their end, which are known for longer than what these showed."""


@dataclass
class View:
    """One thing that a room shows, by one verb; the first one of a room stands beside its controls, the others in tabs below.

    A verb that yields streams: it gets a Stop, and what is late never replaces what is newer.
    """

    title: str
    make: Callable[..., Any]
    button: str = ""
    """Computed when it is pressed; without one, when the tab opens."""
    intro: str = ""
    """Markdown above it."""
    keep: str = ""
    """Label of its save button; "": it is not saved."""
    live: bool = False
    """Computed again whenever a field changes that it reads."""
    pick: Callable[..., Shown] | None = None
    """What a click on one of its tiles shows, under it or in the view ``into``, which is opened; gets the tile's ``index``."""
    into: str = ""
    sight: Callable[..., Shown | None] | None = None
    """A verb for what is there before any click, made when the weights were published; None: nothing, and a live view is computed
    as soon as the weights are chosen."""
    component: Callable[..., gr.HTML] = tiles
    """(value, **settings) -> the component that shows it, where that has a script of its own."""
    group: str = "models"
    """Handlers of one group share its places in the queue."""
    limit: int = 8
    """Places of the group."""
    still: Callable[..., Shown | None] | None = None
    """For a live view that streams: a verb that shows at once what the fields say. A change of these ends the run, no frame of
    which is shown any more; links and saved pictures hold this. None: only a run can show it, and one begins."""
    sets: Sequence[str] = ()
    """Fields that what is shown sets, by its ``sets``."""
    scrub: str = ""
    """Label of a slider that goes back through the steps; what is shown then is a :class:`~demos._kit.shown.Steps`."""
    film: str = ""
    """Label of a second save button, for the steps as an animation."""
    pace: float = 0.0
    """Seconds between two frames at least, however fast the machine is: one should see them."""
    after: bool = False
    """Computed each time a run of the main view has reached its end, and emptied when one was stopped."""
    within: str = ""
    """Title of the view in whose tab it stands, beside that view; ``CONTROLS``: under the controls; a field: under this, and shown
    only while that is; "": it has a tab of its own."""
    possible: Callable[[], bool] = lambda: True
    """Whether it can be computed here; a room is laid out without what cannot."""

    @property
    def streams(self) -> bool:
        """Whether its verb yields."""
        return inspect.isgeneratorfunction(inspect.unwrap(self.make))

    @property
    def asks(self) -> bool:
        """Whether its verb ends by itself when it is stopped."""
        return self.streams and GOES_ON in inspect.signature(self.make).parameters

    @property
    def at_once(self) -> Callable[..., Shown | None] | None:
        """The verb that shows it at once; None if it only streams."""
        return self.still or (None if self.streams else self.make)


@dataclass
class Action:
    """Something a visitor does that sets fields; views that read them follow.

    ``do`` is a verb that returns the new values of the fields ``sets`` by name, those left out staying as they are. It is done at a
    press of ``button``, which stands at ``place``: under the main view, under the ``CONTROLS``, or in the tab of a view; or ``on``
    a change of a field of that name; or ``on`` an event of a view's component, (title, event).
    """

    do: Callable[..., Mapping[str, Any]]
    sets: Sequence[str]
    button: str = ""
    place: str = RESULT
    on: str | tuple[str, str] = ""
    primary: bool = False
    begins: bool = False
    """The main view, which streams, begins with it."""
    when: tuple[str, Sequence[str]] | None = None
    """The button is shown only while a field, a :class:`Choice`, has one of these values: (its name, values)."""


@dataclass(frozen=True)
class Try:
    """Something to try, which the page ticks off once a visitor has done it."""

    words: str
    on: str
    """A field that is changed, or the title of a view that is asked for."""

    def html(self) -> str:
        """It as an item of a list."""
        return f'<li><label><input type="checkbox" disabled> {html.escape(self.words)}</label></li>'


@dataclass(frozen=True)
class Start:
    """What the front page offers to begin with: a room's ``START``."""

    words: str
    pictures: Callable[[], tuple[PIL.Image.Image, PIL.Image.Image] | None]
    """A picture before and after, which are shown in the same size; None where they cannot be made."""


@dataclass
class Api:
    """A verb for callers of the API: ``defaults`` name its parameters, in order; those that are missing have the fields' own.

    ``returns``: the type of the answer, where it does not follow from what is shown.
    """

    name: str
    make: Callable[..., Any]
    defaults: Mapping[str, Any]
    returns: Any = None
    words: str = ""
    """Its documentation; the verb's own if there is none."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> the field that it gives, where that has another name."""
    fields: Mapping[str, Field] = field(default_factory=dict)
    """Parameters that are no fields of the room."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Fields that no caller sets -> their values."""


@dataclass
class Slots:
    """The components of a view once it is laid out."""

    shown: gr.HTML
    note: gr.HTML
    begin: gr.HTML | None = None
    scrub: gr.Slider | None = None
    below: gr.HTML | None = None
    tab: gr.Tab | None = None
    press: gr.Button | None = None
    run: Any = None
    """The event that computes it, where it streams."""
    seen: bool = False
    """It has a first sight, and follows what changes: opening its tab computes nothing."""

    def of_result(self) -> list[Component]:
        """What a result fills."""
        return [self.shown, self.note]


@dataclass
class Plan:
    """A room. ``models``: the model whose weights are offered, several with the word that tells each from the others, or
    :class:`Subjects`.

    ``first``: the data set of the weights at first. ``views``: the main one first. ``lay_out`` builds the room within a page.
    """

    models: str | dict[str, str] | Subjects
    first: str
    fields: dict[str, Field]
    views: Sequence[View]
    explanation: str
    tour: Sequence[Try] = ()
    """What to try first, in this order; the last one breaks it."""
    actions: Sequence[Action] = ()
    api: Sequence[Api] = ()
    order: Sequence[str] = ()
    """Keys of a recipe in their order; by default the weights, then the fields as they stand."""
    migrate: Callable[[dict[str, Any]], dict[str, Any]] = lambda controls: controls
    """Controls of an older link or saved picture -> today's."""
    offers: Callable[[str], bool] = lambda weights: True
    """Which of the models' weights can be chosen."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """What the page calls weights that are not named after their data set: what stands behind the dash -> title."""
    heading: str = ""
    """Above the tabs, with the choice of weights under it, for a main view that does without weights."""

    # ---- calling verbs with checked values ----------------------------------------------------------------------------

    @property
    def subjects(self) -> Trained | Subjects:
        """What is chosen first."""
        return self.models if isinstance(self.models, Subjects) else Trained(self.models, self.first, self.offers, self.titles)

    @property
    def name(self) -> str:
        """The name of the room."""
        return self.subjects.room

    @property
    def key(self) -> str:
        """What verbs, recipes and callers of the API call the chosen weights, or subject."""
        return self.subjects.key

    @property
    def main(self) -> View:
        """The view beside the controls."""
        return self.views[0]

    def known(self, weights: Any) -> str:
        """``weights``, checked.

        Raises:
            gr.Error: if there are none of that name.
        """
        return one_of(weights, self.subjects.names(), self.subjects.label)

    def reads(self, verb: Callable) -> list[str]:
        """The fields that a verb reads, and ``run``."""
        return self.with_needs(name for name in inspect.signature(verb).parameters if name in (RUN, *self.fields))

    def with_needs(self, names: Iterable[str]) -> list[str]:
        """Fields, and those that these need."""
        wanted = dict.fromkeys(names)
        return list(wanted | dict.fromkeys(need for name in wanted if name != RUN for need in self.fields[name].needs))

    def needs(self, name: str, raw: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """The values of the fields that a field needs."""
        return {need: raw[need][0] for need in self.fields[name].needs}

    def call(self, verb: Callable, raw: Mapping[str, Sequence[Any]], event: Any = None) -> Any:
        """Call a verb; ``raw``: ``weights`` and fields -> the values of the components that each is read from."""
        parameters = inspect.signature(verb).parameters
        weights = self.known(raw[WEIGHTS][0]) if raw[WEIGHTS][0] or self.key in parameters else ""
        found: dict[str, Any] = {}
        for name, parameter in parameters.items():
            if name == self.key:
                found[name] = weights
            elif name in self.fields:
                found[name] = self.fields[name].check(weights, *raw[name], **self.needs(name, raw))
                if name == "seed":
                    request_log.seeded(found[name])
            elif name == RUN:
                kept = _finished.get(token_of(raw[RUN][0])) if RUN in raw else None
                found[name] = kept[1] if kept else None
            else:
                default = None if parameter.default is inspect.Parameter.empty else parameter.default
                found[name] = getattr(event, name, default)
        return verb(**found)

    def attempt(self, verb: Callable, raw: Mapping[str, Sequence[Any]]) -> Shown | None:
        """As :meth:`call`, for a view: of what a visitor brought in vain, why, with nothing beside it."""
        try:
            return self.call(verb, raw)
        except Unusable as error:
            return Html("", note=error.message)

    def last(self, view_verb: Callable, raw: Mapping[str, Sequence[Any]]) -> Shown:
        """What a verb shows in the end.

        Raises:
            gr.Error: as for :func:`while_awaited`.
        """
        made = self.call(view_verb, raw)
        if inspect.isgenerator(made):
            final = None
            for frame in while_awaited(made):
                final = final if frame is None else frame
            made = final
        return made

    def seen(self, view: View, raw: Mapping[str, Sequence[Any]]) -> Shown | None:
        """What was there before any click of a view that streams, where it depends on all that a run reads and stands for one."""
        if view.streams and view.sight and {*self.reads(view.make)} <= {*self.reads(view.sight)}:
            return self.call(view.sight, raw)
        return None

    # ---- laying out ---------------------------------------------------------------------------------------------------

    def lay_out(self) -> Room:
        """Build the room's components and events in the page that is being built."""
        return _Laying(replace(self, views=[view for view in self.views if view.possible()])).room


class _Laying:
    """One laying out of a plan; what it holds are the components."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.parts, self.slots = plan, {}, {}
        self.beside = [view for view in plan.views if view.within in (CONTROLS, *plan.fields)]
        self.shown_when: dict[str, list[tuple[gr.Column | gr.Button, Sequence[str]]]] = {}
        """Field -> what is shown only while it has one of some values."""
        plan.subjects.header()
        with gr.Row(elem_classes=["room"]):
            with gr.Column(scale=3, min_width=280):
                weights = plan.subjects.choice()
                self.weights, self.parts[WEIGHTS] = weights, [weights]
                self.at_first = weights.value or ""
                if plan.heading:
                    weights.unrender()
                self.place(CONTROLS)
                action_row = gr.Row(elem_classes=["keep"]) if any(one.place == CONTROLS for one in plan.actions) else nullcontext()
                for view in self.beside:
                    if view.within == CONTROLS:
                        self.show(view)
                if any(one.place == MORE for one in plan.fields.values()):
                    with gr.Accordion("More", open=False):
                        self.place(MORE)
            with gr.Column(scale=5, min_width=300):
                self.show(plan.main)
                self.place(RESULT)
                keep = gr.Row(elem_classes=["keep", "main"])
        self.place(NOWHERE)
        if plan.tour:
            tour = "".join(one.html() for one in plan.tour)
            gr.HTML(f'<ol class="tour" data-room="{plan.name}">{tour}</ol>', elem_classes=["flush"])
        if plan.heading:
            gr.Markdown(f"### {plan.heading}")
            weights.render()
        rows: dict[str, gr.Row] = {view.title: keep for view in (plan.main, *self.beside)}
        self.tabs = None
        if len(plan.views) > 1 + len(self.beside):
            with gr.Tabs(elem_classes=["views"]) as self.tabs:
                for view in plan.views[1:]:
                    if view.within:
                        continue
                    beside = [one for one in plan.views if one.within == view.title]
                    with gr.Tab(view.title, id=view.title) as tab:
                        if view.intro:
                            gr.Markdown(view.intro)
                        own = any(one.place == view.title for one in plan.fields.values())
                        with gr.Row() if own or beside else nullcontext():
                            if own:
                                with gr.Column(scale=2, min_width=260):
                                    self.place(view.title)
                                    rows[view.title] = gr.Row(elem_classes=["keep"])
                            for one in (view, *beside):
                                with gr.Column(scale=1 if one.within else 3, min_width=150) if own or beside else nullcontext():
                                    if one.title not in rows:
                                        rows[one.title] = gr.Row(elem_classes=["keep"])
                                    self.show(one, tab)
        missing = [name for name in plan.fields if name not in self.parts]
        if missing:
            raise ValueError(f"no view has the title at which these fields stand: {missing}")
        order = plan.order or [plan.key, *(name for name, one in plan.fields.items() if one.kept)]
        self.room = Room(plan.name, {name: self.parts[WEIGHTS if name == plan.key else name][0] for name in order})
        self.room.migrate, self.room.digest = plan.migrate, plan.subjects.digest
        # what other weights offer is not among the choices of the first
        varied = [name for name, one in plan.fields.items() if isinstance(one, Choice) and one.of and one.options]
        self.room.choices = {name: [*plan.fields[name].options] for name in varied}
        for view in plan.views:
            with rows[view.title]:
                self.buttons(view)
        with action_row:
            self.press_for(CONTROLS)
        plan.subjects.explain(plan.explanation)
        self.wire()
        for verb in plan.api:
            gr.api(self.api(verb), api_name=verb.name, concurrency_id="models")

    def place(self, where: str) -> None:
        """Build the fields that stand there."""
        for name, one in self.plan.fields.items():
            if one.place == where and name not in self.parts:
                with self.while_it_applies(one.when):
                    self.parts[name] = one.build(self.at_first)
                    for view in self.beside:
                        if view.within == name:
                            self.show(view)

    def while_it_applies(self, when: tuple[str, Sequence[str]] | None) -> AbstractContextManager:
        """A place for what is shown only while a field has one of some values."""
        if when is None:
            return nullcontext()
        ruler, values = when
        column = gr.Column(visible=self.plan.fields[ruler].start(self.at_first) in values)
        self.shown_when.setdefault(ruler, []).append((column, values))
        return column

    def show(self, view: View, tab: gr.Tab | None = None) -> None:
        """Build what a view fills."""
        first = view.still or view.sight
        read = self.plan.reads(first) if first else []
        started = {WEIGHTS: [self.at_first]} | {
            name: [self.plan.fields[name].start(self.at_first)] for name in read if name != RUN
        }
        try:
            sight = self.sight(view, started)
        except (catalog.WeightsError, KeyError):  # the page opens all the same, and the first click says what is wrong
            sight = None
        name = f"{self.plan.name}-{slug(view.title) or 'main'}"
        space = dict(min_height=160) if view is self.plan.main else {}
        if view.streams:
            shown = guarded_html(view.component, name, sight.html() if sight else "", **space)
        else:
            shown = view.component(sight.html() if sight else "", elem_id=name, **space)
        note = note_line(name, note_html(sight.note) if sight and sight.note else "")
        slots = Slots(shown, note, tab=tab, seen=view.live and not view.streams and sight is not None)
        if view.scrub:
            slots.scrub = gr.Slider(0, 1, 0, step=1, label=view.scrub, interactive=False)
        if view.streams:
            slots.begin = starter(name)
        if view.pick and not view.into:
            slots.below = tiles("")
        self.slots[view.title] = slots

    def sight(self, view: View, raw: Mapping[str, Sequence[Any]]) -> Shown | None:
        """What is there of a view before any click."""
        if view.still:
            return self.plan.call(view.still, raw)
        return self.plan.call(view.sight, raw) if view.sight and raw[WEIGHTS][0] else None

    def press_for(self, *places: str) -> None:
        """The buttons of the actions that stand there."""
        for action in self.plan.actions:
            if not action.button or action.place not in places:
                continue
            look = "primary" if action.primary else "secondary"
            button = gr.Button(action.button, size="sm", variant=look, elem_classes=["quiet"])
            self.react(Change(button.click), [action], set())
            if action.when:
                ruler, values = action.when
                button.visible = self.plan.fields[ruler].start(self.at_first) in values
                self.shown_when.setdefault(ruler, []).append((button, values))

    def buttons(self, view: View) -> None:
        """The row of buttons of a view: what begins it, Stop, actions, saving; the main view's has the link, too."""
        slots, main = self.slots[view.title], view is self.plan.main
        if view.button:
            classes = [] if main else ["quiet"]
            slots.press = gr.Button(view.button, variant="primary", size="md" if main else "sm", elem_classes=[*classes, "go"])
        if view.streams:
            stop = gr.Button("Stop", variant="stop", size="md" if main else "sm", elem_classes=["quiet"])
            self.stop(stop, view)
        self.press_for(*((RESULT, view.title) if main else (view.title,)))
        if view.keep:
            self.save(view, view.keep, "" if main else slug(view.title))
        if view.film:
            self.save(view, view.film, slug(view.title + " steps"), Steps.film)
        if main:
            link_button(self.room)

    # ---- events -------------------------------------------------------------------------------------------------------

    def components(self, name: str) -> list[Component]:
        """The components from which a field, or the weights, is read."""
        if name == WEIGHTS:
            return self.parts[WEIGHTS]
        if name == RUN:
            return [self.slots[self.plan.main.title].begin]
        return [self.parts[name][0], *self.plan.fields[name].extras(self.parts[name])]

    def inputs(self, names: Sequence[str]) -> list[Component]:
        """The components from which fields are read, after the weights."""
        return [part for name in (WEIGHTS, *names) for part in self.components(name)]

    def unpacked(self, names: Sequence[str], values: Sequence[Any]) -> dict[str, list[Any]]:
        """The values of :meth:`inputs` by field."""
        rest, found = list(values), {}
        for name in (WEIGHTS, *names):
            count = len(self.components(name))
            found[name], rest = rest[:count], rest[count:]
        return found

    def wire(self) -> None:
        """All events but those of buttons that set fields."""
        for view in self.plan.views:
            self.begin(view)
            if view.after:
                self.follow(view)
        for name, one in self.plan.fields.items():
            actions = [action for action in self.plan.actions if action.on == name]
            if one.in_page:
                self.parts[name][0].change(None, self.parts[name][0], None, js=one.in_page, api_visibility="private")
            for change in [*one.changes(self.parts[name]), *self.throws(name)]:
                self.react(change, actions, {name} if one.redo else set(), name)
        for action in self.plan.actions:
            if isinstance(action.on, tuple):
                title, event = action.on
                self.react(Change(getattr(self.slots[title].shown, event)), [action], set())
        for ruler, parts in self.shown_when.items():
            self.choose(ruler, parts)
        for number, one in enumerate(self.plan.tour):
            for event in self.tries(one.on):
                js = f"() => galleryTick({json.dumps(self.plan.name)}, {number})"
                event(None, None, None, js=js, api_visibility="private")
        self.switch()
        self.restore()

    def throws(self, name: str) -> list[Change]:
        """The main button draws a new seed where the main view follows the present one by itself, and would only be made again."""
        main = self.plan.main
        draws = main.live and not main.streams and name in self.plan.reads(main.make) and isinstance(self.plan.fields[name], Seed)
        return [Change(self.slots[main.title].press.click, js=ROLL_JS, quick=False)] if draws and main.button else []

    def tries(self, on: str) -> list[Callable]:
        """The events by which a visitor changes a field or asks for a view."""
        if on in self.plan.fields:
            return [change.event for change in self.plan.fields[on].changes(self.parts[on])]
        slots = self.slots[on]
        return [slots.press.click if slots.press else slots.tab.select]

    def choose(self, ruler: str, parts: Sequence[tuple[gr.Column | gr.Button, Sequence[str]]]) -> None:
        """Show those fields and buttons that go with the value of another field."""

        def shown(value: Any) -> Any:
            return answered([type(part)(visible=value in values) for part, values in parts])

        choice = self.parts[ruler][0]
        choice.change(error_boundary(named(shown, self.plan.main.make)), choice, [part for part, _ in parts], **QUICK)

    def begin(self, view: View) -> None:
        """What computes a view when it is asked for by itself, and what a click on it shows."""
        slots, names = self.slots[view.title], self.plan.reads(view.make)
        waiting = HEAVY if view.group == "models" else HEAVY | dict(concurrency_id=view.group, concurrency_limit=view.limit)
        asked = slots.press.click if slots.press else slots.tab.select if slots.tab and not (slots.seen or view.after) else None
        if view is self.plan.main and any(map(self.throws, self.plan.fields)):
            asked = None
        if view.streams:
            run = error_boundary(self.streamed(view, names))
            outputs = [*slots.of_result(), *([slots.scrub] if slots.scrub else [])]
            slots.run = slots.begin.submit(
                run, [slots.begin, *self.inputs(names)], outputs, show_progress="hidden", trigger_mode="multiple",
                **waiting,
            )  # fmt: skip
            if asked:
                asked(None, None, slots.begin, js=BEGIN_JS, api_visibility="private")
            if view.sets:
                # with what the browser shows, and not with what it is sent: a late frame sets nothing
                parts = [self.parts[name][0] for name in view.sets]
                js = f"(...now) => window.galleryFields?.get({json.dumps(slots.shown.elem_id)}) ?? now"
                slots.shown.fields(None, parts, parts, js=js, api_visibility="private")
            if slots.scrub:
                slots.scrub.input(error_boundary(self.step_back), [slots.begin, slots.scrub], slots.shown, **QUICK)
        elif asked:

            def answer(*values: Any) -> list[Any]:
                try:
                    return result_of(self.plan.attempt(view.make, self.unpacked(names, values)))
                except gr.Error as error:
                    if slots.press:
                        raise
                    return [gr.skip(), note_html(error.message)]  # nobody asked for it but by opening its tab

            asked(error_boundary(named(answer, view.make)), self.inputs(names), slots.of_result(), **waiting)
        if view.pick:
            read = self.plan.reads(view.pick)
            target = self.slots[view.into] if view.into else None

            def picked(event: gr.EventData, *values: Any) -> list[Any]:
                made = self.plan.call(view.pick, self.unpacked(read, values), event)
                return [*result_of(made), gr.Tabs(selected=view.into)] if target else made.html()

            outputs = [*target.of_result(), self.tabs] if target else slots.below
            slots.shown.pick(error_boundary(named(picked, view.pick)), self.inputs(read), outputs, **HEAVY)

    def follow(self, view: View) -> None:
        """Compute a view each time a run of the main view has reached its end."""
        main, names = self.slots[self.plan.main.title], self.plan.reads(view.make)

        def answer(sent: Any, *values: Any) -> list[Any]:
            begun = token_of(sent)
            if begun in _ended:
                return result_of(self.plan.call(view.make, self.unpacked(names, values)))
            # what is shown belongs to what the main view shows; once another run has begun, that will say so itself
            return ["", ""] if is_cancelled(begun) else [gr.skip(), gr.skip()]

        main.run.success(
            error_boundary(named(answer, view.make)), [main.begin, *self.inputs(names)], self.slots[view.title].of_result(),
            concurrency_id=view.group, concurrency_limit=view.limit, trigger_mode="multiple", show_progress="hidden",
            api_visibility="private",
        )  # fmt: skip

    def streamed(self, view: View, names: Sequence[str]) -> Callable[..., Iterator[list[Any]]]:
        """The handler of a view that streams; its first value is the token of the run."""

        def shown(begun: str, before: str | None, *values: Any) -> Iterator[Shown]:
            raw, stays = self.unpacked(names, values), visitor_stays()
            if RUN in raw and view is self.plan.main:
                raw[RUN] = [before]
            wanted = SimpleNamespace(**{GOES_ON: lambda: stays() and not is_cancelled(begun)})
            yield from self.plan.call(view.make, raw, wanted)

        work = cancellable(named(shown, view.make), view.asks)

        nothing = [gr.skip()] * (2 + bool(view.scrub))

        def frames(begun: str, *values: Any) -> Iterator[list[Any]]:
            before = supersede(view, begun)
            raw, made, due = self.unpacked(names, values), None, time.perf_counter()
            for frame in work(begun, begun, before, *values):
                if not isinstance(frame, Shown):  # nothing new, or stopped before its first frame: the page stays as it is
                    yield nothing
                    continue
                first, made = made is None, frame
                _finished.put(begun, (raw, made, False))
                sets = [gr.update(**made.sets[name]) if name in made.sets else gr.skip() for name in view.sets]
                state = "stopped" if is_cancelled(begun) else "busy"
                parts = [stamped(made.html(), begun, state, sets), stamped(note_html(made.note), begun, state)]
                yield [*parts, *self.scrubber(view, made, first)]
                if view.pace:
                    due = max(due + view.pace, time.perf_counter() - view.pace)
                    time.sleep(max(0.0, due - time.perf_counter()))
            if made is not None and not is_cancelled(begun):
                _finished.put(begun, (raw, made, True))
                _ended.put(begun, None)
                yield [gr.skip(), stamped(note_html(made.note), begun, "done"), *self.scrubber(view, made, True, True)]

        def run(sent: Any, *values: Any) -> Iterator[list[Any]]:
            begun = token_of(sent)
            try:
                yield from frames(begun, *values)
            except Unusable as error:
                yield [stamped("", begun), stamped(note_html(error.message), begun, "done"), *nothing[2:]]
            except Exception:
                yield [gr.skip(), stamped("", begun, "done"), *nothing[2:]]  # the page does not wait for it any longer
                raise

        if hasattr(work, "lend"):
            run.lend = work.lend  # what computes is lent a GPU; what it shows is encoded here
        return named(run, view.make)

    def scrubber(self, view: View, made: Any, entire: bool, still: bool = False) -> list[Any]:
        """The slider through the steps, where a view has one; unless ``entire`` its number alone, which is less for the page."""
        if not view.scrub:
            return []
        return [gr.Slider(maximum=max(made.steps, 1), value=made.step, interactive=still) if entire else made.step]

    def step_back(self, run: str, step: float) -> str:
        """A view as it was at an earlier step."""
        kept = _finished.get(token_of(run))
        if kept is None:
            raise gr.Error("The steps are no longer here; begin again.")
        return kept[1].at(min(integer(step, 0, kept[1].steps, "Step"), kept[1].step))

    def stopped(self, run: Any) -> list[Any]:
        """End a run whose steps are kept; its view as far as it came, in words how far, and the slider through the steps."""
        cancel(run)
        run = token_of(run)
        kept = _finished.get(run) if run else (None, None, True)
        if kept is None:  # before its first frame
            return [gr.skip(), stamped(note_html(STOPPED), run, "stopped"), gr.skip()]
        if kept[2]:
            return [gr.skip()] * 3
        made = kept[1]
        words = note_html(f"Stopped after {made.step} of {made.steps} {made.unit}.")
        return [stamped(made.html(), run, "stopped"), stamped(words, run, "stopped"),
                gr.Slider(maximum=max(made.steps, 1), value=made.step, interactive=True)]  # fmt: skip

    def react(self, change: Change, actions: Sequence[Action], changed: set[str], name: str = "") -> None:
        """Have an event set fields, by its own value and by actions, and compute the views that follow."""
        plan = self.plan
        followers = [key for key, one in plan.fields.items() if {name, *changed} & set(one.needs)]
        sets = list(dict.fromkeys([*(key for action in actions for key in action.sets), *followers]))
        touched = changed | set(sets)
        # a field that stands in the tab of a view begins it, too
        place = plan.fields[name].place if name in changed and name in plan.fields else None
        follows = [
            view for view in plan.views
            if (view.live or view.streams and view.title == place) and touched & set(plan.reads(view.at_once or view.make))
        ]  # fmt: skip
        begins = [plan.main] if any(action.begins for action in actions) else []
        shown = [view for view in follows if view.at_once and view not in begins]
        begun = [*begins, *(view for view in follows if not view.at_once)]
        ended = [self.slots[view.title].begin for view in shown if view.streams]
        sets = list(dict.fromkeys([*sets, *(key for view in shown for key in view.sets)]))
        event = change.event
        if change.js:
            event = change.event(None, None, self.parts[name][0], js=change.js, api_visibility="private").then
        if change.settled is not None:
            for view in begun:
                change.settled(None, None, self.slots[view.title].begin, js=BEGIN_JS, api_visibility="private")
            begun = []
            if not sets and not actions and not shown:
                return
        if not sets and not actions and not change.value and not shown:
            for view in begun:
                event(None, None, self.slots[view.title].begin, js=BEGIN_JS, api_visibility="private")
            return
        verbs = [*(action.do for action in actions), *(view.at_once for view in shown)]
        entire = [name] if change.entire else []
        read = plan.with_needs([*entire, *followers, *sets, *(key for verb in verbs for key in plan.reads(verb))])
        own = self.parts[name][: None if entire else 1] if change.value else []
        outputs = [
            *own, *(part for key in sets for part in self.parts[key]),
            *(part for view in shown for part in self.slots[view.title].of_result()),
            *(self.slots[view.title].begin for view in begun), *ended,
        ]  # fmt: skip
        takes_event = change.value is not None and "event" in inspect.signature(change.value).parameters

        def answer(event: gr.EventData, *values: Any) -> Any:
            given, rest = values[: len(change.inputs)], values[len(change.inputs) :]
            running, rest = rest[: len(ended)], rest[len(ended) :]
            raw, made = self.unpacked(read, rest), []
            weights = plan.known(raw[WEIGHTS][0]) if raw[WEIGHTS][0] else ""
            if change.value:
                value = change.value(weights, *given, **({"event": event} if takes_event else {}))
                made += plan.fields[name].updates(weights, value, **plan.needs(name, raw)) if entire else [value]
                if name in raw:
                    raw[name] = [value, *raw[name][1:]]
            fresh: dict[str, Any] = {}
            in_vain: Unusable | None = None
            for action in actions:
                try:
                    fresh |= plan.call(action.do, raw, event)
                except Unusable as error:
                    in_vain = error
                raw |= {key: [value, *raw[key][1:]] for key, value in fresh.items() if key in raw}
            for key in followers:
                fresh[key] = plan.fields[key].follow(weights, *raw[key], **plan.needs(key, raw))
                raw[key] = [fresh[key], *raw[key][1:]]
            found = [plan.attempt(view.at_once, raw) for view in shown]
            if in_vain and in_vain.message not in [one.note for one in found if one is not None]:
                raise in_vain
            made += self.settings(sets, weights, raw, fresh, [one for one in found if one is not None])
            for one in found:
                made += [gr.skip()] * 2 if one is None else result_of(one)
            for run, view in zip(running, (view for view in shown if view.streams), strict=True):
                cancel(run)
                supersede(view, "")  # Start may have been pressed meanwhile
            again = ["" if one else token() for view, one in zip(shown, found, strict=True) if view.streams]
            return answered([*made, *(token() for _ in begun), *again])

        first = next((verb for verb in (*verbs, change.value, *(plan.fields[key].follow for key in followers)) if verb), plan.call)
        how = QUICK if change.quick and not any(slow(view) for view in shown) else HEAVY | dict(show_progress="hidden")
        event(error_boundary(named(answer, first)), [*change.inputs, *ended, *self.inputs(read)], outputs, **how)

    def settings(
        self, names: Sequence[str], weights: str, raw: Mapping[str, Sequence[Any]], values: Mapping[str, Any],
        shown: Sequence[Shown] = (),
    ) -> list[Any]:  # fmt: skip
        """What the components of fields become that are set to values, or by what is shown; others stay as they are."""
        made = []
        for name in names:
            parts = [gr.skip()] * len(self.parts[name])
            if name in values:
                parts = self.plan.fields[name].updates(weights, values[name], **self.plan.needs(name, raw))
            for one in shown:
                if name in one.sets:
                    first = parts[0] if isinstance(parts[0], dict) else {"value": parts[0]}
                    parts = [gr.update() | first | one.sets[name], *parts[1:]]
            made += parts
        return made

    def switch(self) -> None:
        """What a change of the weights does: fields that depend on them begin anew, live views follow, the others are emptied."""
        plan = self.plan
        actions = [action for action in plan.actions if action.on == WEIGHTS]
        sets = {key for action in actions for key in action.sets}
        fields = [name for name, one in plan.fields.items() if name in sets or one.depends(self.at_first)]
        views = [view for view in plan.views if not view.still or plan.key in inspect.signature(view.still).parameters]
        live = [view for view in views if view.live and view.at_once]
        sights = [view.sight for view in views if view.sight]
        verbs = [*(action.do for action in actions), *(view.at_once for view in live), *sights]
        read = plan.with_needs([*fields, *(key for verb in verbs for key in plan.reads(verb))])
        slots = [self.slots[view.title] for view in views]
        outputs = [part for name in fields for part in self.parts[name]]
        for one in slots:
            outputs += [part for part in (one.shown, one.note, one.begin, one.scrub, one.below) if part is not None]

        def answer(*values: Any) -> list[Any]:
            raw = self.unpacked(read, values)
            weights = plan.known(raw[WEIGHTS][0])
            fresh: dict[str, Any] = {}
            for name in sorted(fields, key=lambda name: len(plan.fields[name].needs)):  # what others need comes first
                fresh[name] = plan.fields[name].follow(weights, *raw[name], **plan.needs(name, raw))
                raw[name] = [fresh[name], *raw[name][1:]]
            for action in actions:
                with suppress(Unusable):
                    fresh |= plan.call(action.do, raw)
                raw |= {key: [value, *raw[key][1:]] for key, value in fresh.items() if key in raw}
            made = self.settings(fields, weights, raw, fresh)
            brought = any(isinstance(plan.fields[name], Picture) and fresh[name] in BROUGHT for name in fields)
            for view, one in zip(views, slots, strict=True):
                sight = self.sight(view, raw)
                found = plan.attempt(view.at_once, raw) if view in live else sight
                begins = view.sight and view.live and found is None or brought and view is plan.main
                made += result_of(found) if found is not None else [gr.skip()] * 2 if begins else ["", ""]
                if one.begin is not None:
                    supersede(view, "")
                    made.append(token() if begins else "")
                made += [gr.Slider(value=0, interactive=False)] if one.scrub is not None else []
                made += [""] if one.below is not None else []
            return made

        self.weights.input(error_boundary(named(answer, plan.main.make)), self.inputs(read), outputs, **HEAVY)

    def restore(self) -> None:
        """How a link or a saved picture shows the room again."""
        plan, order = self.plan, list(self.room.controls)
        live = [view for view in plan.views if view.live and view.at_once]
        main = self.slots[plan.main.title]
        shown = [part for name in plan.fields for part in self.parts[name]]
        shown += [part for view in live for part in self.slots[view.title].of_result()]
        shown += [main.begin] if main.begin is not None else []

        def show(*values: Any) -> list[Any]:
            plain = dict(zip(order, values, strict=True))
            weights = plan.known(plain[plan.key])
            raw = {WEIGHTS: [weights]}
            fresh = {
                name: one.restored(weights, plain[name]) if name in plain else one.start(weights)
                for name, one in plan.fields.items()
            }
            raw |= {name: [value, *[None] * (len(self.components(name)) - 1)] for name, value in fresh.items()}
            made: list[Any] = []
            found: list[Shown] = []
            begins = not plan.main.at_once
            if plan.main.streams:
                plan.call(plan.main.make, raw)  # of a verb that yields, this checks the values and no more
            for view in live:
                try:
                    one = plan.call(view.at_once, raw)
                    begins = begins or view is plan.main and one is None
                    found += [] if one is None else [one]
                    made += [gr.skip()] * 2 if one is None else result_of(one)
                except gr.Error:
                    if view is plan.main:
                        raise
                    made += ["", ""]  # what it needs, such as an upload, is in no link
            made = [*self.settings(list(fresh), weights, raw, fresh, found), *made]
            return [*made, token() if begins else ""] if main.begin is not None else made

        self.room.show, self.room.shown = named(show, plan.main.make), shown

    def stop(self, button: gr.Button, view: View) -> None:
        """Have a button end the work of a view: it computes no further, and what is on its way is not shown."""
        slots = self.slots[view.title]
        run = slots.begin.elem_id.removesuffix("-run")
        if slots.scrub is not None:
            stop = f"(token) => {{ window.galleryStop?.({json.dumps(run)}); return token; }}"
            outputs = [*slots.of_result(), slots.scrub]
            button.click(error_boundary(self.stopped), slots.begin, outputs, js=stop, **BESIDE)
            return
        # the page stops first: the second handler of an event begins when the first was answered, and might stop the next run
        if view.asks:  # its last frame says how far it came
            button.click(None, None, None, js=f"() => {{ window.galleryStop?.({json.dumps(run)}); }}", api_visibility="private")
        else:
            stopped = json.dumps(note_html(STOPPED))
            button.click(None, slots.note, slots.note, js=f"(note) => window.galleryStop?.({json.dumps(run)}) ? {stopped} : note",
                         api_visibility="private")  # fmt: skip
        button.click(cancel, slots.begin, None, **BESIDE)

    def save(self, view: View, label: str, name: str, frames: Callable[[Any], list[PIL.Image.Image]] | None = None) -> None:
        """A button that saves a view, its ``frames`` or those that what it shows has, under a name."""
        verb = view.still or view.make
        order, names = list(self.room.controls), self.plan.reads(verb)
        slots = self.slots[view.title]
        more = [name for name in names if name not in order]
        extra = [part for name in names for part in self.components(name)[1:]] + [self.components(name)[0] for name in more]
        run = [] if view.at_once else [slots.begin]

        def make(*values: Any) -> Any:
            plain, rest = dict(zip(order, values, strict=False)), list(values[len(order) :])
            raw = {WEIGHTS: [plain[self.plan.key]]}
            for name in names:
                count = len(self.components(name)) - 1
                raw[name], rest = [plain.get(name), *rest[:count]], rest[count:]
            for name in more:
                raw[name][0] = rest.pop(0)
            kept = _finished.get(token_of(rest[0])) if run else None
            made = kept[1] if kept and same(kept[0], raw) else self.plan.seen(view, raw) or self.plan.last(verb, raw)
            if made is None:
                raise gr.Error("What is shown is no longer here; begin again.")
            return frames(made) if frames else made.frames()

        save_button(self.room, make, [*extra, *run], label=label, view=name)

    # ---- verbs for callers of the API ---------------------------------------------------------------------------------

    def api(self, verb: Api) -> Callable:
        """A function with the signature that a caller sees."""
        plan = self.plan
        shown = get_type_hints(verb.make).get("return")
        returns = verb.returns or {Tiles: list[str], Single: str, Bars: dict[str, float]}.get(shown, Any)

        known = plan.fields | dict(verb.fields)

        def answer(**given: Any) -> Any:
            named_ = {verb.names.get(key, key): value for key, value in (dict(verb.defaults) | given).items()} | dict(verb.given)
            chosen = named_.get(plan.key, "")
            weights = plan.known(self.at_first if chosen == "" else chosen)
            raw: dict[str, list[Any]] = {WEIGHTS: [weights]}
            for name in replace(plan, fields=known).reads(verb.make):
                one = known[name]
                value = named_.get(name, one.start(weights))
                if isinstance(one, Picture):
                    example = value == "" or isinstance(value, str) and value.startswith("example ")
                    raw[name] = [value or one.default, None] if example else ["upload", sent_picture(value)]
                else:
                    number = isinstance(one, Choice) and isinstance(value, int) and not isinstance(value, bool)
                    raw[name] = [str(value) if number else value]
            return replace(plan, fields=known).last(verb.make, raw).json()

        annotations = {key: type(value) for key, value in verb.defaults.items()} | {"return": returns}
        parameters = [
            inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value, annotation=type(value))
            for key, value in verb.defaults.items()
        ]
        signature = inspect.Signature(parameters, return_annotation=returns)

        def call(*values: Any, **given: Any) -> Any:
            return answer(**signature.bind(*values, **given).arguments)

        call.__signature__, call.__annotations__ = signature, annotations
        call.__doc__ = verb.words or verb.make.__doc__
        call.__name__ = call.__qualname__ = verb.name
        call.__module__ = verb.make.__module__
        return error_boundary(call)


def result_of(made: Shown) -> list[Any]:
    """What a view's component and the line under it become."""
    return [made.html(), note_html(made.note) if made.note else ""]


def answered(values: list[Any]) -> Any:
    """What a handler returns for its components: of a single one, Gradio takes the value itself."""
    return values[0] if len(values) == 1 else values


def slug(title: str) -> str:
    """A title as a part of a name: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def supersede(view: View, begun: str) -> str | None:
    """A run of a view begins: the one that the same page began before ends; returns its token."""
    before = None
    request = LocalContext.request.get(None)
    session = getattr(request, "session_hash", None)
    if session:
        before = _begun.get((session, id(view)))
        if before != begun:
            cancel(before)
        _begun.put((session, id(view)), begun)
    return before


def stamped(value: str, run: str, state: str = "busy", sets: Sequence[Any] = ()) -> str:
    """A value that the page shows only as long as this run is the view's latest.

    ``state``: ``busy``, more is to come; ``done``; or ``stopped``, shown only if no other run began meanwhile. ``sets``: updates of
    the fields that it sets.
    """
    if value.startswith("{"):
        return json.dumps({"run": run} | ({"sets": list(sets)} if sets else {}) | json.loads(value))
    fields = " " + json.dumps(sets).replace("--", "-\\u002d") if sets else ""
    return f"<!--run {html.escape(str(run))} {state}{fields}-->{value}"


def slow(view: View) -> bool:
    """Whether a view waits its turn in the queue even while a slider is dragged."""
    return view.group != "models" and not view.still


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sets of raw values are equal; pictures are told apart by identity."""
    plain = str | int | float | bool | None
    return one.keys() == other.keys() and all(
        a is b or (isinstance(a, plain) and isinstance(b, plain) and a == b)
        for key in one for a, b in zip(one[key], other[key], strict=True)
    )  # fmt: skip


def named(handler: Callable, verb: Callable) -> Callable:
    """The handler under the name of the verb for which it stands, for logs and messages."""
    verb = verb.func if isinstance(verb, partial) else verb
    handler.__name__ = handler.__qualname__ = verb.__name__
    handler.__module__ = verb.__module__
    return handler
