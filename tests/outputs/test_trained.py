"""A checkpoint alone decides what model is built of it, wherever it lies; whose data it is scored on; on what."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from clir_lightning.errors import ConfigError, DataError
from clir_lightning.outputs.trained import Trained, loaded
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.types import Document
from program import clir


def alone(run: Path, folder: Path) -> Path:
    """The checkpoint of an output folder without anything beside it."""
    folder.mkdir()
    return Path(shutil.copy(run / "checkpoints" / "best.ckpt", folder / "moved.ckpt"))


def rewritten(checkpoint: Path, target: Path, **changed: Any) -> Path:
    """A checkpoint with other settings or files of the encoder."""
    content = torch.load(checkpoint, weights_only=True)
    for name, value in changed.items():
        content[name] = {**content[name], **value}
    torch.save(content, target)
    return target


def vector(trained: Trained) -> np.ndarray[Any, Any]:
    records = {"a": Document("a", "қазақ тілі — тіл", "kk")}
    return trained.text_encoder().reader(records, "document", ["a"])(np.arange(1))


def test_a_checkpoint_moved_away_alone_gives_what_training_reported(demo_run: Path, tmp_path: Path) -> None:
    checkpoint = alone(demo_run, tmp_path / "elsewhere")
    clir("evaluate", f"checkpoint={checkpoint}", "hydra.run.dir=out", cwd=tmp_path)
    again = json.loads((tmp_path / "out" / "metrics.json").read_text())["cross"]
    assert again == pytest.approx(json.loads((demo_run / "metrics.json").read_text())["test"], abs=1e-9)


def test_what_a_later_command_leaves_beside_a_checkpoint_has_no_say(dual_run: Path, tmp_path: Path) -> None:
    shutil.copytree(dual_run, tmp_path / "out")
    checkpoint = tmp_path / "out" / "checkpoints" / "best.ckpt"
    before = vector(Trained.load(checkpoint))
    saved = tmp_path / "out" / ".hydra" / "config.yaml"
    config = OmegaConf.load(saved)
    OmegaConf.update(config, "architecture.pooling", "cls")
    OmegaConf.update(config, "batches.document_prefix", "other ")
    OmegaConf.save(config, saved)
    (tmp_path / "out" / "encoder").mkdir()
    (tmp_path / "out" / "encoder" / "config.json").write_text("{}")
    assert np.array_equal(vector(Trained.load(checkpoint)), before)
    other = rewritten(checkpoint, tmp_path / "other.ckpt")
    settings = torch.load(other, weights_only=True)["config"]
    settings["architecture"]["pooling"] = "cls"
    assert not np.allclose(vector(Trained.load(rewritten(other, other, config=settings))), before)  # the checkpoint has


def test_the_cache_is_that_of_the_machine_that_reads(dual_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIR_CACHE", "/here")
    config = Trained.load(dual_run / "checkpoints" / "best.ckpt").config
    assert config.cache == "/here"
    assert config.data.cache == "/here"


def test_an_encoder_stored_in_half_precision_is_built_in_full(dual_run: Path, tmp_path: Path) -> None:
    checkpoint = dual_run / "checkpoints" / "best.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    described = json.loads(content["encoder_files"]["config.json"].numpy().tobytes())
    described["dtype"] = "float16"
    half = torch.frombuffer(bytearray(json.dumps(described).encode()), dtype=torch.uint8)
    changed = rewritten(checkpoint, tmp_path / "half.ckpt", encoder_files={"config.json": half})
    found = Trained.load(changed).module.state_dict()
    assert {str(value.dtype) for value in found.values()} == {"torch.float32"}
    assert all(torch.equal(found[name], value) for name, value in content["state_dict"].items())


def test_files_with_names_that_lead_elsewhere_are_refused(demo_run: Path, tmp_path: Path) -> None:
    for name in ("../escaped.json", "/tmp/escaped.json", "..", "a/b", ""):
        files = {name: torch.zeros(3, dtype=torch.uint8)}
        best = demo_run / "checkpoints" / "best.ckpt"
        hostile = rewritten(best, tmp_path / "hostile.ckpt", encoder_files=files)
        with pytest.raises(ConfigError, match="holds an encoder's file"):
            Trained.load(hostile)
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.ckpt"]


@pytest.mark.parametrize("missing", ["config", "encoder_files", "state_dict"])
def test_a_checkpoint_that_lacks_a_part_is_refused_in_one_line(missing: str, demo_run: Path, tmp_path: Path) -> None:
    content = torch.load(demo_run / "checkpoints" / "best.ckpt", weights_only=True)
    del content[missing]
    torch.save(content, tmp_path / "old.ckpt")
    with pytest.raises(ConfigError, match=r"old\.ckpt (does not hold its settings|is no checkpoint of clir train)"):
        Trained.load(tmp_path / "old.ckpt")


def test_settings_of_the_trained_data_can_be_changed_and_misspelt_ones_name_the_allowed(
    demo_run: Path, tmp_path: Path
) -> None:
    trained = Trained.load(demo_run / "checkpoints" / "best.ckpt")
    trained.config.data = OmegaConf.create(
        {"_target_": "clir_lightning.data.read_clirmatrix", "path": "then", "query_language": "es"}
    )
    with pytest.raises(DataError, match="now: no such folder"):
        trained.collection(OmegaConf.create({"path": "now"}))
    assert (trained.config.data.path, trained.config.data.query_language) == ("now", "es")
    with pytest.raises(ConfigError, match=r"setting is 'data.pth'; allowed: data.path, .*did you mean 'data.path'"):
        trained.collection(OmegaConf.create({"pth": "now"}))
    demo = OmegaConf.create({"_target_": "clir_lightning.data.build_demo"})
    assert trained.collection(demo).name == "demo"


def test_a_dense_retriever_computes_where_and_as_its_settings_say(dual_run: Path) -> None:
    best = str(dual_run / "checkpoints" / "best.ckpt")
    encoder = loaded(DenseRetriever(best, device="cpu", precision="bf16-mixed")).encoder
    assert encoder.dtype == torch.bfloat16
    assert loaded(DenseRetriever(best)).encoder.dtype is None  # trained in 32 bits
    with pytest.raises(ConfigError, match="device is 'cuda:9'"):
        loaded(DenseRetriever(best, device="cuda:9"))
