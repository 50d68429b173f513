"""Encoders cut down to a collection's vocabulary: the same states to the last bit, in folders as transformers has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerBase

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.models import trimming
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.pretrained import PretrainedEncoder
from clir_lightning.models.trimming import CollectionTexts
from data.tokenizers_for_tests import byte_level, wordpiece
from models.families import write

OTHERS = ("wordpiece", "byte level")
FAMILIES = ("bert", "electra", "xlm-roberta", "mpnet", "longformer", "deberta-v2", "modernbert", *OTHERS)


def folder_of(family: str, folder: Path) -> str:
    """A random encoder of a family, or a BERT with another kind of tokenizer."""
    if family not in OTHERS:
        return str(write(family, folder))
    return str(bert(wordpiece() if family == "wordpiece" else byte_level(), folder))


def bert(tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    config = BertConfig(
        vocab_size=len(tokenizer) + 5,
        pad_token_id=tokenizer.pad_token_id,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def texts(collection: Collection) -> list[str]:
    return list(CollectionTexts(collection))


@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_the_same_to_the_last_bit(family: str, collection: Collection, tmp_path: Path) -> None:
    """Through transformers alone, as anyone would load the folder."""
    name = folder_of(family, tmp_path / "whole")
    small = PretrainedEncoder(name, trim_vocabulary=True).prepare(collection, "train", tmp_path / "small", 1)
    assert small == str(tmp_path / "small")
    tokenizers = [AutoTokenizer.from_pretrained(folder) for folder in (name, small)]
    models = [AutoModel.from_pretrained(folder).eval() for folder in (name, small)]
    every = texts(collection)
    rows = [tokenizer(every, every[::-1], padding=True, return_tensors="pt") for tokenizer in tokenizers]

    # The same tokens, of a smaller vocabulary …
    ids = [each["input_ids"] for each in rows]
    named = [[one.convert_ids_to_tokens(row) for row in some] for one, some in zip(tokenizers, ids, strict=True)]
    assert named[0] == named[1]
    assert len(tokenizers[1]) == models[1].config.vocab_size == len(models[1].get_input_embeddings().weight)
    assert len(tokenizers[1]) < 0.8 * len(tokenizers[0])
    assert tokenizers[0].all_special_tokens == tokenizers[1].all_special_tokens

    # … and the same numbers.
    with torch.no_grad():
        states = [model(**each).last_hidden_state for model, each in zip(models, rows, strict=True)]
    assert torch.equal(*states)


def test_kept_rows_are_in_their_order(collection: Collection, tmp_path: Path) -> None:
    name = folder_of("xlm-roberta", tmp_path / "whole")
    small = Encoder(PretrainedEncoder(name, trim_vocabulary=True).prepare(collection, "train", tmp_path / "small", 1))
    whole = Encoder(name)
    names = small.tokenizer.convert_ids_to_tokens(list(range(len(small.tokenizer))))
    old = [whole.tokenizer.convert_tokens_to_ids(name) for name in names]
    assert old == sorted(old)
    assert torch.equal(whole.model.get_input_embeddings().weight[old], small.model.get_input_embeddings().weight)
    assert small.pad_id == whole.pad_id == 1  # positions are counted from it


def test_special_tokens_of_the_configuration_are_renumbered(collection: Collection, tmp_path: Path) -> None:
    """Those of a byte-level tokenizer lie behind its pieces."""
    name = folder_of("byte level", tmp_path / "whole")
    PretrainedEncoder(name, trim_vocabulary=True).prepare(collection, "train", tmp_path / "small", 1)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "small")
    settings = json.loads((tmp_path / "small" / "config.json").read_text())
    assert settings["pad_token_id"] == tokenizer.pad_token_id == tokenizer.convert_tokens_to_ids("[PAD]")
    assert settings["vocab_size"] == len(tokenizer)


def test_settings_of_the_encoder_apply_to_the_trimmed_one(collection: Collection, tmp_path: Path) -> None:
    name = folder_of("xlm-roberta", tmp_path / "whole")
    source = PretrainedEncoder(name, trim_vocabulary=True, layers=2, frozen=1)
    encoder = Encoder(source.prepare(collection, "train", tmp_path / "small", 1), source)
    assert len(encoder.blocks) == 2
    assert not encoder.model.get_input_embeddings().weight.requires_grad


def test_prefixes_and_queries_of_all_splits_keep_their_pieces(collection: Collection, tmp_path: Path) -> None:
    name = folder_of("xlm-roberta", tmp_path / "whole")
    source = PretrainedEncoder(name, trim_vocabulary=True)
    whole = AutoTokenizer.from_pretrained(name)
    few = AutoTokenizer.from_pretrained(source.prepare(collection, "train", tmp_path / "few", 1))
    prefix = "Қазақстандағы өзендер: "
    more = AutoTokenizer.from_pretrained(
        source.prepare(collection, "train", tmp_path / "more", 1, prefixes=["", prefix])
    )
    assert few.tokenize(prefix.strip()) != whole.tokenize(prefix.strip()) == more.tokenize(prefix.strip())
    assert "阿拉木图" in texts(collection)  # of dev


def test_a_cache_holds_it_once_for_an_encoder_and_texts(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = folder_of("xlm-roberta", tmp_path / "whole")
    source = PretrainedEncoder(name, trim_vocabulary=True)

    def prepare(prefixes: tuple[str, ...] = ()) -> str:
        return source.prepare(collection, "train", tmp_path / "no", 1, prefixes=prefixes, cache=str(tmp_path / "cache"))

    first = prepare()
    other = prepare(("q:",))
    assert Path(first).parent == tmp_path / "cache" / "encoders"
    assert first != other
    monkeypatch.setattr(trimming, "write_trimmed", lambda *_: pytest.fail("made again"))
    assert prepare() == first
    assert prepare(("q:",)) == other
    assert not (tmp_path / "no").exists()
    (tmp_path / "whole" / "config.json").touch()
    with pytest.raises(pytest.fail.Exception, match="made again"):
        prepare()


def test_without_the_setting_nothing_is_made(collection: Collection, tmp_path: Path) -> None:
    assert PretrainedEncoder("nowhere").prepare(collection, "train", tmp_path / "small", 1) == "nowhere"
    assert not (tmp_path / "small").exists()


def test_an_encoder_that_is_not_there_is_told_as_ever(collection: Collection, tmp_path: Path) -> None:
    source = PretrainedEncoder(str(tmp_path / "nowhere"), trim_vocabulary=True)
    with pytest.raises(ConfigError, match="nowhere' cannot be loaded"):
        source.prepare(collection, "train", tmp_path / "small", 1, cache=str(tmp_path / "cache"))


def test_weights_that_the_original_lacks_are_lacking_in_it(
    collection: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They start at random by the seed of each training, not by that of the first."""
    model = AutoModel.from_pretrained(write("xlm-roberta", tmp_path / "whole"))
    state = {name: value for name, value in model.state_dict().items() if "layer.1.output.dense.bias" not in name}
    model.save_pretrained(tmp_path / "whole", state_dict=state)
    source = PretrainedEncoder(str(tmp_path / "whole"), trim_vocabulary=True)
    small = source.prepare(collection, "train", tmp_path / "small", 1)
    caplog.clear()
    Encoder(small)
    assert f"{small} has no weights for 1 tensors, encoder.layer.1.output.dense.bias among them" in caplog.text


def test_texts_that_tokenise_otherwise_are_told(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trimming, "kept_ids", lambda content, used: range(len(content["model"]["vocab"]) // 2))
    source = PretrainedEncoder(str(write("xlm-roberta", tmp_path / "whole")), trim_vocabulary=True)
    problem = r"splits one of 8 texts from 'қазақ тілі — тіл' on otherwise; set encoder.trim_vocabulary=false"
    with pytest.raises(ConfigError, match=problem):
        source.prepare(collection, "train", tmp_path / "small", 1)
