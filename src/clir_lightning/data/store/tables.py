"""A collection on disk: columns that open in no time whatever their size, behind the plain `Mapping` interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.store.columns import HashIndex, StringColumn, StringWriter, map_array
from clir_lightning.data.store.folders import fingerprint, read_manifest
from clir_lightning.types import Document, Grades, Qrels, Query, Run

Record = TypeVar("Record", Query, Document)
Value = TypeVar("Value", int, float)


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
class ListTable(Mapping[str, dict[str, Value]], Generic[Value]):
    """One list per query, of documents with a value each: judgements with their grades, or runs with their scores."""

    index: HashIndex
    documents: StringColumn  # the ids of one query's documents, with line ends between them
    bounds: NDArray[np.int64]
    numbers: NDArray[Any]

    @classmethod
    def open(cls, folder: Path, name: str, index: HashIndex) -> ListTable[Value]:
        """The table that `ListWriter` wrote under that name; `index` finds its rows."""
        bounds, values = (map_array(folder / f"{name}.{part}.npy") for part in ("bounds", "values"))
        return cls(index, StringColumn.open(folder, f"{name}.documents"), bounds, values)

    def __getitem__(self, query_id: str) -> dict[str, Value]:
        row = self.index.find(query_id)
        if row < 0:
            raise KeyError(query_id)
        values = self.numbers[self.bounds[row] : self.bounds[row + 1]].tolist()
        return dict(zip(self.documents[row].split("\n"), values, strict=True)) if values else {}

    def __contains__(self, query_id: object) -> bool:
        return isinstance(query_id, str) and self.index.find(query_id) >= 0

    def __iter__(self) -> Iterator[str]:
        return iter(self.index.ids)

    def __len__(self) -> int:
        return len(self.index.ids)


class RecordWriter:
    """Writes the columns of a `RecordTable`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._ids = StringWriter(folder, f"{name}.ids")
        self._texts = StringWriter(folder, f"{name}.texts")

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


class ListWriter:
    """Writes a `ListTable`, one query at a time; the index of its queries is another's."""

    def __init__(self, folder: Path, name: str, dtype: type[np.generic]) -> None:
        self.folder = folder
        self.name = name
        self.dtype = dtype
        self._documents = StringWriter(folder, f"{name}.documents")
        self._values: list[NDArray[Any]] = []

    def append(self, values: Mapping[str, float]) -> None:
        """Add one query's list."""
        self._documents.append("\n".join(values))  # ids hold no white space (`sources.checks.check_id`)
        self._values.append(np.fromiter(values.values(), self.dtype, len(values)))

    def close(self) -> None:
        """Finish the files."""
        self._documents.close()
        np.save(self.folder / f"{self.name}.values.npy", np.concatenate([np.zeros(0, self.dtype), *self._values]))
        bounds = np.cumsum([0, *map(len, self._values)], dtype=np.int64)
        np.save(self.folder / f"{self.name}.bounds.npy", bounds)


class SplitWriter:
    """Writes a split: its queries, their judgements, and the run that the source brings along."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._queries = RecordWriter(folder, name)
        self._judgements = ListWriter(folder, f"{name}.qrels", np.int32)

    def append(self, query_id: str, text: str, grades: Grades) -> None:
        """Add one query with its judgements."""
        self._queries.append(query_id, text)
        self._judgements.append(grades)

    def close(self, run: Run | None = None) -> dict[str, Any]:
        """Finish the files; returns what `open_split` wants to know."""
        self._judgements.close()
        # A run ranks queries of its own choice: it needs an index of them.
        if run is not None:
            ids = StringWriter(self.folder, f"{self.name}.run.ids")
            lists = ListWriter(self.folder, f"{self.name}.run", np.float64)
            for query_id, scores in run.items():
                ids.append(query_id)
                lists.append(scores)
            ids.close()
            lists.close()
            HashIndex.write(self.folder, f"{self.name}.run.ids")
        return {"fingerprint": self._queries.close(), "run": None if run is None else run.name}


def open_split(folder: Path, name: str, language: str, about: Mapping[str, Any]) -> Split:
    """The split that `SplitWriter` wrote under that name."""
    queries = RecordTable.open(folder, name, language, about["fingerprint"], Query)
    qrels: ListTable[int] = ListTable.open(folder, f"{name}.qrels", queries.index)
    if about["run"] is None:
        return Split(queries, Qrels(qrels))
    index = HashIndex.open(folder, f"{name}.run.ids", "query")
    lists: ListTable[float] = ListTable.open(folder, f"{name}.run", index)
    return Split(queries, Qrels(qrels), Run(lists, name=about["run"]))


def open_collection(folder: Path) -> Collection:
    """Open a prepared collection; `DataError` if the folder is not whole."""
    manifest: dict[str, Any] = read_manifest(folder)
    documents = RecordTable.open(
        folder, "documents", manifest["document_language"], manifest["documents_fingerprint"], Document
    )
    splits = {
        split: open_split(folder, f"split.{split}", manifest["query_language"], about)
        for split, about in manifest["splits"].items()
    }
    return Collection(manifest["name"], documents, splits)
