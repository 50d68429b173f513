"""`clir data inspect | export | triples | fetch`, as a user runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clir_lightning.data.sampling.judged import Graded
from clir_lightning.data.sampling.triples import Triples
from clir_lightning.data.sources.demo import build_demo
from program import clir


@pytest.mark.slow
def test_export_then_inspect(tmp_path: Path) -> None:
    done = clir("data", "export", "layout=trec", "path=out", cwd=tmp_path)
    assert "data=folder data.path=out data.query_language=zh data.document_language=kk" in done.stdout
    with open(tmp_path / "out" / "qrels" / "dev.qrels", "a", encoding="utf-8") as stream:
        stream.write("nobody 0 x 1\n")
    languages = ["data.query_language=zh", "data.document_language=kk", "data.splits=[train,dev,test1]"]
    card = clir("data", "inspect", "data=folder", "data.path=out", *languages, cwd=tmp_path).stdout
    assert "2903, 0 repeat another's text" in card
    assert "2555 queries" in card
    assert card.count("NDCG@10 without reading") == 3
    assert "1 defects left out" in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_triples_are_the_samples_that_training_draws(tmp_path: Path) -> None:
    done = clir("data", "triples", "sampling=graded", "seed=3", "epoch=2", "path=triples.tsv", cwd=tmp_path)
    split = build_demo().split("train")
    drawn = Graded()(split, seed=3, epoch=2)
    read = Triples(str(tmp_path / "triples.tsv"))(split, seed=1, epoch=0)
    assert f"{len(drawn)} samples: triples.tsv" in done.stdout
    assert [(sample.query_id, sample.document_ids) for sample in read] == [(s.query_id, s.document_ids) for s in drawn]
    assert [sample.grades for sample in read] == [sample.grades for sample in drawn]


def test_fetch_says_which_files_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    monkeypatch.setitem(os.environ, "IR_DATASETS_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(os.environ, "IR_DATASETS_DL_TRIES", "1")
    done = clir("data", "fetch", "path=FOLDER", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "put kk.tsv.gz, zh.kk.train.base.jl.gz, zh.kk.dev.base.jl.gz" in done.stderr
    assert "Traceback" not in done.stderr
