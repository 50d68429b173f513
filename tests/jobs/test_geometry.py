"""`clir geometry` on the demo, and the callbacks that a dual training logs and centres with."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clir_lightning.data.sources.demo import build_demo
from clir_lightning.data.tokens.texts import Side
from clir_lightning.lightning.callbacks.centring import training_texts
from clir_lightning.outputs.trained import Trained
from program import SHORT, clir


def test_the_table_agrees_with_the_models_own_vectors(dual_run: Path, tmp_path: Path) -> None:
    model = dual_run
    said = clir("geometry", f"model={model}", "queries=8", "hydra.run.dir=out", cwd=tmp_path).stdout
    assert "Geometry explains, ranking judges: NDCG@10 is" in said
    assert "directions; the first holds" in said
    found = json.loads((tmp_path / "out" / "geometry.json").read_text(encoding="utf-8"))
    assert list(found["spaces"]) == ["as it is", "centred", "whitened"]
    raw = found["spaces"]["as it is"]
    assert raw["gap"] == pytest.approx(raw["positive_mean"] - raw["negative_mean"], abs=2e-4)
    demo, encoder = build_demo(), Trained.load(model).text_encoder()
    queries = list(demo.split("dev").queries)
    vectors = encoder.reader(demo.split("dev").queries, "query", queries)(np.arange(len(queries)))
    if len(queries) <= 8:
        assert raw["query_mean_norm"] == pytest.approx(np.linalg.norm(vectors.mean(axis=0)), abs=1e-3)
    page = (tmp_path / "out" / "geometry.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    assert "://" not in page


@pytest.mark.slow
def test_a_training_logs_geometry_and_centres_by_training_texts(tmp_path: Path) -> None:
    settings = ("architecture=dual", "callbacks=[collapse,centring]", "candidates.test_queries=3")
    clir("train", *SHORT, *settings, "hydra.run.dir=out", cwd=tmp_path)
    with (tmp_path / "out" / "metrics.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    logged = [row["val/geometry/auc"] for row in rows if row.get("val/geometry/auc")]
    assert len(logged) == 1
    assert 0 <= float(logged[0]) <= 1
    encoder = Trained.load(tmp_path / "out").text_encoder()
    model, demo = encoder.model, build_demo()
    chosen = training_texts(demo.split("train"), 1000, seed=1)
    texts: dict[Side, Mapping[str, Any]] = {"query": demo.split("train").queries, "document": demo.documents}
    kept = {side: model.mean(side).clone() for side in texts}
    for side, records in texts.items():
        assert float(kept[side].norm()) > 0
        model.mean(side).zero_()
        subset = {name: records[name] for name in chosen[side]}
        vectors = encoder.reader(subset, side, list(subset))(np.arange(len(subset)))
        assert torch.allclose(torch.from_numpy(vectors).mean(dim=0), kept[side], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("callback", ["centring", "geometry"])
def test_a_model_of_pairs_has_no_geometry(callback: str, tmp_path: Path) -> None:
    setting = (
        "callbacks=[centring]"
        if callback == "centring"
        else "+callbacks.geometry={_target_: clir_lightning.lightning.GeometryLog}"
    )
    done = clir("train", *SHORT, setting, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert f"the callback `{callback}` is for architecture=dual" in done.stderr
