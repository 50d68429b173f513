"""Training samples of a file, as they stand there: what other systems trained on, or `clir mine` wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clir_lightning.data.collection import Split
from clir_lightning.data.files.lines import read_lines, write_whole
from clir_lightning.errors import DataError
from clir_lightning.settings.markers import ExistingPath
from clir_lightning.types import Sample


@dataclass
class Triples:
    """The samples of a file, `query<TAB>positive<TAB>negative…` ids, in its order in every epoch.

    For exact comparison with other systems: nothing is drawn. Grades come from the judgements; a positive that they
    lack has grade 1, a negative 0.
    """

    path: ExistingPath
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


def write_triples(samples: Iterable[Sample], path: str | Path) -> None:
    """Write samples as `query<TAB>positive<TAB>negative…` ids, in their order."""
    with write_whole(path) as stream:
        for sample in samples:
            stream.write("\t".join((sample.query_id, *sample.document_ids)) + "\n")
