"""From checked records to a collection: in memory, or prepared on disk once and opened from there."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.folders import build_once, file_stamp, fingerprint, read_manifest
from clir_lightning.data.store import RecordWriter, SplitWriter, open_collection
from clir_lightning.errors import DataError, one_of
from clir_lightning.types import Document, Qrels, Query

log = logging.getLogger(__name__)

LARGEST_GRADE = 2**31 - 1
SHOWN = 5


@dataclass
class Problems:
    """What is wrong with the files: the first problem ends the reading, or each is counted and its line left out."""

    on_error: str = "error"
    count: int = 0
    first: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        one_of(self.on_error, ("error", "skip"), "data.on_error")

    def found(self, error: DataError) -> None:
        """Raise `error`, or count it."""
        if self.on_error == "error":
            raise error
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(str(error))

    def report(self) -> str:
        """A line for the log; empty if nothing was left out."""
        return f"{self.count} defects left out, the first: {' | '.join(self.first)}" if self.count else ""


def check_text(text: str) -> str:
    """What is wrong with a text, or nothing.

    >>> check_text(" "), check_text("a\\ud800")
    ('is empty', 'holds half a character (a lone surrogate)')
    """
    if not text.strip():
        return "is empty"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return ""


def check_id(text_id: str) -> str:
    """What is wrong with an id, or nothing: run files are split at white space."""
    if not text_id or re.search(r"\s", text_id):
        return f"id {text_id!r} is empty or has white space"
    return check_text(text_id) and f"id {text_id!r} {check_text(text_id)}"


@dataclass(frozen=True)
class Source:
    """Records of one collection, read when iterated: documents first, then the splits."""

    name: str
    query_language: str
    document_language: str
    documents: Callable[[], Iterable[tuple[str, str]]]
    splits: Mapping[str, Callable[[], Iterable[tuple[str, str, dict[str, int]]]]]

    def in_memory(self) -> Collection:
        """The collection as dictionaries."""
        documents = {i: Document(i, text, self.document_language) for i, text in self.documents()}
        splits = {}
        for split, rows in self.splits.items():
            queries, qrels = {}, {}
            for query_id, text, grades in rows():
                queries[query_id], qrels[query_id] = Query(query_id, text, self.query_language), grades
            splits[split] = Split(queries, Qrels(qrels))
        return Collection(self.name, documents, splits)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the columns of a prepared collection; returns its manifest."""
        writer = RecordWriter(folder, "documents")
        for document_id, text in self.documents():
            writer.append(document_id, text)
        documents, splits = writer.close(), {}
        for split, rows in self.splits.items():
            part = SplitWriter(folder, f"split.{split}")
            for row in rows():
                part.append(*row)
            splits[split] = part.close()
        return {
            "kind": "collection",
            "name": self.name,
            "query_language": self.query_language,
            "document_language": self.document_language,
            "documents_fingerprint": documents,
            "splits": splits,
        }


def load(
    source: Source, problems: Problems, *, files: Iterable[Path], settings: object, cache: str | None
) -> Collection:
    """The collection of a source; with a `cache`, prepared there once for these files and settings.

    Files count as the same while path, size and time of change are.
    """
    if cache is None:
        collection, report = source.in_memory(), problems.report()
    else:

        def build(folder: Path) -> dict[str, Any]:
            return {**source.write(folder), "report": problems.report()}

        key = fingerprint(["1", repr(settings), *map(file_stamp, files)])
        folder = build_once(Path(cache).expanduser() / "collections" / key, build)
        collection, report = open_collection(folder), read_manifest(folder)["report"]
    if report:
        log.warning("%s: %s", source.name, report)
    return collection
