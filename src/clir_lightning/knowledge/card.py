"""What a graph holds: counts, shares, degrees, and its terms as a bilingual table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from clir_lightning.knowledge.graph import Graph

PERCENTILES = (50, 90, 99, 100)
KINDS = {"L": "labels", "D": "descriptions", "A": "aliases", "S": "titles"}
LINES = {
    "items": "items with a label",
    "properties": "properties",
    "without": "items without a label in these languages",
    "others": "lexemes, redirects and others",
    "defective": "defective lines, left out",
}

# Names of an entity in two languages, each with each: a label with a label counts 4, an alias with an alias 1.
TERMS = """
    WITH named AS (
        SELECT entity, language, text, max(CASE kind WHEN 'A' THEN 1 ELSE 2 END) AS weight FROM terms
        WHERE kind <> 'D' AND language IN (?, ?) GROUP BY entity, language, text
    )
    SELECT a.text, b.text, sum(a.weight * b.weight) FROM named AS a JOIN named AS b ON b.entity = a.entity
    WHERE a.language = ? AND b.language = ? GROUP BY a.text, b.text ORDER BY a.text, b.text"""


def card(graph: Graph) -> list[tuple[str, str]]:
    """Facts and their values, as text."""
    rows = [(name, f"{graph.manifest['rows'][name]:,}") for name in ("entities", "triples")]
    rows.append(("triples between entities", f"{graph.manifest['rows']['statements']:,}"))

    # Terms by language and kind.
    counts = {
        (language, kind): count
        for language, kind, count in graph.rows("SELECT language, kind, count(*) FROM terms GROUP BY language, kind")
    }
    for language in graph.languages:
        told = [f"{counts[language, kind]:,} {name}" for kind, name in KINDS.items() if (language, kind) in counts]
        rows.append((f"terms, {language}", ", ".join(told) or "none"))
    rows.append(("entities with a label in each language", _labelled(graph)))
    return [*rows, *degrees(graph)]


def _labelled(graph: Graph) -> str:
    sql = """
        SELECT count(*) FROM (
            SELECT entity FROM terms WHERE kind = 'L' GROUP BY entity HAVING count(DISTINCT language) >= ?
        )"""
    ((count,),) = graph.rows(sql, [len(graph.languages)])
    return f"{count:,} ({100 * count / len(graph):.1f} %)" if len(graph) else "0"


def degrees(graph: Graph) -> list[tuple[str, str]]:
    """Percentiles of how many neighbours entities have, and how many have none."""
    counts = graph.degrees()
    if not len(counts):
        return []
    found = np.percentile(counts, PERCENTILES, method="inverted_cdf").astype(int).tolist()
    told = ", ".join(f"{value:,}" for value in found)
    alone = int((counts == 0).sum())
    return [
        (f"neighbours: percentiles {', '.join(map(str, PERCENTILES))}", told),
        ("entities without neighbours", f"{alone:,} ({100 * alone / len(counts):.1f} %)"),
    ]


def top_properties(graph: Graph, count: int) -> list[tuple[str, str, int]]:
    """The most frequent properties: id, label in the graph's last language that has one, and statements."""
    sql = "SELECT property, count(*) AS n FROM triples GROUP BY property ORDER BY n DESC, property LIMIT ?"
    return [
        (name, graph.property_label(name, graph.languages[0] if graph.languages else ""), number)
        for name, number in graph.rows(sql, [count])
    ]


def term_table(graph: Graph, source: str, target: str) -> Iterator[tuple[str, str, float]]:
    """Terms in one language with their translations into another and weights, in the order of the terms.

    An entity's names are translations of each other: its label, aliases and title. The weight of a pair is 4 for two
    labels (or titles), 2 for one of these and an alias, 1 for two aliases, summed over the entities that have the pair.
    """
    for term, translation, weight in graph.rows(TERMS, [source, target, source, target]):
        yield term, translation, float(weight)


def dump_card(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a build read of a dump, and each defect that was written down by its line; nothing without a dump."""
    counts = manifest.get("dump", {})
    yield from ((words, f"{counts[name]:,}") for name, words in LINES.items() if name in counts)
    yield from ((f"line {line:,}", str(what)) for line, what in manifest.get("defects", []))
