"""How many of a split's queries a sampling uses, and why it leaves the others out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clir_lightning.data.collection import Split
from clir_lightning.data.sampling.sampling import NO_LOWER, NO_ZERO, Sampling
from clir_lightning.errors import ConfigError
from clir_lightning.types import Sample

log = logging.getLogger(__name__)

# Judgements of relevant documents alone, as BEIR, MS MARCO and Mr. TyDi have them.
CURE = (
    "sampling.negatives_from=unjudged takes other documents of the collection as negatives, sampling=hard those of a "
    "run, and sampling.negatives=0 none, for the in-batch negatives of architecture=dual"
)


@dataclass(frozen=True)
class Usage:
    """`str(usage)` is what the log says, such as `1 of 100 used; left out: 99 without a grade-0 document`."""

    queries: int
    left_out: Mapping[str, int]  # queries by reason

    @classmethod
    def of(cls, sampling: Sampling, split: Split, samples: Sequence[Sample]) -> Usage:
        """That of an epoch's samples."""
        used = {sample.query_id for sample in samples}
        reasons = (sampling.lacks(split, query) or "not drawn" for query in split.queries if query not in used)
        return cls(len(split.queries), Counter(reasons))

    def checked(self, split: str) -> Usage:
        """The same, after a warning where queries of the split of that name are left out; `ConfigError` if all are."""
        if not self.used:
            raise ConfigError(f"split {split!r} has no query that the sampling can use: {self}")
        if self.left_out:
            log.warning("training queries: %s", self)
        return self

    @property
    def used(self) -> int:
        """The number of queries with a sample."""
        return self.queries - sum(self.left_out.values())

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        lacking = any(name in reason for reason in self.left_out for name in (NO_ZERO, NO_LOWER))
        said = f"{self.used} of {self.queries} used" + (f"; left out: {reasons}" if reasons else "")
        return f"{said} ({CURE})" if lacking else said
