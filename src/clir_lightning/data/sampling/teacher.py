"""A teacher's scores on the training samples, for the losses of distillation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clir_lightning.data.collection import Split
from clir_lightning.data.files.trec import read_run
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.errors import DataError
from clir_lightning.types import Run, Sample

CURE = (
    "score every judged document of the training split with the teacher: clir evaluate model=TEACHER split=train, "
    "with a depth that cuts none"
)


@dataclass
class Taught:
    """The samples of another sampling, each with a teacher's scores of its documents.

    Args:
        sampling: draws the samples.
        teacher: a TREC run file with every (query, document) pair of the samples; `None` leaves them as they are.
    """

    sampling: Sampling
    teacher: str | None = None
    _run: Run | None = field(default=None, init=False, repr=False)

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """An epoch's samples, in training order; `DataError` for a pair without a score."""
        samples = self.sampling(split, seed=seed, epoch=epoch)
        if self.teacher is None:
            return samples

        if self._run is None:  # read once, when samples are first drawn
            self._run = read_run(self.teacher)
        return [replace(sample, teacher=self._scores(sample, self._run.by_query)) for sample in samples]

    def lacks(self, split: Split, query_id: str) -> str | None:
        """Why a query gives no sample: what the other sampling says."""
        return self.sampling.lacks(split, query_id)

    def _scores(self, sample: Sample, run: Mapping[str, Mapping[str, float]]) -> tuple[float, ...]:
        scores = run.get(sample.query_id, {})
        for document in sample.document_ids:
            if document not in scores:
                problem = f"no score of document {document!r} for training query {sample.query_id!r}"
                raise DataError(problem, path=self.teacher, cure=CURE)
        return tuple(scores[document] for document in sample.document_ids)
