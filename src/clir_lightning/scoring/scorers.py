"""How a batch becomes scores: `PairScorer` for models of pairs, `TextScorer` for models that encode texts apart."""

from __future__ import annotations

import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.tokens.texts import Side, Texts
from clir_lightning.models.contracts import PairModel, TextModel
from clir_lightning.scoring.gathering import gather_vectors
from clir_lightning.scoring.memory import TokenBudget
from clir_lightning.scoring.vectors import TextVectors

CELLS = 1 << 24  # numbers of the documents' vectors that are on the device at a time


class OrderError(RuntimeError):
    """A scoring pass in another order than all documents first, then queries."""


class PairScorer:
    """Scores each batch by itself; a model may keep for a pass what it computed of texts that come again."""

    def __init__(self, model: PairModel, budget: TokenBudget) -> None:
        self.model = model
        self.budget = budget

    def __call__(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]`."""
        return torch.cat([scores for _, scores in self.budget(self.model, batch)])

    def reset(self) -> None:
        """Have the model forget what it keeps from batch to batch, if it keeps anything."""
        getattr(self.model, "forget", _nothing)()


def _nothing() -> None:
    """What a model does that keeps nothing."""


class TextScorer:
    """Keeps the vectors of documents, on the CPU, and scores the queries that come after them.

    A pass has two phases: batches of documents alone, then batches of queries alone. Processes encode different
    documents; when the first query comes, each gets the vectors of all of them, once. So every process must come from
    the first phase to the second, and a batch out of this order raises `OrderError`.

    Attributes:
        documents: vectors `[P]`, or `[T, P]` of a text's own tokens, by the documents' rows in the token store; from
            the first query on those of all processes. Those of tokens are kept in half precision.
        queries: the same of this process's queries, by id, in full precision.
    """

    def __init__(self, model: TextModel, budget: TokenBudget) -> None:
        self.model = model
        self.budget = budget
        self.reset()

    def reset(self) -> None:
        """Forget the vectors: the next batch begins a pass."""
        self.documents = TextVectors()
        self.queries: dict[str, Tensor] = {}
        self.complete = False  # whether the documents of all processes are there

    def __call__(self, batch: TextBatch) -> Tensor:
        """Scores `[B, D]` of queries; `[0, 0]` of documents."""
        if len(batch.documents):
            self._keep_documents(batch)
        if not len(batch.queries):
            return batch.grades.new_zeros(0, 0)

        if not self.complete:
            self.documents = gather_vectors(self.documents, batch.rows.device)
            self.complete = True
        return self._rank(batch)

    def _encode(self, texts: Texts, side: Side) -> list[tuple[Texts, Tensor]]:
        """Parts of the texts with their vectors `[n, P]` or `[n, T, P]`; one part where memory suffices."""
        return self.budget(lambda part: self.model.encode(part, side), texts)

    def _keep_documents(self, batch: TextBatch) -> None:
        if self.complete or len(batch.queries):
            problem = "come with queries" if len(batch.queries) else "came after a query"
            raise OrderError(
                f"{len(batch.documents)} documents {problem}; a scoring pass encodes all documents before its first "
                "query, in batches of their own, as data.batches.scoring.TextScoring does; reset() begins another"
            )
        start = 0
        rows = batch.rows.tolist()
        for texts, vectors in self._encode(batch.documents, "document"):
            own = rows[start : start + len(texts)]
            start += len(texts)
            if vectors.ndim == 2:
                self.documents.add(own, vectors)
            else:
                real = texts.attention_mask.bool()
                self.documents.add(own, vectors[real], real.sum(dim=1))

    def _rank(self, batch: TextBatch) -> Tensor:
        """Scores `[B, D]` of the queries with the documents in the batch's rows."""
        rows = batch.rows.view(len(batch.queries), -1).cpu()
        self._check(batch, rows)

        # Queries as they were encoded, [P] or [T, P], on the device; and what is kept of them.
        parts = self._encode(batch.queries, "query")
        kept = [vectors for part in parts for vectors in of_each_text(*part)]
        self.queries.update(zip((sample.query_id for sample in batch.samples), kept, strict=True))
        queries = [query for _, encoded in parts for query in encoded]

        # Each query with its own D documents alone; those of a few queries come to the device together.
        scores = []
        few = max(1, CELLS // (rows.shape[1] * self.documents.cells))
        for start in range(0, len(queries), few):
            wanted = rows[start : start + few]
            flat = self.documents.take(wanted.flatten()).to(queries[0].device).float()
            documents = flat.view(*wanted.shape, *flat.shape[1:])  # [q, D, P] or [q, D, T, P]
            for query, own in zip(queries[start : start + few], documents, strict=True):
                scores.append(self.model.similarity(query[None], own)[0])
        return torch.stack(scores)

    def _check(self, batch: TextBatch, rows: Tensor) -> None:
        """Raise `OrderError` for a query with a document, of rows `[B, D]`, that no process has encoded."""
        missing = (self.documents.places(rows.flatten()) < 0).view(rows.shape).nonzero().tolist()
        for query, document in missing[:1]:
            sample = batch.samples[query]
            raise OrderError(
                f"query {sample.query_id!r} is to be scored with document {sample.document_ids[document]!r}, which was "
                f"not encoded among the {len(self.documents)} before; a scoring pass encodes all documents first"
            )


def of_each_text(texts: Texts, vectors: Tensor) -> list[Tensor]:
    """The texts' vectors on the CPU, `[P]` each of `[N, P]`; of `[N, T, P]` those of a text's own tokens alone."""
    vectors = vectors.cpu()
    if vectors.ndim == 2:
        return list(vectors)
    ends = texts.attention_mask.sum(dim=1).tolist()
    return [row[:end].clone() for row, end in zip(vectors, ends, strict=True)]
