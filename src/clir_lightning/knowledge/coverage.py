"""How much of a set of texts is linked, by which rules, and, where their entities are known, how many rightly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clir_lightning.data.files.lines import read_lines, tab_texts
from clir_lightning.errors import DataError
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Link

Missed = tuple[str, str, Link | None]  # a text's id, its entity, and the link that it got

ABSENT = "the entity is not in the graph"
NAMELESS = "the entity has no name in the language"
OTHER = "another entity of the same name comes first"
PART = "the text is no name of it, and the longest name in the text is another's"
ELSE = "the text is no name of it, and one of another entity"
NOTHING = "the text holds no name"


@dataclass(frozen=True)
class Coverage:
    """What came of linking texts: counts, and those whose known entity is not the one linked to, by cause."""

    texts: int
    rules: Mapping[str, int]  # of the best links
    ambiguous: int  # texts for which another entity has as good a link as the best
    known: int  # texts whose entity is known
    right: int
    rules_right: Mapping[str, tuple[int, int]]  # by rule: how many of the known are right, and how many there are
    missed: Mapping[str, Sequence[Missed]]

    @property
    def linked(self) -> int:
        """Texts with a link."""
        return sum(self.rules.values())


def coverage(graph: Graph, language: str, links: Mapping[str, Sequence[Link]], truth: Mapping[str, str]) -> Coverage:
    """Compare links, by the texts' ids and best first, with the entities that are known.

    `language` is the graph's code of the texts' language.
    """
    best = {text_id: found[0] for text_id, found in links.items() if found}
    ambiguous = sum(len(found) > 1 and found[0].score == found[1].score for found in links.values())

    # Of the texts whose entities are known.
    known = {text_id: truth[text_id] for text_id in links if text_id in truth}
    right = [text_id for text_id, entity in known.items() if text_id in best and best[text_id].entity == entity]
    all_by_rule = Counter(best[text_id].rule for text_id in known if text_id in best)
    right_by_rule = Counter(best[text_id].rule for text_id in right)

    # Why the others are not right.
    named = _named(graph, language, sorted(set(known.values())))
    missed: dict[str, list[Missed]] = {}
    for text_id, entity in known.items():
        link = best.get(text_id)
        if link is None or link.entity != entity:
            missed.setdefault(cause(entity, links[text_id], named), []).append((text_id, entity, link))

    # Counts by rule of all texts, and of those that are known.
    return Coverage(
        texts=len(links),
        rules=Counter(link.rule for link in best.values()),
        ambiguous=ambiguous,
        known=len(known),
        right=len(right),
        rules_right={rule: (right_by_rule[rule], count) for rule, count in all_by_rule.most_common()},
        missed=missed,
    )


def _named(graph: Graph, language: str, entities: Sequence[str]) -> dict[str, bool]:
    """For each entity of the graph, whether it has a name in the language."""
    terms = graph.terms(entities)
    found = {}
    for entity in entities:
        if entity in graph:
            own = terms.get(entity, {}).get(language)
            found[entity] = own is not None and any((own.label, own.aliases, own.title))
    return found


def cause(entity: str, links: Sequence[Link], named: Mapping[str, bool]) -> str:
    """Why a text's best link is not its entity; `named` has the graph's entities, and whether they have a name."""
    if entity not in named:
        return ABSENT
    if not named[entity]:
        return NAMELESS
    if any(link.entity == entity for link in links):
        return OTHER
    if not links:
        return NOTHING
    return PART if links[0].rule == "longest" else ELSE


def read_truth(paths: Sequence[str]) -> dict[str, str]:
    """Known entities by the ids of texts, from `id<TAB>entity` lines or `.jsonl` with `query_id` and `q_item_qid`."""
    truth: dict[str, str] = {}
    for path in paths:
        if not path.removesuffix(".gz").endswith(".jsonl"):
            truth |= tab_texts(path)
            continue
        for number, line in read_lines(path):
            try:
                row = json.loads(line)
                truth[str(row["query_id"])] = str(row["q_item_qid"])
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                cure = "a line has query_id and q_item_qid"
                raise DataError(f"no known entity ({error})", path=path, line=number, cure=cure) from None
    return truth
