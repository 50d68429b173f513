"""`clir graph rank`: a split's candidates by personalised PageRank, one TREC run file per split; nothing is learned."""

from __future__ import annotations

from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import build, plain
from clir_lightning.data.candidate_set import CandidateLists
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import write_run
from clir_lightning.errors import ConfigError, at_least, one_of
from clir_lightning.evaluation.bounds import ideal, random_order
from clir_lightning.evaluation.evaluate import Evaluation, evaluate
from clir_lightning.evaluation.measures import measure
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.tables import result_table
from clir_lightning.jobs.graph_inspect import conditions
from clir_lightning.knowledge.documents import WAYS
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.walks import rank_by_walks
from clir_lightning.outputs.folder import claim, output_folder, tell_files
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json

FILES = ("metrics.json", "provenance.json", "runs/*.trec")


def _check(config: DictConfig) -> None:
    """Complain before the work."""
    for name in config.measures:
        measure(name)
    one_of(config.maximise, config.measures, "maximise")
    one_of(config.documents, WAYS, "documents")
    at_least(config.depth, 1, "depth")
    if not config.splits:
        raise ConfigError("splits names none")
    if not 0 <= config.damping < 1:
        raise ConfigError(f"damping is {config.damping}; allowed: 0 to below 1")
    if config.candidates is not None and len(config.splits) > 1 and "{split}" not in config.candidates:
        raise ConfigError("candidates is one run file for several splits; write {split} where its name has the split's")


def main(config: DictConfig) -> float:
    """Run the job; returns the dev split's measure to maximise, or the last split's."""
    folder = output_folder(config)
    _check(config)
    watch = Stopwatch()
    graph = Graph.open(config.graph)
    with watch.stage("data"):
        collection: Collection = build(config.data)

    # All lists first: what is wrong with a run file is told before the first walk.
    lists = {}
    for split in config.splits:
        path = None if config.candidates is None else config.candidates.replace("{split}", split)
        lists[split] = CandidateLists(depth=config.depth, test=path, seed=config.seed).run(collection, split, "test")
    claim(config, folder, FILES)

    # One run file and one table per split.
    rows: dict[str, list[Evaluation]] = {}
    console = Console()
    settings = {name: config[name] for name in ("documents", "damping", "directed")}
    for split, candidates in lists.items():
        with watch.stage(f"{split}: walks"):
            walked = rank_by_walks(graph, collection, split, candidates, **settings)
        write_run(walked.run, folder / "runs" / f"{split}.trec")

        # The table's rows: the result between random order and the ideal order of the same documents.
        qrels = {query: collection.split(split).qrels[query] for query in walked.run}
        pool = Pool.of(walked.run, qrels)
        names = list(config.measures)
        rows[split] = [random_order(pool, names), evaluate(walked.run, qrels, names), ideal(pool, names)]
        console.print(result_table(f"{collection.name}, {split}: PageRank", rows[split]))
        console.print(f"{walked.queries:,} of {len(walked.run):,} queries name an entity", soft_wrap=True)

    # The results as files.
    write_json(provenance(plain(config), config.seed, watch), folder / "provenance.json")
    write_json({split: found[1].means for split, found in rows.items()}, folder / "metrics.json")
    console.print(f"graph: {conditions(graph)}", soft_wrap=True)
    tell_files(folder, ["metrics.json", *(f"runs/{split}.trec" for split in rows), "provenance.json"])
    return rows["dev" if "dev" in rows else config.splits[-1]][1].means[config.maximise]
