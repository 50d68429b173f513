"""What people are told that a cache's entries are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clir_lightning.data.store.folders import read_manifest
from clir_lightning.data.store.tables import RecordTable
from clir_lightning.errors import ClirError


def of_texts(records: Mapping[str, Any]) -> str:
    """A line on queries or documents: how many, in which language, and of which collection where that is known.

    >>> from clir_lightning.types import Query
    >>> of_texts({"q": Query("q", "法国", "zh")}), of_texts({})
    ('1 query in zh', 'no texts')
    """
    if not records:
        return "no texts"
    collection = ""
    if isinstance(records, RecordTable):
        what = records.make.__name__.lower()
        language = records.language
        collection = _collection(records)
    else:
        first = next(iter(records.values()))
        what = "query" if "query" in type(first).__name__.lower() else "document"
        language = first.language
    plural = {"query": "queries", "document": "documents"}[what] if len(records) > 1 else what
    return f"{collection}{len(records):,} {plural} in {language}"


def _collection(table: RecordTable[Any]) -> str:
    """The prepared collection that a table is of, and its split if it is one's."""
    path = table.ids.path
    try:
        name = read_manifest(path.parent)["name"]
    except (ClirError, KeyError):
        return ""
    split = path.name.removesuffix(".ids.npy").removeprefix("split.")
    return f"{name}: " if split == "documents" else f"{name}, {split}: "
