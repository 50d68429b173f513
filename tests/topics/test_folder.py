"""The folder of topics: read back, moved, damaged, with another encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.topics import folder as module
from clir_lightning.topics.folder import Topics, content_of
from topics.conftest import write_topics


def test_a_folder_gives_the_same_topics_wherever_it_lies(collection: Collection, tmp_path: Path) -> None:
    written = write_topics(collection, tmp_path / "topics")
    shutil.rmtree(tmp_path / "made")  # the encoder's files are in the folder
    shutil.move(tmp_path / "topics", tmp_path / "moved")
    read = Topics.read(tmp_path / "moved")
    queries = collection.split("dev").queries
    for records, side in ((collection.documents, "document"), (queries, "query")):
        theta = read.theta(records, side)  # type: ignore[arg-type]
        assert theta.shape == (len(records), 2)
        assert theta.sum(axis=1) == pytest.approx(np.ones(len(records)))
        assert np.allclose(theta, written.theta(records, side), atol=1e-6)  # type: ignore[arg-type]
    assert {side: each.words for side, each in read.vocabularies.items()} == {
        side: each.words for side, each in written.vocabularies.items()
    }
    assert (tmp_path / "moved" / "topics.html").is_file()


def test_vectors_and_topics_are_computed_once_with_a_cache(collection: Collection, tmp_path: Path) -> None:
    topics = write_topics(collection, tmp_path / "topics")
    first = topics.theta(collection.documents, "document", cache=tmp_path / "cache")
    topics.encoder.engine.encode = None  # type: ignore[method-assign, assignment]
    assert np.array_equal(first, topics.theta(collection.documents, "document", cache=tmp_path / "cache"))


def test_an_encoder_named_by_its_folder_is_found_and_another_one_is_told(
    collection: Collection, tmp_path: Path
) -> None:
    place = tmp_path / "encoder"
    write_topics(collection, tmp_path / "topics", name=str(place))
    assert not (tmp_path / "topics" / "encoder").exists()
    assert Topics.read(tmp_path / "topics").encoder.width == 16

    # Other weights, another width, and nothing at all.
    for width, seed in ((16, 9), (32, 3)):
        shutil.rmtree(place)
        TinyEncoder(vocabulary=120, width=width, heads=2, layers=1).prepare(collection, "train", place, seed=seed)
        with pytest.raises(ConfigError, match=rf"the encoder {place} is not the one .* learn the topics again"):
            Topics.read(tmp_path / "topics")
    shutil.rmtree(place)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        Topics.read(tmp_path / "topics")


def test_a_folder_that_is_none_or_damaged_is_told(topics_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"topics\.json is missing; give a folder that clir topics wrote"):
        Topics.read(tmp_path / "elsewhere")
    settings = json.loads((topics_folder / "topics.json").read_text(encoding="utf-8"))
    (topics_folder / "topics.json").write_text(json.dumps({**settings, "format": 2}), encoding="utf-8")
    with pytest.raises(ConfigError, match="of format 2, and this version reads 1"):
        Topics.read(topics_folder)
    (topics_folder / "topics.json").write_text(json.dumps({**settings, "model": {"width": 3}}), encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        Topics.read(topics_folder)
    (topics_folder / "topics.json").write_text(json.dumps(settings), encoding="utf-8")
    (topics_folder / "topics.safetensors").write_bytes(b"short")
    with pytest.raises(ConfigError, match="cannot be read"):
        Topics.read(topics_folder)


def test_topics_that_are_replaced_while_they_are_read_are_read_again(
    topics_folder: Path, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings and weights are those of one folder, and so is what stands for them."""
    other = write_topics(collection, tmp_path / "other", seed=9)
    read = module.read_settings
    beside: list[Path] = []

    def replaced_then(folder: Path) -> dict[str, Any]:
        found = read(folder)
        if not beside:
            beside.append(tmp_path / "aside")
            topics_folder.rename(beside[0])
            shutil.copytree(tmp_path / "other", topics_folder)
        return found

    monkeypatch.setattr(module, "read_settings", replaced_then)
    assert Topics.read(topics_folder).key == other.key
    shutil.rmtree(topics_folder)
    beside.pop().rename(topics_folder)
    assert content_of(topics_folder) == content_of(tmp_path / "other")


def test_the_content_changes_with_weights_and_encoder(topics_folder: Path, tmp_path: Path) -> None:
    before = content_of(topics_folder)
    shutil.copytree(topics_folder, tmp_path / "copy")
    assert content_of(tmp_path / "copy") == before
    settings = json.loads((topics_folder / "topics.json").read_text(encoding="utf-8"))
    settings["encoder"]["identity"] = "another"
    (tmp_path / "copy" / "topics.json").write_text(json.dumps(settings), encoding="utf-8")
    assert content_of(tmp_path / "copy") != before
    weights = bytearray((topics_folder / "topics.safetensors").read_bytes())
    weights[-1] ^= 1
    (topics_folder / "topics.safetensors").write_bytes(weights)
    assert content_of(topics_folder) != before
