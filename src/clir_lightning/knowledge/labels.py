"""Files of entity labels as a graph: one JSON line per query with its entity and that entity's neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clir_lightning.data.files.lines import read_lines
from clir_lightning.data.store.folders import fingerprint
from clir_lightning.errors import DataError
from clir_lightning.knowledge.rows import DESCRIPTION, LABEL, Rows, clean

PROPERTY = "adjacent"  # the files do not tell by which property a neighbour is one
WORDS = {"zh": "相邻", "kk": "көршілес", "en": "adjacent"}
PREFIX = "label:"  # of ids made of texts, for neighbours, which the files give none
FIELDS = ("label", "description")

Texts = tuple[str, ...]  # label and description in each language


@dataclass(frozen=True)
class _Entity:
    id: str
    texts: Texts
    neighbours: tuple[Texts, ...]


def rows_of_labels(paths: Sequence[str | Path], languages: Sequence[str], rows: Rows) -> int:
    """Write the entities of all files as rows; returns how many entities have an id of their own.

    A line holds `{"q_item_qid": "Q42", "q_item_info": {"label_zh": …, "description_zh": …, …}, "adj_item_info":
    {"label_zh": […], …}}`. A neighbour whose labels and descriptions are all those of an entity with an id is that
    entity; another gets an id made of them. Neighbours without a label in any of the languages are left out.

    Raises `DataError` for a line that is none of these.
    """
    entities = [entity for path in paths for entity in _read(path, languages)]
    own: dict[Texts, str] = {}
    for entity in entities:
        own.setdefault(entity.texts, entity.id)  # of two of the same texts the first

    # The neighbours' ids, and what they are called, once each.
    written: set[str] = set()
    for entity in entities:
        _write(entity.id, entity.texts, languages, rows, written)
        for texts in dict.fromkeys(entity.neighbours):
            other = own.get(texts) or PREFIX + fingerprint(texts)[:16]
            _write(other, texts, languages, rows, written)
            if other != entity.id:
                rows.triple(entity.id, PROPERTY, other)
    for language in languages:
        rows.property(PROPERTY, language, WORDS.get(language, PROPERTY))
    return len({entity.id for entity in entities})


def _write(entity: str, texts: Texts, languages: Sequence[str], rows: Rows, written: set[str]) -> None:
    """An entity with its terms, unless it is written already."""
    if entity in written:
        return
    written.add(entity)
    rows.entity(entity, 0)
    named = [(language, kind) for language in languages for kind in (LABEL, DESCRIPTION)]
    for (language, kind), text in zip(named, texts, strict=True):
        if text:
            rows.term(entity, language, kind, 0, text)


def _read(path: str | Path, languages: Sequence[str]) -> Iterator[_Entity]:
    names = [f"{field}_{language}" for language in languages for field in FIELDS]
    for number, line in read_lines(path):
        try:
            row = json.loads(line)
            if type(row["q_item_qid"]) is not str or not clean(row["q_item_qid"]):
                raise TypeError("q_item_qid is an id")
            texts = tuple(_text(row["q_item_info"].get(name)) for name in names)
            yield _Entity(clean(row["q_item_qid"]), texts, tuple(_neighbours(row.get("adj_item_info") or {}, names)))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            cure = f"expected q_item_qid, q_item_info and adj_item_info with {', '.join(names)}"
            raise DataError(f"no entity labels ({error})", path=path, line=number, cure=cure) from None


def _neighbours(near: dict[str, Any], names: Sequence[str]) -> Iterator[Texts]:
    """The texts of each neighbour that has a label; its lists, of which some may be absent, are equally long."""
    lists = [near[name] for name in names if near.get(name) is not None]
    length = len(lists[0]) if lists else 0
    columns = [near[name] if near.get(name) is not None else [None] * length for name in names]
    for texts in zip(*columns, strict=True):
        found = tuple(map(_text, texts))
        if any(found[:: len(FIELDS)]):
            yield found


def _text(value: Any) -> str:
    """A text, empty for null; `TypeError` for what is none."""
    if value is not None and type(value) is not str:
        raise TypeError(f"{value!r} is not a text")
    return clean(value or "")
