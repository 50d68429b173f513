"""`precision: auto` on hardware with and without it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.batches.pairs import Step
from clir_lightning.data.collection import Collection
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import Listwise
from clir_lightning.errors import ConfigError
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.late import LateInteraction
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.scoring.precision import precision_for


@pytest.mark.parametrize(
    ("gpu", "bfloat16", "expected"),
    [
        (False, False, "32-true"),
        (False, True, "bf16-mixed"),
        (True, True, "bf16-mixed"),
        (True, False, "16-mixed"),
    ],
)
def test_auto_is_what_the_hardware_has(
    gpu: bool, bfloat16: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)
    capabilities = {"avx512_f": True, "avx512_bf16": bfloat16}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)  # newer than torch 2.11
    assert precision_for("auto", gpu=gpu) == expected


@pytest.mark.parametrize("setting", ["bf16-true", "16-true", "64-true", 64, "transformer-engine", "half"])
def test_a_precision_of_the_weights_themselves_is_rejected(setting: str | int) -> None:
    told = f"trainer.precision is {setting!r}; allowed: 32-true, bf16-mixed, 16-mixed, auto; weights have 32 bits, "
    with pytest.raises(ConfigError, match=told):
        precision_for(setting, gpu=True)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((None, 32, "32", "32-true"), "32-true"),
        (("bf16", "bf16-mixed"), "bf16-mixed"),
        ((16, "16", "16-mixed"), "16-mixed"),
    ],
)
def test_lightnings_names_of_a_precision_are_one(settings: tuple[str | int | None, ...], expected: str) -> None:
    assert {precision_for(setting, gpu=True) for setting in settings} == {expected}
    on_cpu = "bf16-mixed" if expected == "16-mixed" else expected
    assert {precision_for(setting, gpu=False) for setting in settings} == {on_cpu}


@pytest.mark.parametrize("architecture", ["cross", "cedr_knrm", "dual", "late"])
def test_scores_keep_all_their_digits_beside_an_encoder_in_half_precision(
    collection: Collection, tmp_path: Path, architecture: str
) -> None:
    """bfloat16 has eight bits of fraction; scores that are rounded to it come back from it unchanged."""
    maker = TinyEncoder(vocabulary=120, width=16, heads=2)
    encoder = Encoder(maker.prepare(collection, "train", tmp_path / "e", seed=3))
    apart = architecture in ("dual", "late")
    batches = TextBatches(query_length=20) if apart else PairBatches(query_length=20)
    data = RankingDataModule(collection, batches, sampling=Listwise(3))
    data.tokenise(encoder.tokenizer)
    batch = data.training.dataset[Step(data.training.samples(0))]

    def scores(half: bool) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            if apart:
                vectors = model.encode(batch.queries, "query"), model.encode(batch.documents, "document")
                found: Tensor = model.similarity(*vectors)
            else:
                found = model(batch)
        return found

    torch.manual_seed(1)
    made: dict[str, Callable[[], Any]] = {
        "cross": lambda: CrossEncoder(encoder, dropout=0),
        "cedr_knrm": lambda: CEDR(encoder, partial(KNRM), dropout=0),
        "dual": lambda: DualEncoder(encoder, projection=8),
        "late": lambda: LateInteraction(encoder, dimension=8),
    }
    model = made[architecture]()
    model.eval()
    half = scores(True)
    assert half.dtype == torch.float32
    assert not torch.equal(half, half.bfloat16().float())
    assert torch.allclose(half, scores(False), atol=0.1)
    assert not torch.equal(half, scores(False))
