"""The folder for what visitors upload: of this server alone, and gone with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gradio.routes
from filelock import FileLock, Timeout

PREFIX = "gallery-"
LOCK = ".lock"


class FolderError(SystemExit):
    """Uploads cannot be kept anywhere: the server does not start, and its one sentence says why."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder in GRADIO_TEMP_DIR, or in the system's for such files; only this user can read it, and it is deleted at the end.

    GRADIO_TEMP_DIR names it meanwhile. The folders of servers that were killed are deleted first; those that still run hold a lock.

    Raises:
        FolderError: if nothing can be written there.
    """
    before = os.environ.get("GRADIO_TEMP_DIR")
    try:
        above = Path(before or tempfile.gettempdir()).resolve()
        above.mkdir(parents=True, exist_ok=True)
        sweep(above)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except OSError as error:
        where = f"GRADIO_TEMP_DIR names {before}, where" if before else "in the system's folder for temporary files"
        cure = "name another folder in GRADIO_TEMP_DIR"
        raise FolderError(f"error: {where} nothing can be written ({error.strerror}); {cure}") from error
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    # read once, when Gradio is imported: its application makes a folder there, which another user's /tmp/gradio would refuse
    gradio.routes.DEFAULT_TEMP_DIR = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def sweep(above: Path) -> None:
    """Delete the folders of servers that ended without doing so."""
    for folder in above.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            # one without a lock is being made this moment, or is not ours
            if folder.is_symlink() or not (folder / LOCK).is_file():
                continue
            with FileLock(folder / LOCK, timeout=0):
                for entry in folder.iterdir():
                    if entry.is_dir() and not entry.is_symlink():
                        shutil.rmtree(entry, ignore_errors=True)
                    elif entry.name != LOCK:
                        entry.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
