"""The data module from collection to batches, the weighting of the loss, and scoring that survives lack of memory."""

import pytest
import torch
from torch import Tensor, nn

from clir_lightning.data.batching import Batch
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.demo import build_demo
from clir_lightning.data.sampling import BestAgainstRandom
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.cross_module import CrossModule
from clir_lightning.lightning.scoring import HalvingScorer
from clir_lightning.losses.pairwise import SoftmaxHinge
from clir_lightning.types import Sample
from data.tokenizers_for_tests import bert_like


def module(**settings: int | None) -> RankingDataModule:
    data = RankingDataModule(build_demo(), BestAgainstRandom(2), dev_queries=5, test_queries=3, **settings)  # type: ignore[arg-type]
    data.tokenise(bert_like())
    return data


def test_budget_batches_hold_every_query_once_and_little_padding() -> None:
    data = module(batch_size=None, batch_tokens=4096)
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == len(loader)
    assert sorted(s.query_id for b in batches for s in b.samples) == sorted(data.collection.split("train").queries)
    assert max(batch.input_ids.numel() for batch in batches) <= 4096
    assert all(batch.tokens == int(batch.attention_mask.sum()) for batch in batches)
    padding = 1 - sum(batch.tokens for batch in batches) / sum(batch.input_ids.numel() for batch in batches)
    fixed = list(module().train_dataloader())
    assert padding < 0.75 * (1 - sum(b.tokens for b in fixed) / sum(b.input_ids.numel() for b in fixed))


def test_scoring_covers_the_candidates() -> None:
    data = module(score_batch_size=None, score_batch_tokens=2048)
    seen = {(s.query_id, s.document_ids[0]) for batch in data.val_dataloader() for s in batch.samples}
    assert seen == {(q, d) for q, scores in data.candidates["val"].items() for d in scores}
    assert len(seen) == 500


def test_limits_must_be_numbers() -> None:
    with pytest.raises(ConfigError, match="batch_size or batch_tokens must be a number from 1"):
        module(batch_size=None)


class ByGrade(nn.Module):
    """Scores of a parameter times the grade: a gradient that can be worked out by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, batch: Batch) -> Tensor:
        return self.factor * batch.grades


def batch(grades: list[list[float]], weights: tuple[float, ...]) -> Batch:
    rows = len(grades) * len(grades[0])
    samples = tuple(Sample(str(i), ("a", "b"), (1, 0)) for i in range(len(grades)))
    ones = torch.ones(rows, 4, dtype=torch.long)
    return Batch(ones, ones, None, torch.tensor(grades), samples, weights)


def test_unequal_weights_scale_each_query() -> None:
    cross = CrossModule(ByGrade(), {"hinge": SoftmaxHinge()})
    cross.log = lambda *_, **__: None  # type: ignore[method-assign]
    both = cross.training_step(batch([[2.0, 0.0], [6.0, 0.0]], (0.5, 2.0)), 0)
    one, other = torch.sigmoid(torch.tensor([-1.0, -3.0]))  # the hinge with margin 0 is 1 − σ(s⁺ − s⁻)
    assert both.item() == pytest.approx(((0.5 * one + 2 * other) / 2).item())
    equal = cross.training_step(batch([[2.0, 0.0], [6.0, 0.0]], (3.0, 3.0)), 0)
    assert equal.item() == pytest.approx((3 * (one + other) / 2).item())


def test_out_of_memory_halves_the_budget_and_goes_on() -> None:
    loader = module(score_batch_size=64).val_dataloader()
    sizes: list[int] = []

    def model(part: Batch) -> Tensor:
        sizes.append(part.input_ids.numel())
        if part.input_ids.numel() > 2000:
            raise torch.OutOfMemoryError("injected")
        return part.input_ids.float().sum(dim=1, keepdim=True)

    score = HalvingScorer()
    for whole in loader:
        expected = whole.input_ids.float().sum(dim=1, keepdim=True)
        assert torch.equal(score(model, whole), expected)
    assert score.token_limit is not None
    assert 1000 <= score.token_limit <= 2000
    failures = [size for size in sizes if size > 2000]
    assert len(failures) <= 3  # it is remembered, not found out anew for each batch


def test_out_of_memory_with_a_single_pair_is_raised() -> None:
    def model(part: Batch) -> Tensor:
        raise torch.OutOfMemoryError("injected")

    with pytest.raises(torch.OutOfMemoryError):
        HalvingScorer()(model, batch([[1.0], [1.0]], ()))
