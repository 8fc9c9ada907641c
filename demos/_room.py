"""What all rooms share: header, seed, checked picture input, clickable pictures, saving with a recipe, links, errors.

A room is a file ``demos/<model>.py`` with plain handler functions and ``room()``, which lays out the widgets and returns a
:class:`Room`. A file of another name is a room of several models, with ``TITLE``, ``SUMMARY`` and ``is_open()`` besides. Nothing
here or there imports a model before its first use.
"""

from __future__ import annotations

import base64
import binascii
import functools
import html
import inspect
import io
import json
import logging
import os
import traceback
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import gradio as gr
import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.PngImagePlugin
import torch
from gradio.components.base import Component, server
from gradio.context import LocalContext
from torch import Tensor

from demos import _spaces, _watch
from gen_models import catalog, hub
from gen_models.data import DataError, square

log = logging.getLogger("gallery")

V = TypeVar("V")

MAX_PIXELS = 25_000_000
"""Pictures above this many pixels are refused."""
PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS
LARGE = 128
"""Pictures of this width or more are scaled smoothly."""
MAX_SIDE, MAX_LAYERS, MAX_BOARDS = 2000, 4, 32
"""Of drawings: pixels of the longer side, layers, and drawings that are sent and not read yet."""
MAX_SEED = 2**31 - 1
MAX_QR = 1500
"""Characters of an address that a telephone still reads from a screen."""
RECIPE_KEY = "gallery-recipe"
DATA_TITLES = {
    "mnist": "Digits", "fashion": "Fashion", "faces": "Faces", "facades": "Facades", "edges2shoes": "Shoes", "edges2bags": "Bags",
    "monet2photo": "Monet and photographs", "faces2portraits": "Faces and portraits",
    "photos": "Clean photos", "snapshots": "Snapshots with noise and JPEG",
}  # fmt: skip

QUICK = dict(queue=False, trigger_mode="always_last", show_progress="hidden", api_visibility="private")
"""For handlers of a few milliseconds that answer while a slider is dragged; one for each event, at most.

What comes while such a handler is at work, the page does once more, as a whole, when it is done: two of them on one event would
have it done again and again without end.
"""
BESIDE = QUICK | dict(trigger_mode="multiple")
"""For those that do something beside it at the same event, and for Stop, which once more would stop what began after it."""
HEAVY = dict(concurrency_id="models", concurrency_limit=1, api_visibility="private")
"""For handlers that wait their turn in the queue."""


# ---- errors -----------------------------------------------------------------------------------------------------------


def guarded(handler: Callable) -> Callable:
    """The handler with every trouble turned into one sentence in the page.

    Known trouble shows its own sentence; the unknown is logged with an id, and the sentence names the id. Every call of the handler
    leaves a line in the log of requests.
    """
    handler = _watch.watched(_spaces.lendable(handler))
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def run_all(*values: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from handler(*values, **named)
            except Exception as error:
                raise told(error, handler.__qualname__) from error

        return run_all

    @functools.wraps(handler)
    def run(*values: Any, **named: Any) -> Any:
        try:
            return handler(*values, **named)
        except Exception as error:
            raise told(error, handler.__qualname__) from error

    return run


def told(error: Exception, where: str) -> gr.Error:
    """What the page says of an exception that ``where`` raised; what nobody expected goes to the log."""
    if isinstance(error, gr.Error):
        error.print_exception = False  # the visitor was told; the log is for what nobody expected
        return error
    if isinstance(error, catalog.WeightsError | DataError):
        return gr.Error(str(error), title="Not available", print_exception=False)
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if frame.f_code is gr.EventData.__getattr__.__code__:
        return gr.Error("This event does not say what it should.", print_exception=False)
    number = uuid.uuid4().hex[:8]
    log.error("%s failed, id %s", where, number, exc_info=error)
    return gr.Error(f"Something went wrong here. If you report it, name the id {number}.", print_exception=False)


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether ``value`` is a number from ``low`` to ``high``; neither True, nor text, nor NaN is one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def whole(value: Any, low: int, high: int, what: str) -> int:
    """``value`` as an integer between ``low`` and ``high``; what a page's number field sends may be anything."""
    if not is_number(value, low, high):
        raise gr.Error(f"{what} must be a number from {low} to {high}.")
    return int(value)


def real(value: Any, low: float, high: float, what: str) -> float:
    """``value`` as a finite number between ``low`` and ``high``."""
    if not is_number(value, low, high):
        raise gr.Error(f"{what} must be a number from {low:g} to {high:g}.")
    return float(value)


def chosen(value: Any, options: Sequence[str], what: str) -> str:
    """``value`` if it is one of ``options``."""
    if value not in options:
        raise gr.Error(f"{what} must be one of {', '.join(options) or '(none is trained yet)'}.")
    return str(value)


# ---- weights from the Hub ---------------------------------------------------------------------------------------------


def wait_in_page(download: hub.Download) -> None:
    """Fetch what an event needs: one that waits in the queue shows the progress, one that bypasses it asks for patience.

    Raises:
        WeightsError: outside of an event, since nothing is fetched while the page starts.
        gr.Error: if the event bypasses the queue and the download takes more than a second; it goes on meanwhile.
    """
    name = download.pinned.name
    if LocalContext.blocks.get(None) is None:
        raise catalog.WeightsError(f"the weights {name} are not here yet; the first who uses them in the page fetches them")
    download.start()
    if download.finished.wait(1):
        return
    if LocalContext.event_id.get(None) is None:
        raise gr.Error(f"{fetching(download)}; try again in a moment.", title="One moment", print_exception=False)
    gr.Info(f"{fetching(download)}, once.", title="One moment")  # some events hide their progress
    progress = gr.Progress()
    while not download.finished.wait(0.2):
        progress(min(1.0, download.done / max(1, download.total)), desc=fetching(download))


def fetching(download: hub.Download) -> str:
    """How far it is, in words."""
    part = f" ({download.done / 1e3:,.0f} of {download.total / 1e3:,.0f} kB)" if download.total else ""
    return f"The weights {download.pinned.name} are being fetched from the Hub{part}"


# ---- pictures ---------------------------------------------------------------------------------------------------------


def as_tensor(picture: PIL.Image.Image, channels: int = 3) -> Tensor:
    """A picture as (1, channels, H, W) in [0, 1]; of grey pictures all channels are the same."""
    values = np.asarray(picture.convert("RGB"), np.float32).transpose(2, 0, 1) / 255
    return torch.from_numpy(values)[None, :channels]


def to_pil(picture: Tensor) -> PIL.Image.Image:
    """(C, H, W) in [0, 1] -> 8-bit picture, grey or colour."""
    values = (picture.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return PIL.Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))


