"""What every sampling is: the training samples of an epoch from `(seed, epoch)` alone, and why queries give none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from clir_lightning.data.collection import Split
from clir_lightning.types import Sample

# Why a query gives no sample.
NO_RELEVANT = "without a relevant document"
NO_ZERO = "without a grade-0 document"
NO_LOWER = "without a document of a lower grade"
NO_UNJUDGED = "without an unjudged document"


class Sampling(Protocol):
    """Draws the training samples of one epoch; the same `(seed, epoch)` gives the same samples."""

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """The samples of an epoch, in training order, all of one number of documents, as many in every epoch."""
        ...

    def lacks(self, split: Split, query_id: str) -> str | None:
        """Why a query gives no sample, as in `12 without a relevant document`; `None` for one that gives some."""
        ...


def draw(pool: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """`count` of the pool: different ones while they last, then with repetition, so that all samples have one size."""
    return rng.sample(pool, count) if len(pool) >= count else [*pool, *rng.choices(pool, k=count - len(pool))]
