"""`Ranker`: the scores of `clir evaluate`, the vectors of the text encoder, over texts at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import clir_lightning as clir
from clir_lightning.build import build
from clir_lightning.outputs import Trained
from program import clir as program

TEXTS = {"ja": "Жапон тілі", "fr": "Француз тілі", "again": "Жапон тілі"}


@pytest.fixture(scope="module")
def demo() -> clir.Collection:
    return clir.load_collection("demo")


@pytest.fixture(scope="module")
def cross(demo_run: Path) -> clir.Ranker:
    return clir.load_model(demo_run, device="cpu")


@pytest.fixture(scope="module")
def dual(dual_run: Path) -> clir.Ranker:
    return clir.load_model(dual_run / "model", device="cpu")


@pytest.mark.parametrize("kind", ["demo_run", "dual_run"])
def test_scores_are_those_of_clir_evaluate(
    kind: str, demo: clir.Collection, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Bit for bit, of the same lists in the same order; text by text to the rounding of other batches."""
    folder = request.getfixturevalue(kind)
    program("evaluate", f"model={folder}", "device=cpu", "hydra.run.dir=out", cwd=tmp_path)
    expected = clir.read_run(tmp_path / "out" / "runs" / "test.trec")

    model = clir.load_model(folder, device="cpu")
    lists = build(model.trained.config.candidates).run(demo, "test1", "test")
    queries = demo.split("test1").queries
    found = model.score(demo.documents, queries, lists)
    assert dict(found) == dict(expected)
    assert len(found) == 5

    query = next(iter(expected))
    ranked = model.rank(queries[query].text, {i: demo.documents[i].text for i in expected[query]})
    assert [i for i, _ in ranked] == expected.ranking(query)
    assert dict(ranked) == pytest.approx(expected[query], abs=1e-6)


def test_vectors_are_the_text_encoders(dual: clir.Ranker, dual_run: Path) -> None:
    """Of each side, with the query prefix that the training had, in the order of the texts."""
    encoder = Trained.load(dual_run).text_encoder()
    texts = ["日语", "一个长一点的查询", "法语"]
    records = {text: clir.Query(text, text, "zh") for text in texts}
    read = encoder.reader(records, "query", texts)
    found = dual.encode(texts, "query")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, read(np.arange(3)))
    assert not np.allclose(found, dual.encode(texts, "document"), atol=1e-3)

    # By hand: prefix and text through the tokenizer and the model, whose similarity is a product of unit vectors.
    tokens = dual.trained.encoder.tokenizer(["query: 日语"], return_tensors="pt")
    model: Any = dual.trained.model
    with torch.inference_mode():
        states = dual.trained.encoder.model(**tokens).last_hidden_state[0]
    mean = states.mean(dim=0)
    assert model.pooling == "mean"
    np.testing.assert_allclose(found[0], (mean / mean.norm()).numpy(), atol=1e-6)


def test_a_score_is_the_product_of_the_vectors(dual: clir.Ranker) -> None:
    query = dual.encode(["日语"], "query")[0]
    documents = dual.encode(list(TEXTS.values()))
    expected = dict(zip(TEXTS, (documents @ query).tolist(), strict=True))
    assert dict(dual.rank("日语", TEXTS)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", ["cross", "dual"])
def test_ids_texts_and_equal_texts(kind: str, request: pytest.FixtureRequest) -> None:
    model: clir.Ranker = request.getfixturevalue(kind)
    by_id = model.rank("日语", TEXTS)
    scores = dict(by_id)
    assert set(scores) == set(TEXTS)
    assert scores["ja"] == pytest.approx(scores["again"], abs=1e-6)
    assert [score for _, score in by_id] == sorted(scores.values(), reverse=True)

    by_text = model.rank("日语", list(TEXTS.values()))
    assert len(by_text) == 2
    assert dict(by_text) == pytest.approx({TEXTS[i]: scores[i] for i in ("ja", "fr")}, abs=1e-6)


def test_equal_scores_go_by_id_the_higher_first(cross: clir.Ranker) -> None:
    equal = cross.rank("日语", dict.fromkeys(("b", "c", "a"), "Жапон тілі"))
    assert len({score for _, score in equal}) == 1
    assert [i for i, _ in equal] == ["c", "b", "a"]


def test_nothing_gives_nothing(cross: clir.Ranker, dual: clir.Ranker) -> None:
    assert cross.rank("日语", []) == dual.rank("日语", {}) == []
    assert dual.encode([]).shape == (0, 128)
    assert dict(cross.score({}, {}, clir.Run({"q": {}}))) == {"q": {}}


def test_calls_share_the_model_in_memory(dual_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = clir.load_model(dual_run, device="cpu")
    monkeypatch.setattr(Trained, "load", lambda path: pytest.fail(f"{path} was read again"))
    first = model.rank("日语", TEXTS)
    vectors = model.encode(["日语"], "query")
    assert model.rank("日语", TEXTS) == first
    np.testing.assert_array_equal(model.encode(["日语"], "query"), vectors)


@pytest.mark.parametrize(
    ("query", "documents", "told"),
    [
        ("", ["a"], r"rank\['query'\] is ''; give a text that is not empty"),
        ("q", "abc", "documents is one text, 'abc'; give a list of texts"),
        ("q", ["a", "  "], r"documents\[1\] is '  '; give a text that is not empty"),
        ("q", {"x": None}, r"documents\['x'\] is None; give a text that is not empty"),
    ],
)
def test_what_is_no_text_is_rejected(query: str, documents: Any, told: str, cross: clir.Ranker) -> None:
    with pytest.raises(clir.ConfigError, match=told):
        cross.rank(query, documents)


def test_vectors_that_cannot_be(cross: clir.Ranker, dual: clir.Ranker) -> None:
    with pytest.raises(clir.ConfigError, match=r"is of CrossEncoder; one vector per text is needed, from a model of"):
        cross.encode(["a"])
    with pytest.raises(clir.ConfigError, match=r"side is 'querry'; allowed: query, document; did you mean 'query'"):
        dual.encode(["a"], "querry")  # type: ignore[arg-type]
    with pytest.raises(clir.ConfigError, match=r"texts\[1\] is ''; give a text"):
        dual.encode(["a", ""])
    with pytest.raises(clir.ConfigError, match="texts is one text, 'abc'"):
        dual.encode("abc")


def test_a_run_of_unknown_texts_is_rejected(cross: clir.Ranker) -> None:
    documents = {"d": clir.Document("d", "тіл", "kk")}
    queries = {"q": clir.Query("q", "日语", "zh")}
    with pytest.raises(clir.DataError, match="run 'mine' lists document 'e' of query 'q', which is not given"):
        cross.score(documents, queries, clir.Run({"q": {"d": 1.0, "e": 0.5}}, "mine"))
    with pytest.raises(clir.DataError, match="run 'mine' lists query 'r', which is not given"):
        cross.score(documents, queries, clir.Run({"r": {"d": 1.0}}, "mine"))
