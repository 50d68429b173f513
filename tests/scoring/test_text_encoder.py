"""A model as a function from texts to vectors: in their order, whatever is encoded together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from clir_lightning.data.tokens.table import as_rows, tokenise
from clir_lightning.data.tokens.texts import TextAssembler, TextTemplate
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.types import Document
from models.conftest import DOCUMENTS

RECORDS = {name: Document(name, text, "kk") for name, text in DOCUMENTS.items()}


@pytest.fixture
def model(encoder_folder: Path) -> DualEncoder:
    """Two towers that differ, so that a wrong side is seen."""
    made = DualEncoder(Encoder(str(encoder_folder)), towers="separate").eval()
    assert made.document_encoder is not None
    torch.nn.init.normal_(made.document_encoder.blocks[0].get_parameter("attention.self.value.weight"))
    return made


def assembler(model: DualEncoder) -> TextAssembler:
    tokenizer = model.encoder.tokenizer
    return TextAssembler(tokenise(RECORDS, tokenizer, name="texts"), TextTemplate.of(tokenizer), 40)


@pytest.mark.parametrize("budget", [1, 60, 10_000])
def test_vectors_are_those_of_each_text_alone_in_the_order_asked_for(model: DualEncoder, budget: int) -> None:
    texts = assembler(model)
    rows = as_rows(texts.table.index, ["many", "one", "some", "few", "one"])
    found = Engine(model).encode(texts, rows, "document", tokens=budget)
    with torch.no_grad():
        alone = torch.cat([model.encode(texts.texts(rows[[i]]), "document") for i in range(5)])
        other = torch.cat([model.encode(texts.texts(rows[[i]]), "query") for i in range(5)])
    assert found == pytest.approx(alone.numpy(), abs=1e-5)
    assert np.abs(found - other.numpy()).max() > 0.01


@pytest.mark.parametrize("training", [True, False])
def test_a_model_in_training_is_asked_without_dropout_and_left_in_training(model: DualEncoder, training: bool) -> None:
    texts = assembler(model)
    rows = as_rows(texts.table.index, list(RECORDS))
    model.train(training)
    once = Engine(model).encode(texts, rows, "query")
    assert np.array_equal(Engine(model).encode(texts, rows, "query"), once)
    assert model.training is training
    assert model.encoder.training is training


def test_the_fingerprint_tells_weights_and_the_documents_settings_apart_but_no_temperature(model: DualEncoder) -> None:
    def fingerprint(document: str = "passage: ", query: str = "", length: int = 40) -> str:
        prefixes, lengths = {"query": query, "document": document}, {"query": 20, "document": length}
        return TextEncoder(Engine(model), model.encoder.tokenizer, prefixes, lengths).fingerprint()  # type: ignore[arg-type]

    first = fingerprint()
    with torch.no_grad():
        model.temperature.log_scale.add_(1)
    assert fingerprint() == fingerprint(query="other: ") == first
    assert first not in (fingerprint("other: "), fingerprint(length=41))
    model.mean("document").add_(0.1)
    assert fingerprint() != first
