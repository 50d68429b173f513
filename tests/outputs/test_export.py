"""Exported folders against sentence-transformers, which loads them and must give the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, BertConfig, BertModel, PreTrainedTokenizerBase, XLMRobertaConfig, XLMRobertaModel

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import train_tokenizer
from clir_lightning.outputs.export import export_cross, export_dual
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.types import Document

TEXTS = ["қазақ тілі — тіл", "Алматы — қала, Қазақстан қаласы", "тіл"]


def tokenizer() -> PreTrainedTokenizerBase:
    return train_tokenizer([*TEXTS, "query: passage: 哈萨克语"], 200)


@pytest.fixture(params=["bert", "xlm-roberta"])
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> Encoder:
    torch.manual_seed(1)
    made, sizes = tokenizer(), {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    settings: dict[str, Any] = {**sizes, "intermediate_size": 32, "vocab_size": len(made), "initializer_range": 0.5}
    if request.param == "bert":
        model: Any = BertModel(BertConfig(**settings))
    else:
        made.model_input_names = ["input_ids", "attention_mask"]
        model = XLMRobertaModel(XLMRobertaConfig(**settings, pad_token_id=0, type_vocab_size=1))
    model.save_pretrained(tmp_path / "encoder")
    made.save_pretrained(tmp_path / "encoder")
    return Encoder(str(tmp_path / "encoder"))


def load(folder: Path, kind: str) -> Any:
    import sentence_transformers  # takes seconds, and pytest imports this module in each of its processes

    return getattr(sentence_transformers, kind)(str(folder), device="cpu")


def vectors(model: DualEncoder, side: Any) -> tuple[TextEncoder, Any]:
    texts = TextEncoder(
        Engine(model.eval()),
        model.encoder.tokenizer,
        {"query": "query: ", "document": "passage: "},
        {"query": 12, "document": 12},
    )
    records = {str(i): Document(str(i), text, "kk") for i, text in enumerate(TEXTS)}
    return texts, texts.reader(records, side, list(records))(np.arange(len(TEXTS)))


@pytest.mark.parametrize(
    "settings",
    [
        {"pooling": "cls"},
        {"pooling": "mean"},
        {"pooling": "max", "similarity": "dot"},
        {"pooling": "weighted_mean", "projection": 5},
    ],
    ids=lambda settings: settings["pooling"],
)
def test_a_dual_model_gives_the_same_vectors(encoder: Encoder, settings: dict[str, Any], tmp_path: Path) -> None:
    model = DualEncoder(encoder, **settings)
    texts, queries = vectors(model, "query")
    _, documents = vectors(model, "document")
    assert export_dual(texts, tmp_path / "out") == [tmp_path / "out"]
    theirs = load(tmp_path / "out", "SentenceTransformer")
    assert np.abs(theirs.encode(TEXTS, prompt_name="query") - queries).max() < 1e-5
    assert np.abs(theirs.encode(TEXTS, prompt_name="document") - documents).max() < 1e-5
    assert np.abs(queries - documents).max() > 1e-3  # the prompts matter
    assert theirs.similarity_fn_name == settings.get("similarity", "cosine")


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_sides_that_differ_get_a_folder_each(encoder: Encoder, similarity: str, tmp_path: Path) -> None:
    model = DualEncoder(encoder, towers="separate", similarity=similarity)
    assert model.document_encoder is not None
    torch.nn.init.normal_(next(model.document_encoder.parameters()))
    model.mean("query").add_(0.1)
    model.mean("document").sub_(0.2)
    for side in ("query", "document"):
        texts, ours = vectors(model, side)
        if side == "query":
            export_dual(texts, tmp_path / "out")
        theirs = load(tmp_path / "out" / side, "SentenceTransformer").encode(TEXTS, prompt_name=side)
        assert np.abs(theirs - ours).max() < 1e-5


def test_a_cross_model_gives_the_same_scores(encoder: Encoder, collection: Collection, tmp_path: Path) -> None:
    model = CrossEncoder(encoder).eval()
    pairs = [(TEXTS[2], TEXTS[0]), (TEXTS[2], TEXTS[1])]
    coded = encoder.tokenizer([a for a, _ in pairs], [b for _, b in pairs], padding=True, return_tensors="pt")
    with torch.inference_mode():
        ours = model.head(encoder.model(**coded).last_hidden_state[:, 0])[:, 0].numpy()
    export_cross(model, tmp_path / "out", 64)
    theirs = load(tmp_path / "out", "CrossEncoder").predict(pairs)
    assert np.abs(ours[0] - ours[1]) > 1e-4
    assert np.abs(theirs - ours).max() < 1e-5


@pytest.mark.parametrize("kind", ["dual", "cross"])
def test_a_model_over_an_encoder_stored_in_half_precision_is_exported_in_32_bits(
    encoder: Encoder, kind: str, tmp_path: Path
) -> None:
    """Halves would round what training has moved."""
    encoder.model.half().save_pretrained(tmp_path / "half")
    encoder.tokenizer.save_pretrained(tmp_path / "half")
    learnt = Encoder(str(tmp_path / "half"))
    if kind == "dual":
        export_dual(vectors(DualEncoder(learnt), "query")[0], tmp_path / "out")
    else:
        export_cross(CrossEncoder(learnt), tmp_path / "out", 64)
    tensors = load_file(tmp_path / "out" / "model.safetensors").values()
    assert {tensor.dtype for tensor in tensors} == {torch.float32}
    assert AutoConfig.from_pretrained(tmp_path / "out").dtype == torch.float32


def test_heads_that_cannot_be_expressed_are_rejected(encoder: Encoder, tmp_path: Path) -> None:
    for model in (CrossEncoder(encoder, pooling="mean"), CrossEncoder(encoder, hidden=4)):
        with pytest.raises(ConfigError, match=r"cannot be exported; allowed: architecture\.pooling=cls"):
            export_cross(model, tmp_path / "out", 64)
