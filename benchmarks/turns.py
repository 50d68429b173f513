"""Measurements in turns: every competitor in a process of its own, one at work at a time, medians and what they say.

A machine's speed drifts. Competitors that alternate meet the same moments of it, so that their ratios hold where the
pairs/s do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.worker import MARK

ROOT = Path(__file__).resolve().parents[1]
OURS = sys.executable
INTERPRETER = os.environ.get("PEERS", str(ROOT / ".venv-peers" / "bin" / "python"))  # of the other tools


class WorkerError(RuntimeError):
    """A worker that ended before its last turn."""


class EndedError(WorkerError):
    """A worker that ended by itself, and well."""


class Worker:
    """A competitor's process.

    Args:
        name: of its log.
        command: of the process, whose side of the conversation is `benchmarks.worker`.
        log: the file for what it prints.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as stream:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, text=True, cwd=ROOT
            )
        self._hear("ready")

    def turn(self) -> dict[str, Any]:
        """Ask for one turn; what it measured, once the worker is idle again or has nothing left to do."""
        assert self.process.stdin is not None
        self.process.stdin.write("turn\n")
        self.process.stdin.flush()
        found = self._hear(None)
        with suppress(EndedError):
            self._hear("ready")
        return found

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _hear(self, wanted: str | None) -> dict[str, Any]:
        """The next message; `WorkerError` where the process has ended instead."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            _, mark, text = line.partition(MARK)
            if mark:
                message: dict[str, Any] = json.loads(text)
                if (wanted in message) if wanted else ("ready" not in message):
                    return message
        said = self.log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        status = self.process.wait()
        kind = WorkerError if status else EndedError
        raise kind(f"{self.name}: ended with {status}: {''.join(said)[-300:]}")


@dataclass
class Found:
    """What the turns of one competitor gave; `error` where it did not run."""

    turns: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None

    @property
    def rates(self) -> list[float]:
        """Things a second, turn by turn."""
        return [turn["rate"] for turn in self.turns]


def take_turns(commands: Mapping[str, Sequence[str]], turns: int, logs: Path) -> dict[str, Found]:
    """Start every competitor, then let each measure once a turn; one that fails is left out from there on.

    Args:
        commands: by the competitor's name.
        turns: how many.
        logs: the folder for what the processes print.
    """
    found = {name: Found() for name in commands}
    workers: dict[str, Worker] = {}

    def start(name: str) -> None:
        with _timed(f"start: {name}"), _failing(found[name]):
            file = "".join(letter if letter.isalnum() else "_" for letter in name)
            workers[name] = Worker(name, commands[name], logs / f"{file}.log")

    # Two load at a time; then all are idle but the one whose turn it is.
    with ExitStack() as ending:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(start, commands))
        for worker in workers.values():
            ending.callback(worker.close)
        workers = {name: workers[name] for name in commands if name in workers}
        for turn in range(turns):
            for name, worker in workers.items():
                if found[name].error is None:
                    with _failing(found[name]):
                        found[name].turns.append(worker.turn())
                        say(f"turn {turn + 1}: {name}: {found[name].rates[-1]:.1f} a second")
    return found


@contextmanager
def _failing(found: Found) -> Iterator[None]:
    """Note a worker's end instead of passing it on."""
    try:
        yield
    except (WorkerError, BrokenPipeError) as error:
        found.error = str(error)
        say(f"FAILED: {error}")


@contextmanager
def _timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    say(f"{what} ({time.perf_counter() - start:.0f} s)")


def say(text: str) -> None:
    """Progress, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def ours(module: str, *arguments: object) -> list[str]:
    """The command of a worker under this interpreter."""
    return [OURS, "-m", f"benchmarks.{module}", *map(str, arguments)]


def peers(module: str, *arguments: object) -> list[str]:
    """The command of a worker under the other tools' interpreter, `PEERS` or that of `.venv-peers`."""
    return [INTERPRETER, "-m", f"benchmarks.{module}", *map(str, arguments)]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median with the range.

    >>> spread([3.0, 1.0, 2.04])
    '2.0 (1.0 to 3.0)'
    """
    if not values:
        return "failed"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """The quotients, turn by turn, as far as both went."""
    return [one / other for one, other in zip(ones, others, strict=False)]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, rule, *rows])


def write_part(
    output: Path, name: str, title: str, blocks: Sequence[str], found: Mapping[str, Found] | None = None
) -> None:
    """`output/NAME.json`: a part of the report, its paragraphs and tables, and every turn that they come from.

    Args:
        output: the folder of the report.
        name: of the part.
        title: its heading.
        blocks: Markdown.
        found: the turns, by competitor.
    """
    failures = [f"Failed: {one.error}" for one in (found or {}).values() if one.error]
    part = {
        "title": title,
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "blocks": [*blocks, *failures],
        "turns": {who: one.turns for who, one in (found or {}).items()},
    }
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(part, ensure_ascii=False, indent=1)
    (output / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print("\n\n".join([f"## {title}", *part["blocks"]]), flush=True)
