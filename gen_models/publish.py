"""Cards, checksums, the Hub: ``python -m gen_models.publish dcgan-fashion --from runs/dcgan-fashion``.

Copies a run's weights into ``weights/<name>/``, writes their SHA-256 into the table of the package, draws 64 samples and writes the
card from ``config.json``, ``evaluation.json`` and the model's class, never by hand. Of a translator or a restorer, the examples of
its room are written where its data set is at hand (``GALLERY_DATA``). ``--hub`` uploads the folder, with the numbers in the
card's front matter, and pins the commit.
"""

from __future__ import annotations

import argparse
import inspect
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gen_models import catalog, hub, runtime
from gen_models.base import Draws, Model, Restorer, Translator
from gen_models.data import DataError, load_data
from gen_models.evaluate import EVALUATION, samples_pictures, shown

OWNER = "deep-generative-gallery"
"""Organisation on the Hub."""
SAMPLES = "samples.png"
INPUTS, PARTNERS, RESULT, BACK = "inputs.webp", "partners.webp", "result.webp", "back.webp"
"""What a translator's room starts from: held-back pictures of kind A and of kind B in their own size, and of the first of each its
translation, of kind B where the model has a way back. Of a restorer: pictures shrunk, the true ones, and the first restored."""
EXAMPLES = 8
"""Pictures in each of the first two, side by side."""
DATA: dict[str, dict[str, str]] = {
    "mnist": {
        "title": "MNIST", "hub": "ylecun/mnist", "license": "license: mit",
        "what": "handwritten digits, 28 x 28 grey (Yann LeCun, Corinna Cortes, Christopher Burges)", "terms": "CC BY-SA 3.0",
    },
    "fashion": {
        "title": "Fashion-MNIST", "hub": "zalando-datasets/fashion_mnist", "license": "license: mit",
        "what": "photographs of clothes, 28 x 28 grey (Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747)",
        "terms": "MIT, Copyright 2017 Zalando SE",
    },
    "faces": {
        # weights cannot be freer than the photos they were made from
        "title": "faces", "hub": "UTKFace", "license": "license: other\nlicense_name: non-commercial-research",
        "what": "UTKFace, aligned and cropped, here {size} x {size} colour (Zhang, Song, Qi, CVPR 2017, https://susanqq.github.io/UTKFace/)",
        "terms": "non-commercial research only; the photos belong to their owners",
    },
    "photos": {
        "title": "photographs, paintings and textures", "hub": "", "license": "license: other\nlicense_name: research-only",
        "what": "landscapes and paintings by Monet of monet2photo (Zhu et al. 2017) and ten kinds of the Describable Textures "
                "Dataset (Cimpoi et al. 2014), 256 x 256; to train on also four of these halved, or 16 of Oxford 102 Flowers "
                "(Nilsback, Zisserman 2008), in one picture",
        "terms": "the paintings are in the public domain; the photographs belong to their photographers, for research and teaching "
                 "only; Set5 and Set14, by which it is judged, are no part of it",
    },
    "facades": {
        "title": "facades", "hub": "", "license": "license: other\nlicense_name: research-only",
        "what": "photographs of house fronts with their label maps, 256 x 256: CMP Facade Database in the version of Pix2Pix "
                "(Tylecek, Sara 2013, https://cmp.felk.cvut.cz/~tylecr1/facade/)",
        "terms": "academic data set, cite its authors; no licence is stated where the copy comes from",
    },
    "edges2shoes": {
        "title": "shoes", "hub": "", "license": "license: other\nlicense_name: research-only",
        "what": "shop photographs of shoes, sandals and slippers on white, 128 x 128, from Fashion Product Images (P. Aggarwal), "
                "with line drawings made from them",
        "terms": "not stated; retailers' photographs, for research and teaching only",
    },
    "edges2bags": {
        "title": "bags", "hub": "", "license": "license: other\nlicense_name: research-only",
        "what": "shop photographs of bags and wallets on white, 128 x 128, from Fashion Product Images (P. Aggarwal), with line "
                "drawings made from them",
        "terms": "not stated; retailers' photographs, for research and teaching only",
    },
    "monet2photo": {
        "title": "Monet's paintings and landscape photographs", "hub": "",
        "license": "license: other\nlicense_name: research-only",
        "what": "a part of the unpaired set of CycleGAN (Zhu et al. 2017), 256 x 256",
        "terms": "the paintings are in the public domain; the photographs (Flickr) belong to their photographers, for research and "
                 "teaching only",
    },
    "faces2portraits": {
        "title": "faces and game portraits", "hub": "", "license": "license: other\nlicense_name: research-only",
        "what": "face2genshin: photographs of faces and portraits in the style of a game, from the web, unpaired, 128 x 128",
        "terms": "not stated; photographs of unknown people and art whose characters are HoYoverse's, for research only, not to be "
                 "spread widely",
    },
    "paired": {
        "title": "a folder of pairs", "hub": "", "license": "license: other\nlicense_name: as-the-pictures",
        "what": "the user's own pictures", "terms": "the user's own",
    },
    "unpaired": {
        "title": "two folders of pictures", "hub": "", "license": "license: other\nlicense_name: as-the-pictures",
        "what": "the user's own pictures", "terms": "the user's own",
    },
    "folder": {
        "title": "a folder of pictures", "hub": "", "license": "license: other\nlicense_name: as-the-pictures",
        "what": "the user's own pictures", "terms": "the user's own",
    },
}  # fmt: skip


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
                print(f"{name}: {catalog.table()[name]['repository']} at {upload(name)}")
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
            shutil.copyfile(source / file, target / f"{file}.part")
            os.replace(target / f"{file}.part", target / file)


