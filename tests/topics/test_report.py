"""Words of topics, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from rich.console import Console

from clir_lightning.topics.measures import match
from clir_lightning.topics.report import Report, excess, strongest
from clir_lightning.topics.words import Vocabulary


def test_the_strongest_words_come_first_and_equal_ones_in_the_vocabularys_order() -> None:
    weights = np.array([[0.2, 0.2, 0.9, 0.0], [1.0, 0.0, 0.0, 2.0]], np.float32)
    assert strongest(weights, Vocabulary(("a", "b", "c", "d")), 3) == [["c", "a", "b"], ["d", "a", "b"]]


def test_a_word_without_decoder_is_weighed_by_its_texts_topics_above_their_mean() -> None:
    theta = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], np.float32)
    counts = sp.csr_matrix(np.array([[2, 1], [0, 1], [1, 1]], np.float32))
    mean = [0.5, 0.5]
    exact = [[2 * (0.9 - mean[0]) + 0.4 - mean[0], 0], [2 * (0.1 - mean[1]) + 0.6 - mean[1], 0]]
    assert excess(theta, counts) == pytest.approx(np.array(exact), abs=1e-6)


def report(**changed: Any) -> Report:
    queries, documents = {"q": np.array([0.9, 0.1])}, {"a": np.array([0.9, 0.1]), "b": np.array([0.1, 0.9])}
    settings: dict[str, Any] = {
        "shown": 2,
        "shares": np.array([0.25, 0.75]),
        "texts": [["тіл", "қала"], ["тіл", "қала"], ["ел"], ["су"]],
        "match": match(queries, documents, {"q": {"a": 1}}),
    }
    words: Any = {"document": [["тіл", "қала", "ел"], ["ел", "су", "тіл"]], "query": [["语", "<b>"], ["城", "水"]]}
    return Report.of("demo", {"query": "zh", "document": "kk"}, words, **{**settings, **changed})


def test_a_report_has_the_measures_and_the_first_words_the_commonest_topic_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = report()
    assert found.words["document"] == [["тіл", "қала"], ["ел", "су"]]
    assert found.npmi.round(6).tolist() == [1.0, pytest.approx(-0.899658, abs=1e-5)]
    assert found.diverse == pytest.approx(4 / 6)  # over all words, not those shown
    numbers = found.numbers()
    assert (numbers["relevant_same_topic"], numbers["random_same_topic"]) == (1.0, 0.0)
    found.show(Console(width=200))
    page = found.page()
    for text in (capsys.readouterr().out, page):
        assert text.index("ел су") < text.index("тіл қала")
        assert "75.0 %" in text
    assert "&lt;b&gt;" in page
    assert page.count("<svg") == 1


def test_without_judgements_nothing_is_said_of_a_match() -> None:
    found = report(match=None)
    assert set(found.numbers()) == {"npmi", "diversity"}
    assert "<svg" not in found.page()
    assert len(found.sentences()) == 2
