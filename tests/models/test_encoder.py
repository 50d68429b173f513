"""The encoder under every architecture."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

from clir_lightning.configuration import config_folder
from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import ConfigError
from clir_lightning.jobs import assembly
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.loading import EncoderSettings
from clir_lightning.models.pretrained import PretrainedEncoder
from clir_lightning.models.tiny import TinyEncoder
from models.conftest import Batches


@pytest.fixture
def batch(batches: Batches) -> PairBatch:
    return batches(("long", "one", "few"))


def test_layers_keeps_the_first_layers_with_their_weights(encoder_folder: Path) -> None:
    kept, whole = Encoder(str(encoder_folder), EncoderSettings(layers=1)), AutoModel.from_pretrained(encoder_folder)
    assert len(kept.blocks) == 1
    values = [model.encoder.layer[0].attention.self.value.weight for model in (kept.model, whole)]
    assert torch.equal(*values)


def test_the_highest_layers_start_anew_by_the_seed(encoder_folder: Path) -> None:
    def values(reinitialise: int | None) -> list[torch.Tensor]:
        torch.manual_seed(5)
        model = Encoder(str(encoder_folder), EncoderSettings(reinitialise=reinitialise)).model
        weights = [block.intermediate.dense.weight for block in model.encoder.layer]
        return [model.embeddings.word_embeddings.weight, *weights]

    stored, drawn = values(None), values(1)
    assert [torch.equal(one, other) for one, other in zip(stored, drawn, strict=True)] == [True, True, False]
    assert drawn[2].std().item() == pytest.approx(0.5, rel=0.2)  # the initializer_range
    assert all(torch.equal(one, other) for one, other in zip(drawn, values(1), strict=True))


@pytest.mark.parametrize("dropout", [None, 0.0, 0.5])
def test_dropout_is_the_configurations_or_as_given(
    dropout: float | None, encoder_folder: Path, batch: PairBatch, tmp_path: Path
) -> None:
    encoder = Encoder(str(encoder_folder), EncoderSettings(dropout=dropout))
    with torch.no_grad():
        once, again = encoder(batch), encoder(batch)
        rest = encoder.eval()(batch)
    assert torch.equal(once, again) == (dropout == 0)
    assert torch.allclose(once, rest, atol=1e-6) == (dropout == 0)
    encoder.describe(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    expected = 0.1 if dropout is None else dropout
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (expected, expected)
    assert config.classifier_dropout is None


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"layers": 9}, r"encoder.layers is 9; .* has 1 to 2"),
        ({"frozen": 3}, r"encoder.frozen is 3; allowed: 0 to 2, or null"),
        ({"layers": 1, "reinitialise": 2}, r"encoder.reinitialise is 2; allowed: 0 to 1, or null"),
        ({"attention": "egaer"}, r"encoder.attention is 'egaer'; allowed: auto, eager, .*did you mean 'eager'"),
        ({"dropout": 1.0}, r"encoder.dropout is 1.0; allowed: 0 or more, below 1"),
    ],
)
def test_what_the_encoder_cannot_do_is_rejected_before_its_weights_are_read(
    setting: dict[str, float | str], told: str, encoder_folder: Path, tmp_path: Path
) -> None:
    whole = Encoder(str(encoder_folder))
    whole.describe(tmp_path)  # a folder without weights
    with pytest.raises(ConfigError, match=told):
        Encoder(str(tmp_path), EncoderSettings(**setting))  # type: ignore[arg-type]


@pytest.mark.parametrize("attention", ["auto", "eager", "sdpa"])
def test_attention_is_computed_as_asked_with_the_same_states(
    attention: str, encoder_folder: Path, batch: PairBatch
) -> None:
    encoder = Encoder(str(encoder_folder), EncoderSettings(attention=attention)).eval()
    assert encoder.model.config._attn_implementation == {"auto": "clir_unpadded"}.get(attention, attention)
    with torch.no_grad():
        found, wanted = encoder(batch), Encoder(str(encoder_folder)).eval()(batch)
    real = batch.attention_mask.bool()
    assert torch.allclose(found[real], wanted[real], atol=1e-5)


@pytest.mark.skipif(find_spec("flash_attn") is not None, reason="flash_attn is installed")
def test_an_attention_whose_package_is_missing_is_named(encoder_folder: Path) -> None:
    with pytest.raises(
        ConfigError, match=r", attention=flash_attention_2: .*(doesn't seem to be|seems to be not) installed"
    ):
        Encoder(str(encoder_folder), EncoderSettings(attention="flash_attention_2"))


def test_a_described_encoder_loads_without_its_weights(encoder_folder: Path, tmp_path: Path) -> None:
    Encoder(str(encoder_folder), EncoderSettings(layers=1)).describe(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    assert AutoConfig.from_pretrained(tmp_path).num_hidden_layers == 1
    assert Encoder(str(tmp_path), weights=False).width == 16


def test_xlm_r_has_two_positions_less_than_its_table(encoder_folder: Path) -> None:
    encoder = Encoder(str(encoder_folder))  # tables of 64 and 66
    encoder.check_length(64)
    with pytest.raises(ConfigError, match="takes at most 64 tokens"):
        encoder.check_length(65)


def test_weights_that_a_folder_lacks_are_told_and_unused_ones_are_not(
    encoder_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    copytree(encoder_folder, tmp_path, dirs_exist_ok=True)
    weights = load_file(encoder_folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    save_file(kept | {"cls.predictions.bias": torch.zeros(3)}, tmp_path / "model.safetensors", {"format": "pt"})
    Encoder(str(tmp_path))
    assert caplog.text == ""
    assert "REPORT" not in "".join(capfd.readouterr())
    lost = {name: value for name, value in kept.items() if ".layer.1." not in name}
    save_file(lost, tmp_path / "model.safetensors", {"format": "pt"})
    Encoder(str(tmp_path))
    assert "has no weights for 16 tensors, encoder.layer.1.attention.output.LayerNorm.bias among them" in caplog.text


def test_settings_have_one_definition_that_the_configuration_lists() -> None:
    """In its order too, as `clir train --help` shows them."""
    node = OmegaConf.to_container(OmegaConf.load(config_folder() / "encoder" / "hf.yaml"))
    assert isinstance(node, dict)
    assert node.pop("_target_") == "clir_lightning.models.PretrainedEncoder"
    assert node.pop("name") == "???"
    assert node.pop("trim_vocabulary") is False
    assert node == asdict(EncoderSettings())
    assert list(node) == list(asdict(EncoderSettings()))
    for kind in (PretrainedEncoder, TinyEncoder):
        assert vars(kind).get("__annotations__", {}).keys() & {"attention", "gradient_checkpointing", "frozen"} == set()


def test_the_settings_of_the_configuration_reach_the_encoder(encoder_folder: Path, tmp_path: Path) -> None:
    node = {"_target_": "clir_lightning.models.PretrainedEncoder", "name": str(encoder_folder)}
    config = OmegaConf.create(
        {"encoder": {**node, "layers": 1, "dropout": 0.25, "frozen": 0}, "seed": 1, "cache": None}
    )
    data: Any = SimpleNamespace(collection=None, splits={"train": "train"}, batches=PairBatches())
    encoder = assembly.make_encoder(config, data, tmp_path)
    assert encoder.depth == 1
    assert encoder.model.config.hidden_dropout_prob == 0.25
    assert {weight.requires_grad for weight in encoder.model.embeddings.parameters()} == {False}


def test_a_missing_model_is_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere' cannot be loaded .*give a folder with config.json"):
        Encoder(str(tmp_path / "nowhere"))
