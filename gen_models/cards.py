"""Model cards in Markdown, from ``config.json``, ``evaluation.json`` and the model's class, never by hand."""

from __future__ import annotations

import json
import math
import shlex
from typing import Any

from gen_models import catalog, hub
from gen_models.base import Model
from gen_models.data import SPLITS
from gen_models.sets import Record, names, record
from gen_models.sheets import SAMPLES
from gen_models.verbs import Encodes, FindsFaces, Predicts, Samples, Segments, Translates, Upscales

EVALUATION = "evaluation.json"
WORTH = {"test": "", "validation": "; choices are made on it too, which flatters the numbers"}
"""Split -> what to know of numbers measured on it."""
TASKS = {Translates: "image-to-image", Upscales: "image-to-image", Segments: "image-segmentation"}
"""Verb -> what the Hub calls it."""
SINGLE = {Translates: "translate", Segments: "segment", Predicts: "predict", Encodes: "encode", FindsFaces: "shows_face"}
"""Verb -> method, of models that make one thing of a picture."""


def shown(value: float, error: float) -> str:
    """``12.345, 0.0678`` -> ``12.345 ± 0.068``: as many digits as two of the error need."""
    places = 3 if error <= 0 or not math.isfinite(error) else min(max(1 - math.floor(math.log10(error)), 0), 6)
    return f"{value:.{places}f} ± {error:.{places}f}"


