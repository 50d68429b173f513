"""Progress where the output is a file: one line an interval, with what is done, the rate and the time left."""

from __future__ import annotations

import logging

import pytest

from clir_lightning.scoring.progress import Progress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_file_gets_a_line_every_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    with Progress("scoring cross", "pairs", 2000, done=500, clock=clock) as progress:
        for _ in range(13):
            clock.now += 10
            progress.advance(100)
    assert caplog.messages == [
        "scoring cross: 1,100 of 2,000 pairs, 10 pairs/s, 0:01:30 left",
        "scoring cross: 1,700 of 2,000 pairs, 10 pairs/s, 0:00:30 left",
    ]


def test_what_is_silent_says_nothing_and_no_more_than_all_is_done(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    progress = Progress("scoring", "pairs", 5, silent=True, clock=clock)
    clock.now += 1000
    progress.advance(4)
    progress.advance(4)
    assert progress.done == 5
    assert caplog.messages == []


def test_slow_work_has_a_rate_too() -> None:
    progress = Progress("scoring late", "pairs", 10)
    assert progress.line(1.0) == "scoring late: 0 of 10 pairs, 0 pairs/s, unknown left"
    progress.advance(1)
    assert progress.line(4.0) == "scoring late: 1 of 10 pairs, 0.25 pairs/s, 0:00:36 left"


def test_the_rate_counts_from_the_first_step_on() -> None:
    clock = Clock()
    progress = Progress("scoring dual", "pairs", 30, clock=clock)
    clock.now += 1000  # of encoding documents
    for _ in range(2):
        progress.begin()
        clock.now += 5
        progress.advance(10)
    assert clock.now - progress._start == 10
