"""Little graphs for tests, written down as terms and statements."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.merging import merge
from clir_lightning.knowledge.rows import ALIAS, DESCRIPTION, LABEL, TITLE, Kind, Rows

# An entity: its site links and, by language, "label | description | alias; alias | title".
Entities = Mapping[str, tuple[int, Mapping[str, str]]]

_FOLDER = tempfile.TemporaryDirectory()
_NUMBERS = count()
atexit.register(_FOLDER.cleanup)


def little(
    entities: Entities, triples: Sequence[tuple[str, str, str]] = (), languages: Sequence[str] = ("zh", "kk")
) -> Graph:
    """The graph, in a folder that goes with the tests."""
    home = Path(_FOLDER.name) / str(next(_NUMBERS))
    parts = home / "parts"
    parts.mkdir(parents=True)
    with Rows(parts, 0) as rows:
        for entity, (links, of) in entities.items():
            rows.entity(entity, links)
            for language, text in of.items():
                for kind, place, term in parsed(text):
                    rows.term(entity, language, kind, place, term)
        for triple in triples:
            rows.triple(*triple)
    return Graph.open(merge(parts, home / "graph", languages=languages))


def parsed(text: str) -> list[tuple[Kind, int, str]]:
    """The terms of one language: kind, place, text."""
    label, description, aliases, title = [*map(str.strip, text.split("|")), "", "", ""][:4]
    kinds: list[tuple[Kind, Sequence[str]]] = [
        (LABEL, [label]),
        (DESCRIPTION, [description]),
        (ALIAS, aliases.split(";")),
        (TITLE, [title]),
    ]
    return [(kind, place, term) for kind, terms in kinds for place, term in enumerate(terms) if term.strip()]


KAZAKH = "Q9252"
LANGUAGES: Entities = {
    KAZAKH: (150, {"zh": "哈萨克语 | 突厥语言 | 哈萨克文", "kk": "қазақ тілі | түркі тілі | қазақша | Қазақ тілі"}),
    "Q232": (300, {"zh": "哈萨克斯坦 | 中亚国家 | 哈国", "kk": "Қазақстан | мемлекет | ҚР"}),
    "Q35493": (120, {"zh": "阿拉木图 | 城市", "kk": "Алматы | қала"}),
    "Q1": (9, {"zh": "语 | 说话"}),
    "Q33935": (0, {"kk": "қазақ | адам"}),
}
EDGES = [(KAZAKH, "P17", "Q232"), ("Q35493", "P17", "Q232"), ("Q232", "P37", KAZAKH)]
