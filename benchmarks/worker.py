"""A worker's side of measurements in turns: it tells when it is ready, and measures when it is asked to.

The standard library alone: workers run under the interpreters of other tools too.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

MARK = "@turns "  # before every line that is meant for `turns.Worker`; libraries print others


def tell(**facts: Any) -> None:
    """Send one message."""
    print(f"\n{MARK}{json.dumps(facts)}", flush=True)


def asked() -> bool:
    """Say that the next turn can begin, and wait for it; `False` where there is none."""
    tell(ready=True)
    return sys.stdin.readline().strip() == "turn"


def serve(measure: Callable[[], dict[str, Any]]) -> None:
    """Measure once a turn and send what was found, until no turn comes."""
    while asked():
        tell(**measure())


def rate(count: int, function: Callable[[], object]) -> float:
    """How many of `count` things a call does a second."""
    start = time.perf_counter()
    function()
    return count / (time.perf_counter() - start)


def peak() -> int:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
