"""Small random encoders of both families, and batches of texts short and long."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest
import torch
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from clir_lightning.data.batches.pairs import PairBatch, PairDataset, Step
from clir_lightning.data.tokens.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens.table import tokenise
from clir_lightning.models.encoder import Encoder
from clir_lightning.types import Document, Query, Sample
from data.tokenizers_for_tests import bert_like, xlmr_like

QUERIES = {"short": "法语", "long": "哈萨克语 阿拉木图 阿斯塔纳 语言 城市"}
DOCUMENTS = {
    "one": "тіл",
    "few": "француз тілі — тіл",
    "some": "Алматы — Қазақстандағы қала " * 3,
    "many": "Астана — Қазақстанның елордасы, қазақ тілі " * 9,
}


@pytest.fixture(scope="session", params=["bert", "xlmr"])
def encoder_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder of 2 layers, 16 wide, 64 positions, with its family's tokenizer."""
    folder = tmp_path_factory.mktemp(str(request.param))
    bert = request.param == "bert"
    tokenizer = bert_like() if bert else xlmr_like()
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64 if bert else 66,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.5,  # so that states of different tokens differ clearly
    }
    torch.manual_seed(7)
    model = BertModel(BertConfig(**sizes)) if bert else XLMRobertaModel(XLMRobertaConfig(**sizes, type_vocab_size=1))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def encoder(encoder_folder: Path) -> Encoder:
    """The small encoder."""
    return Encoder(str(encoder_folder))


class Batches(Protocol):
    """Makes a batch of samples."""

    def __call__(self, *samples: tuple[str, ...]) -> PairBatch:
        """Each sample is a query's name and its documents'."""
        ...


@pytest.fixture
def batches(encoder: Encoder) -> Batches:
    """Batches of `QUERIES` with `DOCUMENTS`, the query cut to 8 tokens, the document to 200."""
    queries = {name: Query(name, text, "zh") for name, text in QUERIES.items()}
    documents = {name: Document(name, text, "kk") for name, text in DOCUMENTS.items()}
    dataset = PairDataset(
        PairAssembler(
            tokenise(queries, encoder.tokenizer, name="queries"),
            tokenise(documents, encoder.tokenizer, name="documents"),
            PairTemplate.of(encoder.tokenizer),
            encoder.pad_id,
            220,
            query_length=8,
            document_length=200,
        )
    )

    def make(*samples: tuple[str, ...]) -> PairBatch:
        return dataset[
            Step([Sample(query, names, (0,) * len(names)) for query, *rest in samples if (names := tuple(rest))])
        ]

    return make
