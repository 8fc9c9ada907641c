"""All that a laptop on a stage needs in one folder: ``python -m gen_models.bundle FOLDER``.

The code, all weights with their examples, and the list of packages, in ``requirements.lock``, as they are installed here; with
``--wheels`` also the packages themselves. ``python FOLDER/start.py`` starts the page from it without any network.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from gen_models import _start, catalog

ROOT = catalog.PACKAGE.parent
CODE = ("app.py", "README.md", "requirements.txt", "demos", "gen_models")


class BundleError(RuntimeError):
    """The folder cannot be made; the message is one sentence that names the cure."""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    make = argparse.ArgumentParser("python -m gen_models.bundle", description="Write all that the page needs into one folder.")
    make.add_argument("folder", type=Path)
    make.add_argument("--wheels", action="store_true", help="also the packages (needs pip's index; for this Python and machine)")
    given = make.parse_args(arguments)
    try:
        made = bundle(given.folder, given.wheels)
    except (BundleError, catalog.WeightsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
    print(f"{made}: {len(list((made / 'weights').iterdir()))} weights, {size / 1e6:.0f} MB; start with: python {made / 'start.py'}")
    return 0


def bundle(folder: Path, wheels: bool = False) -> Path:
    """Write the folder, all of it or nothing; returns it.

    Raises:
        BundleError: if there is something at that place, or a package is not to be had.
        WeightsError: if weights are missing or damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"{folder} is there already; name a new folder")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        write_code(part)
        write_weights(part / "weights")
        (part / _start.LOCK.name).write_text(f"# {_start.here()}\n" + "".join(f"{line}\n" for line in locked()), encoding="utf-8")
        if wheels:
            download_wheels(part)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BundleError(f"the folder {folder} cannot be written ({reason}); make room or name another") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def write_code(target: Path) -> None:
    """The page, its rooms and models, and ``start.py``."""
    for name in CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.part"))
        else:
            shutil.copyfile(ROOT / name, target / name)
    shutil.copyfile(_start.__file__, target / "start.py")
    shutil.copyfile(catalog.TABLE, target / "gen_models" / catalog.TABLE.name)


def write_weights(target: Path) -> None:
    """All weights, a user's own included, each loaded once to see that it is whole; what is only on the Hub is fetched."""
    target.mkdir()
    for name in catalog.trained():
        source = catalog.folder_of(name)
        catalog.read(source, name)
        (target / name).mkdir()
        for file in source.iterdir():
            if file.is_file() and file.suffix != ".part":
                shutil.copyfile(file, target / name / file.name)


def locked() -> list[str]:
    """``name==version`` of the requirements and of all that these require, as installed here.

    Raises:
        BundleError: if one of them is not installed.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    waiting = [(Requirement(line), "") for line in lines if line and not line.startswith("#")]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
            continue
        try:
            package = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError as error:
            raise BundleError(f"{wanted.name} is not installed here; first: pip install -r requirements.txt") from error
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        found[name] = package.version.partition("+")[0]  # a local version such as +cpu stands in no index
        for option in {"", *wanted.extras} - {known for other, known in seen if other == name}:
            seen.add((name, option))
            waiting += [(Requirement(line), option) for line in package.requires or ()]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def download_wheels(target: Path) -> None:
    """The packages of the lock, from where pip finds them.

    Raises:
        BundleError: if pip cannot have one of them.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
               "--dest", str(target / "wheels"), "-r", str(target / _start.LOCK.name)]  # fmt: skip
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        reason = next((line for line in reversed(done.stderr.strip().splitlines()) if "ERROR" in line), "pip failed")
        raise BundleError(f"the packages cannot be downloaded ({reason.removeprefix('ERROR: ')}); connect and try again")


if __name__ == "__main__":
    sys.exit(main())
