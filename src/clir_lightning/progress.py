"""How a long stage goes: a bar in a terminal, elsewhere a line of the log at a stated interval, and one at its end."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from tqdm import tqdm

from clir_lightning.errors import ConfigError
from clir_lightning.rank import rank

log = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds between two lines, unless
SETTING = "CLIR_LOG_SECONDS"  # in the environment says otherwise: it is of where a job runs, not of what it computes
LONG = 5.0  # seconds from which on a stage is worth a line at its end
TOGETHER = 0.1  # seconds of things that are told of at once
IN_BAR = "in_bar"  # of a record of the log: a bar shows the same, so that a terminal does without the line

T = TypeVar("T")


def interval() -> float:
    """Seconds between two lines. Raises `ConfigError` for what is none."""
    given = os.environ.get(SETTING, "")
    try:
        seconds = float(given) if given else INTERVAL
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigError(f"{SETTING} in the environment is {given!r}; allowed: a number of seconds above 0")
    return seconds


def bars() -> bool:
    """Whether there is a terminal to draw bars in. A file would hold each of a bar's states."""
    return sys.stderr is not None and sys.stderr.isatty()


def duration(seconds: float) -> str:
    """A time to read, in whole seconds.

    >>> duration(41.2), duration(90_000)
    ('0:00:41', '1 day, 1:00:00')
    """
    return str(timedelta(seconds=round(seconds)))


def rate_of(count: float, seconds: float) -> str:
    """How many a second, with two digits at least.

    >>> rate_of(61_440, 60.0), rate_of(1, 4.0)
    ('1,024', '0.25')
    """
    rate = count / max(seconds, 1e-9)
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


class Progress:
    """What is done of `total` things, how many a second, and the time that is left; nothing of a short stage.

    A terminal gets a bar, which goes when it is full. The log gets a line every `interval()` seconds, the log file of a
    job too: `scoring cross: 61,440 of 1,000,000 pairs, 1,024 pairs/s, 0:15:17 left`; and a last one of a stage that
    took `LONG` or more, `scoring cross: 1,000,000 pairs in 0:16:17`. Of several processes the first one speaks alone.

    Args:
        name: of what is done.
        unit: of the things, in the plural.
        total: how many there are; `None` where nobody knows.
        done: how many were done before.
        bar: whether a terminal gets a bar.
        in_bar: whether another bar shows the same, so that a terminal does without the lines.
        last: whether a long stage has a line at its end.
        clock: seconds.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        total: int | None = None,
        *,
        done: int = 0,
        bar: bool = True,
        in_bar: bool = False,
        last: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.unit = unit
        self.total = total
        self.done = done
        self.last = last
        self._before = done
        self._silent = rank() > 0
        self._interval = interval()
        self._clock = clock
        self._start = clock()
        self._said = self._start
        self._open = True

        # In a terminal tqdm's own switches hold, TQDM_DISABLE=1 say.
        hidden: Any = {} if bar and bars() and not self._silent else {"disable": True}
        self._bar: Any = tqdm(desc=name, total=total, initial=done, unit=f" {unit}", leave=False, delay=1, **hidden)
        self._in_bar = in_bar or not self._bar.disable

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.end()
        else:
            self.close()

    def begin(self) -> None:
        """The first step begins now: what came before is not in the rate. Later calls do nothing."""
        if self.done == self._before:
            self._start = self._clock()
            self._said = self._start
            self._bar.unpause()

    def advance(self, count: int = 1) -> None:
        """So many more are done; the stage ends with the last."""
        self.done += count
        if self.total is not None:
            self.done = min(self.done, self.total)
        self._bar.update(self.done - self._bar.n)
        now = self._clock()
        if self.done == self.total:
            self.end()
        elif now - self._said >= self._interval:
            self._said = now
            self._say(self.line(now - self._start), in_bar=self._in_bar)

    def over(self, things: Iterable[T]) -> Iterator[T]:
        """The things one after another, each done when the next one is asked for."""
        waiting = 0
        looked = self._clock()
        with self:
            for thing in things:
                yield thing

                # A tenth of a second's together: millions of lines are gone through in seconds.
                waiting += 1
                if self._clock() - looked >= TOGETHER:
                    self.advance(waiting)
                    waiting = 0
                    looked = self._clock()
            self.advance(waiting)

    def end(self) -> None:
        """The stage ends, with a line if it was a long one. Later calls do nothing."""
        if not self._open:
            return
        self.close()
        seconds = self._clock() - self._start
        if self.last and seconds >= LONG and self.done > self._before:
            before = f", {self._before:,} were done before" if self._before else ""
            self._say(f"{self.name}: {self.done - self._before:,} {self.unit} in {duration(seconds)}{before}")

    def close(self) -> None:
        """The stage ends without a line."""
        self._open = False
        self._bar.close()

    def _say(self, line: str, *, in_bar: bool = False) -> None:
        if not self._silent:
            log.info(line, extra={IN_BAR: in_bar})

    def line(self, seconds: float) -> str:
        """The progress after so many seconds.

        >>> progress = Progress("scoring cross", "pairs", 1_000_000)
        >>> progress.advance(61_440)
        >>> progress.line(60.0)
        'scoring cross: 61,440 of 1,000,000 pairs, 1,024 pairs/s, 0:15:17 left'
        """
        new = self.done - self._before
        rate = f"{rate_of(new, seconds)} {self.unit}/s"
        if self.total is None:
            return f"{self.name}: {self.done:,} {self.unit}, {rate}"
        left = duration((self.total - self.done) * seconds / new) if new else "unknown"
        return f"{self.name}: {self.done:,} of {self.total:,} {self.unit}, {rate}, {left} left"


@contextmanager
def stage(name: str) -> Iterator[None]:
    """One long call that counts nothing, of another library say: a line an interval, and one at its end.

    `building IVF4096,Flat: 0:02:00 so far`, `building IVF4096,Flat: done in 0:03:12`.
    """
    start = time.monotonic()
    ended = threading.Event()
    pause = interval()

    def speak() -> None:
        while not ended.wait(pause):
            log.info("%s: %s so far", name, duration(time.monotonic() - start))

    # In a thread, since the call may not come back for hours; nothing is said behind its end.
    speakers = [threading.Thread(target=speak, daemon=True)] if rank() == 0 else []
    for speaker in speakers:
        speaker.start()
    try:
        yield
    finally:
        ended.set()
        for speaker in speakers:
            speaker.join()

    # Of a long one, what it took.
    seconds = time.monotonic() - start
    if seconds >= LONG and speakers:
        log.info("%s: done in %s", name, duration(seconds))