def publish(name: str) -> Path:
    """Check what is in ``weights/<name>/``, write table, ``samples.png`` and card; returns the folder.

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
    _enter(name, folder)
    if samples_pictures(type(model)):
        from gen_models.train import save_grid  # brings the trainer's imports along, which a card alone does without

        with runtime.forward_pass():
            pictures = model.sample(Draws(0, 64, device=runtime.device()))
        save_grid(pictures, folder / SAMPLES)
    elif isinstance(model, Restorer):
        save_restorations(model, catalog.config_of(name)["data"], folder)
    elif isinstance(model, Translator):
        save_examples(model, catalog.config_of(name)["data"], folder)
    _write(folder / "README.md", card(name))
    return folder


def save_examples(model: Translator, data: str, folder: Path) -> None:
    """Write the first held-back pictures of both kinds, if the data set is at hand, and what the first of them are turned into.

    The sheet on the card is of the test part, which has at least the sixteen pairs that it shows.
    """
    from gen_models.train import save_grid, sheet

    channels, size, _ = model.image_shape
    try:
        held, tested = (load_data(data, part, size, channels=channels) for part in ("validation", "test"))
    except DataError:
        pass  # those written earlier stay
    else:
        with runtime.forward_pass():
            save_grid(sheet(model, tested), folder / SAMPLES)
        for file, pictures in ((INPUTS, held.images), (PARTNERS, held.partners)):
            _save_side_by_side(pictures[:EXAMPLES], folder / file)
    ways: list[tuple[str, str, dict[str, bool]]] = [(INPUTS, RESULT, {})]
    if "backwards" in inspect.signature(model.translate).parameters:
        ways.append((PARTNERS, BACK, {"backwards": True}))
    for source, target, options in ways:
        if not (folder / source).is_file():
            continue
        with Image.open(folder / source) as sheet:
            first = np.asarray(sheet.convert("RGB").crop((0, 0, size, size)), np.float32).transpose(2, 0, 1) / 255
        with runtime.forward_pass():
            made = model.translate(torch.from_numpy(first)[None, : model.image_shape[0]], **options).float().cpu()
        _save_side_by_side((made * 255).round().to(torch.uint8), folder / target)


def save_restorations(model: Restorer, data: str, folder: Path) -> None:
    """Write the first held-back pictures, shrunk and as they are, and the first of them restored, if the data set is at hand.

    Of pictures larger than on the card's sheet, the middle is taken. The shrunk ones are kept to the last bit.
    """
    from gen_models.train import SHEET, middle, save_grid, sheet

    channels, size, _ = model.image_shape
    side = min(SHEET, size) // model.scale * model.scale
    try:
        held, tested = (load_data(data, part, size, channels=channels) for part in ("validation", "test"))
    except DataError:
        return  # those written earlier stay
    true = middle(held.unit(0, EXAMPLES), side)
    with runtime.forward_pass():
        save_grid(sheet(model, tested), folder / SAMPLES)
        small = model.shrink(true, Draws(0, len(true)))
        made = model.enlarge(small[:1]).cpu()
    for file, pictures, exact in ((INPUTS, small, True), (PARTNERS, true, False), (RESULT, made, False)):
        _save_side_by_side((pictures * 255).round().to(torch.uint8), folder / file, exact)


def _save_side_by_side(pictures: torch.Tensor, file: Path, exact: bool = False) -> None:
    """Bytes (N, C, H, W) as one WebP, without loss where that is smaller: so are drawings and label maps, photographs are not.

    ``exact``: without loss in any case.
    """
    row = torch.cat(list(pictures.expand(-1, 3, -1, -1)), dim=2).permute(1, 2, 0).contiguous().numpy()
    kinds = [io.BytesIO(), io.BytesIO()]
    Image.fromarray(row).save(kinds[0], "WEBP", lossless=True, quality=100, method=6)
    Image.fromarray(row).save(kinds[1], "WEBP", quality=80, method=6)
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(min((kind.getvalue() for kind in kinds[: 1 if exact else 2]), key=len))
    os.replace(part, file)


def upload(name: str) -> str:
    """Put ``weights/<name>/`` on the Hub as one commit and pin it in the table; returns the commit.

    Raises:
        PublishError: if the Hub cannot be reached or refuses; the table stays as it is then.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalTokenNotFoundError

    if not hub.answers():
        raise PublishError(f"{name} was not uploaded: the Hub cannot be reached; connect and give --hub again")
    folder, repository = catalog.WEIGHTS / name, catalog.table()[name]["repository"]
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


