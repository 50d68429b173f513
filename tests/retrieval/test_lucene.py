"""Lucene's BM25: against the light one and the formula, and each way in which it can fail."""

from __future__ import annotations

import errno
import math
import random
import shutil
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clir_lightning.errors import ClirError, ConfigError, DataError
from clir_lightning.retrieval import lucene
from clir_lightning.retrieval.bm25 import LightBM25
from clir_lightning.retrieval.java import Java, JavaError
from clir_lightning.retrieval.lucene import LuceneBM25
from clir_lightning.retrieval.retriever import Retriever, WeightedQuery
from clir_lightning.types import Document, Query


def _installed() -> Java | None:
    try:
        return Java.find()
    except ConfigError:
        return None


REAL = _installed()
needs_java = pytest.mark.skipif(REAL is None, reason="the extra `lucene` is not installed")


def documents(texts: Mapping[str, str], language: str = "kk") -> dict[str, Document]:
    return {i: Document(i, text, language) for i, text in texts.items()}


def queries(**texts: str) -> dict[str, Query]:
    return {i: Query(i, text, "kk") for i, text in texts.items()}


SMALL = documents({"a": "қазақ тілі", "b": "француз тілі", "c": "Алматы қала", "d": "қала қала үй"})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where each index of tests that are not about building one is built once."""
    return str(tmp_path_factory.mktemp("kept"))


def synthetic(count: int) -> dict[str, Document]:
    rng = random.Random(1)
    words = [f"{chr(0x430 + i % 32)}{chr(0x430 + i // 32 % 32)}сөз" for i in range(400)]
    chances = [1 / (i + 1) for i in range(400)]
    return documents({f"d{i}": " ".join(rng.choices(words, chances, k=rng.randint(1, 60))) for i in range(count)})


@pytest.mark.slow
@needs_java
def test_scores_are_those_of_the_formula() -> None:
    found = LuceneBM25(analyser="words", threads=1)(SMALL, queries(q="қала"), depth=10)["q"]
    idf, average = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5)), 9 / 4
    assert found == pytest.approx(
        {
            "c": idf * 1 / (1 + 0.9 * (1 - 0.4 + 0.4 * 2 / average)),
            "d": idf * 2 / (2 + 0.9 * (1 - 0.4 + 0.4 * 3 / average)),
        },
        abs=2e-4,  # Anserini rounds scores to four digits
    )


@needs_java
def test_top_100_is_the_light_ones() -> None:
    texts = synthetic(2000)
    rng = random.Random(2)
    asked = {
        f"q{i}": " ".join(rng.sample(document.text.split(), min(4, len(document.text.split()))))
        for i, document in enumerate(rng.sample(list(texts.values()), 50))
    }
    weighted: dict[str, Query] = {"w": WeightedQuery("w", "", "kk", (("абсөз вбсөз", 0.7), ("гбсөз", 0.3)))}
    both = {**queries(**asked), **weighted}
    java, light = (make(texts, both, depth=100) for make in (LuceneBM25(), LightBM25()))
    assert list(java) == list(light) == list(both)
    overlaps = [len(set(java[q]) & set(light[q])) / max(1, len(light[q])) for q in both]
    assert sum(overlaps) / len(overlaps) >= 0.99
    best = java.ranking("w")[0]
    assert java["w"][best] == pytest.approx(light["w"][best], abs=1e-3)


@pytest.mark.slow
@needs_java
def test_lucenes_own_lengths_are_an_option(kept: str) -> None:
    asked = queries(q="қала")
    exact, coded = (LuceneBM25(accurate=accurate, cache=kept)(SMALL, asked, depth=10) for accurate in (True, False))
    assert exact["q"] == pytest.approx(coded["q"], abs=1e-3)  # lengths below 40 are exact in either


@pytest.mark.slow
@needs_java
def test_a_full_disk_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    LuceneBM25(cache=str(tmp_path))(SMALL, queries(q="қала"), depth=10)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lucene, "write_topics", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\); free room"):
        LuceneBM25(cache=str(tmp_path))(SMALL, queries(q="қала"), depth=10)


@pytest.mark.slow
@needs_java
def test_equal_scores_break_by_document_id_at_the_cut_too() -> None:
    same = documents({f"d{i}": "бірдей мәтін" for i in range(9)})
    for retriever in (LuceneBM25(), LightBM25()):
        assert retriever(same, queries(q="мәтін"), depth=3).ranking("q") == ["d8", "d7", "d6"]


@pytest.mark.slow
@needs_java
def test_lucenes_chinese_analyser_ranks_as_pairs_of_characters_do() -> None:
    texts = documents({"a": "阿拉木图是城市", "b": "阿斯塔纳是首都", "c": "木图"}, "zh")
    asked = {"q": Query("q", "阿拉木图", "zh")}
    java, light = LuceneBM25()(texts, asked, depth=10), LightBM25()(texts, asked, depth=10)
    assert java.ranking("q") == light.ranking("q") == ["a", "c"]
    assert java["q"] == pytest.approx(light["q"], abs=2e-4)


@pytest.mark.slow
@needs_java
def test_queries_without_a_hit_have_an_empty_list_and_do_not_harm_the_others(kept: str) -> None:
    found = LuceneBM25(cache=kept)(SMALL, queries(empty="", unknown="жоқсөз", good="Алматы"), depth=10)
    assert [len(found[query]) for query in ("empty", "unknown", "good")] == [0, 0, 1]


@pytest.mark.slow
@needs_java
def test_a_query_without_a_hit_under_lucenes_own_analyser_is_an_empty_list_and_no_full_disk(kept: str) -> None:
    english = documents({"a": "the dog barks", "b": "a cat sleeps"}, "en")
    for text in ("zebra", "the of"):  # not there; nothing but stop words
        assert LuceneBM25(cache=kept)(english, {"q": Query("q", text, "en")}, depth=5).by_query == {"q": {}}


@pytest.mark.slow
@needs_java
def test_a_disk_without_room_is_told_from_a_query_without_a_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lucene, "check_room", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\); free room"):
        LuceneBM25()(documents({"a": "the dog"}, "en"), {"q": Query("q", "zebra", "en")}, depth=5)


@pytest.mark.slow
@needs_java
def test_weights_of_a_repeated_part_add_up_in_lucenes_topics(kept: str) -> None:
    """Parts a (1), b (1) and a (1) again are a (2), b (1): under Lucene's own analyser as under ours."""
    parts = (("dog", 0.5), ("cat", 0.5), ("dog", 0.5))
    english = documents({"a": "the dog barks", "b": "a cat sleeps long"}, "en")
    repeated = {"q": WeightedQuery("q", "", "en", parts)}
    for analyser in ("lucene", "words"):
        search = LuceneBM25(analyser=analyser, cache=kept)
        single = search(english, {t: Query(t, t, "en") for t in ("dog", "cat")}, depth=5)
        found = search(english, repeated, depth=5)["q"]
        assert found == pytest.approx({"a": 2 * 0.5 * single["dog"]["a"], "b": 0.5 * single["cat"]["b"]}, abs=2e-4)


