"""What the page stands: ``python -m benchmarks.crowd [--quick]``.

Visitors (locust; each with an address of its own, all on this machine) open the page, drag a slider of a VAE or of a DCGAN for a
moment, as the page sends it, each value after the answer to the last, look at the result for some seconds, and drag again. The
baseline is a page of one slider that sends back one of two constant pictures, under the same load. Refusals that tell a visitor
that the gallery is full are counted by themselves; any other answer than a picture is an error.

Then, in one process and in turns: 32 visitors who each ask a GAN for one sample after the other, each in a pass of its own, and all
who wait in one pass (``runtime.together``).

The load comes from the same cores, so the figures are those of a machine that has half of its time for the page.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

if __name__ != "__main__":  # as locust loads it
    from locust import HttpUser, between, task

VISITORS = (1, 8, 32, 128)
SECONDS = 120
KNOBS = ("Latent", "Truncation")
"""How the labels of the sliders begin that are dragged."""
DRAG = 8
"""Values of one movement of the hand."""
FULL = ("The gallery is busy", "of your requests are waiting", "requests from your network")
GROWTH = 1.10
"""Memory after all visitors have gone, against that after the first few."""
TOGETHER = 3.0
"""Times as many GAN samples a second for 32 visitors if those who wait share a pass."""
ECHO = """
constant = [picture(40), picture(200)]
slider = gr.Slider(-4, 4, 0, step=0.05, label="Latent")
shown = gr.HTML(constant[0])
slider.input(lambda value: constant[value > 0], slider, shown, queue=False, show_progress="hidden")
"""


# ---- a visitor --------------------------------------------------------------------------------------------------------


def knobs(address: str) -> list[dict[str, Any]]:
    """The events of the sliders that are dragged: page, number, values of all inputs, which of them is the slider's, its bounds."""
    with urllib.request.urlopen(f"{address}/config", timeout=60) as answer:
        config = json.load(answer)
    parts = {part["id"]: part["props"] | {"type": part["type"]} for part in config["components"]}
    found = []
    for event in config["dependencies"]:
        for target, kind in event["targets"]:
            label = str(parts.get(target, {}).get("label", ""))
            if kind == "input" and parts[target]["type"] == "slider" and label.startswith(KNOBS) and target in event["inputs"]:
                bounds = parts[target]["minimum"], parts[target]["maximum"]
                values = [parts[part].get("value") for part in event["inputs"]]
                (page,) = (path for path, part in config["page"].items() if event["id"] in part["dependencies"])
                place = event["inputs"].index(target)
                found.append(dict(page=page, number=event["id"], values=values, place=place, bounds=bounds))
    return found


if __name__ != "__main__":

    class Visitor(HttpUser):
        """Somebody with a mouse."""

        wait_time = between(1, 4)

        def on_start(self) -> None:
            self.session = f"{random.getrandbits(50):x}"
            spots = ".".join(str(random.randint(1, 254)) for _ in range(3))
            self.headers = {"X-Forwarded-For": f"10.{spots}"}
            self.knobs = json.loads(os.environ["CROWD_KNOBS"])
            self.client.get(f"/{random.choice(self.knobs)['page']}", headers=self.headers, name="open")

        @task
        def drag(self) -> None:
            """One movement of the hand."""
            knob = random.choice(self.knobs)
            for _ in range(DRAG):
                values = list(knob["values"])
                values[knob["place"]] = round(random.uniform(*knob["bounds"]), 2)
                body = dict(data=values, fn_index=knob["number"], session_hash=self.session, trigger_id=None)
                with self.client.post(
                    "/gradio_api/run/predict", json=body, headers=self.headers, name="drag", catch_response=True
                ) as answer:
                    if any(words in answer.text for words in FULL):
                        answer.request_meta["name"] = "full"
                        answer.success()
                        return
                    if answer.status_code != 200 or "data:image" not in answer.text:
                        answer.failure(f"{answer.status_code}: {answer.text[:200]}")


# ---- the load ---------------------------------------------------------------------------------------------------------


