"""Token-budget and fixed-size steps: nothing lost, nothing twice, the same for any number of processes."""

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clir_lightning.data.batches.samplers import TrainingBatches, cut_by_budget, cut_by_cells
from clir_lightning.data.batches.scoring import ScoringBatches
from clir_lightning.errors import ConfigError
from clir_lightning.types import Run, Sample

LENGTH = {f"q{i}": random.Random(i).randint(5, 200) for i in range(5000)}


def draw(epoch: int) -> list[Sample]:
    samples = [Sample(query, ("a", "b"), (1, 0)) for query in LENGTH]
    random.Random(epoch).shuffle(samples)
    return samples


def cells(samples: Sequence[Sample]) -> NDArray[np.int64]:
    return np.array([[2 * LENGTH[sample.query_id]] for sample in samples])


def training(**settings: int | None) -> TrainingBatches:
    size = settings.pop("size", None)
    return TrainingBatches(draw, size=size, tokens=settings.pop("tokens", None), cells=cells, epochs=3, **settings)  # type: ignore[arg-type]


def test_budget_steps_keep_the_budget_and_each_query_once() -> None:
    steps = training(tokens=4000)
    for epoch in (0, 1, 2):
        batches = steps.batches(epoch)
        assert Counter(s.query_id for batch in batches for s in batch) == Counter(list(LENGTH))
        widest = [max(LENGTH[s.query_id] for s in batch) for batch in batches]
        assert max(2 * len(batch) * width for batch, width in zip(batches, widest, strict=True)) <= 4000
        assert len(batches) == len(steps)
        cells = sum(2 * len(batch) * width for batch, width in zip(batches, widest, strict=True))
        assert 1 - 2 * sum(LENGTH.values()) / cells < 0.03  # padding; drawn order would give about 0.45
    assert steps.batches(0) == training(tokens=4000).batches(0)
    assert steps.batches(0) != steps.batches(1)
    order = [LENGTH[batch[0].query_id] for batch in steps.batches(0)]
    assert order != sorted(order, reverse=True)  # batches are shuffled


def test_fixed_steps_follow_the_order_drawn() -> None:
    steps = training(size=32)
    assert [s for batch in steps.batches(3) for s in batch] == draw(3)
    assert {len(batch) for batch in steps.batches(3)} == {32, 5000 % 32}


@pytest.mark.parametrize("limits", [{"size": 32}, {"tokens": 4000}, {"size": 7, "tokens": 3000}])
@pytest.mark.parametrize("processes", [2, 3, 8])
def test_processes_share_the_same_steps(limits: dict[str, int], processes: int) -> None:
    one = training(**limits)
    shares = [training(**limits, rank=rank, world_size=processes) for rank in range(processes)]
    for each in [one, *shares]:
        each.set_epoch(2)
    whole, parts = list(one), [list(share) for share in shares]
    assert {len(part) for part in parts} == {len(whole)} == {len(one)}
    for step, *mine in zip(whole, *parts, strict=True):
        taken = [s.query_id for part in mine if part.weight for s in part.samples]
        assert sorted(taken) == sorted(s.query_id for s in step.samples)


@pytest.mark.parametrize("limits", [{"size": 32}, {"tokens": 4000}])
@pytest.mark.parametrize("processes", [1, 3])
def test_every_query_weighs_the_same(limits: dict[str, int], processes: int) -> None:
    """A step's gradient is the mean over processes of weight × mean over the share: each query gets the same part."""
    parts: dict[str, float] = dict.fromkeys(LENGTH, 0.0)
    for rank in range(processes):
        for step in training(**limits, rank=rank, world_size=processes):
            for sample in step.samples:
                parts[sample.query_id] += step.weight / len(step.samples) / processes
    assert max(parts.values()) == pytest.approx(min(parts.values()))


