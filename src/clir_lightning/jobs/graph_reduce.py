"""`clir graph reduce`: another graph folder, without judged statements or with other edges."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from clir_lightning.build import build
from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError, one_of
from clir_lightning.jobs.graph_inspect import conditions
from clir_lightning.knowledge.documents import WAYS
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.merging import check_place
from clir_lightning.knowledge.reduced import EDGES, JUDGED, Pair, judged_pairs, reduce_graph


def main(config: DictConfig) -> None:
    """Run the job."""
    one_of(config.judged, JUDGED, "judged")
    one_of(config.edges, EDGES, "edges")
    one_of(config.documents, WAYS, "documents")
    check_place(Path(config.path).expanduser())
    graph = Graph.open(config.graph)

    # What is taken out.
    pairs: set[Pair] = set()
    about = {"judged": config.judged}
    if config.judged == "removed":
        if "_target_" not in config.data:
            raise ConfigError("judged=removed needs a collection; add data=…, or give judged=kept")
        collection: Collection = build(config.data)
        splits = list(config.splits)
        pairs = judged_pairs(graph, collection, splits, config.documents)
        about |= {"data": collection.name, "splits": ", ".join(splits), "documents": config.documents}

    reduced = reduce_graph(graph, config.path, pairs, edges=config.edges, seed=config.seed, about=about)
    print(f"{config.path}: {conditions(reduced)}")
    print(f"statements: {graph.manifest['rows']['triples']:,} before, {reduced.manifest['rows']['triples']:,} after")
