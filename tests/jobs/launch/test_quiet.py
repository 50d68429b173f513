"""What a job prints where its output is a file, and what a terminal does without."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clir_lightning.jobs.launch.quiet import quiet
from clir_lightning.progress import IN_BAR, SETTING
from program import SHORT, clir


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger without handlers, put back afterwards."""
    found = logging.getLogger()
    level = found.level
    monkeypatch.setattr(found, "handlers", [])
    found.setLevel(logging.INFO)
    yield found
    found.setLevel(level)


def test_a_training_tells_how_it_goes_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "0.001")  # a line a step
    done = clir("train", "encoder=tiny", *SHORT, "candidates.test_queries=3", "hydra.run.dir=out", cwd=tmp_path)

    # The log has the same lines, each in one piece; nothing draws, and the libraries are silent.
    told = [line.partition("[INFO] - ")[2] for line in done.stdout.splitlines() if line.startswith("[")]
    log = [line.partition("[INFO] - ")[2] for line in (tmp_path / "out/train.log").read_text().splitlines()]
    assert log == told
    assert done.stderr == ""
    assert not set(done.stdout) & set("\r█\x1b")
    assert "Epoch" not in done.stdout

    # From what begins to what came of it.
    steps = [line for line in told if line.startswith("epoch 1/1, step ")]
    assert "training on cpu in 32-true: 1 epoch of 2 steps" in told
    assert [line.partition(":")[0] for line in steps] == ["epoch 1/1, step 1/2", "epoch 1/1, step 2/2"]
    assert steps[0].endswith(" left")
    [epoch] = [line for line in told if line.startswith("epoch 1/1: 2 steps in ")]
    assert epoch.endswith(", the best so far, kept in model/")


@pytest.mark.parametrize(
    ("stream", "terminal", "lines"),
    [
        ("stdout", True, ["an epoch"]),
        ("stderr", True, ["an epoch"]),
        ("stdout", False, ["an epoch", "a step"]),
        (None, True, ["an epoch", "a step"]),
    ],
)
def test_a_terminal_has_no_line_of_what_its_bar_shows(
    stream: str | None, terminal: bool, lines: list[str], root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Stream(terminal)
    if stream:
        monkeypatch.setattr(sys, stream, written)
    root.addHandler(logging.StreamHandler(written))  # Hydra's console, or another's
    quiet()
    root.info("an epoch")
    root.info("a step", extra={IN_BAR: True})
    assert written.getvalue().splitlines() == lines


@pytest.mark.parametrize(("rank", "lines"), [("0", ["told", "warned"]), ("1", ["warned"])])
def test_of_several_processes_the_first_tells_and_all_warn(
    rank: str, lines: list[str], root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", rank)
    written = Stream(False)
    root.addHandler(logging.StreamHandler(written))
    quiet()
    root.info("told")
    root.warning("warned")
    assert written.getvalue().split() == lines