def hub_card(name: str) -> str:
    """The card with the measured numbers in the front matter, too, as the Hub's ``model-index``.

    They stand only there: where the repository's pages are read, a front matter is shown as a table above the text.
    """
    from huggingface_hub import EvalResult, ModelCard

    made = ModelCard(card(name))
    config = catalog.config_of(name)
    data = DATA.get(config["data"], DATA["folder"])
    made.data.model_name = name
    made.data.eval_results = [
        EvalResult(
            task_type=made.data.pipeline_tag, dataset_type=data["hub"] or config["data"], dataset_name=data["title"],
            metric_type=entry["key"], metric_name=entry["measure"], metric_value=entry["value"],
            metric_args={"error": entry["error"], "unit": entry["unit"], "better": entry["better"], "protocol": entry["protocol"]},
        )
        for entry in _measures(name)
    ] or None  # fmt: skip
    return str(made)


def card(name: str) -> str:
    """The model card in Markdown, with the Hub's front matter.

    Raises:
        KeyError: if there is no such model.
        WeightsError: if there is no ``config.json``.
    """
    config = catalog.config_of(name)
    kind = catalog.model_class(config["model"])
    data = DATA.get(config["data"], DATA["folder"])
    parts = [
        _front_matter(config, kind, data),
        f"# {kind.title} on {data['title']}" + (f", {config['arguments']['scale']} times" if issubclass(kind, Restorer) else ""),
        kind.summary,
        f"{kind.authors}, {kind.year}: {kind.paper}",
        _usage(name, config, kind),
    ]
    if samples_pictures(kind):
        parts.append(f"![64 samples]({SAMPLES})\n\nNot picked: rows 0 to 63 of seed 0.")
    elif issubclass(kind, Translator | Restorer) and (catalog.WEIGHTS / name / SAMPLES).is_file():
        title = "Restorations" if issubclass(kind, Restorer) else "Translations"
        parts.append(f"![{title}]({SAMPLES})\n\nNot picked: the first pictures held back from training; {kind.sheet}.")
    parts += [
        "## Measured", numbers_table(name), "## Training", _training(name, config, kind),
        "## Data", f"{data['title'][0].upper()}{data['title'][1:]}: {_what(config, data)}. Terms: {data['terms']}.",
    ]  # fmt: skip
    for heading, sentences in (("What differs from the paper", kind.differences), ("Where it fails", getattr(kind, "limits", ()))):
        if sentences:
            parts += [f"## {heading}", "\n".join(f"- {sentence}" for sentence in sentences)]
    return "\n\n".join(parts) + "\n"


