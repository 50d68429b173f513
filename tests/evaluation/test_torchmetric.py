"""`RankingMeasures` equals `evaluate`: in any batching, with duplicates, on one, two and three processes."""

from __future__ import annotations

import multiprocessing as mp
import random
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.torchmetric import RankingMeasures
from clir_lightning.types import Run
from program import HANG  # its server starts processes within a second

MEASURES = ["mrr_10", "ndcg_10", "ndcgexp2_5", "recall_20", "precision_5", "map", "hits_3", "judged_10"]
Pairs = list[tuple[str, str, float]]


def material() -> tuple[Run, dict[str, dict[str, int]], Pairs]:
    """37 queries with 1 to 40 documents, many ties; two judged queries are never scored."""
    rng = random.Random(5)
    qrels = {f"q{i}": {f"d{rng.randrange(60)}": rng.randrange(4) for _ in range(25)} for i in range(39)}
    lists = {
        f"q{i}": {f"d{d}": rng.randrange(9) / 4 for d in rng.sample(range(60), rng.randint(1, 40))} for i in range(37)
    }
    pairs = [(query, document, score) for query, scores in lists.items() for document, score in scores.items()]
    rng.shuffle(pairs)
    return Run(lists), qrels, pairs


def shard(pairs: Pairs, rank: int, world: int) -> Pairs:
    """Uneven shards: half of the pairs to the last rank, none of the rest to rank 1 of 3; some pairs on every rank."""
    middle = len(pairs) // 2
    mine = pairs[middle:] if rank == world - 1 else []
    mine = mine + pairs[:middle][rank::world] if world < 3 else mine + (pairs[:middle] if rank == 0 else [])
    return mine + ([] if world == 3 and rank == 1 else pairs[:7])


def feed(metric: RankingMeasures, pairs: Pairs, size: int) -> None:
    for start in range(0, len(pairs), size):
        queries, documents, scores = zip(*pairs[start : start + size], strict=True)
        metric.update(*metric.places(queries, documents), torch.tensor(scores))


@pytest.mark.parametrize("size", [1, 16, 10_000])
def test_equals_evaluate_in_any_batching(size: int) -> None:
    run, qrels, pairs = material()
    metric = RankingMeasures(Pool.of(run, qrels), MEASURES)
    feed(metric, pairs + pairs[:30], size)
    values = {name: float(value) for name, value in metric.compute().items()}
    assert values == pytest.approx(evaluate(run, qrels, MEASURES).means, abs=1e-12)
    metric.reset()
    assert float(metric.compute()["map"]) == 0.0


def test_a_pool_wider_than_what_was_scored_changes_nothing() -> None:
    run, qrels, pairs = material()
    wide = Pool.of({query: sorted({*run.by_query.get(query, {}), *qrels[query]}) for query in qrels}, qrels)
    metric = RankingMeasures(wide, MEASURES)
    feed(metric, pairs, 64)
    values = {name: float(value) for name, value in metric.compute().items()}
    assert values == pytest.approx(evaluate(run, qrels, MEASURES).means, abs=1e-12)


def worker(rank: int, world: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    run, qrels, pairs = material()
    metric = RankingMeasures(Pool.of(run, qrels), MEASURES)
    feed(metric, shard(pairs, rank, world), 50)
    torch.save({name: float(value) for name, value in metric.compute().items()}, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("world", [1, 2, 3])
def test_identical_on_several_processes_with_uneven_shards(
    world: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))  # where the children look for this module
    processes = [
        mp.get_context("forkserver").Process(target=worker, args=(r, world, str(tmp_path))) for r in range(world)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(HANG)
        assert process.exitcode == 0
    run, qrels, _ = material()
    metric = RankingMeasures(Pool.of(run, qrels), MEASURES)
    feed(metric, material()[2], 50)
    alone = {name: float(value) for name, value in metric.compute().items()}
    for rank in range(world):
        assert torch.load(tmp_path / f"{rank}.pt") == alone