@_watch.encoding
def png_uri(picture: Tensor | PIL.Image.Image, level: int = 1) -> str:
    """A picture as a PNG data URI; fast rather than small, unless ``level`` is nearer 9."""
    image = to_pil(picture) if isinstance(picture, Tensor) else picture
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=level)
    return data_uri(stream.getvalue())


def data_uri(content: bytes, kind: str = "png") -> str:
    """A picture file's bytes as a data URI."""
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


@_watch.encoding
def photo_uri(picture: PIL.Image.Image) -> str:
    """A picture to look at as a data URI: a JPEG, of a fraction of a PNG's bytes; small ones to the last bit."""
    if picture.width < LARGE:
        return png_uri(picture)
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=92, subsampling=0)
    return data_uri(stream.getvalue(), "jpeg")


def picture_html(picture: Tensor | PIL.Image.Image | str, words: str) -> str:
    """One picture as large as its column, with crisp pixels if these are few; ``words`` say what it shows."""
    uri = picture if isinstance(picture, str) else png_uri(picture)
    width = 0 if isinstance(picture, str) else picture.shape[-1] if isinstance(picture, Tensor) else picture.width
    large = " large" * (width >= LARGE)
    return f'<img class="picture{large}" src="{uri}" alt="{html.escape(words)}">'


def tiles_html(
    pictures: Sequence[Tensor | PIL.Image.Image | str],
    captions: Sequence[str] = (),
    marks: dict[int, str] | None = None,
    columns: int = 8,
    words: str = "picture",
    indices: Sequence[int] | None = None,
    faded: Sequence[int] = (),
) -> str:
    """Pictures as a grid of buttons.

    ``marks`` puts a badge on some (index -> letters); ``indices`` are their numbers where these are not 0, 1, 2, ...; those of the
    numbers ``faded`` are pale.
    """
    marks = marks or {}
    tiles = []
    for place, picture in enumerate(pictures):
        index = place if indices is None else indices[place]
        uri = picture if isinstance(picture, str) else png_uri(picture)
        caption = f"<span>{html.escape(captions[place])}</span>" if captions else ""
        badge = f"<b>{html.escape(marks[index])}</b>" if index in marks else ""
        label = f"{html.escape(words)} {index}"
        tiles.append(
            f'<button type="button" class="tile{" faded" * (index in faded)}" data-index="{index}" aria-label="{label}">'
            f'<img src="{uri}" alt="{label}">{badge}{caption}</button>'
        )
    return f'<div class="tiles" style="--columns:{columns}">{"".join(tiles)}</div>'


TILE_JS = """element.addEventListener('click', event => {
  const tile = event.target.closest('[data-index]');
  if (tile) trigger('pick', {index: Number(tile.dataset.index)});
});"""


def tiles(value: str = "", **settings: Any) -> gr.HTML:
    """A grid from :func:`tiles_html`; its ``pick`` event carries ``index``."""
    classes = ["result", *settings.pop("elem_classes", [])]
    return gr.HTML(value, js_on_load=TILE_JS, elem_classes=classes, **settings)


def bars_html(shares: Sequence[tuple[str, float]]) -> str:
    """Names with their shares, from 0 to 1, as bars."""
    rows = [
        f'<div class="row"><span>{html.escape(name)}</span><div class="track"><div class="fill" '
        f'style="left:0;width:{100 * share:.1f}%"></div></div><span>{100 * share:.1f} %</span></div>'
        for name, share in shares
    ]
    return f'<div class="bars">{"".join(rows)}</div>'


def strip_image(pictures: Sequence[PIL.Image.Image], scale: int = 1, columns: int | None = None) -> PIL.Image.Image:
    """Pictures side by side, ``columns`` in a row, each pixel ``scale`` times as large."""
    columns = columns or len(pictures)
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = PIL.Image.new(pictures[0].mode, (columns * width, rows * height))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * width, index // columns * height))
    return enlarged(sheet, scale)


