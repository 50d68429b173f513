"""The rows that a table stands between: random order, BM25 on the same candidates, the best possible order."""

from __future__ import annotations

import logging
from pathlib import Path

from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import write_run
from clir_lightning.evaluation.bounds import ideal, random_order
from clir_lightning.evaluation.evaluate import MEASURES, Evaluation, evaluate
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.retrieval.baseline import bm25_row

log = logging.getLogger(__name__)

# The BM25 rows' run files, and whether the lexicon has the queries' own names.
BASELINES = {"bm25": False, "bm25_own_names": True}


def bounding_rows(data: RankingDataModule, pool: Pool, folder: Path) -> tuple[list[Evaluation], list[str]]:
    """The rows for the test split, worst first, and what there is to note about them.

    The BM25 runs go to `runs/test.NAME.trec` in `folder`, for `clir compare`. A BM25 row that cannot be had, for
    whatever reason, is a note: the job that it closes has its results by then.
    """
    rows: list[Evaluation] = []
    notes: list[str] = []
    for name in BASELINES:
        try:
            row, noted = _baseline(name, data, folder)
        except Exception as error:
            cause = " ".join(str(error).split()) or type(error).__name__
            notes.append(f"the row {name} is missing: {cause}")
            log.debug("%s", notes[-1], exc_info=True)
            continue
        rows.append(row)
        notes += noted

    for note in notes:
        log.warning(note)
    return [random_order(pool, MEASURES), *rows, ideal(pool, MEASURES)], notes


def _baseline(name: str, data: RankingDataModule, folder: Path) -> tuple[Evaluation, list[str]]:
    """A BM25 row and its notes; its run is written."""
    test = data.candidates["test"]
    found = bm25_row(
        data.collection,
        test.run,
        train=data.splits["train"],
        split=test.name,
        own_names=BASELINES[name],
        cache=data.cache,
    )
    write_run(found.run, folder / "runs" / f"test.{name}.trec")
    return evaluate(found.run, test.qrels), found.notes()
