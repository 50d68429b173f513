"""Device and precision of scoring outside a trainer: chosen in one place, simulated GPUs, bfloat16 on the CPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.scoring.computing import CPU, Computing, computing, cores, device_for, device_name, workers_for
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.text_encoder import TextEncoder


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        *(("auto", 0, "cpu"), ("auto", 1, "cuda:0"), ("auto", 4, "cuda:0")),
        *(("cpu", 0, "cpu"), ("cpu", 4, "cpu"), ("cuda", 2, "cuda:0"), ("cuda:1", 2, "cuda:1")),
    ],
)
def test_the_device_is_the_one_that_is_there(device: str, gpus: int, expected: str) -> None:
    assert str(device_for(device, gpus)) == expected


@pytest.mark.parametrize(("device", "gpus"), [("cuda", 0), ("cuda:2", 2), ("gpu", 1), ("cuda:0", 0)])
def test_a_device_that_is_not_there_is_rejected_with_those_that_are(device: str, gpus: int) -> None:
    there = ["auto", "cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    with pytest.raises(ConfigError, match=f"device is '{device}'; allowed: {', '.join(there)}"):
        device_for(device, gpus)


@pytest.mark.parametrize(
    ("trained", "given", "gpus", "expected"),
    [
        *(("bf16-mixed", None, 1, "bf16-mixed"), ("bf16-mixed", None, 0, "bf16-mixed")),
        *(("16-mixed", None, 1, "16-mixed"), ("16-mixed", None, 0, "bf16-mixed")),
        *((None, None, 1, "32-true"), (32, None, 1, "32-true"), ("32-true", "bf16-mixed", 1, "bf16-mixed")),
        *(("bf16-mixed", "32-true", 1, "32-true"), (16, None, 1, "16-mixed")),
        ("32-true", "16", 0, "bf16-mixed"),
    ],
)
def test_the_precision_is_that_of_training_unless_one_is_given(
    trained: Any, given: Any, gpus: int, expected: str
) -> None:
    assert computing("auto", given, trained=trained, gpus=gpus).precision == expected


@pytest.mark.parametrize(("device", "expected"), [("auto", "bf16-mixed"), ("cpu", "32-true")])
def test_mixed_is_decided_for_the_device_that_is_computed_on(
    device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    assert computing(device, trained="auto", gpus=1).precision == expected


def test_a_precision_of_the_weights_themselves_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"^precision is 'bf16-true'; allowed: 32-true, bf16-mixed, 16-mixed, auto"):
        computing("cpu", "bf16-true")


def test_a_collection_is_encoded_in_the_precision_it_is_given(collection: Collection, tmp_path: Path) -> None:
    encoder = Encoder(TinyEncoder(vocabulary=120, width=16, heads=2).prepare(collection, "train", tmp_path / "e", 3))
    model = DualEncoder(encoder, projection=8).eval()

    def texts(precision: str) -> TextEncoder:
        engine = Engine(model, Computing(CPU, precision))
        return TextEncoder(engine, encoder.tokenizer, {"query": "", "document": ""}, {"query": 20, "document": 20})

    ids = list(collection.documents)
    full, half = (
        texts(precision).reader(collection.documents, "document", ids)(np.arange(len(ids)))
        for precision in ("32-true", "bf16-mixed")
    )
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        coded = encoder.tokenizer([collection.documents[ids[0]].text], return_tensors="pt")
        rows = SimpleNamespace(**{"token_type_ids": None, **coded})
        expected = model.encode(rows, "document")  # type: ignore[arg-type]
    assert half[0] == pytest.approx(expected[0].numpy(), abs=1e-6)
    assert not np.allclose(half, full, atol=1e-6)
    assert np.allclose(half, full, atol=0.1)
    assert half.dtype == np.float32
    assert texts("32-true").fingerprint() != texts("bf16-mixed").fingerprint()  # stored apart


def test_workers_are_for_gpus_and_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda", 1)
    assert [workers_for("auto", gpu, count) for count in (1, 4, 8, 15, 16, 200)] == [1, 1, 2, 3, 4, 4]
    assert [workers_for("auto", CPU, 64), workers_for(0, gpu, 64), workers_for(7, CPU, 2)] == [0, 0, 7]

    # 96 cores for four processes, two of which each machine has.
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(96)), raising=False)
    assert cores() == 96
    monkeypatch.setattr("clir_lightning.scoring.computing.world", lambda: (0, 4))
    assert cores() == 24
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert cores() == 48


def test_a_device_is_named_by_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_name(CPU)
    monkeypatch.setattr(
        Path, "read_text", lambda *_, **__: "flags : a\nmodel name\t: Abacus 7\nmodel name\t: Abacus 7\n"
    )
    assert device_name(CPU) == "Abacus 7"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert device_name(torch.device("cuda", 1)) == "card 1"


def test_scoring_leaves_a_models_mode_and_records_no_gradient() -> None:
    model = torch.nn.Linear(2, 1).train()
    with Computing(CPU, "bf16-mixed").scoring(model):
        assert not model.training
        assert model(torch.ones(1, 2)).dtype == torch.bfloat16
        assert model(torch.ones(1, 2)).is_inference()
    assert model.training
    with pytest.raises(OSError, match="broken"), Computing().scoring(model):
        raise OSError("broken")
    assert model.training
