"""`PairModule`: losses, weights, and parts of similar length."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.batches.pairs import PairBatch, Step
from clir_lightning.data.collection import Collection
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import Listwise
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.losses.listwise import softmax_cross_entropy
from clir_lightning.losses.pairwise import MarginHinge
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Sample
from models.fakes import Contract


class Fixed(Contract):
    """Gives the scores that it holds."""

    def __init__(self, scores: list[list[float]]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores))

    def forward(self, batch: PairBatch) -> torch.Tensor:
        return self.scores


def step(module: PairModule, weights: tuple[float, ...]) -> float:
    samples = (Sample("q", ("a", "b"), (6, 0)), Sample("r", ("a", "b"), (6, 0)))
    one = torch.zeros(4, 1)
    grades = torch.tensor([sample.grades for sample in samples])
    module.log = module.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign, assignment]
    return module.training_step(PairBatch(one, one, None, grades, samples, weights), 0).item()


def test_losses_add_by_their_weights_and_queries_by_theirs() -> None:
    """Differences 0 and 2: hinges of 3 and 1 with margin 3, of 2 and 0 with margin 2."""
    losses = {"one": MarginHinge(margin=3.0), "two": MarginHinge(margin=2.0, weight=0.5)}
    module = PairModule(Fixed([[0.0, 0.0], [2.0, 0.0]]), losses)
    values = [3 + 0.5 * 2, 1 + 0.5 * 0]
    assert step(module, ()) == pytest.approx(sum(values) / 2)
    assert step(module, (0.5, 1.5)) == pytest.approx((0.5 * values[0] + 1.5 * values[1]) / 2)


@pytest.mark.parametrize("architecture", ["cross", "cedr"])
def test_parts_of_like_length_have_the_gradients_of_the_whole(
    collection: Collection, tmp_path: Path, architecture: str
) -> None:
    encoder = Encoder(
        TinyEncoder(vocabulary=120, width=16, heads=2).prepare(collection, "train", tmp_path / "e", seed=3)
    )
    encoder.model.eval()  # no dropout: a part draws other masks than the whole
    model = CrossEncoder(encoder, dropout=0) if architecture == "cross" else CEDR(encoder, partial(KNRM), dropout=0)
    data = RankingDataModule(collection, PairBatches(query_length=20), sampling=Listwise(3))
    data.tokenise(encoder.tokenizer)
    batch = data.training.dataset[Step(data.training.samples(0))]
    assert len(set(batch.attention_mask.sum(dim=1).tolist())) > 1
    found = []
    for parts in (1, 2, 4):
        module = PairModule(model, {}, parts=parts)
        module.zero_grad()
        scores = module(batch)
        assert scores.shape == (2, 3)
        softmax_cross_entropy(scores, batch.grades).mean().backward()  # type: ignore[no-untyped-call]
        found.append(
            [scores.detach(), *(weight.grad.clone() for weight in model.parameters() if weight.grad is not None)]
        )
    for several in found[1:]:
        for one, other in zip(found[0], several, strict=True):  # a kernel's gradients reach hundreds
            assert (one - other).abs().max() <= 1e-5 * max(1.0, float(one.abs().max()))
    with pytest.raises(ConfigError, match=r"module.parts is 0; allowed: 1 or more"):
        PairModule(model, {}, parts=0)
