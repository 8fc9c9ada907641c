"""Cards, checksums, the Hub: ``python -m gen_models.publish dcgan-fashion --from runs/dcgan-fashion``.

Copies a run's weights into ``weights/<name>/``, in place of those that were there, and writes their SHA-256 into the table of the
package, unless they were trained on a user's own pictures. Draws 64 samples and writes the card from ``config.json``,
``evaluation.json`` and the model's class, never by hand. Of a translator or a restorer, the examples of its room are written where
its data set is at hand (``GALLERY_DATA``). ``--hub`` uploads the folder, with the numbers in the card's front matter, and pins the
commit.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from gen_models import catalog, directions, hub, latents, runtime, sheets
from gen_models.cards import EVALUATION, card, hub_card
from gen_models.data import DataError
from gen_models.files import replacing, write_text
from gen_models.sets import record
from gen_models.sheets import INPUTS, PARTNERS, SAMPLES

OWNER = "deep-generative-gallery"
"""Organisation on the Hub."""


class PublishError(RuntimeError):
    """Something cannot be published; the message is one sentence that names the cure."""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    runtime.print_anywhere()
    make = parser()
    given = make.parse_args(arguments)
    wanted = given.names or (catalog.trained() if given.all else [])
    if not wanted:
        make.error("name weights, such as dcgan-fashion, or give --all")
    if given.source and len(wanted) > 1:
        make.error("--from goes with one name")
    if given.card_only and (given.source or given.hub):
        make.error("--card-only goes without --from and --hub")
    good = True
    for name in wanted:
        try:
            if given.source:
                adopt(name, given.source)
            folder = publish(name)
            print(f"{name}: card in {folder / 'README.md'}")
            if given.hub:
                commit = upload(name)
                print(f"{name}: {catalog.table()[name]['repository']} at {commit}")
        except (DataError, KeyError, PublishError, catalog.WeightsError) as error:
            print(f"error: {error.args[0]}", file=sys.stderr)
            good = False
    return 0 if good else 1


def parser() -> argparse.ArgumentParser:
    """All settings and their defaults."""
    make = argparse.ArgumentParser("python -m gen_models.publish", description="Publish weights: copy, checksum, card, Hub.")
    make.add_argument("names", nargs="*", metavar="name", help="<model>-<data>, such as dcgan-fashion")
    make.add_argument("--all", action="store_true", help="all weights there are")
    make.add_argument("--from", dest="source", type=Path, help="folder of a run or of its weights, to copy into weights/<name>")
    make.add_argument("--card-only", action="store_true", help="rewrite samples.png, card and table of what is in weights/<name>")
    make.add_argument("--hub", action="store_true", help="upload to the Hub and write the commit into the table")
    return make


def adopt(name: str, source: Path) -> None:
    """Copy a run's weights into ``weights/<name>/``, with their numbers if they were measured there.

    Raises:
        WeightsError: if they do not load, or are another model's; nothing is copied then.
    """
    source = catalog.weights_folder(source)
    catalog.read(source)  # by its own checksum: the table still holds that of the weights before
    config = hub.read_json(source / "config.json")
    if config["model"] != catalog.split_name(name)[0]:
        raise catalog.WeightsError(f"{source} holds weights of {config['model']}, not {name}")
    target = catalog.WEIGHTS / name
    if source.resolve() == target.resolve():
        return
    target.mkdir(parents=True, exist_ok=True)
    for file in ("model.safetensors", "config.json", EVALUATION, SAMPLES, INPUTS, PARTNERS):
        if (source / file).is_file():
            with replacing(target / file) as part:
                shutil.copyfile(source / file, part)
    (target / latents.NAMES).unlink(missing_ok=True)  # of the latents of the weights before


def publish(name: str) -> Path:
    """Check what is in ``weights/<name>/``, write ``samples.png``, card and, except for a user's own, table; returns the folder.

    Of a translator or a restorer, ``samples.png`` and examples are made anew where the data set is at hand; else its training's
    sheet stays.

    Raises:
        WeightsError: if the weights are missing or not the ones that their ``config.json`` describes.
    """
    catalog.split_name(name)
    folder = catalog.WEIGHTS / name
    if not folder.is_dir():
        raise catalog.WeightsError(f"there is no folder {folder}; name the run with --from, such as runs/{name}")
    model = catalog.read(folder)
    if type(model) is not catalog.model_class(catalog.split_name(name)[0]):
        raise catalog.WeightsError(f"the folder {folder} holds weights of {type(model).title}, not {name}")
    data = hub.read_json(folder / "config.json")["data"]
    if name in catalog.table() or not record(data).own:  # what a user trained on their own pictures is no part of the project
        _enter(name, folder)
    sheets.write(model, data, folder)
    latents.write(model, data, folder)
    directions.write(model, data, folder)
    write_text(folder / "README.md", card(name))
    return folder


def upload(name: str) -> str:
    """Put ``weights/<name>/`` on the Hub as one commit and pin it in the table; returns the commit.

    Raises:
        PublishError: if the Hub cannot be reached or refuses; the table stays as it is then.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalTokenNotFoundError

    if not hub.answers():
        raise PublishError(f"{name} was not uploaded: the Hub cannot be reached; connect and give --hub again")
    folder, repository = catalog.WEIGHTS / name, _repository(name)
    content: dict[str, Path | bytes] = {file.name: file for file in sorted(folder.iterdir()) if file.suffix != ".part"}
    content["README.md"] = hub_card(name).encode()
    api = HfApi()
    try:
        api.create_repo(repository, exist_ok=True)
        operations = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=what) for file, what in content.items()]
        done = api.create_commit(repository, operations, commit_message=f"Publish {name}")
    except (HfHubHTTPError, LocalTokenNotFoundError) as error:
        raise PublishError(f"{name} was not uploaded: the Hub refused ({_reason(error)}); log in with: hf auth login") from error
    except (HTTPError, OSError, RuntimeError, ValueError) as error:  # while sending a large file, a refusal is a RuntimeError
        reason = _reason(error.__cause__ or error)
        raise PublishError(f"{name} was not uploaded: sending it to the Hub failed ({reason}); give --hub again") from error
    _enter(name, folder, commit=done.oid)
    return done.oid


def _reason(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _repository(name: str) -> str:
    return catalog.table().get(name, {}).get("repository", f"{OWNER}/{name}")


def _enter(name: str, folder: Path, commit: str | None = None) -> None:
    """Write checksums and size into the table; a commit stays pinned as long as the files are those it was pinned for."""
    file = folder / "model.safetensors"
    table = hub.read_json(catalog.TABLE) if catalog.TABLE.is_file() else {}
    old = table.get(name, {})
    written = {
        "sha256": catalog.sha256(file), "bytes": file.stat().st_size,
        "config": hub.digest(hub.read_json(folder / "config.json")),
    }  # fmt: skip
    if commit is None and all(old.get(key, value) == value for key, value in written.items()):
        commit = old.get("commit")
    table[name] = {"repository": _repository(name), "commit": commit, "file": file.name, **written}
    write_text(catalog.TABLE, json.dumps(dict(sorted(table.items())), indent=2) + "\n")
    catalog.table.cache_clear()


if __name__ == "__main__":
    sys.exit(main())
