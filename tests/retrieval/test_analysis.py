"""Analysers: what they make of words, and that no language gets one unasked."""

from __future__ import annotations

import inspect
import re
import unicodedata

import pytest

from clir_lightning.data.sources.languages import check_language
from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.analysis import ANALYSERS, choose, cjk_bigrams, ngrams, prefixes, words
from clir_lightning.retrieval.bm25 import LightBM25
from clir_lightning.types import Document, Query


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


def test_lucenes_analyser_is_rejected_where_lucene_has_none() -> None:
    with pytest.raises(ConfigError, match="Lucene has no analyser for language 'kk'"):
        choose("lucene", "kk", lucene=True)
    with pytest.raises(ConfigError, match=r"retriever.analyser is 'lucene'; allowed: auto, words"):
        choose("lucene", "zh", lucene=False)


@pytest.mark.parametrize("name", [name for name, (_, function) in ANALYSERS.items() if function])
def test_decomposed_text_gives_the_terms_of_composed_text(name: str) -> None:
    composed = "Әуежай — Дүйсенбі, Йошкар-Ола; Ångström, pâté"  # Й, Å, â, é: a letter and a mark
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    tokens = choose(name, "kk", lucene=False).tokens
    assert tokens is not None
    assert tokens(decomposed) == tokens(composed)


def test_a_decomposed_letter_counts_once_in_prefixes_and_ngrams() -> None:
    assert prefixes("e\u0301te\u0301 e\u0301te\u0301s") == ["été", "étés"]
    assert ngrams("e\u0301te\u0301s") == ["étés"]


@pytest.mark.parametrize(
    ("language", "upper", "terms"),
    [
        ("tr", "ISPARTA İZMİR", ["ısparta", "izmir"]),
        ("az", "QIZIL İ\u015eIQ", ["qızıl", "işıq"]),
        ("crh", "QIRIM", ["qırım"]),
        ("kk-Latn", "QAZAQ TILI", ["qazaq", "tılı"]),
        ("kk", "XIX II", ["xix", "ii"]),  # Roman numbers in Cyrillic text
        ("tt-Cyrl", "XIX", ["xix"]),
        ("en", "ISPARTA İzmir", ["isparta", "izmir"]),  # not the two dots of Python's lower()
    ],
)
def test_turkic_i_with_and_without_its_dot(language: str, upper: str, terms: list[str]) -> None:
    analyse = choose("words", language, lucene=False).tokens
    assert analyse is not None
    assert analyse(upper) == terms
    assert analyse(unicodedata.normalize("NFD", upper)) == terms


@pytest.mark.parametrize(
    ("script", "plain"), [("zh-Hant", "zh"), ("zh_Hans", "zh"), ("pt-BR", "pt"), ("simple", "en"), ("kk-Cyrl", "kk")]
)
def test_a_script_or_region_gets_its_languages_analyser(script: str, plain: str) -> None:
    for lucene in (True, False):
        assert choose("auto", script, lucene=lucene).name == choose("auto", plain, lucene=lucene).name
    assert choose("lucene", "zh-Hant", lucene=True).name == "lucene"


def test_documents_in_zh_hant_are_searched_by_pairs_of_characters() -> None:
    documents = {i: Document(i, text, "zh-Hant") for i, text in {"a": "臺灣語言", "b": "灣臺"}.items()}
    assert LightBM25()(documents, {"q": Query("q", "臺灣", "zh-Hant")}, depth=5).ranking("q") == ["a"]


def clirmatrix_languages() -> list[str]:
    """CLIRMatrix's languages as `ir_datasets` lists them."""
    clirmatrix = pytest.importorskip("ir_datasets.datasets.clirmatrix")
    listed = re.search(r" LANGS = \((.*?)\)", inspect.getsource(clirmatrix), re.DOTALL)
    assert listed
    return re.findall(r"'(\w+)'", listed.group(1))


def test_all_139_languages_of_clirmatrix_have_a_choice_in_the_table() -> None:
    languages = clirmatrix_languages()
    assert len(set(languages)) == 139
    chosen = {language: choose("auto", language, lucene=False).name for language in languages}
    assert {language: chosen[language] for language in ("kk", "sah", "my", "wuu", "vi", "he", "simple")} == {
        "kk": "prefix5",
        "sah": "prefix5",
        "my": "ngram4",
        "wuu": "cjk",
        "vi": "words",
        "he": "ngram4",
        "simple": "words",
    }
    for language in languages:
        assert choose("auto", language, lucene=True).name in ANALYSERS
        assert check_language(language, "data.document_language") == language


def test_4_grams_find_words_in_a_script_without_spaces() -> None:
    documents = {"a": Document("a", "မြန်မာဘာသာစကား", "my"), "b": Document("b", "ရန်ကုန်မြို့", "my")}
    query = {"q": Query("q", "ဘာသာစကား", "my")}
    assert LightBM25()(documents, query, depth=5).ranking("q") == ["a"]
    assert LightBM25(analyser="words")(documents, query, depth=5).ranking("q") == []
