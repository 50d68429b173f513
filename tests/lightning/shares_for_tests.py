"""Seven queries whose steps several processes share unequally, and the three kinds of module that train on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch.multiprocessing.spawn import start_processes
from torch.utils.data import Dataset

import program  # noqa: F401  its server has torch and the like imported: processes start within a second
from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.batches.samplers import TrainingBatches
from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import Listwise
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.lightning.text_module import TextModule
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.late import LateInteraction
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Document, Qrels, Query, Sample
from data.batches.test_texts import dataset
from program import HANG

QUERIES = 7
STEP = 5  # steps of five queries and of two: three processes have 2, 2 and 1 of the first, and 1, 1 and none
ARCHITECTURES = ("dual", "late", "cross")


def collection() -> Collection:
    """Document i is the positive of query i, and other documents' texts are longer and longer."""
    words = ["тіл", "қала", "өзен", "тау", "ел", "жер", "су"]
    documents = {f"d{i}": Document(f"d{i}", " ".join(words[: 1 + i]), "kk") for i in range(QUERIES)}
    queries = {f"q{i}": Query(f"q{i}", "查询语言城市河流山"[: 1 + i], "zh") for i in range(QUERIES)}
    grades = {f"q{i}": dict(zip(_listed(i), (6, 3, 0), strict=True)) for i in range(QUERIES)}
    split = Split(queries, Qrels(grades))
    return Collection("shared out", documents, {"train": split, "dev": split, "test1": split})


def _listed(query: int) -> tuple[str, ...]:
    return tuple(f"d{(query + step) % QUERIES}" for step in (0, 1, 3))


def samples(epoch: int = 0) -> list[Sample]:
    """A document of grade 6, one of 3 and one of 0 for each query; weights and a teacher's scores differ."""

    def taught(query: int) -> tuple[float, ...]:
        return tuple(float((7 * place + 3 * query) % 5) for place in range(3))

    return [Sample(f"q{i}", _listed(i), (6, 3, 0), weight=0.4 + 0.2 * i, teacher=taught(i)) for i in range(QUERIES)]


def prepared(folder: Path) -> str:
    """The name of a tiny encoder without dropout, made in `folder`."""
    maker = TinyEncoder(vocabulary=120, width=16, heads=2, layers=2, dropout=0.0)
    return maker.prepare(collection(), "train", folder / "encoder", seed=3)


def module(architecture: str, name: str, losses: Mapping[str, RankingLoss], **settings: Any) -> RankingModule[Any]:
    """A module of the encoder `name`, the same in each process, whose `logged` keeps what it logs."""
    torch.manual_seed(0)
    encoder = Encoder(name)
    made: RankingModule[Any]
    if architecture == "cross":
        made = PairModule(CrossEncoder(encoder, dropout=0.0), losses, **settings)
    elif architecture == "late":
        made = TextModule(LateInteraction(encoder, dimension=8, learn_temperature=True), losses, **settings)
    else:
        model = DualEncoder(encoder, learn_temperature=True, temperature=0.2, dimensions=[8], projection=12)
        made = TextModule(model, losses, **settings)
    return made


def steps(architecture: str, name: str, rank: int, world: int) -> list[Any]:
    """This process's batches of the two steps."""
    source: Dataset[Any]
    tokenizer = Encoder(name, weights=False).tokenizer
    if architecture == "cross":
        data = RankingDataModule(collection(), PairBatches(), sampling=Listwise(3))
        data.tokenise(tokenizer)
        source = data.training.dataset
    else:
        source = dataset(collection(), tokenizer)
    return [source[step] for step in TrainingBatches(samples, size=STEP, rank=rank, world_size=world)]


def keep_logs(made: RankingModule[Any]) -> list[tuple[str, float, int]]:
    """The name, value and number of queries of all that a module will log."""
    kept: list[tuple[str, float, int]] = []

    def log(name: str, value: Any, batch_size: int = 0, **_: Any) -> None:
        kept.append((name, float(torch.as_tensor(value).detach()), int(batch_size)))

    def log_dict(values: Mapping[str, Any], batch_size: int = 0, **_: Any) -> None:
        for each, value in values.items():
            log(each, value, batch_size)

    made.log, made.log_dict = log, log_dict  # type: ignore[method-assign, assignment]
    return kept


def _joined(rank: int, world: int, folder: str, work: Callable[[int, int, Path], Any]) -> None:
    # A process that waits for one that does not come ends with an error, not never.
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet{world}", rank=rank, world_size=world, timeout=timedelta(seconds=HANG)
    )
    torch.save(work(rank, world, Path(folder)), Path(folder) / f"{world}-{rank}.pt")
    torch.distributed.destroy_process_group()


def together(work: Callable[[int, int, Path], Any], world: int, folder: Path) -> list[Any]:
    """What `work(rank, world, folder)` gives in each of `world` connected processes."""
    start_processes(_joined, (world, str(folder), work), nprocs=world, start_method="forkserver")  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{world}-{rank}.pt", weights_only=False) for rank in range(world)]
