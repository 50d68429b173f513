"""From a source's checked records to a collection: in memory, or prepared on disk once and opened from there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.sources.checks import Problems
from clir_lightning.data.sources.languages import check_language
from clir_lightning.data.store.folders import build_once, file_stamp, fingerprint, read_manifest
from clir_lightning.data.store.holding import hold
from clir_lightning.data.store.tables import RecordWriter, SplitWriter, open_collection
from clir_lightning.progress import Progress
from clir_lightning.types import Document, Qrels, Query, Run

log = logging.getLogger(__name__)

FORMAT = "3"  # of prepared collections; another number makes them anew


@dataclass(frozen=True)
class Source:
    """Checked records of one collection, read when iterated: documents first, then the splits, then their runs."""

    name: str
    query_language: str
    document_language: str
    documents: Callable[[], Iterable[tuple[str, str]]]
    splits: Mapping[str, Callable[[], Iterable[tuple[str, str, dict[str, int]]]]]
    runs: Mapping[str, Callable[[], Run]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_language(self.query_language, "data.query_language")
        check_language(self.document_language, "data.document_language")

    def in_memory(self) -> Collection:
        """The collection as dictionaries."""
        documents = {i: Document(i, text, self.document_language) for i, text in self._documents()}
        splits = {}
        for split in self.splits:
            queries = {}
            qrels = {}
            for query_id, text, grades in self._queries(split):
                queries[query_id] = Query(query_id, text, self.query_language)
                qrels[query_id] = grades
            splits[split] = Split(queries, Qrels(qrels), self.runs[split]() if split in self.runs else None)
        return Collection(self.name, documents, splits)

    def _documents(self) -> Iterable[tuple[str, str]]:
        """Id and text of each document, with progress; how many there are shows at the end."""
        return Progress(f"{self.name}: reading documents", "documents").over(self.documents())

    def _queries(self, split: str) -> Iterable[tuple[str, str, dict[str, int]]]:
        """Id, text and judgements of each query of a split, with progress."""
        return Progress(f"{self.name}: reading {split}", "queries").over(self.splits[split]())

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the columns of a prepared collection; returns its manifest."""
        writer = RecordWriter(folder, "documents")
        for document_id, text in self._documents():
            writer.append(document_id, text)
        documents = writer.close()

        # Documents first: the judgements are held against them.
        splits = {}
        for split in self.splits:
            part = SplitWriter(folder, f"split.{split}")
            for row in self._queries(split):
                part.append(*row)
            splits[split] = part.close(self.runs[split]() if split in self.runs else None)

        # What opening needs to know without reading a column.
        return {
            "kind": "collection",
            "of": f"{self.name}: {self.query_language} → {self.document_language}, {', '.join(splits)}",
            "name": self.name,
            "query_language": self.query_language,
            "document_language": self.document_language,
            "documents_fingerprint": documents,
            "splits": splits,
        }


def load(
    source: Source,
    problems: Problems,
    *,
    stamps: Iterable[str],
    settings: object,
    cache: str | None,
    files: Callable[[], Iterable[Path]] = tuple,
) -> Collection:
    """The collection of a source; with a `cache`, prepared there once for these stamps (of its files) and settings.

    `files` lists, after the reading, what only the reading tells or fetches; a later change of one of them makes the
    collection anew, while one that is gone is not missed.
    """

    def build(folder: Path) -> dict[str, Any]:
        manifest = {**source.write(folder), "notes": problems.notes()}
        return {**manifest, "read": _stamps_by_name(files())}

    # The notes of the reading are kept with what it read: a prepared collection tells them each time.
    key = ""
    if cache is None:
        collection = source.in_memory()
        notes = problems.notes()
    else:
        home = Path(cache).expanduser() / "collections"
        key = current_key(home, fingerprint([FORMAT, repr(settings), *stamps]))
        folder = build_once(home / key, build)
        collection = open_collection(folder)
        notes = read_manifest(folder)["notes"]

    # Whoever uses the collection should know what it lacks.
    for note in notes:
        log.warning("%s: %s", source.name, note)
    return replace(collection, notes=tuple(notes), key=key)


def current_key(home: Path, key: str) -> str:
    """The key of a prepared collection as the files that it was read from are now: a change leads on to another key."""
    while hold(home / key):
        read: dict[str, str] = read_manifest(home / key)["read"]
        now = _stamps_by_name(map(Path, read))
        if now.items() <= read.items():
            break
        key = fingerprint([key, *sorted(now.values())])
    return key


def _stamps_by_name(files: Iterable[Path]) -> dict[str, str]:
    """The stamps of those files that are there: another process may be fetching more, and remove what it fetched in."""
    found = {}
    for file in files:
        with suppress(FileNotFoundError):
            if file.is_file():
                found[str(file)] = file_stamp(file)
    return found


def stamps(files: Iterable[Path | None]) -> list[str]:
    """The stamps of those files that are there."""
    return [file_stamp(file) for file in files if file is not None]
