"""What in two texts a model matched: MaxSim's tokens of late interaction, CEDR's similarity matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.candidate_set import CandidateSet
from clir_lightning.data.collection import Collection, Split
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.late import LateInteraction
from clir_lightning.outputs.ranker import ASKED, Ranker
from clir_lightning.types import Document, Qrels, Query, Run

WIDEST = 40  # document tokens that a matrix is shown with


@dataclass(frozen=True)
class Match:
    """A query token, and the document token with the greatest cosine, at `place` among the document's."""

    query: str
    document: str
    place: int
    cosine: float


@dataclass(frozen=True)
class Matches:
    """MaxSim: one match per query token; the score is the sum of their cosines."""

    pairs: tuple[Match, ...]

    @property
    def score(self) -> float:
        """The sum of the cosines."""
        return sum(pair.cosine for pair in self.pairs)


@dataclass(frozen=True)
class Matrices:
    """The cosine of each query token with each document token, at each of a model's levels."""

    levels: tuple[int, ...]  # L: 0 the embeddings, 1 the first layer, …
    query: tuple[str, ...]  # Q tokens
    document: tuple[str, ...]  # D tokens
    cosines: NDArray[np.float32]  # [L, Q, D]


def look(ranker: Ranker, query: Query, document: Document) -> Matches | Matrices | str:
    """What the model matched in a query and a document, or in words why there is nothing to see.

    Computed as the model scores them, from one batch of this pair alone.
    """
    model = ranker.trained.model
    cedr = model if isinstance(model, CEDR) else getattr(model, "text", None)
    if isinstance(model, DualEncoder):
        return "One vector per text: the score is the product of two vectors, and no token is matched with another."
    if not isinstance(model, LateInteraction) and not isinstance(cedr, CEDR):
        kind = type(model).__name__
        return f"{kind} reads both texts as one: there is a score, and nothing to tell which words made it."

    # The pair as a batch, in the form that the model was trained on.
    split = Split({query.id: query}, Qrels({query.id: {}}))
    lists = Run({query.id: {document.id: 0.0}})
    pair = Collection(ASKED, {document.id: document}, {ASKED: split})
    candidates = CandidateSet(pair, ASKED, lists, ranker.trained.batches())
    candidates.tokenise(ranker.trained.encoder.tokenizer)
    batches: list[Any] = [batch.to(ranker.at.device) for batch in candidates.loader()]

    # Of a model of texts the vectors of both, of one of pairs what its head reads.
    tokenizer = ranker.trained.encoder.tokenizer
    with ranker.at.scoring(model):
        if isinstance(model, LateInteraction):
            return _late(model, tokenizer, batches)
        assert isinstance(cedr, CEDR)
        return _matrices(cedr, tokenizer, batches[0])


def _late(model: LateInteraction, tokenizer: PreTrainedTokenizerBase, batches: Sequence[TextBatch]) -> Matches:
    """The matches of a query and a document, which come in batches of their own."""
    queries = next(batch.queries for batch in batches if len(batch.queries))
    documents = next(batch.documents for batch in batches if len(batch.documents))
    return matched(
        model.encode(queries, "query")[0],
        model.encode(documents, "document")[0],
        spelt(tokenizer, queries.input_ids[0].tolist()),
        spelt(tokenizer, documents.input_ids[0].tolist()),
    )


def matched(query: Tensor, document: Tensor, query_tokens: Sequence[str], document_tokens: Sequence[str]) -> Matches:
    """The best document token of each query token, of unit vectors `[Tq, P]` and `[Td, P]`; the first of equal ones.

    >>> import torch
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> matched(x, torch.tensor([[0.6, 0.8], [0.8, 0.6]]), ["a", "b"], ["c", "d"]).pairs[0]
    Match(query='a', document='d', place=1, cosine=0.800...)
    """
    cosines, places = (query.float() @ document.float().T).max(dim=1)
    rows = zip(query_tokens, cosines.tolist(), places.tolist(), strict=True)
    return Matches(tuple(Match(token, document_tokens[place], place, cosine) for token, cosine, place in rows))


def _matrices(model: CEDR, tokenizer: PreTrainedTokenizerBase, batch: PairBatch) -> Matrices | str:
    """The matrices of the batch's only pair."""
    assert batch.query_spans is not None
    assert batch.document_spans is not None
    signals = model.look(batch)[1]
    if not signals.similarity.shape[1]:
        return f"The head {type(model.head).__name__} reads no similarity matrices, only the averaged [CLS]."

    # [L, Q, D] without the padding behind either text.
    start, stop = batch.query_spans[0].tolist()
    query = batch.input_ids[0, start:stop].tolist()[: int(signals.query_mask[0].sum())]
    start, stop = batch.document_spans[0].tolist()
    document = batch.input_ids[0, start:stop].tolist()
    cosines = signals.similarity[0, :, : len(query), : len(document)].float().cpu().numpy()
    return Matrices(tuple(model.levels), spelt(tokenizer, query), spelt(tokenizer, document), cosines)


def widest(matrices: Matrices, level: int, most: int = WIDEST) -> tuple[list[int], NDArray[np.float32]]:
    """The places of the document tokens with the greatest cosines at a level, in the text's order, and their columns.

    `level` is a place in `matrices.levels`; the columns are `[Q, D]`, D at most `most`.

    >>> cosines = np.array([[[0.1, 0.9, 0.2], [0.3, 0.0, 0.1]]], np.float32)
    >>> widest(Matrices((0,), ("a", "b"), ("x", "y", "z"), cosines), 0, most=2)[0]
    [0, 1]
    """
    table = matrices.cosines[level]
    best = np.argsort(-table.max(axis=0, initial=-1.0), kind="stable")[:most]
    places = sorted(best.tolist())
    return places, table[:, places]


def spelt(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> tuple[str, ...]:
    """Tokens as one reads them: as text where each is one, else as the vocabulary has it (bytes of a character)."""
    found = []
    for number in ids:
        text = str(tokenizer.decode([number])).strip()
        found.append(text if text and "\ufffd" not in text else str(tokenizer.convert_ids_to_tokens(number)))
    return tuple(found)
