"""Terms with their translations, from tables and files of entity labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from clir_lightning.data.lines import read_lines
from clir_lightning.errors import DataError

Entry = tuple[str, str, float]  # term, translation, weight


def read_entries(path: str | Path, query_language: str, document_language: str) -> Iterator[Entry]:
    """Entries of a file: entity labels (`.jsonl`), or a table `term<TAB>translation[<TAB>weight]`; gzip or plain.

    An entity line holds `{"q_item_info": {"label_zh": …, "label_kk": …}, "adj_item_info": {"label_zh": […], …}}`; the
    labels of the entity and of its neighbours are taken.
    """
    if str(path).removesuffix(".gz").endswith(".jsonl"):
        yield from _entities(path, f"label_{query_language}", f"label_{document_language}")
        return
    for number, line in read_lines(path):
        fields = line.split("\t")
        try:
            term, translation = fields[0].strip(), fields[1].strip()
            weight = float(fields[2]) if len(fields) == 3 else 1.0
            if len(fields) > 3 or not term or not translation or not 0 < weight < float("inf"):
                raise ValueError
        except (ValueError, IndexError):
            cure = "a line is 'term<TAB>translation', or with a third field, a weight above 0"
            raise DataError(f"{line[:60]!r} is no entry", path=path, line=number, cure=cure) from None
        yield term, translation, weight


def _entities(path: str | Path, source: str, target: str) -> Iterator[Entry]:
    for number, line in read_lines(path):
        try:
            row = json.loads(line)
            own, near = row["q_item_info"], row.get("adj_item_info") or {}
            pairs = [(own[source], own[target]), *zip(near.get(source, []), near.get(target, []), strict=True)]
            yield from ((term, label, 1.0) for term, label in pairs if term.strip() and label.strip())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            cure = f"expected q_item_info and adj_item_info with {source} and {target}"
            raise DataError(f"no entity labels ({error})", path=path, line=number, cure=cure) from None
