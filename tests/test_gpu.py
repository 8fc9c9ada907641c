"""ZeroGPU: which handlers borrow a GPU, what comes back from there, and that elsewhere nothing changes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import gradio as gr
import pytest
from conftest import ROOT

from demos._kit.events import error_boundary
from demos._server import gpu

BORROWED = """
import inspect, json
import torch
torch.set_num_threads(1)
import gradio as gr
import app, spaces
from demos import dcgan, ddpm
from demos._kit import plan
from demos._server import gpu
from demos._kit.events import error_boundary
from demos._kit.running import cancel, token
from gen_models import catalog, runtime

page = app.build()
events = [event for event in page.fns.values() if event.concurrency_id in gpu.SECONDS and event.fn is not None]
names = lambda found: sorted({event.fn.__name__ for event in found})
told = {
    "lent": names(event for event in events if event.fn.lend),
    "not lent": names(event for event in events if not event.fn.lend),
    "decorated": sorted({task.__name__ for task, _ in spaces.decorated}),
    "twice": len(spaces.decorated) - len({id(task) for task, _ in spaces.decorated}),
    "seconds": sorted({seconds for _, seconds in spaces.decorated}), "device": str(runtime.device()),
}

def named(name):
    return next(event.fn for event in events if event.fn.__name__ == name)

def message(name, *values):
    try:
        named(name)(*values)
    except gr.Error as error:
        return error.message

weights = catalog.trained("dcgan")[0]
with runtime.forward_pass():  # whoever holds the door when the other process begins is not there to give it back
    far = named("dcgan_sample")(weights, 7, 2, 1.0)
told["the same answer"] = far == dcgan.sample(weights, 7, 1.0, 2).json()

controls = [catalog.trained("ddpm")[0], ddpm.NOISE, "any", "any", 4, 1, 0, 1, 0.5, 1, 7, ""]
raw = {name: [value] for name, value in zip(["weights", *ddpm.PLAN.reads(ddpm.denoise)], controls, strict=True)}
key = token()
frames = list(named("denoise")(key, *controls))
kept = plan._finished.get(key)
told["streams"] = inspect.isgeneratorfunction(named("denoise")) and len(frames) > 2
told["kept here"] = kept[2] and kept[1].finished and kept[1].at(1) != kept[1].at(4)
shown = [frame[0].partition("-->")[2] for frame in frames[:-1]]  # the last one says that it is done
told["the same pictures"] = shown == [frame.html() for frame in ddpm.PLAN.call(ddpm.denoise, raw)]

token = token()
going = named("denoise")(token, *controls)
next(going)
cancel(token)
told["after a stop"] = len(list(going))
told["calls"] = list(spaces.calls)

told["refused"] = message("dcgan_sample", "nobody", 7, 2, 1.0)
for name, error in (("known", catalog.WeightsError("the weights are damaged")), ("unknown", ZeroDivisionError("a secret"))):
    def load(weights):
        raise error
    dcgan.load = load
    told[name] = message("dcgan_sample", weights, 7, 2, 1.0)
event = gr.EventData(gr.Button(), {"index": 3})
(packed,) = gpu._packed([event])
told["event"] = gpu._unpacked([packed])[0].index
print(json.dumps(told))
"""


def test_elsewhere_handlers_are_the_very_same_objects():
    def handler(value=None):
        return value

    assert not gpu.on_zero()
    assert gpu.gpu_task(handler) is handler
    assert error_boundary(handler).__wrapped__.__wrapped__ is handler
    with gr.Blocks() as page:
        gr.Button().click(error_boundary(handler), concurrency_id="models")
    before = [event.fn for event in page.fns.values()]
    assert gpu.lend(page) == 0
    assert [event.fn for event in page.fns.values()] == before and "spaces" not in sys.modules


@pytest.fixture(scope="module")
def borrowed():
    """What a page on ZeroGPU says of itself, with a fake of its package that forks."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "fake_spaces")])
    environment = os.environ | {"SPACES_ZERO_GPU": "true", "PYTHONPATH": paths}
    environment.pop("GALLERY_DEVICE", None)
    found = subprocess.run([sys.executable, "-c", BORROWED], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-3000:]
    return json.loads(found.stdout.splitlines()[-1])


def test_every_handler_that_computes_in_the_queue_borrows_a_gpu_once(borrowed):
    assert borrowed["not lent"] == ["measured", "save"], "these look up what the page keeps, or measure its machine"
    assert borrowed["lent"] == borrowed["decorated"] and borrowed["twice"] == 0
    streams = {"complete", "denoise", "translate", "enlarge_picture"}
    assert streams | {"walk", "dcgan_sample", "compare_sample"} <= set(borrowed["lent"])
    assert borrowed["seconds"] == sorted(set(gpu.SECONDS.values()))
    assert borrowed["device"] == "cpu", "in the page's process there is no GPU"


def test_what_comes_back_is_the_same(borrowed):
    assert borrowed["the same answer"] and borrowed["the same pictures"]
    assert borrowed["streams"] and borrowed["kept here"]
    assert borrowed["calls"] == ["dcgan_sample", "denoise", "denoise"]
    assert borrowed["after a stop"] == 0
    assert borrowed["event"] == 3


def test_trouble_there_is_the_same_sentence_here(borrowed):
    assert borrowed["refused"].startswith("Trained on must be one of")
    assert borrowed["known"] == "the weights are damaged"
    assert re.fullmatch(r"Something went wrong here\. If you report it, give the id [0-9a-f]{8}\.", borrowed["unknown"])
