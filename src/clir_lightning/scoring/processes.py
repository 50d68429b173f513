"""The processes that work together: which one this is, and what all of them hold alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

T = TypeVar("T")


def world() -> tuple[int, int]:
    """This process's number and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def once(make: Callable[[], Any]) -> Any:
    """What `make` gives in the first process, in all of them: files are made once, and are there when it returns."""
    if not dist.is_initialized():
        return make()
    result = [make() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(result, src=0)
    return result[0]


def gather_objects(mine: T) -> list[T]:
    """All processes' values, small ones that can be pickled, by process."""
    size = world()[1]
    if size == 1:
        return [mine]
    values: list[Any] = [None] * size
    dist.all_gather_object(values, mine)
    return values
