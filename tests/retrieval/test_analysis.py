"""Analysers: what they make of words, and that no language gets one unasked."""

from __future__ import annotations

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.analysis import choose, cjk_bigrams, ngrams, prefixes, words


def test_words_fold_case_and_keep_combining_marks_inside() -> None:
    assert words("Алматы — ҚАЛА.") == ["алматы", "қала"]
    assert words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


def test_prefixes_and_ngrams() -> None:
    assert prefixes("Қазақстандағы тіл") == ["қазақ", "тіл"]
    assert ngrams("Алматы, су") == ["алма", "лмат", "маты", "су"]
    both = choose("prefix5+ngram4", "kk", lucene=False).tokens
    assert both is not None
    assert both("Алматы") == ["алмат", "алма", "лмат", "маты"]


def test_cjk_pairs_fold_width_and_stop_at_other_scripts() -> None:
    assert cjk_bigrams("ＡＢ中文字、한국 カタ x9") == ["ab", "中文", "文字", "한국", "カタ", "x9"]
    assert cjk_bigrams("中") == ["中"]


def test_an_unknown_language_is_an_error_that_names_the_choices() -> None:
    with pytest.raises(
        ConfigError, match=r"no analyser for language 'xx'.*set retriever.analyser to one of words, pre"
    ):
        choose("auto", "xx", lucene=True)
    assert choose("words", "xx", lucene=True).name == "words"


def test_lucenes_analyser_is_refused_where_lucene_has_none() -> None:
    with pytest.raises(ConfigError, match="Lucene has no analyser for language 'kk'"):
        choose("lucene", "kk", lucene=True)
    with pytest.raises(ConfigError, match=r"retriever.analyser is 'lucene'; allowed: auto, words"):
        choose("lucene", "zh", lucene=False)
