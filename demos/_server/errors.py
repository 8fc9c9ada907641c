"""What the page says of an exception."""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from gen_models import catalog
from gen_models.data import DataError

log = logging.getLogger("gallery")


@contextmanager
def in_sentences(where: str) -> Iterator[None]:
    """Have whatever is raised inside be a sentence for the page.

    Raises:
        gr.Error: see :func:`as_sentence`.
    """
    try:
        yield
    except gr.Error as error:  # raised from itself it would be a circle of references
        error.print_exception = False
        empty_frames(error)
        raise
    except Exception as error:
        sentence = as_sentence(error, where)
        empty_frames(error)
        raise sentence from error


def empty_frames(error: BaseException | None) -> None:
    """Let go of what the functions held that an exception ended, large pictures among it.

    Gradio's queue keeps the exception in a circle of references, until the collector looks.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def as_sentence(error: Exception, where: str) -> gr.Error:
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
    return gr.Error(f"Something went wrong here. If you report it, give the id {number}.", print_exception=False)