def loaded(address: str, found: list[dict[str, Any]], visitors: int, seconds: float, folder: Path) -> dict[str, dict[str, float]]:
    """What locust counted: kind of request -> requests a second, percentiles in ms, number, failures."""
    prefix = folder / f"{visitors}"
    command = [
        sys.executable, "-m", "locust", "-f", __file__, "--headless", "--users", str(visitors), "--spawn-rate",
        str(max(8, visitors / 4)), "--run-time", f"{seconds:.0f}s", "--stop-timeout", "20", "--host", address,
        "--csv", str(prefix), "--only-summary",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=os.environ | {"CROWD_KNOBS": json.dumps(found)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    stats = Path(f"{prefix}_stats.csv")
    if not stats.is_file():
        raise RuntimeError(f"locust did not run: {done.stdout[-2000:]}")
    with stats.open(encoding="utf-8") as stream:
        rows = {row["Name"]: row for row in csv.DictReader(stream)}
    with Path(f"{prefix}_failures.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            print(f"    {row['Occurrences']} x {row['Name']}: {row['Error'][:160]}")
    return {
        name: dict(
            rate=float(row["Requests/s"]), p50=float(row["50%"]), p95=float(row["95%"]), p99=float(row["99%"]),
            count=int(row["Request Count"]), failures=int(row["Failure Count"]),
        )
        for name, row in rows.items() if int(row["Request Count"])
    }  # fmt: skip


def stand(title: str, command: list[str], crowds: tuple[int, ...], seconds: float) -> tuple[int, float]:
    """Load a page with one crowd after the other and print what came of it; errors in all, growth of memory after the first."""
    from benchmarks._page import megabytes, served

    errors, memory = 0, []
    with served(command) as (address, _, process), tempfile.TemporaryDirectory() as folder:
        found = knobs(address)
        for visitors in crowds:
            rows = loaded(address, found, visitors, seconds, Path(folder))
            drag, full = rows.get("drag", {}), rows.get("full", {}).get("count", 0)
            errors += sum(int(row["failures"]) for row in rows.values())
            time.sleep(2)
            memory.append(megabytes(process))
            times = "".join(f"{drag.get(part, 0):>7.0f}" for part in ("p50", "p95", "p99"))
            print(f"{title:8}{visitors:>9}{drag.get('rate', 0):>9.1f}{times}{full:>7}{errors:>8}{memory[-1]:>8.0f}", flush=True)
    return errors, memory[-1] / memory[0]


# ---- one pass for many ------------------------------------------------------------------------------------------------


def asked(decode: Callable[[Any], Any], visitors: int, seconds: float, width: int) -> float:
    """Samples a second for so many who each ask for one after the other."""
    import torch

    counts = [0] * visitors
    until = time.perf_counter() + seconds

    def ask(number: int) -> None:
        while time.perf_counter() < until:
            decode(torch.randn(1, width))
            counts[number] += 1

    threads = [Thread(target=ask, args=(number,)) for number in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def shared(seconds: float) -> Iterator[tuple[str, int, float, float]]:
    """GAN, visitors, samples a second each in a pass of its own, and together; in turns, medians of three."""
    import statistics

    from gen_models import Draws, catalog, load, runtime

    for name in catalog.trained("dcgan"):
        model = load(name)
        width = model.latents(Draws(0, 1)).shape[1]

        def alone(rows: Any, model: Any = model) -> Any:
            with runtime.forward_pass():
                return model.decode(rows).cpu()

        def together(rows: Any, model: Any = model, name: str = name) -> Any:
            return runtime.together((name, "decode"), rows, lambda rows: model.decode(rows).cpu())

        for visitors in (1, 32):
            turns = [(asked(alone, visitors, seconds, width), asked(together, visitors, seconds, width)) for _ in range(3)]
            yield name, visitors, *(statistics.median(column) for column in zip(*turns, strict=True))


def main() -> int:
    """Print the tables and the bars."""
    from benchmarks._page import GALLERY, plain_page
    from benchmarks._report import Bar, report

    options = argparse.ArgumentParser("python -m benchmarks.crowd", description=__doc__)
    options.add_argument("--quick", action="store_true", help="few visitors for a few seconds, under a minute")
    quick = options.parse_args().quick
    crowds, seconds = ((1, 8), 3.0) if quick else (VISITORS, SECONDS)
    titles = "".join(f"{word:>7}" for word in ("p50", "p95", "p99", "full"))
    print(f"{'page':8}{'visitors':>9}{'drags/s':>9}{titles}{'errors':>8}{'MB':>8}   (ms; MB at the end)")
    with plain_page(ECHO) as command:
        stand("hello", command, crowds, seconds)
    errors, growth = stand("gallery", GALLERY, crowds, seconds)
    print(f"\n{'GAN':16}{'visitors':>9}{'alone/s':>9}{'together/s':>11}{'times':>7}")
    gains = []
    for name, visitors, alone, together in shared(0.5 if quick else 3.0):
        print(f"{name:16}{visitors:>9}{alone:>9.0f}{together:>11.0f}{together / alone:>7.2f}")
        gains += [together / alone] if visitors == 32 else []
    return report([
        Bar("errors but that the gallery is full", errors, 0),
        Bar("memory after all, against that after the first visitor", growth, 1.5 if quick else GROWTH, "x"),
        Bar("GAN samples for 32 visitors together, against each alone, best GAN", max(gains), TOGETHER, "x", at_least=True),
    ])  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
