"""Faces in what a visitor brings: where they are, and the face that a model of faces gets, set upright."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import PIL.Image

from demos._kit.checks import Unusable
from demos._kit.running import Cache
from demos._kit.shipped import shape_of
from gen_models import catalog, load, runtime, sets
from gen_models.faces import Face, aligned, find, portrait

NO_FACE = "No face was found in this picture; this model needs one that looks ahead and leans to a side by 30 degrees at most."
_searched: Cache[list[Face]] = Cache(128)
"""What was found in the latest pictures."""


def searched(picture: PIL.Image.Image, finder: str, search: Callable[[PIL.Image.Image, Any], list[Face]]) -> list[Face]:
    """What ``search`` finds in an RGB picture with the weights ``finder``, cached."""
    key = search.__name__, finder, picture.size, hashlib.sha256(picture.tobytes()).hexdigest()
    found = _searched.get(key)
    if found is None:
        network = load(finder)  # before a turn is taken: others need not wait while a file is read
        with runtime.fast_pass():
            found = search(picture, network)
        _searched.put(key, found)
    return found


def faces_in(picture: PIL.Image.Image, finder: str) -> list[Face]:
    """All faces in an RGB picture; none where the weights ``finder`` are not trained."""
    return searched(picture, finder, find) if finder in catalog.trained(finder.partition("-")[0]) else []


def largest(picture: PIL.Image.Image, network: Any) -> list[Face]:
    """The largest face with its tilt; []: there is none."""
    found = portrait(picture, network)
    return [] if found is None else [found]


def own_picture(weights: str, picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture that a visitor brought, RGB, as these weights get it.

    Where the record of their data set names a finder, this is the largest face in it, set upright, as wide as the pictures that
    the weights know; of other weights it is the picture itself.

    Raises:
        Unusable: if a face is needed and none is found.
    """
    record = sets.record(str(catalog.config_of(weights)["data"]))
    if not record.finder:
        return picture
    picture = picture.convert("RGB")
    found = searched(picture, record.finder, largest)
    if not found:
        raise Unusable(NO_FACE)
    _, side = shape_of(weights)
    return aligned(picture, found[0], side, record.framing)
