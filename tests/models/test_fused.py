"""Scoring through oneDNN's products against transformers' layers, in both precisions."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from clir_lightning.models.encoder import Encoder
from clir_lightning.models.fused import FusedStack, can_fuse
from clir_lightning.models.loading import EncoderSettings
from models.families import write
from models.test_unpadded import rows

bf16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor computes no bfloat16 in oneDNN"
)


@pytest.fixture(scope="module", params=["bert", "xlm-roberta", "camembert"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(request.param, tmp_path_factory.mktemp("family") / request.param, initializer_range=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=bf16)])
def test_states_are_those_of_transformers_layers(folder: Path, dtype: torch.dtype) -> None:
    fast, plain = Encoder(str(folder)).eval(), Encoder(str(folder), EncoderSettings(attention="eager")).eval()
    batch = rows(fast, [12, 5, 12, 30])
    real = batch.attention_mask.bool()
    with torch.inference_mode():
        padded = plain(batch)
        with torch.autocast("cpu", dtype, enabled=dtype is torch.bfloat16):
            found = torch.cat([fast(batch)[real], fast.first(batch)])
    wanted = torch.cat([padded[real], padded[:, 0]])
    assert fast.end_to_end._fused is not None
    assert found.dtype == torch.float32
    assert torch.allclose(found, wanted, atol=1e-5 if dtype is torch.float32 else 0.1)
    assert torch.nn.functional.cosine_similarity(found, wanted, dim=-1).min() > 0.999


def test_it_is_used_where_nothing_is_learnt_alone(folder: Path) -> None:
    encoder = Encoder(str(folder)).eval()
    batch = rows(encoder, [5, 9])
    with patch.object(FusedStack, "__call__", side_effect=AssertionError):
        encoder(batch)
        with torch.no_grad(), pytest.raises(AssertionError):
            encoder(batch)
        encoder.train()
        with torch.no_grad():
            encoder(batch)


def test_a_copy_of_the_weights_is_not_copied_or_stored_with_the_encoder(folder: Path) -> None:
    encoder = Encoder(str(folder)).eval()
    batch = rows(encoder, [5, 9])
    with torch.no_grad():
        wanted = encoder(batch)
        assert encoder.end_to_end._fused is not None
        for again in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
            assert again.end_to_end._fused is None
            assert torch.equal(again(batch), wanted)
    assert encoder.end_to_end._fused is not None
    assert encoder.train().end_to_end._fused is None


def test_what_the_layers_cannot_compute_is_left_to_transformers(tmp_path: Path) -> None:
    relu = Encoder(str(write("bert", tmp_path / "relu", hidden_act="relu"))).eval()
    plain = Encoder(str(tmp_path / "relu"), EncoderSettings(attention="eager")).eval()
    batch = rows(relu, [5, 9])
    with torch.no_grad():
        assert torch.allclose(relu.first(batch), plain.first(batch), atol=1e-4)
    assert relu.end_to_end._fused is None
    config = Encoder(str(write("bert", tmp_path / "gelu"))).model.config
    assert can_fuse(config, torch.float32)
    assert not can_fuse(config, torch.float16)
    with patch.object(torch._C, "_has_mkldnn", False):
        assert not can_fuse(config, torch.float32)
