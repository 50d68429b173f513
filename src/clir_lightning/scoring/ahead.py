"""`ahead`: what a loop asks for next is made by a thread while the loop still computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

BATCHES = 4  # that lie ready at most
PATIENCE = 0.1  # seconds after which a waiting thread looks whether anybody still waits for it


@contextmanager
def ahead(source: Iterator[T], count: int = BATCHES) -> Iterator[Iterator[T]]:
    """The items of `source`, of which a thread makes up to `count` in advance, in their order.

    An error in `source` is raised where its item would have come. However the block ends, the thread ends with it; one
    that is in the middle of an item keeps no program from ending.
    """
    made: queue.Queue[tuple[str, Any]] = queue.Queue(count)
    over = threading.Event()

    def put(kind: str, item: Any) -> bool:
        """Whether anybody still wants it."""
        while not over.is_set():
            try:
                made.put((kind, item), timeout=PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in source:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

    def items() -> Iterator[T]:
        while True:
            kind, item = made.get()
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item

    thread = threading.Thread(target=make, name="batches ahead", daemon=True)
    thread.start()
    try:
        yield items()
    finally:
        over.set()
        thread.join(10 * PATIENCE)
