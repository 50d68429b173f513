"""The model folder: read as it was written, wherever it lies; and what is said of one that is not whole, or none."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from clir_lightning.data.store import replacing
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import (
    FORMAT,
    read_saved,
    read_settings,
    read_weights,
    reject_trained,
    write_model_folder,
)
from clir_lightning.models.saved import Recipe

CONFIG: dict[str, Any] = {"seed": 1, "data": {"path": "қала 城市"}, "rates": [1e-5, None, float("inf")], "on": True}
FILES = {"config.json": b"{}", "tokenizer.json": bytes(range(256)), "tokenizer_config.json": b"{}"}
NAMES = list(FILES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder within an output folder."""
    place = tmp_path / "out" / "model"
    write_model_folder(
        place, Recipe(CONFIG, FILES), {"head.weight": torch.arange(6.0).view(2, 3)}, {"best": {"step": 3}}
    )
    return place


def settings(folder: Path, **changed: Any) -> None:
    """Change `clir.json`; `None` takes a part out."""
    content = json.loads((folder / "clir.json").read_text()) | changed
    kept = {name: value for name, value in content.items() if value is not None}
    (folder / "clir.json").write_text(json.dumps(kept))


def test_what_is_read_is_what_was_written_moved_renamed_or_linked(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "an other place" / "қазақша"
    moved.parent.mkdir()
    shutil.copytree(folder, moved)
    (tmp_path / "link").symlink_to(folder.parent)
    for path in (folder, folder.parent, str(folder), moved, tmp_path / "link", tmp_path / "link" / "model"):
        saved = read_saved(path)
        assert saved.recipe == Recipe(CONFIG, FILES)
        assert torch.equal(saved.weights["head.weight"], torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]))
        assert read_weights(path).keys() == {"head.weight"}
    assert read_settings(folder)["best"] == {"step": 3}


