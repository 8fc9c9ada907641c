"""In place of the package ``spaces`` on a Space with ZeroGPU: runs what is decorated in a process of its own, as that does.

Each call is forked off; arguments, results and ``gr.Error`` are pickled on their way, other exceptions only named.
"""

from __future__ import annotations

import functools
import inspect
import multiprocessing

import gradio as gr

decorated: list = []
"""Functions and the seconds they may take."""
calls: list[str] = []
"""Names of the functions that were called."""


def GPU(task=None, *, duration=60):
    if task is None:
        return functools.partial(GPU, duration=duration)
    decorated.append((task, duration))

    def called(values):
        """What the task yields, or its only answer."""
        calls.append(task.__name__)
        fork = multiprocessing.get_context("fork")
        mine, others = fork.Pipe()

        def work():
            try:
                for result in task(*values) if inspect.isgeneratorfunction(task) else [task(*values)]:
                    others.send(("result", result))
                others.send(("end", None))
            except gr.Error as error:
                others.send(("refused", error))
            except Exception as error:
                others.send(("failed", type(error).__name__))

        process = fork.Process(target=work)
        process.start()
        others.close()
        try:
            while True:
                kind, result = mine.recv()
                if kind == "result":
                    yield result
                elif kind == "end":
                    return
                else:
                    raise result if kind == "refused" else gr.Error(f"ZeroGPU worker error: {result}")
        finally:
            process.kill()
            process.join()

    if inspect.isgeneratorfunction(task):

        @functools.wraps(task)
        def run(*values):
            yield from called(values)
    else:

        @functools.wraps(task)
        def run(*values):
            (answer,) = called(values)
            return answer

    return run
