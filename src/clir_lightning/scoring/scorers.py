"""How a batch becomes scores: `PairScorer` for models of pairs, `TextScorer` for models that encode texts apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.tokens.texts import Side, Texts
from clir_lightning.models.contracts import PairModel, TextModel
from clir_lightning.scoring.gathering import gather_vectors
from clir_lightning.scoring.memory import TokenBudget


class OrderError(RuntimeError):
    """A scoring pass in another order than all documents first, then queries."""


class PairScorer:
    """Scores each batch by itself."""

    def __init__(self, model: PairModel, budget: TokenBudget) -> None:
        self.model = model
        self.budget = budget

    def __call__(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]`."""
        return torch.cat([scores for _, scores in self.budget(self.model, batch)])

    def reset(self) -> None:
        """Nothing is kept from batch to batch."""


class TextScorer:
    """Keeps the vectors of documents, on the CPU, and scores the queries that come after them.

    A pass has two phases: batches of documents alone, then batches of queries alone. Processes encode different
    documents; when the first query comes, each gets the vectors of all of them, once. So every process must come from
    the first phase to the second, and a batch out of this order raises `OrderError`.

    Attributes:
        documents: vectors `[P]`, or `[T, P]` of a text's own tokens, by the documents' rows in the token store; from
            the first query on those of all processes.
        queries: the same of this process's queries, by id.
    """

    def __init__(self, model: TextModel, budget: TokenBudget) -> None:
        self.model = model
        self.budget = budget
        self.reset()

    def reset(self) -> None:
        """Forget the vectors: the next batch begins a pass."""
        self.documents: dict[int, Tensor] = {}
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
        kept = [vectors for part in self._encode(batch.documents, "document") for vectors in of_each_text(*part)]
        self.documents.update(zip(batch.rows.tolist(), kept, strict=True))

    def _rank(self, batch: TextBatch) -> Tensor:
        """Scores `[B, D]` of the queries with the documents in the batch's rows."""
        candidates = batch.rows.view(len(batch.queries), -1).tolist()
        self._check(batch, candidates)

        # Queries as they were encoded, [P] or [T, P], on the device; and what is kept of them.
        parts = self._encode(batch.queries, "query")
        kept = [vectors for part in parts for vectors in of_each_text(*part)]
        self.queries.update(zip((sample.query_id for sample in batch.samples), kept, strict=True))
        queries = [query for _, encoded in parts for query in encoded]

        # Each query with its own D documents alone.
        scores = []
        for query, rows in zip(queries, candidates, strict=True):
            documents = pad_sequence([self.documents[row] for row in rows], batch_first=True).to(query.device)
            scores.append(self.model.similarity(query[None], documents)[0])
        return torch.stack(scores)

    def _check(self, batch: TextBatch, candidates: Sequence[Sequence[int]]) -> None:
        """Raise `OrderError` for a query with a document that no process has encoded."""
        for sample, rows in zip(batch.samples, candidates, strict=True):
            for document, row in zip(sample.document_ids, rows, strict=True):
                if row not in self.documents:
                    raise OrderError(
                        f"query {sample.query_id!r} is to be scored with document {document!r}, which was not encoded "
                        f"among the {len(self.documents)} before; a scoring pass encodes all documents first"
                    )


def of_each_text(texts: Texts, vectors: Tensor) -> list[Tensor]:
    """The texts' vectors on the CPU, `[P]` each of `[N, P]`; of `[N, T, P]` those of a text's own tokens alone."""
    vectors = vectors.cpu()
    if vectors.ndim == 2:
        return list(vectors)
    ends = texts.attention_mask.sum(dim=1).tolist()
    return [row[:end].clone() for row, end in zip(vectors, ends, strict=True)]
