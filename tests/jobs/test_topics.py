"""`clir topics` on the demo, and a ranker that reads its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clir_lightning.data.sources.demo import build_demo
from clir_lightning.topics.folder import Topics
from program import RANDOM, SHORT, clir

FEW = (RANDOM, "trainer.max_epochs=1", "+trainer.limit_train_batches=5", "encoder.layers=1", "encoder.width=32")


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("topics")
    done = clir("topics", *FEW, "topics=4", "alignment.names=train", "path=folder", cwd=home)
    (home / "said.txt").write_text(done.stdout, encoding="utf-8")
    return home / "folder"


@pytest.mark.slow
def test_it_prints_topics_in_both_languages_and_writes_a_folder_and_a_page(topics: Path) -> None:
    said = (topics.parent / "said.txt").read_text(encoding="utf-8")
    for part in (
        "words of documents (kk)",
        "words of queries (zh)",
        "Coherence (NPMI",
        "Diversity: ",
        "Match of queries",
    ):
        assert part in said
    settings = json.loads((topics / "topics.json").read_text(encoding="utf-8"))
    assert sorted(settings["measures"])[:2] == ["diversity", "npmi"]
    words = settings["topics"]["words"]
    assert [len(topic) for side in words.values() for topic in side] == [10] * 8
    page = (topics / "topics.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert all(word in page for word in words["query"][0])
    assert "://" not in page

    # The folder's own model has the topics that were measured.
    demo, read = build_demo(), Topics.read(topics)
    shares = read.theta(demo.documents, "document").mean(axis=0)
    assert settings["topics"]["shares"] == pytest.approx(shares.tolist(), abs=1e-3)
    strongest = np.argsort(-read.model.words("document").numpy(), axis=1, kind="stable")[:, :10]
    found = [[read.vocabularies["document"].words[place] for place in row] for row in strongest]
    assert found == words["document"]


@pytest.mark.slow
def test_a_ranker_reads_the_topics_and_says_where_they_are_missing(topics: Path, tmp_path: Path) -> None:
    settings = ("features=topics", f"topics.path={topics}", "candidates.test_queries=3", "encoder.layers=1")
    failed = clir("train", *SHORT, *settings, cwd=tmp_path, check=False)
    assert "architecture.features.topics is 60" in failed.stderr
    assert "gives 12 numbers a pair; set features.topics=12" in failed.stderr
    clir("train", *SHORT, *settings, "features.topics=12", "hydra.run.dir=out", cwd=tmp_path)
    topics.rename(tmp_path / "away")
    failed = clir("evaluate", "model=out", "split=test1", cwd=tmp_path, check=False)
    (tmp_path / "away").rename(topics)
    assert "topics.json is missing" in failed.stderr


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (("topics=1",), "topics is 1; allowed: 2 or more"),
        (("topics=5000",), "topics is 5000; allowed: 2 to"),
        (("queries=false", "alignment.names=train"), "queries is false, and alignment needs"),
        (("words.least=3000",), "of 2555 training queries occurs in 3000 texts"),
        (("alignment.terms=[terms.tsv]",), "0 of 1 entries of the term table"),
        (("path=busy",), "is there already and holds no topics"),
    ],
)
def test_what_cannot_work_is_told_in_a_line(settings: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("Sprache\tlanguage\n", encoding="utf-8")
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "mine.txt").write_text("x", encoding="utf-8")
    done = clir("topics", *FEW, "path=folder", *settings, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert problem in done.stderr
    assert not (tmp_path / "folder").exists()
