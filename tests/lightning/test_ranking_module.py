"""`RankingModule`: what a trainer asks of pairs and texts alike."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from clir_lightning.errors import ConfigError
from clir_lightning.lightning.optimisation import Optimisation
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.lightning.text_module import TextModule
from models.fakes import Contract, TextTable


class Pairs(Contract):
    """A model of pairs with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 1))

    def forward(self, batch: Any) -> torch.Tensor:
        scores: torch.Tensor = batch.values @ self.weight
        return scores


def test_the_siblings_undo_nothing_of_their_parent() -> None:
    """Each hook of training and scoring is defined once, in the base."""
    hooks = {name for name in vars(RankingModule) if name.startswith(("on_", "training_", "validation_", "test_"))}
    for sibling in (PairModule, TextModule):
        assert not hooks & set(vars(sibling))
        assert "configure_optimizers" not in vars(sibling)
    assert not issubclass(TextModule, PairModule)


def test_the_trainers_number_of_steps_decides_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    module = PairModule(Pairs(), {}, optimisation=Optimisation(learning_rate=1.0, warmup=0.5))
    monkeypatch.setattr(pl.LightningModule, "trainer", SimpleNamespace(estimated_stepping_batches=8))
    made = module.configure_optimizers()
    seen = []
    for _ in range(8):
        seen.append(made["optimizer"].param_groups[0]["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert seen == pytest.approx([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25])
    assert made["lr_scheduler"]["interval"] == "step"


@pytest.mark.parametrize("stage", ["validation", "test"])
def test_validation_and_test_score_through_the_engine(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = PairModule(Pairs(), {})
    calls: list[str] = []
    monkeypatch.setattr(module.engine, "reset", lambda: calls.append("reset"))
    scores = getattr(module, f"{stage}_step")(_batch(), 0)
    getattr(module, f"on_{stage}_epoch_start")()
    assert scores.tolist() == [[3.0]]
    assert calls == ["reset"]
    assert module.engine.model is module.model
    assert module.engine.at is None  # the trainer decides where and in what


def _batch() -> Any:
    return SimpleNamespace(values=torch.tensor([[3.0]]), samples=[None], input_ids=torch.ones(1, 1))


@pytest.mark.parametrize(("kind", "model"), [(PairModule, Pairs), (TextModule, TextTable)])
def test_a_step_in_no_part_is_rejected(kind: Any, model: Any) -> None:
    with pytest.raises(ConfigError, match=r"module.parts is 0; allowed: 1 or more"):
        kind(model(), {}, parts=0)
