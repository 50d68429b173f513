"""What decides scores is in the fingerprint that kept ones lie under, the graph's content too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.hike import HIKE
from clir_lightning.outputs.kept import kept_scores
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.computing import CPU, Computing
from clir_lightning.types import Run
from data.knowledge_for_tests import AROUND, Hand
from models.knowledge_for_tests import TEXTS

SETTINGS: dict[str, Any] = {"architecture": {}, "batches": {"knowledge": {"path": "the same folder"}}}


def gone(path: str) -> None:
    """A graph whose folder is not there."""
    raise DataError("there is no graph here", path=path)


def place(collection: Collection, model: HIKE, knowledge: Hand | None, cache: Path) -> Path:
    encoder = model.encoder
    trained: Any = SimpleNamespace(path="model", config=OmegaConf.create(SETTINGS), encoder=encoder, model=model)
    candidates = CandidateSet(collection, "train", Run({"q1": {"a": 0.0, "b": 0.0}}), PairBatches(knowledge=knowledge))
    candidates.tokenise(encoder.tokenizer)
    kept = kept_scores(trained, Computing(CPU, "32-true"), candidates, candidates.loader(), cache=str(cache))
    assert kept is not None
    return kept.folder


def test_another_graph_in_the_same_folder_has_other_scores(
    collection: Collection, encoder: Encoder, tmp_path: Path
) -> None:
    model = HIKE(encoder, TEXTS["cross"])
    graphs = [None, Hand({"q1": 0}), Hand({"q1": 4}), Hand({"q1": 0}, around={**AROUND, 0: AROUND[0][:2]})]
    places = [place(collection, model, graph, tmp_path) for graph in graphs]
    assert len(set(places)) == 4
    assert places == [place(collection, model, graph, tmp_path) for graph in graphs]


def test_a_model_whose_graph_is_gone_says_so(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes another one."""
    monkeypatch.setenv("CLIR_ALLOW", f"{__name__},data")
    graph = {"_target_": f"{__name__}.gone", "path": "/graphs/old"}
    batches = {"_target_": "clir_lightning.data.PairBatches", "knowledge": graph}
    trained = Trained(tmp_path, OmegaConf.create({"batches": batches}), encoder, HIKE(encoder, TEXTS["cross"]))
    with pytest.raises(ConfigError, match=r"was trained with knowledge that cannot be read \(/graphs/old: there is no"):
        trained.batches()
    with pytest.raises(ConfigError, match=r"\(/graphs/new: there is no graph here\); put the graph back, or evaluate"):
        trained.batches(OmegaConf.create({"path": "/graphs/new"}))
    with pytest.raises(ConfigError, match=r"setting is 'knowledge.way'; allowed: knowledge.path"):
        trained.batches(OmegaConf.create({"way": "/graphs/new"}))
    other = trained.batches(OmegaConf.create({"_target_": "data.knowledge_for_tests.Hand", "queries": {"q1": 0}}))
    assert other.knowledge == Hand({"q1": 0})
    assert trained.config.batches.knowledge.queries.q1 == 0  # what the scores' fingerprint tells
