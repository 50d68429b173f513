"""Vocabularies, counts and linked terms."""

from __future__ import annotations

import numpy as np
import pytest

from clir_lightning.errors import ConfigError, DataError
from clir_lightning.retrieval.analysis import cjk_bigrams, words
from clir_lightning.topics.words import Links, Vocabulary, WordLimits

TEXTS = [["тіл", "қазақ"], ["тіл", "француз", "француз"], ["тіл", "қала"], ["қала", "тіл", "қазақ"]]


def test_a_vocabulary_keeps_words_by_the_number_of_texts_they_are_in() -> None:
    assert Vocabulary.of(TEXTS, WordLimits(least=1, most=1.0)).words == ("тіл", "қазақ", "қала", "француз")
    assert Vocabulary.of(TEXTS, WordLimits(least=2, most=0.5)).words == ("қазақ", "қала")
    assert Vocabulary.of(TEXTS, WordLimits(least=1, most=1.0, size=1)).words == ("тіл",)
    assert Vocabulary.of(reversed(TEXTS), WordLimits(least=2, most=0.5)).words == ("қазақ", "қала")


def test_a_vocabulary_without_a_word_is_told_with_a_cure() -> None:
    with pytest.raises(DataError, match=r"none of the 4 words of 4 documents occurs in 5 texts .*lower words\.least"):
        Vocabulary.of(TEXTS, WordLimits(least=5), "documents")


@pytest.mark.parametrize("wrong", [{"least": 0}, {"most": 0.0}, {"most": 1.5}, {"size": 0}])
def test_wrong_limits_are_rejected(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"words\.{next(iter(wrong))} is"):
        WordLimits(**wrong)  # type: ignore[arg-type]


def test_counts_leave_unknown_words_out() -> None:
    found = Vocabulary(("қала", "француз")).counts([*TEXTS, []]).toarray()
    assert found.tolist() == [[0, 0], [0, 2], [1, 0], [1, 0], [0, 0]]


def test_a_term_is_the_mean_of_its_known_words_and_terms_of_the_same_words_are_one() -> None:
    chinese, kazakh = Vocabulary(("法语", "哈萨", "克语")), Vocabulary(("тілі", "француз", "қазақ"))
    entries = [
        ("法语", "француз тілі"),
        ("法语", "француз"),
        ("哈萨克语", "қазақ тілі"),
        ("法语", "француз"),
        ("英语", "тілі"),
    ]
    links = Links.of(entries, (chinese, kazakh), (cjk_bigrams, words))
    assert links.queries.toarray().tolist() == [[1, 0, 0], [0, 0.5, 0.5]]
    assert links.documents.toarray().tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0.5, 0, 0.5]]
    assert links.pairs.tolist() == [[0, 0], [0, 1], [1, 2]]
    assert links.linked.toarray().tolist() == np.array([[1, 1, 0], [0, 0, 1]], bool).tolist()


def test_a_table_without_a_common_word_is_told_with_a_cure() -> None:
    with pytest.raises(DataError, match=r"0 of 1 entries of the term table .* alignment\.terms"):
        Links.of([("sprache", "language")], (Vocabulary(("法语",)), Vocabulary(("тілі",))), (cjk_bigrams, words))