def _what(config: dict[str, Any], data: dict[str, str]) -> str:
    """What a data set is, in the size that the model knows."""
    return data["what"].format(size=config["arguments"].get("size"))


def numbers_table(name: str) -> str:
    """The measured numbers as a Markdown table with notes, or a sentence that says how to measure them.

    Raises:
        KeyError: if the name is no <model>-<data>.
    """
    catalog.split_name(name)
    cure = f"measure with `python -m gen_models.evaluate {name}`."
    try:
        stored = hub.read_json(catalog.WEIGHTS / name / EVALUATION)
        current = catalog.config_of(name)["sha256"] == stored["sha256"]
        lines = _table_lines(stored["measures"])
    except FileNotFoundError:
        return f"Not measured yet; {cure}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, catalog.WeightsError):
        return f"The numbers cannot be read; {cure}"
    return "\n".join(lines) if current else f"The numbers at hand are of earlier weights; {cure}"


def _measures(name: str) -> list[dict[str, Any]]:
    """What was measured of the present weights; [] if nothing was."""
    try:
        stored = hub.read_json(catalog.WEIGHTS / name / EVALUATION)
        return stored["measures"] if stored["sha256"] == catalog.config_of(name)["sha256"] else []
    except (OSError, ValueError, KeyError):
        return []


def _table_lines(measures: list[dict[str, Any]]) -> list[str]:
    """A column for real pictures stands only where some measure has a number for them."""
    floors = any("real" in entry for entry in measures)
    lines = [
        "| Measure | Value | " + ("Real pictures instead | " if floors else "") + "Paper |",
        "| --- | --- | " + ("--- | " if floors else "") + "--- |",
    ]
    notes = []
    for number, entry in enumerate(measures, 1):
        best = {"lower": "lower is better", "higher": "higher is better", "near 1": "1 is right"}[entry["better"]]
        value = f"{shown(entry['value'], entry['error'])} {entry['unit']}".strip()
        cells = [f"{entry['measure']} ({best}) [{number}]", value]
        if floors:
            cells.append(shown(entry["real"], entry.get("real_error", 0.0)) if "real" in entry else "")
        lines.append("| " + " | ".join([*cells, entry["paper"]]) + " |")
        protocol = entry["protocol"]
        notes.append(f"{number}. {protocol[0].upper()}{protocol[1:]}")
    return [*lines, "", "How each was measured:", "", *notes]


def _front_matter(config: dict[str, Any], kind: type[Model], data: dict[str, str]) -> str:
    if samples_pictures(kind):
        task = "unconditional-image-generation"
    else:
        tasks = {"translate": "image-to-image", "enlarge": "image-to-image", "segment": "image-segmentation"}
        task = next((task for verb, task in tasks.items() if hasattr(kind, verb)), "image-feature-extraction")
    lines = [
        "---", data["license"], "library_name: pytorch", f"pipeline_tag: {task}", "tags:", f"- {config['model']}",
        f"- {catalog.names()[config['model']]}", "- deep-generative-gallery",
    ]  # fmt: skip
    if data["hub"]:
        lines += ["datasets:", f"- {data['hub']}"]
    return "\n".join([*lines, "---"])


