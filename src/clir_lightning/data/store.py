"""A collection on disk: columns that open in no time whatever their size, behind the plain `Mapping` interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.columns import HashIndex, StringColumn, StringWriter, map_array
from clir_lightning.data.folders import fingerprint, read_manifest
from clir_lightning.types import Document, Grades, Qrels, Query

Record = TypeVar("Record", Query, Document)


@dataclass(frozen=True)
class RecordTable(Mapping[str, Record], Generic[Record]):
    """Texts by id, each read from disk when asked for."""

    ids: StringColumn
    texts: StringColumn
    index: HashIndex
    language: str
    fingerprint: str
    make: Callable[[str, str, str], Record]

    @classmethod
    def open(
        cls, folder: Path, name: str, language: str, digest: str, make: Callable[[str, str, str], Record]
    ) -> RecordTable[Record]:
        """The table that `RecordWriter` wrote under that name."""
        what = make.__name__.lower()
        index = HashIndex.open(folder, f"{name}.ids", what)
        return cls(index.ids, StringColumn.open(folder, f"{name}.texts"), index, language, digest, make)

    def __getitem__(self, text_id: str) -> Record:
        row = self.index.find(text_id)
        if row < 0:
            raise KeyError(text_id)
        return self.make(text_id, self.texts[row], self.language)

    def __contains__(self, text_id: object) -> bool:
        return isinstance(text_id, str) and self.index.find(text_id) >= 0

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class JudgementTable(Mapping[str, Grades]):
    """Judgements of the queries of one split: a slice of (document id, grade) rows for each query."""

    index: HashIndex
    bounds: NDArray[np.int64]
    documents: StringColumn
    grades: NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path, name: str) -> JudgementTable:
        """The table that `SplitWriter` wrote under that name."""
        return cls(
            HashIndex.open(folder, f"{name}.ids", "query"),
            map_array(folder / f"{name}.bounds.npy"),
            StringColumn.open(folder, f"{name}.documents"),
            map_array(folder / f"{name}.grades.npy"),
        )

    def __getitem__(self, query_id: str) -> Grades:
        row = self.index.find(query_id)
        if row < 0:
            raise KeyError(query_id)
        start, stop = int(self.bounds[row]), int(self.bounds[row + 1])
        cuts = self.documents.offsets[start : stop + 1]
        block = self.documents.data[cuts[0] : cuts[-1]].tobytes()
        marks = (cuts - cuts[0]).tolist()
        names = [block[a:b].decode("utf-8") for a, b in pairwise(marks)]
        return dict(zip(names, self.grades[start:stop].tolist(), strict=True))

    def __contains__(self, query_id: object) -> bool:
        return isinstance(query_id, str) and self.index.find(query_id) >= 0

    def __iter__(self) -> Iterator[str]:
        return iter(self.index.ids)

    def __len__(self) -> int:
        return len(self.index.ids)


class RecordWriter:
    """Writes the columns of a `RecordTable`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._ids, self._texts = StringWriter(folder, f"{name}.ids"), StringWriter(folder, f"{name}.texts")

    def append(self, text_id: str, text: str) -> None:
        """Add one record."""
        self._ids.append(text_id)
        self._texts.append(text)

    def close(self) -> str:
        """Finish the files; returns a fingerprint of the texts in their order."""
        self._ids.close()
        self._texts.close()
        HashIndex.write(self.folder, f"{self.name}.ids")
        return fingerprint(StringColumn.open(self.folder, f"{self.name}.texts"))


class SplitWriter:
    """Writes a split: its queries and their judgements."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._queries = RecordWriter(folder, name)
        self._documents = StringWriter(folder, f"{name}.documents")
        self._grades: list[NDArray[np.int32]] = []
        self._bounds = [0]

    def append(self, query_id: str, text: str, grades: Grades) -> None:
        """Add one query with its judgements."""
        self._queries.append(query_id, text)
        for document in grades:
            self._documents.append(document)
        self._grades.append(np.fromiter(grades.values(), np.int32, len(grades)))
        self._bounds.append(self._bounds[-1] + len(grades))

    def close(self) -> str:
        """Finish the files; returns a fingerprint of the queries' texts."""
        self._documents.close()
        np.save(self.folder / f"{self.name}.grades.npy", np.concatenate([np.zeros(0, np.int32), *self._grades]))
        np.save(self.folder / f"{self.name}.bounds.npy", np.array(self._bounds, np.int64))
        return self._queries.close()


def open_collection(folder: Path) -> Collection:
    """Open a prepared collection; `DataError` if the folder is not whole."""
    manifest: dict[str, Any] = read_manifest(folder)
    documents = RecordTable.open(
        folder, "documents", manifest["document_language"], manifest["documents_fingerprint"], Document
    )
    splits = {}
    for split, digest in manifest["splits"].items():
        queries = RecordTable.open(folder, f"split.{split}", manifest["query_language"], digest, Query)
        splits[split] = Split(queries, Qrels(JudgementTable.open(folder, f"split.{split}")))
    return Collection(manifest["name"], documents, splits)