def hub_card(name: str) -> str:
    """The card with the measured numbers in the front matter, too, as the Hub's ``model-index``.

    They stand only there: where the repository's pages are read, a front matter is shown as a table above the text.
    """
    from huggingface_hub import EvalResult, ModelCard

    made = ModelCard(card(name))
    config = catalog.config_of(name)
    data = record(config["data"])
    made.data.model_name = name
    made.data.eval_results = [
        EvalResult(
            task_type=made.data.pipeline_tag, dataset_type=data.hub or config["data"], dataset_name=data.card_title,
            metric_type=entry["key"], metric_name=entry["measure"], metric_value=entry["value"],
            metric_args={"error": entry["error"], "unit": entry["unit"], "better": entry["better"], "protocol": entry["protocol"]},
        )
        for entry in measures_of(name)
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
    data = record(config["data"])
    parts = [
        _front_matter(config, kind, data),
        f"# {kind.title} on {data.card_title}" + (f", {config['arguments']['scale']} times" if issubclass(kind, Upscales) else ""),
        kind.summary,
        f"{kind.authors}, {kind.year}: {kind.paper}",
        _usage(name, config, kind),
    ]
    if issubclass(kind, Samples):
        parts.append(f"![64 samples]({SAMPLES})\n\nNot picked: rows 0 to 63 of seed 0.")
    elif issubclass(kind, Translates | Upscales) and (catalog.WEIGHTS / name / SAMPLES).is_file():
        title = "Restorations" if issubclass(kind, Upscales) else "Translations"
        parts.append(f"![{title}]({SAMPLES})\n\nNot picked: the first pictures held back from training; {kind.sheet}.")
    parts += [
        "## Measured", numbers_table(name), "## Training", _training(name, config, kind),
        "## Data", f"{data.card_title[0].upper()}{data.card_title[1:]}: {_what(config, data)}. Terms: {data.terms}.",
    ]  # fmt: skip
    for heading, sentences in (("What differs from the paper", kind.differences), ("Where it fails", kind.limits)):
        if sentences:
            parts += [f"## {heading}", "\n".join(f"- {sentence}" for sentence in sentences)]
    return "\n\n".join(parts) + "\n"


def _what(config: dict[str, Any], data: Record) -> str:
    """What a data set is, in the size that the model knows."""
    return data.what.format(size=config["arguments"].get("size"))


def numbers_table(name: str) -> str:
    """The measured numbers as a Markdown table with notes, or a sentence that says how to measure them.

    Raises:
        KeyError: if the name is no <model>-<data>.
    """
    catalog.split_name(name)
    cure = f"measure with {command('evaluate', name)}."
    try:
        stored = hub.read_json(catalog.WEIGHTS / name / EVALUATION)
        current = catalog.config_of(name)["sha256"] == stored["sha256"]
        split = stored.get("split", SPLITS[-1])
        lines = [f"Measured on the {split} part{WORTH[split]}.", "", *_table_lines(stored["measures"])]
    except FileNotFoundError:
        return f"Not measured yet; {cure}"
    except (OSError, ValueError, KeyError, catalog.WeightsError):
        return f"The numbers cannot be read; {cure}"
    return "\n".join(lines) if current else f"The stored numbers belong to earlier weights; {cure}"


def measures_of(name: str) -> list[dict[str, Any]]:
    """What was measured of the present weights; [] if nothing was."""
    try:
        stored = hub.read_json(catalog.WEIGHTS / name / EVALUATION)
        present = stored["sha256"] == catalog.config_of(name)["sha256"] and isinstance(stored["measures"], list)
        return stored["measures"] if present else []
    except (OSError, ValueError, KeyError, TypeError, catalog.WeightsError):
        return []


def command(program: str, name: str, *options: str) -> str:
    """What to type in a shell for weights of any name, in Markdown; of a user's own pictures it names their folder, too."""
    try:
        data = catalog.config_of(name)["data"]
    except (KeyError, catalog.WeightsError):
        data = ""
    own = ["--data", f"{data}:PATH"] if data in names() and record(data).own else []
    return f"`python -m gen_models.{program} {shlex.join([name, *own, *options])}`"


def _table_lines(measures: list[dict[str, Any]]) -> list[str]:
    """A column for real pictures stands only where some measure has a number for them; each way of measuring has one note."""
    floors = any("real" in entry for entry in measures)
    lines = [
        "| Measure | Value | " + ("Real pictures instead | " if floors else "") + "Paper |",
        "| --- | --- | " + ("--- | " if floors else "") + "--- |",
    ]
    notes: dict[str, int] = {}
    for entry in measures:
        number = notes.setdefault(entry["protocol"], len(notes) + 1)
        best = {"lower": "lower is better", "higher": "higher is better", "near 1": "1 is right"}[entry["better"]]
        value = f"{shown(entry['value'], entry['error'])} {entry['unit']}".strip()
        cells = [f"{entry['measure']} ({best}) [{number}]", value]
        if floors:
            cells.append(shown(entry["real"], entry.get("real_error", 0.0)) if "real" in entry else "")
        lines.append("| " + " | ".join([*cells, entry["paper"]]) + " |")
    described = [f"{number}. {protocol[0].upper()}{protocol[1:]}" for protocol, number in notes.items()]
    return [*lines, "", "How each was measured:", "", *described]


def _front_matter(config: dict[str, Any], kind: type[Model], data: Record) -> str:
    if issubclass(kind, Samples):
        task = "unconditional-image-generation"
    else:
        task = next((task for verb, task in TASKS.items() if issubclass(kind, verb)), "image-feature-extraction")
    lines = [
        "---", data.license, "library_name: pytorch", f"pipeline_tag: {task}", "tags:", f"- {config['model']}",
        f"- {catalog.names()[config['model']]}", "- deep-generative-gallery",
    ]  # fmt: skip
    if data.hub:
        lines += ["datasets:", f"- {data.hub}"]
    return "\n".join([*lines, "---"])


def _usage(name: str, config: dict[str, Any], kind: type[Model]) -> str:
    arguments = config["arguments"]
    shape, quoted = f"{arguments['channels']}, {arguments['size']}, {arguments['size']}", json.dumps(name, ensure_ascii=False)
    if issubclass(kind, Samples):
        lines = [
            "from gen_models import Draws, load", f"model = load({quoted})",
            f"pictures = model.sample(Draws(seed=7, count=16))  # (16, {shape}), values in [0, 1]",
        ]  # fmt: skip
    elif issubclass(kind, Upscales):
        channels, scale = arguments["channels"], arguments["scale"]
        larger = f"(B, {channels}, {scale}H, {scale}W)"
        lines = [
            "from gen_models import load", f"model = load({quoted})",
            f"result = model.upscale(pictures)  # (B, {channels}, H, W) of any size in [0, 1] -> {larger}",
        ]  # fmt: skip
    else:
        method = next((method for verb, method in SINGLE.items() if issubclass(kind, verb)), "forward")
        lines = [
            "from gen_models import load", f"model = load({quoted})",
            f"result = model.{method}(pictures)  # pictures: (B, {shape}), values in [0, 1]",
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
    if record(config["data"]).own:
        publish = shlex.join(["python", "-m", "gen_models.publish", name, "--from", f"runs/{name}"])
        rows.append(("Put on the page with", f"`{publish}`"))
    lines = ["| | |", "| --- | --- |", *(f"| {label} | {text} |" for label, text in rows)]
    larger = recipe.large if recipe else None
    if larger and "--large" not in facts.get("command", ""):
        widths = ", ".join(f"{key}={value!r}" for key, value in larger.arguments.items())
        lines += [
            "",
            f"With a GPU: {command('train', name, '--large')}, {larger.steps:,} steps of {larger.batch_size} pictures, "
            f"`{widths}`; these weights were not trained that way.",
        ]
    return "\n".join(lines)
