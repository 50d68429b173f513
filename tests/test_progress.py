"""How a long stage goes: one line an interval with what is done, the rate and the time left, and one at its end."""

from __future__ import annotations

import io
import logging
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from clir_lightning import progress as module
from clir_lightning.errors import ConfigError
from clir_lightning.progress import IN_BAR, Progress, interval, stage
from program import HANG


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.delenv(module.SETTING, raising=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_file_gets_a_line_every_minute_and_one_at_the_end(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    with Progress("scoring cross", "pairs", 2000, done=500, clock=clock) as progress:
        for _ in range(15):
            clock.now += 10
            progress.advance(100)
    assert caplog.messages == [
        "scoring cross: 1,100 of 2,000 pairs, 10 pairs/s, 0:01:30 left",
        "scoring cross: 1,700 of 2,000 pairs, 10 pairs/s, 0:00:30 left",
        "scoring cross: 1,500 pairs in 0:02:30, 500 were done before",
    ]


def test_a_short_stage_says_nothing(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    with Progress("tokenising zh", "texts", 2, clock=clock) as progress:
        clock.now += 4.9
        progress.advance(2)
    assert caplog.messages == []


def test_a_stage_ends_with_its_last_thing(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    with Progress("encoding", "texts", 35_000, clock=clock) as progress:
        clock.now += 41
        progress.advance(40_000)  # never more than all
        assert caplog.messages == ["encoding: 35,000 texts in 0:00:41"]
        clock.now += 1000
    assert len(caplog.messages) == 1


def test_a_stage_that_ends_early_says_what_is_done(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    with Progress("encoding", "texts", 10, clock=clock) as progress:
        clock.now += 20
        progress.advance(4)
    assert caplog.messages == ["encoding: 4 texts in 0:00:20"]


def test_a_stage_that_fails_or_is_closed_has_no_end(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    progress = Progress("encoding", "texts", 10, clock=clock)
    clock.now += 20
    progress.advance(4)
    progress.__exit__(KeyError, KeyError("a text"), None)
    for last, done in ((True, 1), (False, 2)):
        other = Progress("validation", "batches", 2, last=last, clock=clock)
        clock.now += 20
        other.advance(done)
        other.close()
        other.end()
    assert caplog.messages == []


def test_without_a_total_nothing_is_left(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    things = iter(Progress("reading", "documents", clock=clock).over(range(3)))
    for _ in things:
        clock.now += 60
    assert caplog.messages == [
        "reading: 1 documents, 0.017 documents/s",
        "reading: 2 documents, 0.017 documents/s",
        "reading: 3 documents, 0.017 documents/s",
        "reading: 3 documents in 0:03:00",
    ]


def test_over_gives_the_things_and_counts_them(clock: Clock) -> None:
    progress = Progress("mining", "queries", 7, clock=clock)
    seen = []
    for thing in progress.over("abcdefg"):
        seen.append((thing, progress.done))
        clock.now += 0.0625  # two of them are more than a tenth of a second
    assert seen == [("a", 0), ("b", 0), ("c", 2), ("d", 2), ("e", 4), ("f", 4), ("g", 6)]
    assert progress.done == 7
    for _ in Progress("mining", "queries", 0, clock=clock).over(()):
        pass


@pytest.mark.parametrize(("rank", "lines"), [("0", 2), ("1", 0)])
def test_of_several_processes_the_first_speaks(
    rank: str, lines: int, caplog: pytest.LogCaptureFixture, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress("scoring", "pairs", 5, clock=clock) as progress:
        assert progress._bar.disable == (rank == "1")
        clock.now += 1000
        progress.advance(4)
    assert len(caplog.messages) == lines


def test_slow_work_has_a_rate_too() -> None:
    progress = Progress("scoring late", "pairs", 10)
    assert progress.line(1.0) == "scoring late: 0 of 10 pairs, 0 pairs/s, unknown left"
    progress.advance(1)
    assert progress.line(4.0) == "scoring late: 1 of 10 pairs, 0.25 pairs/s, 0:00:36 left"


def test_rate_and_interval_count_from_the_first_step_on(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    progress = Progress("scoring dual", "pairs", 200, clock=clock)
    clock.now += 1000  # of encoding documents
    for _ in range(10):
        progress.begin()
        clock.now += 10
        progress.advance(10)
    assert caplog.messages == ["scoring dual: 60 of 200 pairs, 1 pairs/s, 0:02:20 left"]


def test_a_terminal_has_a_bar_and_marked_lines(
    caplog: pytest.LogCaptureFixture, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    said = {}
    settings: dict[str, dict[str, Any]] = {"own": {}, "none": {"bar": False}, "other": {"bar": False, "in_bar": True}}
    for kind, setting in settings.items():
        with Progress("encoding", "texts", 3, clock=clock, **setting) as progress:
            shown = not progress._bar.disable
            for _ in range(3):
                clock.now += 60
                progress.advance()
        said[kind] = (shown, [getattr(record, IN_BAR) for record in caplog.records])
        caplog.clear()
    assert said == {
        "own": (True, [True, True, False]),  # the end is no bar's
        "none": (False, [False, False, False]),
        "other": (False, [True, True, False]),
    }


def test_tqdm_is_switched_off_by_its_own_means(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def bar(**settings: Any) -> Any:
        given.append(settings)
        return SimpleNamespace(disable=False)

    monkeypatch.setattr(module, "tqdm", bar)
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        Progress("encoding", "texts", 3, clock=clock)
    assert [settings.get("disable") for settings in given] == [None, True]  # a value would overrule TQDM_DISABLE


def test_the_environment_sets_the_interval(
    caplog: pytest.LogCaptureFixture, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interval() == 60
    monkeypatch.setenv(module.SETTING, "2.5")
    with Progress("reading", "lines", 10, clock=clock) as progress:
        for _ in range(4):
            clock.now += 1
            progress.advance()
    assert caplog.messages == ["reading: 3 of 10 lines, 1 lines/s, 0:00:07 left"]


@pytest.mark.parametrize("given", ["0", "-1", "a minute", "nan", "inf"])
def test_an_interval_is_a_number_above_0(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.SETTING, given)
    with pytest.raises(ConfigError, match=f"CLIR_LOG_SECONDS in the environment is '{given}'; allowed: a number"):
        Progress("reading", "lines", 10)


def test_one_long_call_says_that_it_goes_on(
    caplog: pytest.LogCaptureFixture, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(module.SETTING, "0.02")
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock))
    said = threading.Event()

    def hear(record: logging.LogRecord) -> bool:
        if record.getMessage() == "building an index: 0:00:41 so far":
            said.set()
        return True

    caplog.handler.addFilter(hear)
    with stage("building an index"):
        clock.now += 41
        assert said.wait(HANG)
        (speaker,) = [thread for thread in threading.enumerate() if thread.daemon and "speak" in thread.name]
        clock.now += 19
    assert not speaker.is_alive()  # it has ended with the call
    assert caplog.messages[-1] == "building an index: done in 0:01:00"


def test_a_short_call_and_another_process_say_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage("building an index"):
        pass
    monkeypatch.setattr(module, "LONG", 0.0)
    monkeypatch.setenv("RANK", "1")
    with stage("building an index"):
        pass
    assert caplog.messages == []