def side_by_side(left: PIL.Image.Image, right: PIL.Image.Image, gap: int = 16) -> PIL.Image.Image:
    """Two pictures of one mode on white with a gap between them."""
    sheet = PIL.Image.new(left.mode, (left.width + gap + right.width, max(left.height, right.height)), "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + gap, 0))
    return sheet


def enlarged(picture: PIL.Image.Image, scale: int) -> PIL.Image.Image:
    """The picture with each pixel ``scale`` times as large, edges crisp."""
    return picture.resize((picture.width * scale, picture.height * scale), PIL.Image.Resampling.NEAREST)


def sheet_tiles(name: str, count: int = 8, file: str = "samples.png", side: int | None = None) -> list[PIL.Image.Image]:
    """The first pictures on a sheet in ``weights/<name>/``, made when the weights were published; [] if it is not there.

    ``side``: that of each picture; None: eight stand in a row.
    """
    path = catalog.WEIGHTS / name / file
    if not path.is_file():
        return []
    with PIL.Image.open(path) as sheet:
        side = side or sheet.width // 8
        across, down = sheet.width // side, sheet.height // side
        places = [(index % across * side, index // across * side) for index in range(min(count, across * down))]
        tiles_ = [sheet.crop((left, top, left + side, top + side)).convert("RGB") for left, top in places]
    grey = all(tile.convert("L").convert("RGB").tobytes() == tile.tobytes() for tile in tiles_)
    return [tile.convert("L") for tile in tiles_] if grey else tiles_


def shape_of(weights: str | None) -> tuple[int, int]:
    """Channels and side of the pictures; read from the configuration, without the model."""
    try:
        arguments = catalog.config_of(weights or "")["arguments"]
        return int(arguments["channels"]), int(arguments["size"])
    except (catalog.WeightsError, KeyError, TypeError, ValueError):
        return 3, 256  # the page opens all the same, and the first click says what is wrong


def kept_pictures(name: str | None, file: str, row: int) -> list[PIL.Image.Image]:
    """The RGB pictures in a file of a translator's weights, written when they were published; [] if there are none.

    A user's own weights may lack the file, but pictures stand in their own size in a ``row`` of eight of ``samples.png`` if they
    are small.
    """
    _, side = shape_of(name)
    found = sheet_tiles(name or "", 8, file, side)
    if not found:
        sheet = sheet_tiles(name or "", 8 * (row + 1))
        if sheet and sheet[0].width == side:
            filled = [place for place in range(8) if not is_empty(sheet[place])]  # what is missing from a row is white
            found = [sheet[8 * row + place] for place in filled if 8 * row + place < len(sheet)]
    return [picture.convert("RGB") for picture in found]


def is_empty(picture: PIL.Image.Image) -> bool:
    """Whether a picture is of one colour only."""
    return picture.convert("RGB").getcolors(1) is not None


HEAT = np.array([(18, 16, 34), (74, 40, 122), (190, 60, 96), (245, 140, 50), (255, 238, 150)], np.float32)


def heat(share: np.ndarray) -> PIL.Image.Image:
    """Numbers in [0, 1] as colours from night to flame."""
    place = share.clip(0, 1) * (len(HEAT) - 1)
    low = np.minimum(place.astype(int), len(HEAT) - 2)
    part = (place - low)[..., None]
    return PIL.Image.fromarray(((1 - part) * HEAT[low] + part * HEAT[low + 1]).round().astype(np.uint8))


def legend_bar() -> str:
    """The colours of the heat from 0 to 1."""
    colours = ",".join(f"rgb({','.join(str(int(part)) for part in colour)})" for colour in HEAT)
    return f'<i style="width:6em;background:linear-gradient(90deg,{colours})"></i>'


COMPARE_HTML = """<div class="compare" hidden>
<div class="frame"><img class="before" alt="" draggable="false"><img class="after" alt="" draggable="false">
<b role="slider" tabindex="0" aria-label="border between the two pictures" aria-valuemin="0" aria-valuemax="100"></b></div>
<p><span></span><span></span></p></div>"""

COMPARE_JS = """const shown = element.querySelector('.compare'), frame = shown.querySelector('.frame');
const pictures = [...frame.querySelectorAll('img')], border = frame.querySelector('b'), names = [...shown.querySelectorAll('span')];
let place = 50, grasped = false;
const move = to => {
  place = Math.min(100, Math.max(0, to));
  frame.style.setProperty('--place', place + '%');
  border.setAttribute('aria-valuenow', Math.round(place));
  border.setAttribute('aria-valuetext', Math.round(place) + ' % ' + names[0].textContent);
};
const follow = event => {
  const box = frame.getBoundingClientRect();
  move(100 * (event.clientX - box.left) / box.width);
};
frame.addEventListener('pointerdown', event => {
  if (!event.isPrimary || event.button) return;
  grasped = true;
  frame.setPointerCapture(event.pointerId);
  border.focus({preventScroll: true});
  follow(event);
});
frame.addEventListener('pointermove', event => { if (grasped && event.isPrimary) follow(event); });
for (const end of ['pointerup', 'pointercancel']) frame.addEventListener(end, () => { grasped = false; });
border.addEventListener('keydown', event => {
  const steps = {ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100};
  if (!(event.key in steps)) return;
  event.preventDefault();
  move(place + steps[event.key]);
});
const show = () => {
  frame.style.setProperty('--ratio', pictures[0].naturalWidth / pictures[0].naturalHeight || 1);
  shown.classList.toggle('few', pictures[0].naturalWidth < THE_LARGE);  // pixels that one should see as such
};
pictures[0].addEventListener('load', show);
const arrived = () => {
  const value = props.value;
  shown.hidden = !value;
  if (!value) return;
  const told = JSON.parse(value);
  if (shown.hasAttribute('data-stopped') && told.busy === 'true') return;  // it was on its way when it was stopped
  shown.removeAttribute('data-stopped');
  told.names.forEach((name, i) => { names[i].textContent = name; pictures[i].alt = name; });
  shown.setAttribute('aria-busy', told.busy);
  if ('strength' in told) frame.style.setProperty('--strength', told.strength);
  move(place);
  // decoded first, so that nothing flickers; of several on their way, the last one counts
  const sources = [told.before, told.after], copies = sources.map(source => Object.assign(new Image(), {src: source}));
  Promise.allSettled(copies.map(copy => copy.decode())).then(() => {
    if (props.value === value) sources.forEach((source, i) => { if (pictures[i].src !== source) pictures[i].src = source; });
  });
};
watch('value', arrived);
arrived();""".replace("THE_LARGE", str(LARGE))


START_JS = """const start = () => {
  if (!props.value || window.galleryStopped?.()) return;
  document.querySelectorAll('[data-stopped]').forEach(shown => shown.removeAttribute('data-stopped'));
  trigger('submit');
};
watch('value', start);
start();"""


def starter() -> gr.HTML:
    """Nothing to see; a new text in it triggers ``submit``, so that what an event changed in the page is there when work begins."""
    return gr.HTML("", html_template="", js_on_load=START_JS, visible="hidden")


BEGIN_JS = "() => String(Math.random())"
"""A new text for a :func:`starter`."""


def token() -> str:
    """A text that was not there before: in a :func:`starter` it begins work."""
    return uuid.uuid4().hex[:8]


def note_html(*sentences: str) -> str:
    """A line of sentences, those that are empty left out."""
    return f'<p class="note">{html.escape(" ".join(filter(None, sentences)))}</p>'


def told_size(size: tuple[int, int]) -> str:
    """``640 x 480``."""
    return f"{size[0]} x {size[1]}"


def compare(value: str = "", **settings: Any) -> gr.HTML:
    """Two pictures one over the other with a border to drag; its value comes from :func:`compared`, "": nothing is shown.

    The border stays where it is when the pictures change. The CSS variable ``--strength`` of its frame says how much of the second
    picture is mixed with the first.
    """
    classes = ["result", *settings.pop("elem_classes", [])]
    return gr.HTML(value, html_template=COMPARE_HTML, js_on_load=COMPARE_JS, elem_classes=classes, **settings)


class Kept(Generic[V]):
    """The latest results of all visitors, the one of the latest use last; at least one, and as many more as ``most`` allows.

    ``cost`` says what a result takes of ``most``; 1 by default, so that ``most`` is a number of results.
    """

    def __init__(self, most: float, cost: Callable[[V], float] = lambda result: 1) -> None:
        self.most, self.cost = most, cost
        self._results: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()
        _spaces.enlist(self)

    def get(self, key: Hashable) -> V | None:
        """The result that was put there; None if there is none, or none any more."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: Hashable, result: V) -> None:
        """Keep a result, and forget the oldest ones if there are too many."""
        with self._lock:
            self._results[key] = result
            self._results.move_to_end(key)
            while len(self._results) > 1 and sum(map(self.cost, self._results.values())) > self.most:
                self._results.popitem(last=False)
        _spaces.noted(self, key, result)

    def afresh(self) -> None:
        """Another process may have held the lock when this one was split off."""
        self._lock = Lock()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._results.clear()

    def __len__(self) -> int:
        return len(self._results)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._results


_halted: Kept[None] = Kept(1000)
"""The texts of the latest starters that were stopped."""


def haltable(work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Work that ends at its next frame once :func:`stops` stopped it; its first argument is the text of the starter.

    Gradio's own way to cancel misses work that began while another run of the same event was ending.
    """
    work = _spaces.lendable(work)

    def run(token: Any, *values: Any) -> Iterator[Any]:
        begun = False
        for frame in work(*values):
            if halted(token):
                if not begun:  # of work without a single frame, Gradio empties all that it fills
                    yield gr.skip()
                return
            begun = True
            yield frame

    run.__name__ = work.__name__  # not functools.wraps: its signature has no token
    if hasattr(work, "lend"):
        run.lend = work.lend  # the work is lent a GPU, but whether it was stopped is known here
    return run


def halted(token: Any) -> bool:
    """Whether the work that this starter's text began was stopped."""
    return isinstance(token, str) and token[:64] in _halted


def visitor_stays() -> Callable[[], bool]:
    """A question to ask at every step of long work: whether the page that began the present event is still open.

    Gradio itself asks only between two results. Outside of the queue nobody knows, and the answer is yes.
    """
    blocks, event = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    queue = getattr(blocks, "_queue", None)
    found = queue.event_ids_to_events.get(event) if queue and event else None
    return lambda: found is None or found.alive


def halt(token: Any) -> None:
    """End the :func:`haltable` work that this starter's text began."""
    if isinstance(token, str) and token:
        _halted.put(token[:64], None)


def ends(event: Callable[..., Any], begin: gr.HTML, runs: Sequence[Any] = ()) -> Any:
    """An event, a click for instance, that ends the :func:`haltable` work that ``begin`` began and cancels other ``runs``."""
    return event(halt, begin, None, cancels=runs, **BESIDE)


def begins(event: Callable[..., Any], begin: gr.HTML, runs: Sequence[Any] = ()) -> None:
    """An event that ends the work that ``begin`` began, and begins it anew."""
    ends(event, begin, runs).then(None, None, begin, js=BEGIN_JS, api_visibility="private")


def stops(button: gr.Button, view: str, note: gr.HTML, words: str, begin: gr.HTML, runs: list[Any]) -> None:
    """A Stop for :func:`haltable` work that fills the :func:`compare` with the id ``view``: ``words`` stand in its note, and what
    comes late is not shown. Other ``runs`` are cancelled.
    """

    told = note_html(words)
    find = f"const shown = document.querySelector('#{view} .compare');"
    at_once = f"""(note) => {{ {find}
      if (shown?.getAttribute('aria-busy') !== 'true') return note;
      shown.setAttribute('aria-busy', 'false'); shown.toggleAttribute('data-stopped', true);
      return '{told}';
    }}"""
    wait = "() => new Promise(done => setTimeout(done, 700))"
    # a sentence of the work may have come in between; it is read now, as other work may have begun since
    later = f"(note) => {{ {find} return shown?.hasAttribute('data-stopped') ? '{told}' : note; }}"
    button.click(halt, begin, None, **BESIDE)
    stopped = button.click(None, note, note, js=at_once, cancels=runs, api_visibility="private")
    waited = stopped.then(None, None, None, js=wait, api_visibility="private")
    waited.then(None, note, note, js=later, api_visibility="private")


def compared(before: PIL.Image.Image, after: PIL.Image.Image, names: Sequence[str], busy: bool = False, **more: Any) -> str:
    """What :func:`compare` shows: pictures of one size, their names, whether the second still changes; ``strength``, if given."""
    told = dict(before=photo_uri(before), after=photo_uri(after), names=list(names), busy="true" if busy else "false")
    return json.dumps(told | more)


class CheckedImage(gr.Image):
    """The only way for a picture into the gallery: an uploaded file that decodes, upright, on white, within bounds.

    The stock component opens any picture of the server that a payload names, drops alpha, clips 16 bits and says nothing
    when a file cannot be read. This one gives an RGB ``PIL.Image`` or one clear sentence.
    """

    is_template = True

    # Gradio sends the page those settings that the constructor's signature names
    @functools.wraps(gr.Image.__init__)
    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **({"type": "pil", "image_mode": "RGB", "sources": ["upload", "clipboard"], "buttons": ["fullscreen"], "height": 280}
               | settings)
        )  # fmt: skip

    def preprocess(self, payload: Any) -> PIL.Image.Image | None:  # type: ignore[override]
        """The uploaded file as an RGB picture.

        Raises:
            gr.Error: if it is no upload, no picture, damaged or too large.
        """
        if payload is None:
            return None
        path = Path(payload.path or "").resolve()
        if (payload.url or "").startswith("data:") or not path.is_relative_to(Path(self.GRADIO_CACHE).resolve()):
            raise gr.Error("Please upload the picture as a file.")
        if not path.is_file():
            raise gr.Error("This file is no longer here; upload it again.")
        return read_picture(path)


def read_picture(file: Path | io.BytesIO) -> PIL.Image.Image:
    """A picture file as upright RGB on white; of an animation, the first frame.

    Raises:
        gr.Error: with one sentence for the page.
    """
    try:
        image = PIL.Image.open(file, formats=("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"))
    except PIL.Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:
        raise gr.Error("This file is not a picture that can be read; PNG, JPEG, WebP, BMP, GIF and TIFF can.") from error
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise _too_large()
        try:
            image.seek(0)
            image.load()
            longest = max(image.size)
            # square() crops the middle; here the whole picture is wanted, so only its modes and its turn are mended
            return upright_rgb(image) if longest > 1 else upright_rgb(image).resize((2, 2))
        except Exception as error:
            raise gr.Error("This picture file is damaged and cannot be read.") from error


def sent_picture(text: Any, limit: int = 4_000_000) -> PIL.Image.Image:
    """A picture that came as text, a data URI or plain base64 of a picture file of up to ``limit`` letters, as upright RGB.

    Raises:
        gr.Error: with one sentence for the page.
    """
    try:
        content = base64.b64decode(str(text)[:limit].rpartition(",")[2], validate=True)
    except (ValueError, binascii.Error) as error:
        raise gr.Error("The picture must be a picture file in base64.") from error
    return read_picture(io.BytesIO(content))


def upright_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Turned as its EXIF says, 16 bits scaled by their range, transparency on white, RGB."""
    image = PIL.ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
        low, high = float(values.min()), float(values.max())
        # a constant picture keeps its place between black and white instead of being stretched
        values = (values - low) / (high - low) if high > low else values / max(high, 65535.0)
        image = PIL.Image.fromarray((values * 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _too_large() -> gr.Error:
    return gr.Error(f"This picture has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first.")


def as_input(image: PIL.Image.Image, size: int, channels: int, centre: bool, fill: float = 20 / 28) -> np.ndarray:
    """A user's picture as a model sees it: (C, size, size) float32 in [0, 1].

    With ``centre`` (grey sets of things on black): dark on light is turned round, and the figure is scaled to the part ``fill`` of
    the side with its centre of mass in the centre, as MNIST's authors did (20 of 28 pixels).
    """
    if not centre:
        values = np.asarray(square(image, size, "RGB" if channels == 3 else "L"), np.float32) / 255
        return values[None] if channels == 1 else values.transpose(2, 0, 1)
    grey = np.asarray(image.convert("L"), np.float32) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > 0.5:
        grey = 1 - grey
    rows, columns = np.nonzero(grey > 0.2)
    if len(rows) == 0:
        raise gr.Error("The picture is empty: draw or upload something first.")
    figure = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    box = size * fill
    ratio = box / max(figure.shape)
    shape = (max(1, round(figure.shape[1] * ratio)), max(1, round(figure.shape[0] * ratio)))
    small = PIL.Image.fromarray((figure * 255).astype(np.uint8)).resize(shape, PIL.Image.Resampling.BOX if ratio < 1 else 2)
    values = np.asarray(small, np.float32) / 255
    total = values.sum() or 1.0
    top = round(size / 2 - (values.sum(1) * (np.arange(len(values)) + 0.5)).sum() / total)
    left = round(size / 2 - (values.sum(0) * (np.arange(values.shape[1]) + 0.5)).sum() / total)
    top = min(max(top, 0), size - values.shape[0])
    left = min(max(left, 0), size - values.shape[1])
    whole_ = np.zeros((1, size, size), np.float32)
    whole_[0, top : top + values.shape[0], left : left + values.shape[1]] = values
    return whole_


def drawing(board: dict | None) -> PIL.Image.Image:
    """What a visitor drew on a :func:`sketchpad`, as upright RGB.

    Raises:
        gr.Error: with one sentence, if there is nothing on it.
    """
    image = None if not board else board.get("composite")
    if image is None:
        raise gr.Error("Draw or upload a picture first.")
    if not isinstance(image, PIL.Image.Image):
        image = PIL.Image.fromarray(np.asarray(image))
    if max(image.size) > MAX_SIDE:
        raise gr.Error("The drawing is too large.")
    image = upright_rgb(image)
    if all(low == high for low, high in image.getextrema()):
        raise gr.Error("The picture is empty: draw or upload something first.")
    return image


class CheckedBoard(gr.ImageEditor):
    """A drawing board that holds neither more parts nor larger ones than a drawing has.

    The page sends the parts before the event that reads them. The stock component keeps those that no event ever reads, of any
    number, and makes a list as long as a caller says.
    """

    is_template = True

    @server
    def accept_blobs(self, data: Any) -> None:
        """Keep a part until it is read.

        Raises:
            gr.Error: if it is not one that the page sends.
        """
        kind, index, name = (data.data.get(key) for key in ("type", "index", "id"))
        layer = str(index) in ("null", "", "None") or str(index).isdecimal() and len(str(index)) < 4 and int(index) < MAX_LAYERS
        if not isinstance(name, str) or not 0 < len(name) <= 100 or not isinstance(kind, str) or not layer or not data.files:
            raise gr.Error("This drawing cannot be read.")
        super().accept_blobs(data)
        self.blob_storage[name] = self.blob_storage.pop(name)  # the latest last
        while len(self.blob_storage) > MAX_BOARDS:
            self.blob_storage.pop(next(iter(self.blob_storage)), None)

    def convert_and_format_image(self, file: Any, flatten_on_white: bool = False) -> Any:
        """A part as a picture.

        Raises:
            gr.Error: if it is none, or a large one.
        """
        if file is None:
            return None
        try:
            with PIL.Image.open(io.BytesIO(file) if isinstance(file, bytes) else file.path) as image:
                small = max(image.size) <= MAX_SIDE
            found = super().convert_and_format_image(file, flatten_on_white) if small else None
        except Exception as error:
            raise gr.Error("This drawing cannot be read.") from error
        if not small:
            raise gr.Error("The drawing is too large.")
        return found


def sketchpad() -> CheckedBoard:
    """A black drawing board of 280 x 280 that is ready for the first stroke."""
    board = PIL.Image.new("RGB", (280, 280), "black")
    return CheckedBoard(
        {"background": board, "layers": [], "composite": board}, type="pil", show_label=False, layers=False, height=380,
        canvas_size=(280, 280), brush=gr.Brush(default_size=18, colors=["#ffffff", "#b0b0b0", "#606060"], color_mode="fixed"),
        eraser=gr.Eraser(default_size=18), transforms=(), sources=(), buttons=[],
    )  # fmt: skip


def picture_for(weights: str, image: PIL.Image.Image, centre: bool = True) -> Tensor:
    """A visitor's picture as a model's weights know theirs, (1, C, H, W) in [0, 1]; ``centre`` as for :func:`as_input`."""
    config = catalog.config_of(weights)
    channels, size = config["arguments"]["channels"], config["arguments"]["size"]
    fill = 20 / 28 if config["data"] == "mnist" else 1.0  # digits have a margin, clothes fill their frame
    return torch.from_numpy(as_input(image, size, channels, centre=centre and channels == 1, fill=fill))[None]


def example_pictures(weights: str | None, count: int = 8) -> list[PIL.Image.Image]:
    """Pictures of the kind that weights were trained on and that are nobody's: samples of the gallery's GAN, else their own."""
    data = (weights or "").partition("-")[2]
    return sheet_tiles(f"dcgan-{data}", count) or sheet_tiles(weights or "", count)


def examples_html(weights: str | None) -> str:
    """The example pictures to click."""
    return tiles_html(example_pictures(weights), words="example")


def picked_example(event: gr.EventData, weights: str) -> PIL.Image.Image:
    """The example that was clicked."""
    found = example_pictures(weights)
    return found[whole(event.index, 0, len(found) - 1, "Example")]


# ---- recipes, saving, links -------------------------------------------------------------------------------------------


def weights_digest(controls: Mapping[str, Any]) -> str:
    """SHA-256 of the weights that the controls name; "": they name none."""
    name = controls.get("weights")
    return catalog.config_of(name)["sha256"] if name in catalog.trained() else ""


@dataclass
class Room:
    """A room as the front door sees it."""

    model: str
    """The name of its file, which is its model's, if it has one."""
    controls: dict[str, Component] = field(default_factory=dict)
    """What a recipe holds: key -> component with a plain value."""
    show: Callable[..., Sequence[Any]] | None = None
    """Takes the controls' values and returns what the room shows for them, one value per component of ``shown``."""
    shown: Sequence[Component] = ()
    digest: Callable[[Mapping[str, Any]], str] = weights_digest
    """Takes the controls by key and returns the hash of the weights that they use."""


def recipe_of(
    room: str, keys: Sequence[str], values: Sequence[Any], digest: Callable[[Mapping[str, Any]], str] = weights_digest
) -> dict[str, Any]:
    """What to write into a saved picture: room, controls, and the hash of the weights used."""
    controls = dict(zip(keys, values, strict=True))
    return {"room": room, "controls": controls, "sha256": digest(controls)[:16]}


def rooms() -> list[str]:
    """The names of all rooms, from the files here."""
    return sorted(file.stem for file in Path(__file__).parent.glob("[!_]*.py"))


@_watch.encoding
def png_with_recipe(frames: Sequence[PIL.Image.Image], recipe: dict[str, Any], milliseconds: int = 80) -> bytes:
    """One picture, or several as an animated PNG, with the recipe as text."""
    info = PIL.PngImagePlugin.PngInfo()
    info.add_text(RECIPE_KEY, json.dumps(recipe))
    stream = io.BytesIO()
    first, *rest = frames
    animated = dict(save_all=True, append_images=rest, duration=milliseconds, loop=0) if rest else {}
    first.save(stream, "PNG", pnginfo=info, **animated)
    return stream.getvalue()


def read_recipe(file: str | os.PathLike) -> dict[str, Any]:
    """The recipe of a saved picture.

    Raises:
        gr.Error: if there is none.
    """
    sentence = "This picture carries no recipe: only pictures saved in this gallery do."
    try:
        with PIL.Image.open(file, formats=("PNG",)) as image:
            recipe = json.loads(image.info[RECIPE_KEY])
    except Exception as error:
        raise gr.Error(sentence) from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("controls"), dict) or recipe.get("room") not in rooms():
        raise gr.Error(sentence)
    return recipe


DOWNLOAD_JS = """(sent) => {
  if (!sent) return;
  const at = sent.indexOf('|');
  const link = document.createElement('a');
  link.download = sent.slice(0, at);
  link.href = sent.slice(at + 1);
  document.body.appendChild(link); link.click(); link.remove();
}"""


def save_button(room: Room, make: Callable[..., Sequence[PIL.Image.Image]], extra: Sequence[Component] = (),
                label: str = "Save picture", view: str = "") -> gr.Button:  # fmt: skip
    """A button that downloads what ``make(*controls, *extra)`` returns, one picture or the frames of an animation."""
    keys, inputs = list(room.controls), [*room.controls.values(), *extra]

    @guarded
    @_spaces.stays
    def save(*values: Any) -> str:
        controls = values[: len(keys)]
        recipe = recipe_of(room.model, keys, controls, room.digest)
        content = png_with_recipe(make(*values), recipe | ({"view": view} if view else {}))
        stem = "-".join(str(part) for part in (dict(zip(keys, controls, strict=True)).get("weights", room.model), view) if part)
        return f"{stem}.png|{data_uri(content)}"

    button = gr.Button(label, size="sm", elem_classes=["quiet"])
    carrier = gr.Textbox(visible="hidden", show_label=False)
    button.click(save, inputs, carrier, show_progress="hidden", **HEAVY).success(None, carrier, None, js=DOWNLOAD_JS)
    return button


def link_button(room: Room) -> gr.Button:
    """A button that puts the room's state into the address bar and on the clipboard, and one that shows it as a QR code."""
    button = gr.Button("Copy link", size="sm", elem_classes=["quiet"])
    code = gr.Button("QR code", size="sm", elem_classes=["quiet"])
    carrier = gr.Textbox(visible="hidden", show_label=False)
    state = STATE_JS.replace("THE_KEYS", json.dumps(list(room.controls))).replace("THE_ROOM", json.dumps(room.model))
    controls = list(room.controls.values())
    button.click(None, controls, button, js=f"(...values) => {{ {state} {COPY_JS} }}", api_visibility="private")
    # the link is made in the browser, which alone knows by which address the page is reached, and travels in place of a control
    code.click(
        guarded(lambda link, *_: qr_code(link)), [carrier, *controls], carrier,
        js=f"(_, ...values) => {{ {state} return [link.href, ...values]; }}", show_progress="hidden", queue=False,
        trigger_mode="multiple", api_visibility="private",
    ).success(None, carrier, None, js=QR_JS)  # fmt: skip
    return button


STATE_JS = """const keys = THE_KEYS, state = {};
keys.forEach((key, index) => state[key] = values[index]);
const link = new URL(window.location.href);
link.search = ''; link.searchParams.set('room', THE_ROOM); link.searchParams.set('state', JSON.stringify(state));"""

COPY_JS = """window.history.replaceState(null, '', link);
if (navigator.clipboard) navigator.clipboard.writeText(link.href).catch(() => {});
return 'Link is in the address bar';"""

QR_JS = """(svg) => {
  if (!svg) return;
  const shown = document.createElement('dialog');
  shown.className = 'qr';
  const box = new DOMParser().parseFromString(svg, 'text/html').body;
  shown.append(...box.childNodes);
  shown.addEventListener('click', () => shown.close());
  shown.addEventListener('close', () => shown.remove());
  document.body.appendChild(shown);
  shown.showModal();
}"""


def qr_code(link: Any) -> str:
    """An address of this page as a QR code, an SVG element with a line of text under it.

    With an address that only this machine understands, the text says so.

    Raises:
        gr.Error: if it is no address or holds too much for a code that a telephone can read.
    """
    import segno

    parts = urlsplit(link if isinstance(link, str) else "")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise gr.Error("There is no address to show.")
    words = "Scan it with a telephone to open this room as it is now."
    if parts.hostname in ("127.0.0.1", "localhost", "::1"):
        words = "This address is known to this computer only; start the gallery with --host 0.0.0.0 and open it by its address."
    if len(link) > MAX_QR:
        raise gr.Error("What this room shows is too much for a QR code; save the picture or copy the link.")
    code = segno.make(link, error="l", micro=False).svg_inline(scale=8, border=3, dark="#14133a", light="#ffffff", omitsize=True)
    return f"{code}<p>{html.escape(words)}</p>"


# ---- the parts of a room ----------------------------------------------------------------------------------------------


def header(*models: str) -> None:
    """Title, year, authors, paper and the one sentence of each model, read from its file without importing it."""
    parts = []
    for model in models:
        facts = catalog.about(model)
        parts.append(
            f'<div><h2>{html.escape(facts["title"])} <small>{facts["year"]}</small></h2>'
            f"<p>{html.escape(facts['summary'])}</p>"
            f'<p class="byline">{html.escape(facts["authors"])} · <a href="{html.escape(facts["paper"])}" target="_blank" '
            'rel="noopener">the paper</a></p></div>'
        )
    gr.HTML(f'<header class="room-header" data-room="{models[0]}">{"".join(parts)}</header>')


def weights_choice(models: str | Mapping[str, str], first: str) -> gr.Radio:
    """Which trained weights to use, those of the data set ``first`` at first; a user's own appear by their name.

    ``models``: a model's name, or several, each with the word that tells it from the others.
    """
    kinds = {models: ""} if isinstance(models, str) else models
    choices = []
    for kind, word in kinds.items():
        for name in catalog.trained(kind):
            data = name.partition("-")[2]
            choices.append((" · ".join(filter(None, (DATA_TITLES.get(data, data), word))), name))
    choices.sort(key=lambda choice: choice[1].partition("-")[2] != first)
    names = [name for _, name in choices]
    preferred = next((name for name in names if name.partition("-")[2] == first), names[0] if names else None)
    return gr.Radio(choices, value=preferred, label="Trained on", elem_classes=["chips"])


def seed_row(value: int = 7) -> tuple[gr.Number, gr.Button]:
    """A seed field and the dice beside it."""
    with gr.Row(elem_classes=["seed-row"]):
        seed = gr.Number(value, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=90, scale=3)
        dice = gr.Button("New seed", min_width=100, scale=1, size="md", elem_classes=["dice"])
    return seed, dice


ROLL_JS = "() => Math.floor(Math.random() * 1000000)"


def explanation(models: str | Sequence[str], text: str, numbers: Callable[[], str] | None = None) -> None:
    """"How it works" with its formula, what is done differently, and the measured numbers, in accordions.

    They are closed, and hold more than all the rest of the page: each is written when it is opened.

    ``numbers``: says what is shown as measured in place of the models' cards.
    """
    models = [models] if isinstance(models, str) else models

    def explained() -> str:
        parts = [text]
        for model in models:
            facts = catalog.about(model)
            where = "the paper" if len(models) == 1 else f"the paper: {facts['title']}"
            differences = "\n".join(f"- {line}" for line in facts["differences"])
            parts.append(f"**What we do differently from {where}**\n\n{differences}")
        return "\n\n".join(parts)

    def cards() -> str:
        found = [measured(name) for model in models for name in catalog.trained(model)]
        return "\n\n".join(found) or "Nothing is trained yet."

    latex = [{"left": "$$", "right": "$$", "display": True}, {"left": "$", "right": "$", "display": False}]
    for title, write in (("How it works", explained), ("Measured", numbers or cards)):
        with gr.Accordion(title, open=False) as part:
            words = gr.Markdown(latex_delimiters=latex)
        part.expand(guarded(write), None, words, **QUICK)


def measured(name: str) -> str:
    """The card's table of numbers."""
    from gen_models.publish import numbers_table

    return f"**{name}**\n\n{numbers_table(name)}"
