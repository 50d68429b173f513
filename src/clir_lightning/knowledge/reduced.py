"""A graph without what gives answers away, or with other edges: the conditions and controls of an experiment.

In a collection whose judgements come from the graph, the statements between a query's entity and those of its relevant
documents are the answers. They are taken out of the rows that a graph is made of, and the graph is made again: its
neighbours, their order, and whatever is computed from it have never seen them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection as Container
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.collection import Collection
from clir_lightning.errors import one_of
from clir_lightning.knowledge.adjacency import Triples
from clir_lightning.knowledge.database import connect, parquet, quoted, rows_of_files
from clir_lightning.knowledge.documents import link_documents
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Linker
from clir_lightning.knowledge.merging import merge
from clir_lightning.knowledge.normal import normal
from clir_lightning.knowledge.rows import COLUMNS, LABEL, Rows, part_file

JUDGED = ("removed", "kept")
EDGES = ("real", "shuffled", "random", "none")
ROUNDS = 100  # of drawing other objects for statements that may not be

Pair = tuple[str, str]


def judged_pairs(graph: Graph, collection: Collection, splits: Sequence[str], documents: str = "auto") -> set[Pair]:
    """The entities of each query and of each document judged relevant to it, as both are linked elsewhere.

    Two entities of one name may be one thing in two sources: entities that share a label with the one that a text is
    linked to, in either language, are taken for it too.

    Args:
        graph: what they are linked to.
        collection: queries, documents and judgements.
        splits: whose queries.
        documents: how documents are linked (`link_documents`).
    """
    linker = Linker(graph, collection.query_language)
    pairs: set[Pair] = set()
    for name in splits:
        split = collection.split(name)
        queries = list(split.queries.values())
        relevant = {query.id: split.qrels.relevant(query.id) for query in queries if query.id in split.qrels}

        # Of the documents only those that matter: linking all of a large collection takes long.
        wanted = dict.fromkeys(document for grades in relevant.values() for document in grades)
        records = {document: collection.documents[document] for document in wanted}
        linked = link_documents(graph, records, collection.document_language, documents)
        for query, links in zip(queries, linker.links([query.text for query in queries]), strict=True):
            if links:
                entities = (linked.get(document) for document in relevant.get(query.id, ()))
                pairs.update((links[0].entity, entity) for entity in entities if entity is not None)
    return with_namesakes(graph, pairs)


def with_namesakes(graph: Graph, pairs: Container[Pair]) -> set[Pair]:
    """The pairs, and those of entities that share a label with theirs."""
    same = namesakes(graph, {entity for pair in pairs for entity in pair})
    return {pair for one, other in pairs for pair in product(same[one], same[other])}


def namesakes(graph: Graph, entities: Container[str]) -> dict[str, set[str]]:
    """Of each of some entities: itself and those that share a label with it in one of the graph's languages."""
    same = {entity: {entity} for entity in entities}
    terms = graph.terms(sorted(entities))
    for language in graph.languages:
        keys = {entity: normal(of[language].label, language) for entity, of in terms.items() if language in of}
        others: dict[str, set[str]] = {}
        for name in graph.names(sorted(set(keys.values()) - {""}), language):
            if name.kind == LABEL:
                others.setdefault(name.key, set()).add(name.entity)
        for entity, key in keys.items():
            same[entity] |= others.get(key, set())
    return same


def reduce_graph(
    graph: Graph,
    path: str | Path,
    pairs: Container[Pair] = (),
    *,
    edges: str = "real",
    seed: int = 1,
    about: Mapping[str, Any] | None = None,
) -> Graph:
    """Another graph folder at `path` without statements between the entities of each pair, in either direction.

    Args:
        graph: the whole.
        path: a new or empty folder, or a graph's, which is replaced.
        pairs: whose statements are taken out.
        edges: what becomes of the statements that are left: `real`, nothing; `shuffled`, each gets the object of
            another, so that all entities keep their degrees; `random`, each gets one drawn from all entities; `none`,
            they go.
        seed: of what is shuffled and drawn.
        about: what the manifest is to tell of the pairs.
    """
    with tempfile.TemporaryDirectory() as parts:
        told = {**(about or {}), **reduced_rows(graph, Path(parts), pairs, edges=edges, seed=seed)}
        merged = merge(Path(parts), path, languages=graph.languages, about={**kept_about(graph), "condition": told})
    return Graph.open(merged)


def kept_about(graph: Graph) -> dict[str, Any]:
    """What a graph's manifest tells of its source."""
    own = ("kind", "format", "languages", "rows", "fingerprint", "files")
    return {name: value for name, value in graph.manifest.items() if name not in own}


