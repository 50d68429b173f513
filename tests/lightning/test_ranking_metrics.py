"""`RankingMetrics`: one run out of several processes' shares, each pair once."""

from __future__ import annotations

from pathlib import Path

import torch.distributed
from torch.multiprocessing.spawn import spawn

from clir_lightning.lightning.ranking_metrics import as_run, gather


def share(rank: int, address: str) -> None:
    """Process 0 scored two pairs, process 1 one more and one of them again; both must see three."""
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    mine = [("q", "a", 1.0), ("q", "b", 2.0)] if rank == 0 else [("q", "b", 2.0), ("p", "c", 3.0)]
    run = as_run(gather(mine), "both")
    assert dict(run.by_query) == {"q": {"a": 1.0, "b": 2.0}, "p": {"c": 3.0}}
    torch.distributed.destroy_process_group()


def test_two_processes_see_the_same_run(tmp_path: Path) -> None:
    spawn(share, (f"file://{tmp_path}/meet",), nprocs=2)  # type: ignore[no-untyped-call]


def test_one_process_keeps_what_it_has() -> None:
    assert gather([("q", "a", 1.0)]) == [("q", "a", 1.0)]
