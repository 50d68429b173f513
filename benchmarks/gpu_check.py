"""Every path that only a GPU takes, checked and timed in one table: `python -m benchmarks.gpu_check`, `make gpu-check`.

Each line is OK, FAIL or SKIP with a figure and the limit that it is held against; one FAIL makes the exit code 1. An
error is a FAIL of its own line. It needs no network: models have XLM-R-base's size and random weights, texts are
random tokens.
Without a GPU it says so and does nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from benchmarks.gpu_material import LARGE, Sizes

SECONDS = 330  # after which no further check is begun


class Skipped(Exception):  # noqa: N818  not an error
    """A check that cannot be made here; its text says why."""


@dataclass(frozen=True)
class Machine:
    """What is checked."""

    device: torch.device
    cards: int
    sizes: Sizes = LARGE


@dataclass(frozen=True)
class Outcome:
    """What a check found, the limit, and whether it is kept."""

    figure: str
    limit: str
    kept: bool


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    name: str
    state: str  # OK, FAIL, SKIP
    figure: str
    limit: str
    seconds: float


Check = Callable[[Machine], Outcome]


def at_most(figure: float, limit: float, unit: str = "") -> Outcome:
    """Kept where the figure is the limit or less; not a number is more than any.

    >>> at_most(2e-6, 1e-5)
    Outcome(figure='2e-06', limit='<= 1e-05', kept=True)
    """
    return Outcome(f"{figure:.3g}{unit}", f"<= {limit:g}{unit}", figure <= limit)


def at_least(figure: float, limit: float, unit: str = "") -> Outcome:
    """Kept where the figure is the limit or more.

    >>> at_least(2500, 2858, " pairs/s")
    Outcome(figure='2500 pairs/s', limit='>= 2858 pairs/s', kept=False)
    """
    return Outcome(f"{figure:.4g}{unit}", f">= {limit:g}{unit}", figure >= limit)


def found(figure: float, unit: str = "") -> Outcome:
    """A figure without a limit."""
    return Outcome(f"{figure:.4g}{unit}", "", True)


def line(name: str, check: Check, machine: Machine) -> Line:
    """What came of a check, whatever it raised."""
    start = time.perf_counter()
    try:
        outcome = check(machine)
        state = "OK" if outcome.kept else "FAIL"
        figure = outcome.figure
        limit = outcome.limit
    except Skipped as reason:
        state = "SKIP"
        figure = str(reason)
        limit = ""
    except Exception as error:
        state = "FAIL"
        figure = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:120]
        limit = ""
    return Line(name, state, figure, limit, time.perf_counter() - start)


def run(checks: Mapping[str, Check], machine: Machine, seconds: float = SECONDS) -> list[Line]:
    """The lines of all checks, each printed as it comes; none is begun when the time is up."""
    start = time.perf_counter()
    lines: list[Line] = []
    for name, check in checks.items():
        if time.perf_counter() - start > seconds:
            lines.append(Line(name, "SKIP", f"not begun after {seconds:.0f} s", "", 0.0))
        else:
            lines.append(line(name, check, machine))
        print(f"{lines[-1].state:4}  {name}", file=sys.stderr, flush=True)
        if machine.device.type == "cuda":
            torch.cuda.empty_cache()
    return lines


def table(lines: Sequence[Line]) -> str:
    """The lines as a table of Markdown.

    >>> print(table([Line("bf16", "OK", "0.01", "<= 0.05", 1.25)]))
    | check | state | figure | limit | s |
    |---|---|---|---|---|
    | bf16 | OK | 0.01 | <= 0.05 | 1.2 |
    """
    rows = [f"| {each.name} | {each.state} | {each.figure} | {each.limit} | {each.seconds:.1f} |" for each in lines]
    return "\n".join(["| check | state | figure | limit | s |", "|---|---|---|---|---|", *rows])


def main() -> int:
    """Check this machine; 1 where a check failed."""
    if not torch.cuda.is_available():
        print("make gpu-check: no GPU here, nothing to check")
        return 0

    # Imported here, so that no GPU means no wait.
    from benchmarks.gpu_cards import CARDS
    from benchmarks.gpu_paths import PATHS
    from benchmarks.gpu_speed import SPEEDS

    machine = Machine(torch.device("cuda", 0), torch.cuda.device_count())
    lines = run({**PATHS, **SPEEDS, **CARDS}, machine)
    print(f"{machine.cards} × {torch.cuda.get_device_name(0)}, torch {torch.__version__}, CUDA {torch.version.cuda}\n")
    print(table(lines))
    return int(any(each.state == "FAIL" for each in lines))


if __name__ == "__main__":
    sys.exit(main())
