"""The graph of the `demo` collection: its entities from CLDR with their names in Chinese and Kazakh, and relations."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache as once
from pathlib import Path
from typing import Annotated, Any

from clir_lightning.data.sources.demo import SENTENCES, build_demo, demo_entities
from clir_lightning.data.store.folders import build_once, fingerprint
from clir_lightning.errors import one_of
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.merging import FORMAT, write_graph
from clir_lightning.knowledge.reduced import EDGES, JUDGED, Pair, kept_about, reduced_rows, with_namesakes
from clir_lightning.knowledge.rows import DESCRIPTION, LABEL, Rows
from clir_lightning.settings.markers import OneOf

LANGUAGES = ("zh", "kk")
KINDS = {  # in Chinese; `SENTENCES` has the Kazakh
    "territory": "地区",
    "language": "语言",
    "script": "文字",
    "currency": "货币",
    "city": "城市",
    "locale": "地区语言",
    "time": "时间",
}


def demo_graph(
    judged: Annotated[str, OneOf(JUDGED)] = "removed",
    edges: Annotated[str, OneOf(EDGES)] = "real",
    seed: int = 1,
    cache: str | None = None,
) -> Graph:
    """The demo's graph, made once: about 2,900 entities, its relations as statements.

    Args:
        judged: `removed`, without the statements between the entity of a query, of any split, and those of documents
            judged relevant to it, which give the answers away; `kept`, with them.
        edges: `real`, or `shuffled`, `random` or `none`, see `reduce_graph`.
        seed: of what is shuffled and drawn.
        cache: folder that it is made in; `None` for one that goes with the process.

    Most relations are two statements, one of each entity, such as `uses currency` and `money of`.
    """
    one_of(judged, JUDGED, "judged")
    one_of(edges, EDGES, "edges")
    home = _process_folder() if cache is None else Path(cache).expanduser()
    key = _content_key()
    whole = build_once(home / "knowledge" / f"demo-{key}", _write)
    if judged == "kept" and edges == "real":
        return Graph.open(whole)

    # The same with less.
    def reduced(folder: Path) -> dict[str, Any]:
        graph = Graph.open(whole)
        pairs = with_namesakes(graph, demo_pairs()) if judged == "removed" else set()
        with tempfile.TemporaryDirectory() as parts:
            told = {"judged": judged, **reduced_rows(graph, Path(parts), pairs, edges=edges, seed=seed)}
            about = {**kept_about(graph), "condition": told}
            written = write_graph(Path(parts), folder, languages=LANGUAGES, about=about)
        return {**written, "of": f"the demo's graph: judged edges {judged}, edges {edges}, seed {seed}"}

    own = fingerprint([key, judged, edges, str(seed), "with namesakes"])[:16]
    return Graph.open(build_once(home / "knowledge" / f"demo-{own}", reduced))


def demo_pairs() -> set[Pair]:
    """The entities of each query of the demo and of each document judged relevant to it: their ids are entities'."""
    collection = build_demo()
    return {
        (query, document)
        for split in collection.splits.values()
        for query in split.queries
        for document in split.qrels.relevant(query)
    }


def _write(folder: Path) -> dict[str, Any]:
    """The whole graph into a folder; returns its manifest."""
    entities = demo_entities()
    with tempfile.TemporaryDirectory() as parts:
        with Rows(Path(parts), 0) as rows:
            for entity in entities.values():
                rows.entity(entity.id, 0)
                rows.term(entity.id, "zh", LABEL, 0, entity.chinese)
                rows.term(entity.id, "kk", LABEL, 0, entity.kazakh)
                rows.term(entity.id, "zh", DESCRIPTION, 0, KINDS[entity.kind])
                rows.term(entity.id, "kk", DESCRIPTION, 0, SENTENCES[entity.kind])
                for relation, others in entity.relations.items():
                    for other, _ in others:
                        rows.triple(entity.id, relation, other)

            # What the relations are called.
            for relation, kazakh in SENTENCES.items():
                if relation not in KINDS:
                    rows.property(relation, "kk", kazakh)
                    rows.property(relation, "en", relation)
        written = write_graph(Path(parts), folder, languages=LANGUAGES, about={"source": "CLDR"})
    return {**written, "of": "the demo's graph, whole"}


@once
def _content_key() -> str:
    """What tells the entities of one version of CLDR from those of another."""
    return fingerprint([str(FORMAT), repr(sorted(demo_entities().items())), repr(KINDS)])[:16]


@once
def _process_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="clir-graph-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
