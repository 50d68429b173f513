"""`clir compare`: systems side by side, with deviations over seeds, paired tests against a baseline and a report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from clir_lightning.build import build, changed
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.lines import write_whole
from clir_lightning.errors import ClirError, one_of
from clir_lightning.evaluation import tables
from clir_lightning.evaluation.cautions import cautions
from clir_lightning.evaluation.comparison import Comparison, System, compare
from clir_lightning.evaluation.measures import measure
from clir_lightning.evaluation.report.examples import KnownTexts
from clir_lightning.evaluation.report.page import page
from clir_lightning.outputs.folder import claim, output_folder, tell_files
from clir_lightning.outputs.systems import commits, systems_of
from clir_lightning.progress import stage
from clir_lightning.types import Grades, Query

FILES = ("comparison.md", "comparison.tex", "comparison.csv", "comparison.json", "per_query.csv", "report.html")

log = logging.getLogger(__name__)


def show(comparison: Comparison, alpha: float, notes: list[str]) -> None:
    """Print the tables, what they show, and what there is to note."""
    console = Console()
    cells = tables.measure_cells(comparison, alpha)
    measured = tables.terminal(f"{comparison.queries} queries", tables.measure_head(comparison), cells)
    tables.print_whole(measured, console)
    console.print(tables.explanation(comparison, alpha), soft_wrap=True, markup=False)
    if comparison.tests:
        rows = [tables.paired_cells(test) for test in comparison.tests]
        tables.print_whole(tables.terminal(f"against {comparison.baseline}", tables.PAIRED_HEAD, rows, 2), console)
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def data_of_texts(config: DictConfig, systems: Sequence[System]) -> DictConfig | None:
    """The data that the report's texts come from: an output folder's own, as `data` changes it, or another; or none."""
    configs = [member.config for system in systems for member in system.members if member.config is not None]
    own = next((OmegaConf.create(dict(found["data"])) for found in configs if found.get("data")), None)
    if not config.report.texts:
        return None
    return changed(own, config.data, "data") if config.data else own


def texts(data: DictConfig | None, systems: Sequence[System]) -> KnownTexts:
    """The texts of a collection, where there is one, and of the queries that the systems are judged by."""
    if data is None:
        return KnownTexts({}, {})
    try:
        collection: Collection = build(data)
    except ClirError as error:
        log.warning("the report shows ids without texts: %s", error)
        return KnownTexts({}, {})
    judged = {
        query: grades for system in systems for member in system.members for query, grades in member.qrels.items()
    }
    return KnownTexts(queries_of(collection, judged), collection.documents)


def queries_of(collection: Collection, judged: Mapping[str, Grades]) -> dict[str, Query]:
    """The judged queries' texts: each of the split that judges the id alike, or of the only one that has it.

    Two splits may use an id for different texts.
    """
    found = {}
    for query, grades in judged.items():
        having = [split for split in collection.splits.values() if query in split.queries]
        alike = [split for split in having if dict(split.qrels[query]) == dict(grades)]
        if alike or len(having) == 1:
            found[query] = (alike or having)[0].queries[query]
    return found


def report(
    config: DictConfig,
    comparison: Comparison,
    systems: Sequence[System],
    notes: Sequence[str],
    data: DictConfig | None,
) -> str:
    """The HTML report."""
    chosen = config.report.measure
    shown = comparison.measures[-1] if chosen is None else one_of(chosen, comparison.measures, "report.measure")

    # What is compared and how, then the queries that are shown as examples.
    return page(
        comparison,
        systems,
        title=f"{len(systems)} systems on {comparison.queries} queries",
        alpha=config.alpha,
        notes=notes,
        commits=commits(systems),
        texts=texts(data, systems),
        measure=shown,
        examples=config.report.examples,
        depth=config.report.depth,
    )


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    for name in config.measures:
        measure(name)

    # The systems, and where the texts that they ranked come from.
    runs: Any = OmegaConf.to_container(config.runs)
    systems = systems_of(runs, config.qrels)
    data = data_of_texts(config, systems)

    # The comparison, and what there is to note about it.
    with stage(f"comparing {len(systems)} systems"):
        comparison = compare(
            systems,
            baseline=config.baseline,
            measures=list(config.measures),
            queries=config.queries,
            samples=config.samples,
            seed=config.seed,
        )
    notes = [*cautions(systems, commits(systems)), *comparison.notes]

    # Every file's content before the first is written: what cannot be made leaves an earlier comparison as it was.
    contents = (
        tables.markdown(comparison, config.alpha, notes),
        tables.latex(comparison, config.alpha),
        tables.csv_text(comparison),
        tables.json_text(comparison, notes),
        tables.per_query_csv(comparison),
        report(config, comparison, systems, notes, data),
    )

    # Nothing is rejected any more.
    claim(config, folder, FILES)
    for name, content in zip(FILES, contents, strict=True):
        with write_whole(folder / name) as stream:
            stream.write(content)
    show(comparison, config.alpha, notes)
    tell_files(folder, FILES)