def reduced_rows(
    graph: Graph, parts: Path, pairs: Container[Pair], *, edges: str = "real", seed: int = 1
) -> dict[str, Any]:
    """Write the rows of a reduced graph into a folder; returns what was done. Arguments as of `reduce_graph`."""
    one_of(edges, EDGES, "edges")
    out = parts / "pairs.txt"
    both = {pair for one, other in pairs for pair in ((one, other), (other, one))}
    out.write_text("".join(f"{one}\t{other}\n" for one, other in sorted(both)), encoding="utf-8")

    # Everything but these is copied.
    with connect(parts / "scratch") as database:
        pairs_table = rows_of_files([out] if both else [], {"one": "VARCHAR", "other": "VARCHAR"})
        database.execute(f"CREATE TABLE pairs AS SELECT * FROM {pairs_table}")
        for table in COLUMNS:
            _copy(database, graph, table, parts, where="false" if table == "triples" and edges != "real" else "")
        counted = "SELECT count(*) FROM {} AS t JOIN pairs ON one = subject AND other = object"
        removed = database.execute(counted.format(parquet(graph.path / "triples.parquet"))).fetchone()[0]

    # Those made up here are between entities of the graph alone.
    if edges in ("shuffled", "random"):
        with Rows(parts, 1) as rows:
            _made_up(graph.triples(), rows, both, edges, seed)
    return {
        "edges": edges,
        "seed": seed,
        "pairs": len({frozenset(pair) for pair in both}),
        "statements_removed": removed,
    }


def _copy(database: Any, graph: Graph, table: str, parts: Path, where: str) -> None:
    """Write a table of a graph as rows, without the statements of `pairs`."""
    columns = ", ".join(COLUMNS[table])
    query = f"SELECT {columns} FROM {parquet(graph.path / f'{table}.parquet')}"
    if where:
        query += f" WHERE {where}"
    elif table == "triples":
        query += " WHERE NOT EXISTS (SELECT 1 FROM pairs WHERE one = subject AND other = object)"
    target = quoted(part_file(parts, 0, table))
    database.execute(f"COPY ({query}) TO {target} (FORMAT csv, DELIMITER '\t', QUOTE '', ESCAPE '', HEADER false)")


def _made_up(triples: Triples, rows: Rows, forbidden: set[Pair], edges: str, seed: int) -> None:
    """Write statements of the graph with other objects."""
    numbers = {entity: number for number, entity in enumerate(triples.ids)} if forbidden else {}
    ends = [(numbers[one], numbers[other]) for one, other in forbidden if one in numbers and other in numbers]
    count = len(triples.ids)
    closed = np.asarray(sorted(one * count + other for one, other in ends), np.int64)

    # A control of the graph that is left: as many statements as that has.
    left = ~np.isin(triples.subjects.astype(np.int64) * count + triples.objects, closed)
    columns = (triples.subjects, triples.objects, triples.properties, triples.ranks)
    triples = Triples(triples.ids, triples.codes, *(column[left] for column in columns))
    kept, objects = other_objects(triples, closed, edges, seed)
    for place in np.flatnonzero(kept).tolist():
        subject = triples.ids[triples.subjects[place]]
        target = triples.ids[objects[place]]
        rows.triple(subject, triples.codes[triples.properties[place]], target, int(triples.ranks[place]))


def other_objects(
    triples: Triples, closed: NDArray[np.int64], edges: str, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Objects for S statements, `shuffled` or `random`: which statements can stay, and all objects, `[S]` each.

    No statement comes twice, has its subject as object or is one of `closed`, sorted numbers subject · E + object;
    where ROUNDS rounds of further exchanges do not help, it is left out.
    """
    generator = np.random.default_rng(seed)
    count = len(triples.ids)
    subjects = triples.subjects.astype(np.int64)
    objects = triples.objects.astype(np.int64)
    wrong = np.ones(len(subjects), bool)

    # Whose object may not be gets another, with as many others that may, so that there is something to exchange.
    for round_ in range(ROUNDS + 1):
        places = np.flatnonzero(wrong)
        if edges == "random":
            objects[places] = generator.integers(0, count, len(places))
        elif round_ == 0:
            objects = generator.permutation(objects)
        else:
            others = generator.choice(len(objects), min(len(objects), 2 * len(places) + 2), replace=False)
            mixed = np.union1d(places, others)
            objects[mixed] = objects[generator.permutation(mixed)]

        # What comes twice, and what may not be.
        key = subjects * count + objects
        _, first = np.unique(np.stack([key, triples.properties], axis=1), axis=0, return_index=True)
        wrong = np.ones(len(key), bool)
        wrong[first] = False
        wrong |= (subjects == objects) | np.isin(key, closed)
        if not wrong.any():
            break
    return ~wrong, objects
