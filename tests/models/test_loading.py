"""Whatever numbers a folder holds, training has 32 bits; whatever code it holds is not run."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel
from transformers.utils import logging as transformers_logging

from clir_lightning.errors import ConfigError
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.loading import EncoderSettings, quietly
from models.conftest import Batches

HALVES = [torch.float16, torch.bfloat16]


@pytest.fixture(params=HALVES, ids=["float16", "bfloat16"])
def half_folder(request: pytest.FixtureRequest, encoder_folder: Path, tmp_path: Path) -> Path:
    """The small encoder as its trainer stored it, in half precision."""
    folder = tmp_path / "half"
    model = AutoModel.from_pretrained(encoder_folder).to(request.param)
    model.save_pretrained(folder)
    Encoder(str(encoder_folder)).tokenizer.save_pretrained(folder)
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {request.param}
    assert AutoConfig.from_pretrained(folder).dtype == request.param
    return folder


def dtypes(model: torch.nn.Module) -> set[torch.dtype]:
    return {weight.dtype for weight in model.parameters()}


def test_a_folder_in_half_precision_loads_in_32_bits_with_the_stored_values(half_folder: Path) -> None:
    encoder, stored = Encoder(str(half_folder)), load_file(half_folder / "model.safetensors")
    assert dtypes(encoder) == {torch.float32}
    for name, weight in encoder.model.state_dict().items():
        assert torch.equal(weight, stored[name].float()), name


def test_a_folder_in_half_precision_builds_in_32_bits_without_its_weights(half_folder: Path) -> None:
    """As `clir export` does, which writes this configuration beside the weights."""
    encoder = Encoder(str(half_folder), weights=False)
    assert dtypes(encoder) == {torch.float32}
    assert encoder.model.config.dtype == torch.float32


def test_layers_that_start_anew_are_drawn_in_32_bits(half_folder: Path) -> None:
    """Numbers drawn in half precision would come back from it unchanged."""
    encoder = Encoder(str(half_folder), EncoderSettings(reinitialise=1))
    weight = encoder.get_parameter("model.encoder.layer.1.intermediate.dense.weight")
    assert weight.dtype == torch.float32
    assert not torch.equal(weight, weight.half().float())


def test_a_described_encoder_says_that_it_has_32_bits(half_folder: Path, tmp_path: Path) -> None:
    Encoder(str(half_folder)).describe(tmp_path / "described")
    assert AutoConfig.from_pretrained(tmp_path / "described").dtype == torch.float32


def test_an_encoder_stored_in_half_precision_learns_with_small_steps(half_folder: Path, batches: Batches) -> None:
    """20 steps of 1e-5 move every weight of the layers that AdamW sees a gradient of, and none to NaN.

    In bfloat16 a weight of .5 has neighbours .002 away: it would stay where it is.
    """
    torch.manual_seed(1)
    model = CrossEncoder(Encoder(str(half_folder)))
    before = {name: weight.detach().clone() for name, weight in model.encoder.blocks.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.0)
    batch = batches(("long", "few", "some"), ("short", "some", "one"))
    for _ in range(20):
        optimizer.zero_grad()
        scores = model(batch)
        loss: Any = torch.nn.functional.softplus(scores[:, 1] - scores[:, 0]).mean()
        loss.backward()
        optimizer.step()
    after = dict(model.encoder.blocks.named_parameters())
    assert all(weight.isfinite().all() for weight in model.parameters())
    # The bias of a key shifts all of a query's logits alike: it has no gradient but rounding.
    names = [name for name in before if not name.endswith("key.bias")]
    moved = torch.cat([(after[name] != before[name]).flatten() for name in names]).float().mean().item()
    assert moved > 0.99


def test_code_of_a_folder_is_not_run(encoder_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(encoder_folder, tmp_path / "encoder")
    settings = json.loads((tmp_path / "encoder" / "config.json").read_text(encoding="utf-8"))
    settings |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (tmp_path / "encoder" / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    (tmp_path / "encoder" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"encoder '.*' cannot be loaded \("):
        Encoder(str(tmp_path / "encoder"))
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def bars() -> Iterator[None]:
    """Bars of transformers and of the hub, as a new process has them."""
    enable_progress_bars()
    transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    yield
    enable_progress_bars()
    transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("bars")
def test_loading_and_writing_draw_no_bar(
    encoder_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = AutoModel.from_pretrained(encoder_folder)
    model.save_pretrained(tmp_path / "loud")
    assert {"Loading weights", "Writing model shards"} <= set(re.findall(r"[A-Z][a-z ]+(?=:)", capfd.readouterr().err))
    Encoder(str(encoder_folder))
    with quietly():
        model.save_pretrained(tmp_path / "silent")
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("bars")
@pytest.mark.parametrize(("of_transformers", "of_hub"), [(True, True), (True, False), (False, True), (False, False)])
def test_bars_are_afterwards_as_they_were(of_transformers: bool, of_hub: bool) -> None:
    if not of_transformers:
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    (enable_progress_bars if of_hub else disable_progress_bars)()
    verbosity = transformers_logging.get_verbosity()
    with quietly():
        assert not transformers_logging.is_progress_bar_enabled()
        assert are_progress_bars_disabled() == (not of_hub)  # what is fetched may take long
        assert transformers_logging.get_verbosity() == logging.ERROR
    assert transformers_logging.is_progress_bar_enabled() == of_transformers
    assert are_progress_bars_disabled() == (not of_hub)
    assert transformers_logging.get_verbosity() == verbosity