def _usage(name: str, config: dict[str, Any], kind: type[Model]) -> str:
    arguments = config["arguments"]
    shape = f"{arguments['channels']}, {arguments['size']}, {arguments['size']}"
    if samples_pictures(kind):
        lines = [
            "from gen_models import Draws, load", f'model = load("{name}")',
            f"pictures = model.sample(Draws(seed=7, count=16))  # (16, {shape}), values in [0, 1]",
        ]  # fmt: skip
    elif issubclass(kind, Restorer):
        channels, scale = arguments["channels"], arguments["scale"]
        larger = f"(B, {channels}, {scale}H, {scale}W)"
        lines = [
            "from gen_models import load", f'model = load("{name}")',
            f"result = model.enlarge(pictures)  # (B, {channels}, H, W) of any size in [0, 1] -> {larger}",
        ]  # fmt: skip
    else:
        verb = next((verb for verb in ("translate", "segment", "predict", "encode") if hasattr(kind, verb)), "__call__")
        call = "model" if verb == "__call__" else f"model.{verb}"
        lines = [
            "from gen_models import load", f'model = load("{name}")',
            f"result = {call}(pictures)  # pictures: (B, {shape}), values in [0, 1]",
        ]  # fmt: skip
    return "\n".join(["```python", *lines, "```"])


def _training(name: str, config: dict[str, Any], kind: type[Model]) -> str:
    facts = config.get("training", {})
    minutes = facts.get("minutes", 0.0)
    origins = ", ".join(f"{origin} (SHA-256 `{digest[:16]}`...)" for origin, digest in facts.get("origins", {}).items())
    rows = [
        ("Command", f"`{facts['command']}`" if "command" in facts else "unknown"),
        ("Commit", facts.get("commit", "unknown")),
        ("Steps, batch", f"{(n := facts.get('steps', 0)):,} step{'s' * (n != 1)} of {facts.get('batch_size', 0):,} pictures"),
        ("Training pictures", f"{facts.get('training_pictures', 0):,}"),
        ("Time", f"{minutes / 60:.1f} hours" if minutes >= 100 else f"{minutes:g} minutes"),
        ("Hardware", facts.get("hardware", "unknown") + (f", {n} processes" if (n := facts.get("processes", 1)) > 1 else "")),
        ("Precision", {"no": "float32"}.get(facts.get("precision", "no"), facts.get("precision"))),
        ("Published", f"moving average of the weights, decay {facts['ema']:g}" if facts.get("ema") else "the last weights"),
        ("Arguments", "`" + ", ".join(f"{key}={value!r}" for key, value in config["arguments"].items()) + "`"),
        *([("Trained to undo", config["degradation"])] if "degradation" in config else []),
        *([("Started from, or asked", origins)] if origins else []),
        ("Weights", f"{config['bytes'] / 1e6:.1f} MB in half precision, SHA-256 `{config['sha256'][:16]}`..."),
        ("Made with", f"PyTorch {facts.get('torch', '?')}, Python {facts.get('python', '?')}"),
    ]  # fmt: skip
    if facts.get("hardware", "").startswith("CPU"):
        rows.insert(6, ("Cost", "the electricity of a desktop for that time"))
    recipe = kind.recipes.get(catalog.split_name(name)[1])
    if recipe is None or (recipe.data or config["data"]) != config["data"]:
        recipe = kind.recipes.get(config["data"])
    if recipe and recipe.paper:
        rows.insert(3, ("In the paper", recipe.paper))
    lines = ["| | |", "| --- | --- |", *(f"| {label} | {text} |" for label, text in rows)]
    larger = recipe.large if recipe else None
    if larger and "--large" not in facts.get("command", ""):
        widths = ", ".join(f"{key}={value!r}" for key, value in larger.arguments.items())
        lines += [
            "",
            f"With a GPU: `python -m gen_models.train {name} --large`, {larger.steps:,} steps of {larger.batch_size} pictures, "
            f"`{widths}`; these weights were not trained that way.",
        ]
    return "\n".join(lines)


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
    table[name] = {"repository": old.get("repository", f"{OWNER}/{name}"), "commit": commit, "file": file.name, **written}
    _write(catalog.TABLE, json.dumps(dict(sorted(table.items())), indent=2) + "\n")
    catalog.table.cache_clear()


def _write(file: Path, text: str) -> None:
    """Write beside the old file, then rename."""
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, file)


if __name__ == "__main__":
    sys.exit(main())
