"""`clir fuse`: one TREC run file of several, with weights as given or tuned on other queries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import plain
from clir_lightning.data.files.trec import read_qrels, read_run, write_run
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.evaluation.measures import measure
from clir_lightning.evaluation.tables import result_table
from clir_lightning.outputs.folder import claim, output_folder, tell_files
from clir_lightning.outputs.provenance import write_json
from clir_lightning.retrieval.fusion import fuse, tune

FILES = ("fused.trec", "weights.json", "metrics.json")

log = logging.getLogger(__name__)


def tuned_weights(config: DictConfig, settings: dict[str, Any]) -> list[float]:
    """The weights that suit `tune.runs`, in the order of `runs`, best."""
    if len(config.tune.runs) != len(config.runs) or config.tune.qrels is None:
        raise ConfigError("tune.runs takes one file for each of runs, in their order, and needs tune.qrels")
    runs = [read_run(path) for path in config.tune.runs]
    qrels = read_qrels(config.tune.qrels)

    def quality(weights: Sequence[float]) -> float:
        fused = fuse(runs, **settings, weights=weights)
        return evaluate(fused, qrels, [config.tune.measure]).means[config.tune.measure]

    weights = tune(runs, quality)
    log.info("weights %s, %s %.4f on the tuning queries", weights, config.tune.measure, quality(weights))
    return weights


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    for name in [*config.measures, config.tune.measure]:
        measure(name)
    if config.weights is not None and config.tune.runs:
        raise ConfigError("give either weights=… or tune.runs=…")

    # The runs and the weights that they are fused with.
    given = plain(config)
    settings = {"method": config.method, "normalisation": config.normalisation, "k": config.k, "depth": config.depth}
    runs = [read_run(path) for path in config.runs]
    qrels = None if config.qrels is None else read_qrels(config.qrels)
    weights = tuned_weights(config, settings) if config.tune.runs else given["weights"]
    fused = fuse(runs, **settings, weights=weights)
    rows = [] if qrels is None else [evaluate(run, qrels, config.measures) for run in (*runs, fused)]

    # The fused run, how it came about, and how good it is.
    claim(config, folder, FILES)
    write_run(fused, folder / "fused.trec")
    write_json({"runs": given["runs"], "weights": weights or [1.0] * len(runs), **settings}, folder / "weights.json")
    if rows:
        write_json({row.name: row.means for row in rows}, folder / "metrics.json")
        Console().print(result_table(f"fused, against {config.qrels}", rows))
    tell_files(folder, FILES)