@given(
    st.integers(1, 60),
    st.integers(40, 3000),
    st.one_of(st.none(), st.integers(1, 20)),
    st.sampled_from([1, 2, 3, 8]),
    st.floats(0.3, 2.0),
    st.integers(1, 4),
    st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_no_step_of_any_epoch_exceeds_its_budget(
    count: int, tokens: int, size: int | None, processes: int, tail: float, documents: int, seed: int
) -> None:
    """Heavy-tailed lengths, Pareto's, drawn anew each epoch, of queries and of documents that are padded apart."""
    epochs, rng = 12, random.Random(seed)
    lengths = [
        {f"q{i}": [int(min(3 * rng.paretovariate(tail), 400.0)) for _ in range(1 + documents)] for i in range(count)}
        for _ in range(epochs)
    ]
    drawn: list[int] = []

    def samples(epoch: int) -> list[Sample]:
        drawn[:] = [epoch]
        return [Sample(query, tuple(map(str, range(documents))), (1,) * documents) for query in lengths[epoch]]

    def taken(part: Sequence[Sample]) -> NDArray[np.int64]:
        own = [lengths[drawn[0]][sample.query_id] for sample in part]
        return np.array([[query, documents * max(others)] for query, *others in own])

    made = [
        TrainingBatches(samples, size=size, tokens=tokens, cells=taken, epochs=epochs, rank=rank, world_size=processes)
        for rank in range(processes)
    ]
    alone = TrainingBatches(samples, size=size, tokens=tokens, cells=taken, epochs=epochs)
    for epoch in range(epochs):
        batches = alone.batches(epoch)
        assert sorted(sample.query_id for batch in batches for sample in batch) == sorted(lengths[epoch])
        assert len(batches) == len(alone)
        for batch in batches:
            own = [lengths[epoch][sample.query_id] for sample in batch]
            padded = len(own) * (
                max(query for query, *_ in own) + documents * max(length for _, *others in own for length in others)
            )
            assert len(own) == 1 or padded <= tokens
            assert len(own) <= (size or count)
        for each in made:
            each.set_epoch(epoch)
        for batch, *shares in zip(batches, *made, strict=True):
            assert [sample for share in shares for sample in share.samples if share.weight] == [
                sample for rank in range(processes) for sample in batch[rank::processes]
            ]
            assert all(share.whole == batch for share in shares)


def test_epochs_that_draw_longer_samples_decide_the_number_of_steps() -> None:
    """Ten samples: of 10 cells in even epochs, two batches of 50; of 40 in odd ones, ten of one sample each."""

    def longer(part: Sequence[Sample]) -> NDArray[np.int64]:
        return np.array([[40 if sample.grades[0] else 10] for sample in part])

    def ten(epoch: int) -> list[Sample]:
        return [Sample(f"q{i}", ("a",), (epoch % 2,)) for i in range(10)]

    steps = TrainingBatches(ten, size=None, tokens=50, cells=longer, epochs=2)
    assert len(steps) == 10
    assert [len(batch) for batch in steps.batches(0)] == [1] * 10
    short = TrainingBatches(ten, size=None, tokens=50, cells=longer, epochs=1)
    assert sorted(len(batch) for batch in short.batches(0)) == [5, 5]
    with pytest.raises(ConfigError, match="epoch 1 needs 10 steps, the epochs that were counted 2 at most"):
        short.batches(1)


def test_tables_that_are_padded_apart_add_their_own_greatest() -> None:
    """Of (1, 9) and (9, 1) each takes 10 cells alone, the two together 2 · (9 + 9)."""
    assert cut_by_cells(np.array([[1, 9], [9, 1]]), tokens=35, size=None) == [slice(0, 1), slice(1, 2)]
    assert cut_by_cells(np.array([[1, 9], [9, 1]]), tokens=36, size=None) == [slice(0, 2)]
    assert cut_by_cells(np.array([[3], [3], [3]]), tokens=90, size=2) == [slice(0, 2), slice(2, 3)]
    assert cut_by_cells(np.zeros((0, 2), np.int64), tokens=9, size=None) == []
    assert cut_by_cells(np.array([[9], [1], [1]]), tokens=9, size=None) == [slice(0, 1), slice(1, 3)]


def test_samples_are_sorted_by_all_that_they_take() -> None:
    """Queries of one token, documents of 9, 1, 9 and 1: batches of 2 · (1 + 9) and 2 · (1 + 1) cells."""

    def four(epoch: int) -> list[Sample]:
        return [Sample(f"q{i}", ("a",), (1,)) for i in range(4)]

    def taken(part: Sequence[Sample]) -> NDArray[np.int64]:
        return np.array([[1, 9 if sample.query_id in ("q0", "q2") else 1] for sample in part])

    batches = TrainingBatches(four, size=None, tokens=20, cells=taken).batches(0)
    assert sorted([sample.query_id for sample in batch] for batch in batches) == [["q0", "q2"], ["q1", "q3"]]


def test_scoring_is_longest_first_and_complete() -> None:
    run = Run({q: {f"{q}/{d}": 0.0 for d in range(5)} for q in list(LENGTH)[:200]} | {"empty": {}})
    sizes = {document: random.Random(document).randint(3, 100) for q in run for document in run[q]}

    def pair_lengths(query: str, documents: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.array([sizes[document] for document in documents])

    for processes in (1, 3):
        ranks = [
            ScoringBatches(run, lengths=pair_lengths, size=None, tokens=500, rank=rank, world_size=processes)  # type: ignore[arg-type]
            for rank in range(processes)
        ]
        seen = [sample for batches in ranks for step in batches for sample in step.samples]
        assert Counter((s.query_id, s.document_ids[0]) for s in seen) == Counter((q, d) for q in run for d in run[q])
    steps = list(ScoringBatches(run, lengths=pair_lengths, size=9, tokens=500))  # type: ignore[arg-type]
    flat = [sizes[s.document_ids[0]] for step in steps for s in step.samples]
    assert flat == sorted(flat, reverse=True)
    assert all(len(step.samples) * sizes[step.samples[0].document_ids[0]] <= 500 for step in steps)
    assert max(len(step.samples) for step in steps) == 9


def test_an_entry_above_the_budget_stands_alone() -> None:
    assert cut_by_budget(np.array([50, 50, 3]), width=2, tokens=20, size=None) == [
        slice(0, 1),
        slice(1, 2),
        slice(2, 3),
    ]


def test_every_process_has_something_to_score() -> None:
    """Lightning leaves a pass without batches out, and the other processes would wait for it for ever."""
    run = Run({"q": {"a": 0.0, "b": 0.0}})
    for rank in range(3):
        batches = ScoringBatches(run, lengths=lambda query, ids: np.array([9, 9]), rank=rank, world_size=3)
        assert len(batches) == 1
        assert [sample.document_ids for step in batches for sample in step.samples] == [("a",), ("b",)]
    assert len(ScoringBatches(Run({}), lengths=lambda query, ids: np.array([]), rank=1, world_size=3)) == 0
