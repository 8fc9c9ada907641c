"""The door in front of forward passes, and passes that serve several at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gen_models import runtime


@pytest.fixture
def crowd():
    """Twelve who ask one after the other while the door is closed; what each was answered, or what befell it."""

    def ask(work, rows, keys=None):
        arrived = []
        with ThreadPoolExecutor(len(rows)) as pool:
            with runtime.forward_pass():
                for number, one in enumerate(rows):
                    key = keys[number] if keys else "same"
                    arrived.append(pool.submit(runtime.together, key, one, work))
                    wait_for(lambda wanted=number + 1: sum(map(len, runtime._asked.values())) == wanted)
            return [one.exception() or one.result() for one in arrived]

    yield ask
    assert not runtime._asked, "nothing is left behind"


def wait_for(true) -> None:
    for _ in range(2000):
        if true():
            return
        threading.Event().wait(0.002)
    raise AssertionError("it never came true")


def test_all_who_wait_for_the_same_work_are_served_in_one_pass(crowd):
    passes = []

    def work(rows):
        passes.append(len(rows))
        assert torch.is_inference_mode_enabled()
        return 2 * rows

    rows = [torch.full((1 + number % 3, 2), float(number)) for number in range(12)]
    answers = crowd(work, rows)
    assert passes == [24]
    assert all(torch.equal(answer, 2 * one) for answer, one in zip(answers, rows, strict=True))
    assert torch.equal(runtime.together("same", rows[3], work), 2 * rows[3]) and passes == [24, 1], "nobody else: at once"


def test_other_work_is_done_apart(crowd):
    passes = []
    crowd(lambda rows: passes.append(sorted(set(rows.flatten().tolist()))) or rows,
          [torch.full((1, 1), float(number % 2)) for number in range(8)], keys=["even", "odd"] * 4)  # fmt: skip
    assert sorted(passes) == [[0.0], [1.0]]


def test_a_pass_is_bounded(crowd):
    passes = []
    many = runtime.MOST_ROWS // 2 + 1
    rows = [torch.zeros(many, 1), torch.zeros(many, 1), torch.zeros(3 * runtime.MOST_ROWS, 1), torch.zeros(1, 1), torch.zeros(2, 1)]
    answers = crowd(lambda rows: passes.append(len(rows)) or rows, rows)
    assert passes == [many, many, 3 * runtime.MOST_ROWS, 3] and [len(answer) for answer in answers] == [len(one) for one in rows]


def test_only_those_fail_whose_rows_are_to_blame(crowd):
    def work(rows):
        if (rows < 0).any():
            raise ValueError("negative")
        return rows + 1

    answers = crowd(work, [torch.tensor([[float(number)]]) for number in (1, -1, 3, -2, 5)])
    assert [type(answer) for answer in answers] == [torch.Tensor, ValueError, torch.Tensor, ValueError, torch.Tensor]
    assert float(answers[4]) == 6


def test_where_the_door_fails_nobody_waits_for_ever(monkeypatch):
    def broken():
        raise OSError("no door")

    monkeypatch.setattr(runtime, "forward_pass", broken)
    with pytest.raises(OSError, match="no door"):
        runtime.together("same", torch.zeros(1), lambda rows: rows)
    assert not runtime._asked


def test_a_pass_that_fails_leaves_those_alone_who_came_after_it(monkeypatch):
    """Who asks while a pass is made begins a group of its own."""
    later = runtime._Asked(torch.zeros(1))

    def work(rows):
        runtime._asked["same"] = [later]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runtime.together("same", torch.zeros(1), work)
    assert runtime._asked.pop("same") == [later] and not later.done.is_set()
