"""`clir search` on the demo: files, prompt, sharing, fusion and reranking, against the model's own vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from clir_lightning.configuration import config_folder
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import read_run
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.jobs import search
from clir_lightning.jobs.search import read_topics
from clir_lightning.outputs.trained import Trained
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.scoring.computing import CPU, Computing
from clir_lightning.scoring.engine import Engine
from clir_lightning.types import Document, Query, Run
from program import clir

pytest.importorskip("faiss", reason="the extra `dense` is not installed")
TOPICS = "1\t哈萨克语\n2\t法语\n"


def test_topics_equal_brute_force_over_the_models_vectors(dual_run: Path, tmp_path: Path) -> None:
    model = dual_run
    (tmp_path / "topics.tsv").write_text(TOPICS, encoding="utf-8")
    cache = f"cache={tmp_path / 'cache'}"
    command = ("search", f"model={model}", "topics=topics.tsv", "depth=20", cache)
    first = clir(*command, "hydra.run.dir=half", "shard=1/2", cwd=tmp_path)
    assert "shard 1/2 is encoded, 1 blocks of others are not" in first.stdout
    clir(*command, "hydra.run.dir=out", cwd=tmp_path)
    run, demo = read_run(tmp_path / "out" / "runs" / "search.trec"), build_demo()
    encoder = Trained.load(model).text_encoder()
    ids = sorted(demo.documents)
    vectors = encoder.reader(demo.documents, "document", ids)(np.arange(len(ids)))
    for topic, query in read_topics(tmp_path / "topics.tsv", "zh").items():
        vector = encoder.reader({topic: query}, "query", [topic])(np.arange(1))[0]
        scores = dict(zip(ids, (vectors @ vector).tolist(), strict=True))
        assert sorted(run[topic].values()) == pytest.approx(sorted(scores.values())[-20:], abs=1e-5)
        assert run[topic] == pytest.approx({document: scores[document] for document in run[topic]}, abs=1e-5)


@pytest.mark.slow
def test_prompt_fusion_and_reranking(dual_run: Path, demo_run: Path, tmp_path: Path) -> None:
    model = f"model={dual_run}"
    shown = clir("search", model, "query=哈萨克语?", "show=2", cwd=tmp_path).stdout
    query, *lines = shown.splitlines()[-3:]
    assert query == "哈萨克语?"
    assert [line.split()[0] for line in lines] == ["1", "2"]
    (tmp_path / "topics.tsv").write_text("1\t法语\n", encoding="utf-8")
    both = ("retriever=bm25s", "translation=lexicon", f"rerank={demo_run}")
    deep = ("topics=topics.tsv", "depth=20", "rerank_depth=5")
    clir("search", model, *deep, *both, "hydra.run.dir=out", cwd=tmp_path)
    clir("search", model, *deep, *both[:2], "hydra.run.dir=plain", cwd=tmp_path)
    reranked, fused = (read_run(tmp_path / name / "runs" / "search.trec") for name in ("out", "plain"))
    assert set(reranked.ranking("1")[:5]) == set(fused.ranking("1")[:5])
    assert reranked.ranking("1")[5:] == fused.ranking("1")[5:]


@pytest.mark.slow
def test_retrieve_takes_dense_candidates(dual_run: Path, tmp_path: Path) -> None:
    model = dual_run
    clir(
        "retrieve",
        "retriever=dense",
        f"retriever.model={model}",
        "splits=[dev]",
        "hydra.run.dir=a",
        cwd=tmp_path,
    )
    clir("search", f"model={model}", "split=dev", "hydra.run.dir=b", cwd=tmp_path)
    first, second = (json.loads((tmp_path / name / "metrics.json").read_text())["dev"] for name in "ab")
    assert first == pytest.approx(second)
    assert first["recall_100"] > 0.2  # 100 of 2,903 documents at random find .03


def test_both_models_compute_where_and_as_the_settings_say(
    dual_run: Path, demo_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    found = Run({"q": {"d": 1.0}}, name="dense")

    def opened(retriever: DenseRetriever, documents: object) -> Callable[..., Run]:
        assert retriever.encoder is not None
        seen.append(retriever.encoder.engine.at)
        return lambda queries, depth: found

    def reranked(engine: Engine, batches: object, *, name: str, kept: object) -> Run:
        seen.append(engine.at)
        return found

    monkeypatch.setattr(DenseRetriever, "open", opened)
    monkeypatch.setattr(Engine, "score", reranked)
    collection = Collection("c", {"d": Document("d", "тіл", "kk")}, {})
    model, other = (str(run) for run in (dual_run, demo_run))
    overrides = [f"model={model}", f"rerank={other}", "precision=bf16-mixed", "device=cpu"]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("search", overrides=overrides)
    answer = search.answerer(config, collection, Trained.load(model))
    answer({"q": Query("q", "语", "zh")})
    assert seen == [Computing(CPU, "bf16-mixed")] * 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["query=a", "device=cuda:7"], "device is 'cuda:7'; allowed: auto, cpu"),
        (["query=a", "precision=half"], "precision is 'half'; allowed: 32-true, bf16-mixed, 16-mixed, auto"),
        (["topics=nowhere.tsv"], "nowhere.tsv: no such file"),
        (["query=a", "split=dev"], "give one of topics=FILE, split=NAME and query=TEXT"),
    ],
)
def test_bad_settings_end_with_one_line(overrides: list[str], message: str, dual_run: Path, tmp_path: Path) -> None:
    done = clir("search", f"model={dual_run}", *overrides, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_cross_model_is_rejected(demo_run: Path, tmp_path: Path) -> None:
    done = clir("search", f"model={demo_run}", "query=a", cwd=tmp_path, check=False)
    assert "is of CrossEncoder; one vector per text is needed" in done.stderr
