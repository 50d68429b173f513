"""How far a long pass is: a bar in a terminal, one line a minute where the output is a file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds between two lines


class Progress:
    """What is done of `total` things, how many a second, and the time that is left; nothing within the first second.

    A terminal gets a bar that goes when it is full. Elsewhere the log gets a line every `INTERVAL` seconds, the log
    file of a job too: `scoring cross: 61,440 of 1,000,000 pairs, 1,024 pairs/s, 0:15:17 left`.

    Args:
        name: of what is done.
        unit: of the things, in the plural.
        total: how many there are.
        done: how many were done before.
        silent: whether to show nothing, as all processes but the first do.
        clock: seconds.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        total: int,
        *,
        done: int = 0,
        silent: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.unit = unit
        self.total = total
        self.done = done
        self.silent = silent
        self._before = done
        self._clock = clock
        self._start = clock()
        self._said = self._start

        # A bar draws over itself: a file would hold each of its states.
        hidden = silent or not sys.stderr.isatty()
        self._bar: Any = tqdm(
            desc=name, total=total, initial=done, unit=f" {unit}", leave=False, delay=1, disable=hidden
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def begin(self) -> None:
        """The first step begins now: what came before is not in the rate. Later calls do nothing."""
        if self.done == self._before:
            self._start = self._clock()
            self._bar.unpause()

    def advance(self, count: int) -> None:
        """So many more are done."""
        self.done = min(self.done + count, self.total)
        now = self._clock()
        if not self._bar.disable:
            self._bar.update(self.done - self._bar.n)
        elif not self.silent and now - self._said >= INTERVAL:
            self._said = now
            log.info(self.line(now - self._start))

    def line(self, seconds: float) -> str:
        """The progress after so many seconds.

        >>> progress = Progress("scoring cross", "pairs", 1_000_000)
        >>> progress.advance(61_440)
        >>> progress.line(60.0)
        'scoring cross: 61,440 of 1,000,000 pairs, 1,024 pairs/s, 0:15:17 left'
        """
        rate = (self.done - self._before) / max(seconds, 1e-9)
        left = timedelta(seconds=round((self.total - self.done) / rate)) if rate else "unknown"
        shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        return f"{self.name}: {self.done:,} of {self.total:,} {self.unit}, {shown} {self.unit}/s, {left} left"
