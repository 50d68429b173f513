"""The token store: keyed by texts and tokenizer, whole or absent, safe for two builders."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clir_lightning.data.tokens.table as tokens_module
from clir_lightning.data.store.holding import MANIFEST
from clir_lightning.data.tokens.table import chunks, tokenise, tokenizer_fingerprint
from clir_lightning.errors import DataError
from clir_lightning.types import Document
from data.tokenizers_for_tests import bert_like, xlmr_like
from program import HANG

TEXTS = {str(i): Document(str(i), "Алматы — қала. " * (i % 7 + 1), "kk") for i in range(300)}


def stores(cache: Path) -> list[Path]:
    return [path for path in (cache / "tokens").iterdir() if not path.name.startswith(".")]


def test_ids_equal_the_tokenizers(tmp_path: Path) -> None:
    tokenizer = xlmr_like()
    table = tokenise(TEXTS, tokenizer, name="documents", cache=tmp_path)
    for text_id in ("0", "6", "299"):
        expected = tokenizer(TEXTS[text_id].text, add_special_tokens=False)["input_ids"]
        assert table[text_id].tolist() == expected
        assert table.length(text_id) == len(expected)
    assert isinstance(table.ids.base, np.memmap)


def test_read_again_and_made_anew_for_other_texts_or_tokenizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = bert_like()
    tokenise(TEXTS, tokenizer, name="documents", cache=tmp_path)
    other = {**TEXTS, "0": Document("0", "Астана", "kk")}
    tokenise(other, tokenizer, name="documents", cache=tmp_path)
    tokenise(TEXTS, xlmr_like(), name="documents", cache=tmp_path)
    assert len(stores(tmp_path)) == 3

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("tokenised twice")

    monkeypatch.setattr(tokens_module, "write_tokens", never)
    assert len(tokenise(TEXTS, tokenizer, name="documents", cache=tmp_path).offsets) == 301


def test_padding_and_truncation_do_not_change_the_fingerprint() -> None:
    tokenizer = bert_like()
    before = tokenizer_fingerprint(tokenizer)
    tokenizer(["a", "b c"], padding=True, truncation=True, max_length=3)
    assert tokenizer_fingerprint(tokenizer) == before


def test_a_crash_leaves_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tokens_module.write_tokens

    def crash(*arguments: Any, **settings: Any) -> None:
        real(*arguments, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(tokens_module, "write_tokens", crash)
    with pytest.raises(KeyboardInterrupt):
        tokenise(TEXTS, bert_like(), name="documents", cache=tmp_path)
    assert stores(tmp_path) == []
    monkeypatch.setattr(tokens_module, "write_tokens", real)
    left = tmp_path / "tokens" / ".x.1.partial"  # of another key: not ours to remove
    left.mkdir()
    tokenise(TEXTS, bert_like(), name="documents", cache=tmp_path)
    assert len(stores(tmp_path)) == 1
    assert left.is_dir()


@pytest.mark.parametrize("harm", ["cut", "gone", "manifest"])
def test_a_damaged_store_is_named(tmp_path: Path, harm: str) -> None:
    tokenise(TEXTS, bert_like(), name="documents", cache=tmp_path)
    (store,) = stores(tmp_path)
    if harm == "cut":
        with open(store / "ids.npy", "r+b") as stream:
            stream.truncate(1000)
    elif harm == "gone":
        (store / "ids.npy").unlink()
    else:
        (store / MANIFEST).write_text(json.dumps({"files": 3}))
    with pytest.raises(DataError, match=f"delete the folder {store}"):
        tokenise(TEXTS, bert_like(), name="documents", cache=tmp_path)


BUILDER = """
import sys
from transformers import AutoTokenizer
from clir_lightning.data.tokens.table import tokenise
from clir_lightning.types import Document
texts = {str(i): Document(str(i), "Алматы — қала. " * (i % 7 + 1), "kk") for i in range(300)}
table = tokenise(texts, AutoTokenizer.from_pretrained(sys.argv[1]), name="documents", cache=sys.argv[2])
print(table.offsets[-1])
"""


@pytest.mark.slow
def test_two_builders_at_once(tmp_path: Path) -> None:
    tokenizer = bert_like()
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    command = [sys.executable, "-c", BUILDER, str(tmp_path / "tokenizer"), str(tmp_path)]
    builders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sizes = {int(builder.communicate(timeout=HANG)[0]) for builder in builders}
    assert sizes == {int(tokenise(TEXTS, tokenizer, name="documents").offsets[-1])}
    assert len(stores(tmp_path)) == 1
    assert not list((tmp_path / "tokens").glob(".*.partial"))


def test_chunks_are_bounded() -> None:
    parts = list(chunks(["а" * 600_000] * 5 + ["б"] * 5000))
    assert [len(part) for part in parts] == [2, 2, 4096, 905]
