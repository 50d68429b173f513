"""`per_query.csv`: one row per query, one column per measure."""

from __future__ import annotations

import csv
from pathlib import Path

from clir_lightning.data.files.lines import write_whole
from clir_lightning.evaluation.evaluate import Evaluation


def write_per_query(result: Evaluation, path: str | Path) -> None:
    """Write each judged query's values, in full precision; the column of ids is `qid`."""
    with write_whole(path) as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["qid", *result.means])
        rows.writerows([query, *map(repr, values.values())] for query, values in result.per_query.items())
