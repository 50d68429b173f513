"""Vocabularies cut down: by hand for each kind of tokenizer, and random texts through real ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import tokenizers as tk
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from clir_lightning.errors import ConfigError
from clir_lightning.models.vocabulary import kept_ids, trimmed
from data.tokenizers_for_tests import bert_like, byte_level, texts, wordpiece, xlmr_like

KINDS: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "unigram": xlmr_like,
    "wordpiece": wordpiece,
    "bpe": bert_like,
    "byte_level": byte_level,
}
TEXTS = texts()
LETTERS = sorted(set("".join(TEXTS)))


@cache
def content(kind: str) -> str:
    return KINDS[kind]().backend_tokenizer.to_str()  # type: ignore[attr-defined,no-any-return]


def core_of(kind: str, tokenizer: dict[str, Any] | None = None) -> tk.Tokenizer:
    core = tk.Tokenizer.from_str(content(kind) if tokenizer is None else json.dumps(tokenizer))
    core.no_padding()
    core.no_truncation()
    return core


@cache
def whole(kind: str) -> tk.Tokenizer:
    return core_of(kind)


def cut(kind: str, some: list[str]) -> tuple[tk.Tokenizer, list[int]]:
    """The tokenizer for these texts, and the ids that it kept."""
    tokenizer = json.loads(content(kind))
    used = {place for text in some for place in whole(kind).encode(text).ids}
    kept = kept_ids(tokenizer, used)
    return core_of(kind, trimmed(tokenizer, kept)), kept


@cache
def eighth(kind: str) -> tuple[tk.Tokenizer, list[int]]:
    return cut(kind, TEXTS[: len(TEXTS) // 8])


def empty(model: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"added_tokens": [], "post_processor": None, "padding": None, "model": model, **others}


def of_kind(kind: str, names: list[str], **settings: Any) -> dict[str, Any]:
    return {"type": kind, "vocab": {piece: place for place, piece in enumerate(names)}, **settings}


def test_unigram_keeps_the_least_likely_piece_and_what_no_single_character_replaces() -> None:
    scores = {"<unk>": 0.0, "a": -1.0, "b": -1.0, "ab": -1.5, "ba": -2.0, "xa": -3.0, "bb": -9.0, "c": -2.0}
    tokenizer = empty({"type": "Unigram", "unk_id": 0, "vocab": [list(entry) for entry in scores.items()]})
    assert kept_ids(tokenizer, [3]) == [0, 1, 2, 3, 5, 6, 7]
    model = trimmed(tokenizer, [0, 1, 2, 3, 5, 6, 7])["model"]
    assert model["vocab"] == [["<unk>", 0], ["a", -1], ["b", -1], ["ab", -1.5], ["xa", -3], ["bb", -9], ["c", -2]]


def test_wordpiece_keeps_characters_in_both_places_and_what_none_replaces() -> None:
    names = ["[UNK]", "a", "##b", "##c", "ab", "abc", "##bc", "##xc", "ba", "##b##"]
    model = of_kind(
        "WordPiece",
        names,
        unk_token="[UNK]",
        continuing_subword_prefix="##",
    )
    assert [names[place] for place in kept_ids(empty(model), [4])] == [
        *("[UNK]", "a", "##b", "##c", "ab"),
        *("##xc", "ba", "##b##"),  # there are no pieces ##x, b and ###
    ]


def test_bpe_keeps_what_the_kept_pieces_are_joined_from_and_no_other_pair() -> None:
    names = ["a", "b", "c", "d", "ab", "bc", "abc", "cd", "bcd"]
    merges = [["a", "b"], ["b", "c"], ["ab", "c"], ["c", "d"], ["bc", "d"]]
    model = of_kind("BPE", names, unk_token=None, merges=merges)
    assert kept_ids(empty(model), [6]) == [0, 1, 2, 3, 4, 6]
    cut = trimmed(empty(model), [0, 1, 2, 3, 4, 6])["model"]
    assert cut["vocab"] == {"a": 0, "b": 1, "c": 2, "d": 3, "ab": 4, "abc": 5}
    assert cut["merges"] == [["a", "b"], ["ab", "c"]]
    assert kept_ids(empty(model), [8]) == [0, 1, 2, 3, 5, 8]


def test_bytes_stay() -> None:
    names = ["a", "<0x0A>", "<0xFG>", "<0x0AB>", "<", "0", "x", "A", ">", "B", "F", "G"]
    model = of_kind(
        "BPE",
        names,
        unk_token=None,
        merges=[],
        byte_fallback=True,
    )
    assert kept_ids(empty(model), []) == [0, 1, *range(4, 12)]


def test_all_that_names_a_token_by_its_number_is_renumbered_and_the_given_one_stays() -> None:
    names = ["a", "ab", "[SEP]", "ac", "[CLS]", "b", "c", "[PAD]"]
    model = of_kind(
        "WordPiece",
        names,
        unk_token="?",
        continuing_subword_prefix="##",
    )
    template = {"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [4], "tokens": ["[CLS]"]}}}
    bert = {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 4]}
    tokenizer = empty(model, padding={"pad_id": 7}, post_processor={"processors": [template, bert]})
    tokenizer["added_tokens"] = [{"id": 7, "content": "[PAD]"}]
    before = copy.deepcopy(tokenizer)
    new = trimmed(tokenizer, [0, 2, 4, 7])
    assert new["added_tokens"] == [{"id": 3, "content": "[PAD]"}]
    assert new["padding"] == {"pad_id": 3}
    first, second = new["post_processor"]["processors"]
    assert first["special_tokens"]["[CLS]"] == {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}
    assert second == {"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[CLS]", 2]}
    assert tokenizer == before


def test_a_kind_that_falls_apart_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"of the kind WordLevel; allowed: Unigram, WordPiece, BPE; set enc\S+=false"):
        kept_ids(empty({"type": "WordLevel", "vocab": {}, "unk_token": "?"}), [])


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_that_it_was_cut_for_keep_their_pieces(kind: str) -> None:
    core, kept = eighth(kind)
    assert len(kept) == core.get_vocab_size() < 0.9 * whole(kind).get_vocab_size()
    for text in TEXTS[: len(TEXTS) // 8]:
        assert core.encode(text).tokens == whole(kind).encode(text).tokens
        assert [kept[place] for place in core.encode(text, text).ids] == whole(kind).encode(text, text).ids


some = st.one_of(st.sampled_from(TEXTS), st.text(st.sampled_from(LETTERS), max_size=30))


@pytest.mark.parametrize("kind", KINDS)
@given(some=st.lists(some, min_size=1, max_size=4))
def test_any_texts_keep_their_pieces(kind: str, some: list[str]) -> None:
    core, kept = cut(kind, some)
    for text in some:
        assert core.encode(text).tokens == whole(kind).encode(text).tokens
        assert [kept[place] for place in core.encode(text).ids] == whole(kind).encode(text).ids


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.one_of(some, st.text(max_size=30)))
def test_a_new_text_gets_no_new_unknown_token(kind: str, text: str) -> None:
    core, _ = eighth(kind)
    unknown = KINDS[kind]().unk_token
    before = whole(kind).encode(text).tokens
    after = core.encode(text).tokens
    assert unknown in before or unknown not in after
    if kind != "wordpiece":  # where a word with an unknown character is unknown as a whole
        assert after.count(unknown) <= before.count(unknown)
