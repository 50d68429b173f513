"""Several samplings in one epoch, each query's drawn by their shares."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from clir_lightning.data.collection import Split
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.errors import ConfigError
from clir_lightning.types import Sample


@dataclass(frozen=True)
class Mixture:
    """Each query's sample comes from one of several samplings, drawn by their shares.

    A query that the drawn sampling leaves out goes to the next of those that have a sample of it. All samplings must
    give the same number of documents.

    >>> from clir_lightning.data.sampling.judged import BestAgainstRandom, Graded
    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 6, "b": 3}, "r": {"c": 1, "d": 0}}))
    >>> parts = {"original": BestAgainstRandom(), "graded": Graded()}
    >>> mixture = Mixture(parts, {"original": 1.0, "graded": 0.0})
    >>> [sample.query_id for sample in mixture(split, seed=1, epoch=0)]
    ['r']
    """

    samplings: Mapping[str, Sampling]
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.shares) ^ set(self.samplings)):
            raise ConfigError(f"sampling.shares and sampling.samplings must name the same parts; differ in {unknown}")
        if min(self.shares.values(), default=0) < 0 or sum(self.shares.values()) <= 0:
            raise ConfigError(f"sampling.shares are {dict(self.shares)}; allowed: numbers from 0, one of them above")

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample per query that any part with a share has one of, in a random order."""
        names = self._names()
        drawn = {
            name: {sample.query_id: sample for sample in self.samplings[name](split, seed=seed, epoch=epoch)}
            for name in names
        }
        rng = random.Random(f"{seed}/{epoch}/mixture")
        samples = []
        for query_id in split.qrels:
            able = [name for name in names if query_id in drawn[name]]
            if able:
                name = rng.choices(able, [self.shares[name] for name in able])[0]
                samples.append(drawn[name][query_id])
        if len(sizes := {len(sample.document_ids) for sample in samples}) > 1:
            raise ConfigError(f"the parts of a mixture give samples of {sorted(sizes)} documents; make them one number")
        rng.shuffle(samples)
        return samples

    def lacks(self, split: Split, query_id: str) -> str | None:
        """Why no part with a share gives a sample of a query: what the parts say, each once."""
        reasons = [self.samplings[name].lacks(split, query_id) for name in self._names()]
        return None if None in reasons else " and ".join(reason for reason in dict.fromkeys(reasons) if reason)

    def _names(self) -> list[str]:
        return [name for name in self.samplings if self.shares[name] > 0]
