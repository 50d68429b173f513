"""The cross architecture and the encoder under it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, XLMRobertaConfig, XLMRobertaModel

from clir_lightning.data.batching import PairDataset, Step
from clir_lightning.data.collection import Collection
from clir_lightning.data.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens import tokenise
from clir_lightning.errors import ConfigError
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Sample


@pytest.fixture
def folder(collection: Collection, tmp_path: Path) -> str:
    return TinyEncoder(vocabulary=120, width=16, heads=2, layers=3).prepare(collection, "train", tmp_path / "e", seed=3)


def pairs(collection: Collection, encoder: Encoder) -> PairDataset:
    queries = {i: query for split in collection.splits.values() for i, query in split.queries.items()}
    assembler = PairAssembler(
        tokenise(queries, encoder.tokenizer, name="queries"),
        tokenise(collection.documents, encoder.tokenizer, name="documents"),
        PairTemplate.of(encoder.tokenizer),
        encoder.tokenizer.pad_token_id,
        32,
    )
    return PairDataset(assembler)


@pytest.fixture
def score(collection: Collection, folder: str) -> Callable[[list[Sample]], torch.Tensor]:
    torch.manual_seed(0)
    encoder = Encoder(folder)
    model = CrossEncoder(encoder).eval()
    dataset = pairs(collection, encoder)

    def run(samples: list[Sample]) -> torch.Tensor:
        with torch.no_grad():
            scores: torch.Tensor = model(dataset[Step(samples)])
        return scores

    return run


def test_a_score_does_not_depend_on_the_batch(score: Callable[[list[Sample]], torch.Tensor]) -> None:
    short, long = Sample("q2", ("c",), (0,)), Sample("q3", ("b",), (0,))
    assert score([short, long]).shape == (2, 1)
    assert torch.allclose(score([short, long]), torch.cat([score([short]), score([long])]), atol=1e-5)


def test_scores_keep_the_order_of_documents(score: Callable[[list[Sample]], torch.Tensor]) -> None:
    both = score([Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("c", "d"), (6, 0))])
    assert both.shape == (2, 2)
    assert torch.allclose(both[1, 0], score([Sample("q2", ("c",), (0,))])[0, 0], atol=1e-5)


def test_layers_keeps_the_first_layers_with_their_weights(folder: str) -> None:
    kept, whole = Encoder(folder, layers=2), AutoModel.from_pretrained(folder)
    assert len(kept.model.encoder.layer) == 2
    for one, other in zip(kept.model.encoder.layer, whole.encoder.layer, strict=False):
        assert torch.equal(one.attention.self.value.weight, other.attention.self.value.weight)
    with pytest.raises(ConfigError, match=r"encoder.layers is 9; .* has 1 to 3"):
        Encoder(folder, layers=9)


def test_the_highest_layers_start_anew_by_the_seed(folder: str) -> None:
    def values(reinitialise: int | None) -> list[torch.Tensor]:
        torch.manual_seed(5)
        model = Encoder(folder, reinitialise=reinitialise).model
        weights = [block.attention.self.value.weight for block in model.encoder.layer]
        return [model.embeddings.word_embeddings.weight, *weights]

    stored, drawn = values(None), values(2)
    assert [torch.equal(one, other) for one, other in zip(stored, drawn, strict=True)] == [True, True, False, False]
    assert drawn[2].std().item() == pytest.approx(0.02, rel=0.2)  # BERT's initializer_range
    assert all(torch.equal(one, other) for one, other in zip(drawn, values(2), strict=True))
    with pytest.raises(ConfigError, match=r"encoder.reinitialise is 4; allowed: 0 to 3, or null"):
        Encoder(folder, reinitialise=4)


def test_every_weight_gets_a_gradient(collection: Collection, folder: str) -> None:
    encoder = Encoder(folder)
    model = CrossEncoder(encoder)
    model(pairs(collection, encoder)[Step([Sample("q1", ("a", "b"), (6, 0))])]).sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_a_described_encoder_loads_without_its_weights(folder: str, tmp_path: Path) -> None:
    Encoder(folder, layers=2).describe(tmp_path / "described")
    assert not (tmp_path / "described" / "model.safetensors").exists()
    assert AutoConfig.from_pretrained(tmp_path / "described").num_hidden_layers == 2
    assert Encoder(str(tmp_path / "described"), weights=False).width == 16


def test_xlm_r_has_two_positions_less_than_its_table(collection: Collection, folder: str, tmp_path: Path) -> None:
    config = XLMRobertaConfig(
        vocab_size=120,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=66,
        pad_token_id=1,
    )
    XLMRobertaModel(config).save_pretrained(tmp_path / "x")
    Encoder(folder).tokenizer.save_pretrained(tmp_path / "x")
    encoder = Encoder(str(tmp_path / "x"))
    encoder.check_length(64)
    with pytest.raises(ConfigError, match="takes at most 64 tokens"):
        encoder.check_length(65)


def test_a_missing_model_is_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere' cannot be loaded .*give a folder with config.json"):
        Encoder(str(tmp_path / "nowhere"))
