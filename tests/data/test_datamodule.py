"""The data module from collection to batches, the weighting of the loss, and scoring that survives lack of memory."""

import random
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.candidate_set import CandidateLists
from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.losses.pairwise import SoftmaxHinge
from clir_lightning.types import Document, Qrels, Query, Sample
from data.tokenizers_for_tests import bert_like


def module(**settings: int | None) -> RankingDataModule:
    batches = PairBatches(**settings)  # type: ignore[arg-type]
    lists = CandidateLists(val_queries=5, test_queries=3)
    data = RankingDataModule(build_demo(), batches, sampling=BestAgainstRandom(2), candidates=lists)
    data.tokenise(bert_like())
    return data


def test_budget_batches_hold_every_query_once_and_little_padding() -> None:
    data = module(size=None, tokens=4096)
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == len(loader)
    assert sorted(s.query_id for b in batches for s in b.samples) == sorted(data.collection.split("train").queries)
    assert max(batch.input_ids.numel() for batch in batches) <= 4096
    assert all(batch.tokens == int(batch.attention_mask.sum()) for batch in batches)
    padding = 1 - sum(batch.tokens for batch in batches) / sum(batch.input_ids.numel() for batch in batches)
    fixed = list(module().train_dataloader())
    assert padding < 0.75 * (1 - sum(b.tokens for b in fixed) / sum(b.input_ids.numel() for b in fixed))


def heavy_tailed(queries: int) -> Collection:
    """Most texts of a word or two and a few of hundreds, so that which are drawn together decides a batch's width."""
    rng = random.Random(3)

    def text() -> str:
        return " ".join(["тіл"] * int(min(rng.paretovariate(0.8), 300)))

    documents = {f"d{i}": Document(f"d{i}", text(), "kk") for i in range(300)}
    asked = {f"q{i}": Query(f"q{i}", text(), "zh") for i in range(queries)}
    grades = {
        query: {document: int(rng.random() < 0.3) for document in rng.sample(list(documents), 20)} for query in asked
    }
    few = {query: asked[query] for query in list(asked)[:2]}
    splits = {"train": Split(asked, Qrels(grades)), **dict.fromkeys(("dev", "test1"), Split(few, Qrels(grades)))}
    return Collection("heavy-tailed", documents, splits)


@pytest.mark.parametrize("kind", [PairBatches, TextBatches])
def test_no_training_batch_exceeds_the_token_budget_in_any_epoch(kind: type[Batches]) -> None:
    """Tokens with padding, of queries and documents, of real batches."""
    batches = kind(size=None, tokens=1500, query_length=200)
    data = RankingDataModule(heavy_tailed(200), batches, sampling=BestAgainstRandom(2))
    data.trainer = SimpleNamespace(
        max_epochs=12,
        global_rank=0,
        world_size=1,
        current_epoch=0,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )  # type: ignore[assignment]
    data.tokenise(bert_like())
    loader = data.train_dataloader()
    for epoch in range(12):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        found = list(loader)
        assert len(found) == len(loader)
        assert len({s.query_id for batch in found for s in batch.samples}) == len(data.training.samples(epoch))
        assert all(batch.cells <= 1500 or len(batch.samples) == 1 for batch in found)


def test_steps_are_counted_over_known_epochs() -> None:
    data = module(size=None, tokens=4096)
    data.trainer = SimpleNamespace(max_epochs=-1, global_rank=0, world_size=1, current_epoch=0)  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"counts the steps of all epochs first: set trainer.max_epochs"):
        data.train_dataloader()


def test_scoring_covers_the_candidates() -> None:
    data = module(score_size=None, score_tokens=2048)
    seen = {(s.query_id, s.document_ids[0]) for batch in data.val_dataloader() for s in batch.samples}
    assert seen == {(q, d) for q, scores in data.candidates["val"].run.items() for d in scores}
    assert len(seen) == 500


def test_limits_must_be_numbers() -> None:
    with pytest.raises(ConfigError, match=r"batches.size and batches.tokens are null; give one of them a number"):
        PairBatches(size=None)
    with pytest.raises(ConfigError, match=r"batches.score_size and batches.score_tokens are null; give one of them"):
        TextBatches(score_size=None, score_tokens=None)
    with pytest.raises(ConfigError, match=r"batches.score_size is 0; allowed: 1 or more"):
        TextBatches(score_size=0)


@pytest.mark.parametrize("kind", [PairBatches, TextBatches])
@pytest.mark.parametrize("name", ["query_length", "document_length"])
def test_lengths_of_nothing_are_rejected(kind: type[Batches], name: str) -> None:
    with pytest.raises(ConfigError, match=f"batches.{name} is 0; allowed: 1 or more"):
        kind(**{name: 0})  # type: ignore[arg-type]


def test_document_length_cuts_documents_that_are_encoded_apart() -> None:
    """Special tokens included, as `query_length`; `max_length` is never exceeded, and alone decides without it."""
    for length, expected in ((12, 12), (None, 20), (25, 20)):
        batches = TextBatches(max_length=20, query_length=9, document_length=length)
        data = RankingDataModule(heavy_tailed(30), batches, sampling=BestAgainstRandom())
        data.tokenise(bert_like())
        found = [*data.train_dataloader(), *data.test_dataloader()]
        assert max(batch.documents.input_ids.shape[1] for batch in found) == expected
        assert max(batch.queries.input_ids.shape[1] for batch in found) == 9


class ByGrade(nn.Module):
    """Scores of a parameter times the grade: a gradient that can be worked out by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, batch: PairBatch) -> Tensor:
        return self.factor * batch.grades


def batch(grades: list[list[float]], weights: tuple[float, ...]) -> PairBatch:
    rows = len(grades) * len(grades[0])
    samples = tuple(Sample(str(i), ("a", "b"), (1, 0)) for i in range(len(grades)))
    ones = torch.ones(rows, 4, dtype=torch.long)
    return PairBatch(ones, ones, None, torch.tensor(grades), samples, weights)


def test_unequal_weights_scale_each_query() -> None:
    cross = PairModule(ByGrade(), {"hinge": SoftmaxHinge()})
    cross.log = lambda *_, **__: None  # type: ignore[method-assign]
    both = cross.training_step(batch([[2.0, 0.0], [6.0, 0.0]], (0.5, 2.0)), 0)
    one, other = torch.sigmoid(torch.tensor([-1.0, -3.0]))  # the hinge with margin 0 is 1 − σ(s⁺ − s⁻)
    assert both.item() == pytest.approx(((0.5 * one + 2 * other) / 2).item())
    equal = cross.training_step(batch([[2.0, 0.0], [6.0, 0.0]], (3.0, 3.0)), 0)
    assert equal.item() == pytest.approx((3 * (one + other) / 2).item())
