"""`GeometryLog`: the same values for any number of processes that share a validation."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from clir_lightning.data.tokens.table import as_rows
from clir_lightning.evaluation.geometry import geometry
from clir_lightning.lightning.callbacks.geometry_log import GeometryLog
from clir_lightning.types import Run
from data.batches.test_texts import dataset
from data.tokenizers_for_tests import bert_like
from lightning.shares_for_tests import QUERIES, collection, together

LISTS = {f"q{i}": [f"d{i}", f"d{(i + 1) % QUERIES}", f"d{(i + 2) % QUERIES}"] for i in range(QUERIES)}
VECTORS = torch.randn(2 * QUERIES, 4, generator=torch.Generator().manual_seed(1))


def log(rank: int, world: int, folder: Path) -> dict[str, float]:
    """What a process logs that scored its share of the queries; the first four of all are looked at."""
    made = dataset(collection(), bert_like())
    own = list(LISTS)[rank::world]
    rows = {document: int(as_rows(made.documents.table.index, [document])[0]) for document in collection().documents}
    documents = {row: VECTORS[int(document[1:])] for document, row in rows.items()}  # of all processes
    queries = {query: VECTORS[QUERIES + int(query[1:])] for query in own}
    logged: dict[str, float] = {}
    module: Any = SimpleNamespace(
        engine=SimpleNamespace(documents=documents, queries=queries),
        log=lambda name, value, **_: logged.update({name: value}),
    )
    run = Run({query: dict.fromkeys(listed, 0.0) for query, listed in LISTS.items()})
    qrels = {query: {f"d{query[1:]}": 6} for query in LISTS}
    data = SimpleNamespace(candidates={"val": SimpleNamespace(run=run, qrels=qrels, dataset=made)})
    trainer: Any = SimpleNamespace(datamodule=data, is_global_zero=rank == 0)
    GeometryLog(queries=4).on_validation_epoch_end(trainer, module)
    return logged


@pytest.mark.slow
def test_the_number_of_processes_changes_no_value(tmp_path: Path) -> None:
    """Queries 0 to 3 with documents 0 to 5; document i is the positive of query i, the next two are negatives."""
    own = torch.arange(4)
    negatives = torch.stack([own.repeat(2), torch.cat([own + 1, own + 2])], dim=1)
    found = geometry(VECTORS[QUERIES : QUERIES + 4], VECTORS[:6], torch.stack([own, own], dim=1), negatives)
    expected = {f"val/geometry/{name}": pytest.approx(value) for name, value in found.rounded().items()}
    assert log(0, 1, tmp_path) == expected
    assert together(log, 3, tmp_path) == [expected, {}, {}]