@pytest.mark.slow
@needs_java
def test_lucenes_own_analyser_sees_composed_letters() -> None:
    french = documents({"a": unicodedata.normalize("NFD", "l'été"), "b": "hiver"}, "fr")
    assert LuceneBM25()(french, {"q": Query("q", "été", "fr")}, depth=5).ranking("q") == ["a"]


@pytest.mark.slow
@needs_java
def test_queries_are_asked_in_parts_that_keep_the_disk_bounded(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = queries(a="қала", none="жоқсөз", b="тілі", c="Алматы", d="үй", e="")
    whole = LuceneBM25(cache=kept)(SMALL, asked, depth=2)
    monkeypatch.setattr(lucene, "HITS", 4)  # two queries at a time
    assert LuceneBM25(cache=kept)(SMALL, asked, depth=2) == whole
    assert list(whole) == list(asked)
    assert [len(whole[query]) for query in asked] == [2, 0, 2, 1, 1, 0]


@pytest.mark.slow
@needs_java
def test_an_index_is_built_once_and_again_for_other_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = Java.run

    def counted(self: Java, main: str, arguments: list[str]) -> str:
        ran.append(main.rpartition(".")[2])
        return run(self, main, arguments)

    monkeypatch.setattr(Java, "run", counted)
    retriever = LuceneBM25(cache=str(tmp_path))
    first = retriever(SMALL, queries(q="Алматы"), depth=10)
    assert retriever(SMALL, queries(q="Алматы"), depth=10) == first
    retriever({**SMALL, "e": Document("e", "Алматы", "kk")}, queries(q="Алматы"), depth=10)
    assert ran.count("IndexCollection") == 2
    assert ran.count("SearchCollection") == 3


@pytest.mark.slow
@needs_java
def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    retriever = LuceneBM25(cache=str(tmp_path))
    retriever(SMALL, queries(q="Алматы"), depth=10)
    segments = next(tmp_path.glob("lucene/*/segments_*"))
    segments.write_bytes(bytes(segments.stat().st_size))  # the right size, the wrong content
    with pytest.raises(JavaError, match=f"the index cannot be read; delete its folder .*{segments.parent.name}"):
        retriever(SMALL, queries(q="Алматы"), depth=10)
    segments.unlink()
    with pytest.raises(DataError, match="no bytes instead of"):
        retriever(SMALL, queries(q="Алматы"), depth=10)


@needs_java
def test_more_terms_than_lucene_takes_are_an_error_before_the_search() -> None:
    words = " ".join(f"w{i}" for i in range(1025))
    texts = documents({"a": words})
    with pytest.raises(DataError, match="query 'q' has 1025 different terms, Lucene takes 1024"):
        LuceneBM25(analyser="words")(texts, queries(q=words), depth=10)
    assert len(LightBM25(analyser="words")(texts, queries(q=words), depth=10)["q"]) == 1


@pytest.mark.slow
@needs_java
def test_lucenes_own_limit_on_terms_is_found_in_its_log() -> None:
    words = " ".join(f"w{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{i}" for i in range(1100))
    with pytest.raises(JavaError, match="more than 1024 terms"):
        LuceneBM25(analyser="lucene")(documents({"a": words}, "en"), {"q": Query("q", words, "en")}, depth=10)


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], str]:
    """Writes a program that stands in for Java; `$REAL` in the script is the real one."""

    def write(script: str) -> str:
        path = tmp_path / "java"
        path.write_text("#!/bin/sh\n" + script.replace("$REAL", REAL.program if REAL else ""), encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.mark.slow
@needs_java
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo java.lang.UnsupportedClassVersionError: class file version 65.0; exit 1", "too old, Lucene needs 21"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("echo java.lang.OutOfMemoryError; exit 3", "set retriever.memory"),
        ("echo ' ERROR java.io.IOException: No space left on device'; echo ' indexed: 4'", "no room on the disk"),
        ('ulimit -f 0; exec "$REAL" "$@"', "no room on the disk"),
        ("echo indexed: 0", "indexed 0 of 4 documents"),
        ("exit 7", "exit status 7"),
        ('case "$*" in *IndexC*) exec "$REAL" "$@";; esac', "left no whole run .0 of 1 queries."),
        ('case "$*" in *IndexC*) exec "$REAL" "$@";; esac; kill -9 $$', "killed by SIGKILL"),
        (
            'case "$*" in *IndexC*) exec "$REAL" "$@";; esac; echo 1 queries processed in 0',
            "whole run .1 of 1 queries.",
        ),
    ],
)
def test_failures_are_one_line_and_leave_no_index(
    script: str, message: str, fake: Callable[[str], str], tmp_path: Path
) -> None:
    retriever = LuceneBM25(java=fake(script), cache=str(tmp_path / "cache"))
    with pytest.raises(ClirError, match=message) as raised:
        retriever(SMALL, queries(q="Алматы"), depth=10)
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "cache" / "lucene").glob(".*partial*"))
    if "IndexC" not in script:
        assert not [path for path in (tmp_path / "cache" / "lucene").iterdir() if path.is_dir()]


@needs_java
def test_the_machines_own_old_java_is_rejected() -> None:
    old = shutil.which("java")
    if old is None or "too old" not in _said_by(old):
        pytest.skip("there is no Java older than 21 on the path")


def _said_by(program: str) -> str:
    try:
        LuceneBM25(java=program)(SMALL, queries(q="Алматы"), depth=10)
    except JavaError as error:
        return str(error)
    return ""


def test_no_documents_and_documents_without_terms_are_errors() -> None:
    retrievers: list[Retriever] = [LightBM25(), *([LuceneBM25()] if REAL else [])]
    for make in retrievers:
        with pytest.raises(DataError, match="there are no documents"):
            make({}, queries(q="x"), depth=1)
        with pytest.raises(DataError, match="no document has a single term"):
            make(documents({"a": "—"}), queries(q="x"), depth=1)
