"""`Pace`: how many batches and pairs in how many seconds, pauses apart."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Counts from when it is made, or from its first `go` after a `stop`.

    >>> times = iter([0.0, 10.0, 10.0, 20.0, 20.0])
    >>> pace = Pace(lambda: next(times))
    >>> for _ in range(2):
    ...     pace.count(8)
    >>> pace.seconds, pace.pairs, pace.of(3)
    (20.0, 16, 30.0)
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.batches = 0
        self.pairs = 0
        self.seconds = 0.0
        self._clock = clock
        self._since: float | None = clock()

    def count(self, pairs: int) -> None:
        """One more batch, of so many pairs."""
        self.batches += 1
        self.pairs += pairs
        self.stop()
        self.go()

    def stop(self) -> None:
        """What comes now is not in the seconds."""
        if self._since is not None:
            self.seconds += self._clock() - self._since
            self._since = None

    def go(self) -> None:
        """What comes now is in the seconds, from now on."""
        self._since = self._clock()

    def of(self, batches: float) -> float:
        """The seconds that so many batches take at this pace; 0 where nothing is counted."""
        return self.seconds / self.batches * batches if self.batches else 0.0
