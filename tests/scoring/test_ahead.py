"""Items made ahead: in order, a few only, errors in their place, and an end however the loop ends."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from clir_lightning.scoring.ahead import ahead
from program import HANG


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "batches ahead"]


def test_items_come_in_their_order() -> None:
    with ahead(iter(range(100))) as items:
        assert list(items) == list(range(100))
    assert running() == []


def test_a_few_are_made_while_the_first_is_used_and_no_more() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    with ahead(source(), 2) as items:
        assert next(items) == 0
        while len(made) < 4:  # the one in use, two ready, one that finds no room
            time.sleep(0.01)
        time.sleep(0.2)
        assert made == [0, 1, 2, 3]
    assert running() == []


def test_an_error_comes_where_its_item_would_have() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with ahead(source()) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="no more"):
            next(items)


def test_a_loop_that_fails_leaves_no_thread() -> None:
    def loop() -> None:
        with ahead(iter(range(1000)), 1) as items:
            raise KeyError(next(items))

    with pytest.raises(KeyError):
        loop()
    assert running() == []


def test_ctrl_c_ends_a_program_that_waits_for_an_item() -> None:
    code = """
import signal
import threading
from clir_lightning.scoring.ahead import ahead
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
def source():
    print("waiting", flush=True)
    threading.Event().wait()
    yield
with ahead(source()) as items:
    next(items)
"""
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "waiting\n"
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=HANG)
    assert "KeyboardInterrupt" in said
    assert program.returncode != 0