@pytest.mark.parametrize("inner", [True, False])
def test_a_folder_that_is_being_replaced_is_waited_for(
    inner: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two renames, where names cannot be exchanged; the second comes while the reader waits."""
    aside = folder.with_name(".model.host.1.aaaa.partial")
    folder.rename(aside)
    monkeypatch.setattr(replacing, "time", SimpleNamespace(sleep=lambda _: aside.rename(folder)))
    assert read_saved(folder if inner else folder.parent).recipe == Recipe(CONFIG, FILES)


def test_a_folder_that_is_replaced_while_it_is_looked_at_is_still_a_model_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, is moved away before its `clir.json` is looked for, and comes back while the reader waits."""
    aside = folder.with_name(".model.host.1.aaaa.partial")
    is_dir = Path.is_dir
    moved: list[Path] = []

    def moves(path: Path) -> bool:
        there = is_dir(path)
        if path == folder and not moved:
            moved.append(path.rename(aside))
        return there

    monkeypatch.setattr(Path, "is_dir", moves)
    monkeypatch.setattr(replacing, "time", SimpleNamespace(sleep=lambda _: aside.rename(folder)))
    assert read_saved(folder).recipe == Recipe(CONFIG, FILES)
    assert moved == [aside]


def test_a_folder_of_links_as_a_hubs_cache_is_read(folder: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in folder.iterdir():
        (linked / path.name).symlink_to(path)
    assert read_saved(linked).recipe.files == FILES


def test_others_may_read_the_weights_as_they_may_the_settings(folder: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert len(modes) == 1


def test_weights_that_share_memory_are_written_under_each_name(tmp_path: Path) -> None:
    whole = torch.arange(12.0).view(3, 4)
    weights = {"a": whole, "b": whole, "row": whole[1], "turned": whole.T, "scalar": torch.tensor(2.5)}
    write_model_folder(tmp_path / "model", Recipe(CONFIG, FILES), weights)
    found = load_file(tmp_path / "model" / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())
    with safe_open(tmp_path / "model" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # what transformers wants


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(
        ConfigError, match=rf"model/{name} is missing or cannot be read .*; copy the folder again, whole"
    ):
        read_saved(folder.parent)


@pytest.mark.parametrize("size", [None, 0, 5, 60, -1])
def test_weights_that_are_missing_or_truncated_are_named(size: int | None, folder: Path) -> None:
    weights = folder / "model.safetensors"
    if size is None:
        weights.unlink()
    else:
        os.truncate(weights, size if size >= 0 else weights.stat().st_size + size)
    message = r"model\.safetensors is missing, truncated or damaged \(.*\); copy the folder again"
    for read in (read_saved, read_weights):
        with pytest.raises(ConfigError, match=message):
            read(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": FORMAT + 1}, f"of format {FORMAT + 1}, and this version reads {FORMAT}; install the version"),
        ({"format": 0}, "format, encoder_files or config is not what it should be"),
        ({"format": "1"}, "format, encoder_files or config is not what it should be"),
        ({"format": None}, "damaged or cannot be read .KeyError: 'format'"),
        ({"config": {}}, "format, encoder_files or config is not what it should be"),
        ({"config": [1]}, "format, encoder_files or config is not what it should be"),
        ({"encoder_files": [["a"]]}, "format, encoder_files or config is not what it should be"),
        ({"encoder_files": [*NAMES, "../config.json"]}, "holds an encoder's file '../config.json'"),
        ({"encoder_files": [*NAMES, "/etc/passwd"]}, "holds an encoder's file '/etc/passwd'"),
        ({"encoder_files": [*NAMES, "modeling.py"]}, "holds an encoder's file 'modeling.py'; .* none of .*py"),
        ({"encoder_files": NAMES[:2]}, "clir.json lists no tokenizer_config.json among its encoder's files"),
        ({"encoder_files": [*NAMES, ".."]}, r"holds an encoder's file '\.\.'"),
    ],
)
def test_settings_that_are_not_settings_are_rejected(changed: dict[str, Any], message: str, folder: Path) -> None:
    settings(folder, **changed)
    with pytest.raises(ConfigError, match=message) as caught:
        read_saved(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\udcff"])
def test_a_file_that_is_not_json_is_rejected(text: str, folder: Path) -> None:
    (folder / "clir.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"clir\.json is damaged or cannot be read"):
        read_saved(folder)


def test_what_is_not_a_model_is_named_with_the_cure(folder: Path, tmp_path: Path) -> None:
    running, plain, empty, other = (tmp_path / name for name in ("running", "plain", "empty", "other"))
    for place in (running / "checkpoints", plain, empty, other / "runs"):
        place.mkdir(parents=True)
    (plain / "config.json").touch()
    (tmp_path / "notes.txt").write_text("no checkpoint")
    for path, message in (
        (tmp_path / "nowhere", "nowhere is missing; give an output folder of clir train, its folder model, or one"),
        (running, "running is of a training without a model yet .*; wait for its first validation, or give one of its"),
        (plain, "plain is a Hugging Face model that clir train did not write .*; train from it with encoder.name="),
        (empty, r"empty is not a trained model \(it holds nothing\); give an output folder"),
        (other, r"other is not a trained model \(it holds runs\); give an output folder"),
        (folder / "clir.json", "clir.json is a part of a model; give the folder that it lies in, .*model$"),
        (folder / "model.safetensors", "model.safetensors is a part of a model; give the folder"),
        (tmp_path / "notes.txt", "notes.txt is (damaged|not a checkpoint of clir train)"),
        (folder / "config.json" / "x", "x is missing"),
    ):
        for read in (read_saved, read_weights):
            with pytest.raises(ConfigError, match=message):
                read(path)


def test_a_model_folder_is_not_a_pretrained_encoder(folder: Path, tmp_path: Path) -> None:
    for path in (folder, folder.parent):
        with pytest.raises(ConfigError, match=r"whose weights are those of an architecture; give .*init_from="):
            reject_trained(str(path))
    reject_trained(str(tmp_path))
    reject_trained("bert-base-multilingual-cased")


def test_a_full_disk_leaves_the_last_good_one(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted without the rights to")
    try:
        write_model_folder(disk / "model", Recipe(CONFIG, FILES), {"a": torch.ones(3)})
        for recipe, size in ((Recipe(CONFIG, FILES), 100_000), (Recipe(CONFIG, {"tokenizer.json": b"x" * 10**6}), 1)):
            with pytest.raises(
                DataError, match="no space left for the model; the last good one stays; make room and go"
            ):
                write_model_folder(disk / "model", recipe, {"a": torch.zeros(size)})
            assert torch.equal(read_weights(disk)["a"], torch.ones(3))
            assert [path.name for path in disk.iterdir()] == ["model"]
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(
            DataError, match=r"the model cannot be written \(.*Read-only file system.*see to the folder"
        ):
            write_model_folder(disk / "model", Recipe(CONFIG, FILES), {"a": torch.zeros(1)})
        assert torch.equal(read_weights(disk)["a"], torch.ones(3))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(DataError, match=r"out/model: the model cannot be written .*; the last good one stays"):
        write_model_folder(tmp_path / "out" / "model", Recipe(CONFIG, FILES), {})


def test_the_recipe_of_an_encoder_unpacks_to_its_files(encoder: Encoder) -> None:
    recipe = Recipe.of(CONFIG, encoder)
    with recipe.encoder_folder() as place:
        again = Encoder(place, weights=False)
    assert again.tokenizer.get_vocab() == encoder.tokenizer.get_vocab()
    assert again.width == encoder.width
    assert not Path(place).exists()
