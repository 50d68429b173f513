"""Coherence against gensim, the others by hand."""

from __future__ import annotations

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel

from clir_lightning.topics.measures import coherence, diversity, match, similarity


@pytest.mark.parametrize("window", [10, 3])
def test_coherence_is_gensims(window: int) -> None:
    random = np.random.default_rng(1)
    words = [f"w{number}" for number in range(30)]
    lengths = [1, 2, 9, 10, 11, 25, *random.integers(1, 40, size=60).tolist()]
    texts = [[words[place] for place in random.integers(0, 30, size=length) // 2 * 2] for length in lengths]
    texts.append(["w1", "w3", "w5"])  # words that meet in one window alone
    topics = [["w0", "w2", "w4"], ["w6", "w8", "w10", "w12"], ["w1", "w3", "w0"], ["w5", "w1"]]
    gensim = CoherenceModel(
        topics=topics, texts=texts, dictionary=Dictionary(texts), coherence="c_npmi", window_size=window, processes=1
    )
    assert coherence(topics, texts, window).tolist() == pytest.approx(gensim.get_coherence_per_topic(), abs=1e-9)


def test_coherence_counts_texts_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    texts = [[str(number) for number in random.integers(0, 9, size=12)] for _ in range(50)]
    topics = [["0", "1", "2"], ["3", "4"]]
    whole = coherence(topics, texts)
    monkeypatch.setattr("clir_lightning.topics.measures.BATCH", 7)
    assert coherence(topics, iter(texts)).tolist() == pytest.approx(whole.tolist())


def test_a_word_of_no_text_and_a_topic_of_one_word_have_no_coherence() -> None:
    assert coherence([["a", "gone"], ["a"]], [["a", "b"]]).tolist() == [0.0, 0.0]


def test_diversity_is_the_share_of_different_words() -> None:
    assert diversity([["a", "b", "c"], ["a", "d", "e"]]) == pytest.approx(5 / 6)


def test_similarity_is_one_minus_the_jensen_shannon_divergence() -> None:
    one, other = np.array([[0.7, 0.2, 0.1]]), np.array([[0.1, 0.3, 0.6]])
    middle = (one + other) / 2
    divergence = 0.5 * (one * np.log2(one / middle)).sum() + 0.5 * (other * np.log2(other / middle)).sum()
    assert similarity(one, other)[0] == pytest.approx(1 - divergence)


def test_match_compares_relevant_documents_with_others() -> None:
    queries = {"q1": np.array([0.9, 0.1]), "q2": np.array([0.2, 0.8])}
    documents = {"a": np.array([0.9, 0.1]), "b": np.array([0.1, 0.9]), "c": np.array([0.6, 0.4])}
    found = match(queries, documents, {"q1": {"a": 6, "c": 0}, "q2": {"b": 3, "gone": 1}}, others=50)
    assert found is not None
    exact = similarity(np.array([[0.2, 0.8]]), np.array([[0.1, 0.9]]))[0]
    numbers = found.numbers()
    assert numbers["relevant_similarity"] == pytest.approx((1 + exact) / 2, abs=1e-4)
    assert numbers["relevant_same_topic"] == 1
    # Of q1's others c alone has its strongest topic; none of q2's have.
    assert 0 < numbers["random_same_topic"] < 0.5
    assert match(queries, documents, {}) is None
