"""Machine translation by a model made on the spot: lengths, batches, the cache and its key."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split as SplitCharacters
from tokenizers.processors import TemplateProcessing
from transformers import M2M100Config, M2M100ForConditionalGeneration, PreTrainedTokenizerFast

from clir_lightning.data.collection import Collection
from clir_lightning.data.store.holding import release
from clir_lightning.data.store.inventory import IN_USE, inventory
from clir_lightning.data.store.pruning import REMOVED, remove
from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.mt import MachineTranslation


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one-layer M2M-100 with random weights and a tokenizer of characters."""
    folder = tmp_path_factory.mktemp("m2m")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "__kk__", *"哈萨克语法阿拉木图。 абвгд"]
    core = Tokenizer(WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="<unk>"))
    core.pre_tokenizer = SplitCharacters("", "isolated")
    core.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    make: Any = PreTrainedTokenizerFast
    make(tokenizer_object=core, **special, extra_special_tokens=["__kk__"]).save_pretrained(folder)
    config = M2M100Config(
        vocab_size=len(pieces),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        max_position_embeddings=32,
    )
    torch.manual_seed(1)
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_a_model_translates_in_batches_and_each_text_once(
    model_folder: Path, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def translation(batch_size: int, cache: str | None = str(tmp_path)) -> MachineTranslation:
        model = str(model_folder)
        return MachineTranslation(model, target="__kk__", max_length=6, beams=2, batch_size=batch_size, cache=cache)

    first = translation(batch_size=1).queries(collection, "train")
    assert {query.language for query in first.values()} == {"kk"}
    assert any(query.text for query in first.values())
    assert translation(8, cache=None).queries(collection, "train") == first  # batches and padding change nothing
    monkeypatch.setattr("clir_lightning.retrieval.mt.Model.translate", lambda *_: pytest.fail("translated again"))
    assert translation(batch_size=8).queries(collection, "train") == first


def test_a_model_translates_documents(model_folder: Path, collection: Collection) -> None:
    translation = MachineTranslation(str(model_folder), side="documents", max_length=4, beams=1)
    assert {document.language for document in translation.documents(collection, "dev").values()} == {"zh"}
    assert translation.queries(collection, "dev") is collection.split("dev").queries


def test_a_missing_model_and_an_unknown_language_are_one_line(model_folder: Path) -> None:
    with pytest.raises(ConfigError, match="has no language 'xx'"):
        MachineTranslation(str(model_folder), target="xx").translate(["法"])
    with pytest.raises(ConfigError, match="translation model '/nowhere/model' cannot be loaded"):
        MachineTranslation("/nowhere/model").translate(["法"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"side": "query"}, "translation.side is 'query'; allowed: queries, documents; did you mean 'queries'?"),
        ({"batch_size": 0}, "translation.batch_size is 0; allowed: 1 or more"),
        ({"beams": 0}, "translation.beams is 0; allowed: 1 or more"),
        ({"max_length": 3}, "translation.max_length is 3; allowed: 4 or more"),
    ],
)
def test_settings_that_cannot_work(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        MachineTranslation("/nowhere/model", **setting)
    assert str(error.value) == message


def translated(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The batches that a model is given from now on; a translation is its text in brackets."""
    seen: list[list[str]] = []

    def upper(self: Any, texts: Sequence[str]) -> list[str]:
        seen.append(list(texts))
        return [f"<{text}>" for text in texts]

    monkeypatch.setattr("clir_lightning.retrieval.mt.Model.translate", upper)
    return seen


def test_documents_beyond_the_models_length_are_translated_in_parts_and_joined(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token a character, the end's token among the ten: nine characters at a time."""
    seen = translated(monkeypatch)
    translation = MachineTranslation(str(model_folder), max_length=10)
    assert translation.translate(["哈萨克语。法语。阿拉木图。", "法"]) == ["<哈萨克语。法语。> <阿拉木图。>", "<法>"]
    assert sorted(text for batch in seen for text in batch) == ["哈萨克语。法语。", "法", "阿拉木图。"]


def test_the_models_positions_bound_the_length_too(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model has 32 positions; 256 tokens are asked for."""
    seen = translated(monkeypatch)
    MachineTranslation(str(model_folder)).translate(["法语。" * 30])
    assert max(len(text) for batch in seen for text in batch) <= 31
    assert "".join(text for batch in seen for text in batch) == "法语。" * 30


def test_every_part_of_a_long_text_reaches_the_output(model_folder: Path) -> None:
    """With a true model: the translation of the joined text is that of its parts, joined."""
    translation = MachineTranslation(str(model_folder), max_length=6, beams=1)
    first, second = translation.translate(["哈萨克语。", "法语。"])
    assert translation.translate(["哈萨克语。法语。"]) == [f"{first} {second}"]


def test_translations_are_committed_a_batch_at_a_time_and_outlive_a_crash(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[str] = []

    class Counting(sqlite3.Connection):
        def __enter__(self) -> Any:
            commits.append("commit")
            return super().__enter__()

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: connect(*given, **more, factory=Counting))
    seen = translated(monkeypatch)
    settings = {"max_length": 10, "batch_size": 4, "cache": str(tmp_path)}
    texts = [f"{'法' * i}" for i in range(1, 10)]
    MachineTranslation(str(model_folder), **settings).translate(texts)  # type: ignore[arg-type]
    assert [len(batch) for batch in seen] == [4, 4, 1]
    assert len(commits) == 3

    def dies(self: Any, batch: Sequence[str]) -> list[str]:
        if any("图" in text for text in batch):
            raise KeyboardInterrupt
        return [f"<{text}>" for text in batch]

    monkeypatch.setattr("clir_lightning.retrieval.mt.Model.translate", dies)
    long = "图" * 9
    with pytest.raises(KeyboardInterrupt):
        MachineTranslation(str(model_folder), **settings).translate(["а", "б", "в", "г", long])  # type: ignore[arg-type]
    seen = translated(monkeypatch)
    MachineTranslation(str(model_folder), **settings).translate(["а", "б", "в", "г", long])  # type: ignore[arg-type]
    assert seen == [[long]]


def test_a_folder_whose_files_change_is_another_model(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    seen = translated(monkeypatch)
    for _ in range(2):
        MachineTranslation(str(folder), cache=str(tmp_path / "cache")).translate(["法"])
    assert len(seen) == 1
    os.utime(folder / "model.safetensors", (1, 1))
    MachineTranslation(str(folder), cache=str(tmp_path / "cache")).translate(["法"])
    assert len(seen) == 2


@pytest.fixture
def hub(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's local cache with the model `org/tiny` in two revisions, `main` naming the first."""
    home = tmp_path / "hub" / "models--org--tiny"
    for revision in ("a" * 40, "b" * 40):
        shutil.copytree(model_folder, home / "snapshots" / revision)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("a" * 40)
    (home / "refs" / "v2").write_text("b" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return home


def test_a_models_revision_is_part_of_the_caches_key(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = translated(monkeypatch)
    cache = str(tmp_path / "cache")

    def batches(revision: str | None = None) -> int:
        MachineTranslation("org/tiny", revision=revision, cache=cache).translate(["法"])
        return len(seen)

    assert [batches(), batches("main"), batches("a" * 40)] == [1, 1, 1]  # one commit by three names
    assert [batches("v2"), batches("b" * 40)] == [2, 2]
    (hub / "refs" / "main").write_text("b" * 40)
    assert batches() == 2  # main is what v2 is now


def test_translations_that_reach_the_length_are_told(model_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Random weights go on until they are stopped."""
    config = json.loads((model_folder / "config.json").read_text())
    assert config["max_position_embeddings"] == 32
    MachineTranslation(str(model_folder), max_length=4, beams=1).translate(["法", "语"])
    assert "2 of 2 translations are as long as translation.max_length=4 lets them be" in caplog.text


def test_translations_that_are_pruned_when_they_are_asked_for_again_are_held(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prune comes between the look at the note, which is the old one, and that at the file."""
    translated(monkeypatch)
    translation = MachineTranslation(str(model_folder), cache=str(tmp_path))
    translation.translate(["法"])
    [entry] = inventory(tmp_path).entries
    release(entry.path)
    touch = Path.touch

    def pruned_first(path: Path) -> None:
        monkeypatch.setattr(Path, "touch", touch)
        assert remove(entry) == REMOVED
        touch(path)

    monkeypatch.setattr(Path, "touch", pruned_first)
    assert translation.translate(["法"]) == ["<法>"]
    [entry] = inventory(tmp_path).entries
    assert entry.state == IN_USE
    assert entry.of == "? → ?, " + str(model_folder)
