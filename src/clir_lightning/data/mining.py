"""Training samples from outside the judgements: hard negatives of a run, mixtures, and files of triples."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clir_lightning.data.collection import Split
from clir_lightning.data.lines import read_lines, write_whole
from clir_lightning.data.sampling import NO_RELEVANT, Sampling, draw
from clir_lightning.data.trec import read_run
from clir_lightning.errors import ConfigError, DataError, at_least
from clir_lightning.types import Grades, Run, Sample


@dataclass
class Hard:
    """One best-graded document and `negatives` that a run ranks from `first` to `last`, a query.

    Documents that are judged relevant are no negatives; unjudged ones are, with grade 0. A query whose run has none
    within the ranks gives no sample.

    Args:
        run: a TREC run file; any system's.
        negatives: a query.
        first, last: ranks, from 1, both included.
    """

    run: str | None
    negatives: int = 1
    first: int = 1
    last: int = 100
    _run: Run | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        at_least(self.negatives, 1, "sampling.negatives")
        at_least(self.first, 1, "sampling.first")
        at_least(self.last, self.first, "sampling.last")

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample a query that has a relevant document and negatives, in a random order."""
        rng = random.Random(f"{seed}/{epoch}")
        samples = []
        for query_id, grades in split.qrels.items():
            if self._lacks(split, query_id, grades) is None:
                best = max(grades.values())
                positive = rng.choice([document for document, grade in grades.items() if grade == best])
                drawn = draw(list(self._pools(split)[query_id]), self.negatives, rng)
                samples.append(Sample(query_id, (positive, *drawn), (best, *[0] * self.negatives)))
        rng.shuffle(samples)
        return samples

    def lacks(self, split: Split, query_id: str) -> str | None:
        """Why a query gives no sample."""
        return self._lacks(split, query_id, split.qrels[query_id])

    def _lacks(self, split: Split, query_id: str, grades: Grades) -> str | None:
        if max(grades.values(), default=0) <= 0:
            return NO_RELEVANT
        if self._pools(split).by_query.get(query_id):
            return None
        return f"without a negative at ranks {self.first} to {self.last} of {self.run}"

    def _pools(self, split: Split) -> Run:
        """The negatives of each query, read once."""
        if self._run is None:
            self._run = self._read(split)
        return self._run

    def _read(self, split: Split) -> Run:
        if self.run is None:
            raise ConfigError("sampling `hard` needs a run file of the training queries: set its run=FILE")
        run = read_run(self.run)
        pools = {}
        for query_id in split.qrels:
            if query_id in run:
                ranked = run.ranking(query_id)[self.first - 1 : self.last]
                relevant = split.qrels.relevant(query_id)
                pools[query_id] = {document: 0.0 for document in ranked if document not in relevant}
        if not any(pools.values()):
            cure = "give a run of the training queries, or wider ranks"
            raise DataError(f"no negatives at ranks {self.first} to {self.last}", path=self.run, cure=cure)
        return Run(pools, name=run.name)


@dataclass(frozen=True)
class Mixture:
    """Each query's sample comes from one of several samplings, drawn by their shares.

    A query that the drawn sampling leaves out goes to the next of those that have a sample of it. All samplings must
    give the same number of documents.

    >>> from clir_lightning.data.sampling import BestAgainstRandom, Graded
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
        """One sample a query that any part with a share has one of, in a random order."""
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


def write_triples(samples: Iterable[Sample], path: str | Path) -> None:
    """Write samples as `query<TAB>positive<TAB>negative…` ids, in their order."""
    with write_whole(path) as stream:
        for sample in samples:
            stream.write("\t".join((sample.query_id, *sample.document_ids)) + "\n")


@dataclass
class Triples:
    """The samples of a file, `query<TAB>positive<TAB>negative…` ids, in its order in every epoch.

    For exact comparison with other systems: nothing is drawn. Grades come from the judgements; a positive that they
    lack has grade 1, a negative 0.
    """

    path: str
    _samples: list[Sample] | None = field(default=None, init=False, repr=False)
    _queries: frozenset[str] = field(default=frozenset(), init=False, repr=False)

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """The file's samples, whatever `seed` and `epoch`."""
        if self._samples is None:
            self._samples = list(self._read(split))
            self._queries = frozenset(sample.query_id for sample in self._samples)
        return self._samples

    def lacks(self, split: Split, query_id: str) -> str | None:
        """Why a query gives no sample."""
        self(split, seed=0, epoch=0)
        return None if query_id in self._queries else f"without a line in {self.path}"

    def _read(self, split: Split) -> Iterable[Sample]:
        width = None
        for number, line in read_lines(self.path):
            query_id, *documents = line.split("\t")
            if len(documents) < 2 or not all((query_id, *documents)):
                cure = "a line is query<TAB>positive<TAB>negative…, all ids"
                raise DataError(f"{len(documents) + 1} columns", path=self.path, line=number, cure=cure)
            if query_id not in split.queries:
                cure = "the file and the training split must belong together"
                raise DataError(f"no training query {query_id!r}", path=self.path, line=number, cure=cure)
            if len(documents) != (width := width or len(documents)):
                cure = f"give each line as many as the first, {width}"
                raise DataError(f"{len(documents)} documents", path=self.path, line=number, cure=cure)
            grades = split.qrels.by_query.get(query_id, {})
            rest = tuple(grades.get(document, 0) for document in documents[1:])
            yield Sample(query_id, tuple(documents), (grades.get(documents[0], 1), *rest))
        if width is None:
            raise DataError("no lines", path=self.path, cure="write the file again")
