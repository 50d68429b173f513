"""A model alone decides what is built of it, wherever it lies; whose data it is scored on; on what."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from clir_lightning.errors import ConfigError, DataError
from clir_lightning.outputs.trained import Trained, loaded
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.types import Document
from program import clir

KINDS: dict[str, Callable[[Path], Path]] = {
    "output folder": lambda run: run,
    "model folder": lambda run: run / "model",
    "checkpoint": lambda run: run / "checkpoints" / "last.ckpt",
}


def alone(run: Path, kind: str, folder: Path) -> Path:
    """The model of an output folder, of any kind, without anything beside it and under another name."""
    folder.mkdir(exist_ok=True)
    place = KINDS[kind](run)
    if place.is_file():
        return Path(shutil.copy(place, folder / "moved.ckpt"))
    shutil.copytree(place, folder / "renamed")
    return folder / "renamed"


def rewritten(run: Path, target: Path, **changed: Any) -> Path:
    """The checkpoint of an output folder with other settings or files of the encoder."""
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    for name, value in changed.items():
        content[name] = {**content[name], **value}
    torch.save(content, target)
    return target


def with_settings(run: Path, folder: Path, **changed: Any) -> Path:
    """The model folder of an output folder with other settings, dotted names with two underscores; `None` removes."""
    shutil.copytree(run / "model", folder)
    content = json.loads((folder / "clir.json").read_text())
    config = OmegaConf.create(content["config"])
    for name, value in changed.items():
        OmegaConf.update(config, name.replace("__", "."), value, merge=False, force_add=True)
    settings: Any = OmegaConf.to_container(config)
    content["config"] = {key: value for key, value in settings.items() if value is not None}
    (folder / "clir.json").write_text(json.dumps(content))
    return folder


def vector(trained: Trained) -> np.ndarray[Any, Any]:
    records = {"a": Document("a", "қазақ тілі — тіл", "kk")}
    return trained.text_encoder().reader(records, "document", ["a"])(np.arange(1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_moved_away_alone_gives_what_training_reported(kind: str, demo_run: Path, tmp_path: Path) -> None:
    model = alone(demo_run, kind, tmp_path / "else where")
    clir("evaluate", f"model={model}", "hydra.run.dir=out", cwd=tmp_path)
    again = json.loads((tmp_path / "out" / "metrics.json").read_text())["cross"]
    assert again == json.loads((demo_run / "metrics.json").read_text())["test"]
    for name in ("runs/test.trec", "per_query.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (demo_run / name).read_bytes()


def test_folders_are_read_without_a_pickle_and_losses_are_not_built(
    dual_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = vector(Trained.load(KINDS["checkpoint"](dual_run)))
    strange = {"_target_": "os.system", "command": "touch escaped"}
    folder = with_settings(dual_run, tmp_path / "model", loss={"a": strange}, module=strange)
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, None)
    monkeypatch.setattr(torch, "load", None)
    for path in (dual_run, folder):
        assert np.array_equal(vector(Trained.load(path)), before)


def test_what_a_later_command_leaves_beside_a_model_has_no_say(dual_run: Path, tmp_path: Path) -> None:
    shutil.copytree(dual_run, tmp_path / "out")
    before = vector(Trained.load(tmp_path / "out"))
    saved = tmp_path / "out" / ".hydra" / "config.yaml"
    config = OmegaConf.load(saved)
    OmegaConf.update(config, "architecture.pooling", "cls")
    OmegaConf.update(config, "batches.document_prefix", "other ")
    OmegaConf.save(config, saved)
    (tmp_path / "out" / "encoder").mkdir()
    (tmp_path / "out" / "encoder" / "config.json").write_text("{}")
    (tmp_path / "out" / "config.json").write_text("{}")
    (tmp_path / "out" / "model" / "pytorch_model.bin").write_bytes(b"no pickle")
    for kind in KINDS.values():
        assert np.array_equal(vector(Trained.load(kind(tmp_path / "out"))), before)

    # Its own settings have.
    other = with_settings(dual_run, tmp_path / "other", architecture__pooling="cls")
    assert not np.allclose(vector(Trained.load(other)), before)


def test_the_cache_is_that_of_the_machine_that_reads(dual_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIR_CACHE", "/here")
    for kind in KINDS.values():
        config = Trained.load(kind(dual_run)).config
        assert config.cache == "/here"


def test_a_model_in_half_precision_is_built_in_full_and_for_scoring(dual_run: Path, tmp_path: Path) -> None:
    shutil.copytree(dual_run / "model", tmp_path / "model")
    described = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps({**described, "dtype": "float16"}))
    weights = load_file(tmp_path / "model" / "model.safetensors")
    halves = {name: value.half() for name, value in weights.items()}
    for given, place in ((weights, "full"), (halves, "half")):
        shutil.copytree(tmp_path / "model", tmp_path / place)
        save_file(given, tmp_path / place / "model.safetensors")
        model = Trained.load(tmp_path / place).model
        assert {str(value.dtype) for value in model.state_dict().values()} == {"torch.float32"}
        assert all(torch.equal(value, given[name].float()) for name, value in model.state_dict().items())
        assert not model.training


def test_files_with_names_that_lead_elsewhere_are_rejected(demo_run: Path, tmp_path: Path) -> None:
    for name in ("../escaped.json", "/tmp/escaped.json", "..", "a/b", "", "modeling.py"):
        files = {name: torch.zeros(3, dtype=torch.uint8)}
        hostile = rewritten(demo_run, tmp_path / "hostile.ckpt", encoder_files=files)
        with pytest.raises(ConfigError, match="holds an encoder's file"):
            Trained.load(hostile)
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.ckpt"]


@pytest.mark.parametrize("missing", ["config", "encoder_files", "state_dict"])
def test_a_checkpoint_that_lacks_a_part_is_rejected_in_one_line(missing: str, demo_run: Path, tmp_path: Path) -> None:
    content = torch.load(demo_run / "checkpoints" / "last.ckpt", weights_only=True)
    del content[missing]
    torch.save(content, tmp_path / "old.ckpt")
    with pytest.raises(ConfigError, match=r"old\.ckpt (does not hold its settings|is not a checkpoint of clir train)"):
        Trained.load(tmp_path / "old.ckpt")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"architecture": None}, "x has no settings of architecture; give a model as clir train wrote it"),
        ({"architecture": "dual", "trainer": 3}, "x has no settings of architecture, trainer"),
        ({"architecture__nonsense": 1}, "unexpected keyword argument 'nonsense'"),
        ({"architecture__pooling": "${nowhere}"}, "nowhere"),
        ({"architecture": {"pooling": "mean"}}, "x has settings that no model can be built from"),
        ({"architecture": {"_target_": "os.system", "command": "touch escaped"}}, "'os.system' is not allowed"),
        (
            {"architecture__towers": "separate"},
            r"weights of another model .*document_encoder\S+ is missing; give",
        ),
        ({"architecture__projection": 7}, r"settings describe: document_mean is \(\d+,\), not \(7,\)"),
    ],
)
def test_settings_that_do_not_make_the_model_are_rejected_in_one_line(
    changed: dict[str, Any], message: str, dual_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        Trained.load(with_settings(dual_run, tmp_path / "x", **changed))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "escaped").exists()


def test_weights_that_the_architecture_does_not_have_are_rejected(dual_run: Path, tmp_path: Path) -> None:
    shutil.copytree(dual_run / "model", tmp_path / "x")
    weights = load_file(tmp_path / "x" / "model.safetensors")
    save_file({**weights, "another": torch.zeros(1)}, tmp_path / "x" / "model.safetensors")
    with pytest.raises(ConfigError, match="another is not one of its weights"):
        Trained.load(tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "content"),
    [("tokenizer.json", "{"), ("config.json", "{"), ("config.json", "[]"), ("config.json", '{"model_type": "none"}')],
)
def test_a_damaged_file_of_the_encoder_is_rejected_in_one_line(
    name: str, content: str, dual_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(dual_run / "model", tmp_path / "x")
    (tmp_path / "x" / name).write_text(content)
    with pytest.raises(ConfigError, match=r"x holds an encoder that cannot be built .*; give a model as") as caught:
        Trained.load(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_a_folder_without_its_tokenizer_is_rejected(dual_run: Path, tmp_path: Path) -> None:
    shutil.copytree(dual_run / "model", tmp_path / "x")
    listed = json.loads((tmp_path / "x" / "clir.json").read_text())
    (tmp_path / "x" / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"x/tokenizer\.json is missing"):
        Trained.load(tmp_path / "x")
    (tmp_path / "x" / "clir.json").write_text(json.dumps({**listed, "encoder_files": ["config.json"]}))
    with pytest.raises(ConfigError, match="lists no tokenizer_config"):
        Trained.load(tmp_path / "x")


def test_settings_of_the_trained_data_can_be_changed_and_misspelt_ones_name_the_allowed(
    demo_run: Path, tmp_path: Path
) -> None:
    trained = Trained.load(demo_run)
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
    def at(**settings: Any) -> Any:
        return loaded(DenseRetriever(str(dual_run), **settings)).encoder.engine.at

    assert at(device="cpu", precision="bf16-mixed").dtype == torch.bfloat16
    assert at().dtype is None  # trained in 32 bits
    with pytest.raises(ConfigError, match="device is 'cuda:9'"):
        at(device="cuda:9")
