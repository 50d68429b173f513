"""Pairs of linked and unlinked queries with what a graph knows of them, over the small random encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.data.batches.pairs import PairBatch, Step
from clir_lightning.data.collection import Split
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.contracts import PairText
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.heads.maxsim import MaxSim
from clir_lightning.types import Document, Qrels, Query, Sample
from data.knowledge_for_tests import AROUND, Hand, Member

QUERIES = {"lang": "哈萨克语", "twin": "哈萨克语", "french": "法语", "plain": "阿拉木图 城市", "other": "语言 城市"}
DOCUMENTS = {"one": "тіл", "few": "француз тілі — тіл", "some": "Алматы — Қазақстандағы қала " * 2}
LINKED = {"lang": 0, "french": 4}  # the others are not
NONE = (("plain", "few"), ("other", "one"))
SOME = (("lang", "one"), ("plain", "few"), ("french", "some"))
ALL = (("lang", "one"), ("french", "few"), ("lang", "some"))

TEXTS: dict[str, Callable[[Encoder], PairText]] = {
    "cross": partial(CrossEncoder, pooling="mean", dropout=0.0),
    "maxsim": partial(CEDR, head=MaxSim, query_length=8, chunk_length=40, dropout=0.0),
    "knrm": partial(CEDR, head=KNRM, query_length=8, chunk_length=40, dropout=0.0),
}


def dataset(
    encoder: Encoder,
    around: Mapping[int, Sequence[Member]] = AROUND,
    queries: Mapping[str, int] = LINKED,
    documents: Mapping[str, int] = {"one": 1},
) -> Any:
    """A step in, a batch out."""
    knowledge = Hand(queries, documents, around)
    batches = PairBatches(knowledge=knowledge, query_length=8, document_length=30, max_length=60)
    asked = {name: Query(name, text, "zh") for name, text in QUERIES.items()}
    listed = {name: Document(name, text, "kk") for name, text in DOCUMENTS.items()}
    split = Split(asked, Qrels({}), documents=listed)
    return batches.dataset(split, batches.documents(listed, encoder.tokenizer), encoder.tokenizer, name="test")


def batch_of(made: Any, *pairs: tuple[str, ...]) -> PairBatch:
    """Each sample a query with documents."""
    batch: PairBatch = made[Step([Sample(query, tuple(names), (0,) * len(names)) for query, *names in pairs])]
    return batch


def known(batch: PairBatch, **changed: Any) -> PairBatch:
    """The same batch with some of its knowledge changed."""
    assert batch.knowledge is not None
    return replace(batch, knowledge=replace(batch.knowledge, **changed))


def knowledge_of(batch: PairBatch) -> KnowledgeBatch:
    assert batch.knowledge is not None
    return batch.knowledge


def scores_of(model: Any, batch: PairBatch) -> Tensor:
    with torch.no_grad():
        scores: Tensor = model(batch)
    return scores
