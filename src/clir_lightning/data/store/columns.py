"""Columns of strings on disk: one long run of UTF-8 bytes, offsets into it, and a hash index of ids.

Opening maps the files into memory and reads nothing; a million ids cost no Python objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clir_lightning.errors import DataError

READ_BYTES = 1 << 22


def map_array(path: Path) -> NDArray[Any]:
    """An array file mapped into memory; an empty one is read, since nothing cannot be mapped."""
    # A plain view: slicing an `np.memmap` costs microseconds more, a million times over.
    return np.asarray(np.load(path, mmap_mode="r")) if path.stat().st_size > 256 else np.load(path)


class ArrayWriter:
    """Writes one array file piece by piece, in constant memory, and its offsets beside it."""

    def __init__(self, folder: Path, name: str, dtype: type[np.generic]) -> None:
        self.folder = folder
        self.name = name
        self.dtype = np.dtype(dtype)
        self.lengths: list[NDArray[np.int64]] = []
        self.size = 0
        self._stream = open(folder / f"{name}.npy", "wb")  # noqa: SIM115  closed by `close`
        self._head()

    def _head(self) -> None:
        # NumPy's format 1.0, in 128 bytes whatever the length, so that it can be written over itself at the end.
        form = f"{{'descr': '{self.dtype.str}', 'fortran_order': False, 'shape': ({self.size},), }}"
        text = form.ljust(117) + "\n"
        self._stream.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("ascii"))

    def extend(self, flat: NDArray[Any] | bytes, lengths: Sequence[int] | NDArray[np.int64]) -> None:
        """Append entries: their values end to end, and the length of each."""
        self.lengths.append(np.asarray(lengths, np.int64))
        self.size += int(self.lengths[-1].sum())
        self._stream.write(flat if isinstance(flat, bytes) else flat.astype(self.dtype, copy=False).tobytes())

    def close(self) -> None:
        """Write the true length and the offsets."""
        self._stream.seek(0)
        self._head()
        self._stream.close()
        lengths = np.concatenate([np.zeros(1, np.int64), *self.lengths])
        np.save(self.folder / f"{self.name}.offsets.npy", np.cumsum(lengths))


class StringWriter:
    """Writes a `StringColumn`, one string at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        self._writer = ArrayWriter(folder, name, np.uint8)
        self._parts: list[bytes] = []
        self._bytes = 0

    def append(self, text: str) -> None:
        """Add one string."""
        data = text.encode("utf-8")
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes >= READ_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._writer.extend(b"".join(self._parts), [len(part) for part in self._parts])
        self._parts = []
        self._bytes = 0

    def close(self) -> None:
        """Finish the files."""
        self._flush()
        self._writer.close()


@dataclass(frozen=True)
class StringColumn(Sequence[str]):
    """Strings by their number, read from disk when asked for."""

    path: Path
    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, name: str) -> StringColumn:
        """The column that `StringWriter` wrote under that name."""
        path = folder / f"{name}.npy"
        return cls(path, map_array(path), map_array(folder / f"{name}.offsets.npy"))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: Any) -> Any:
        # Through the map: a single string touches a page or two of the file.
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes().decode("utf-8")

    def __iter__(self) -> Iterator[str]:
        """All strings in order, read with plain reads: what was read does not stay mapped."""
        start = 0
        with open(self.path, "rb") as stream:
            stream.seek(128)  # behind the header that `ArrayWriter` wrote

            # A block at a time: as many whole strings as fit in `READ_BYTES`, but one at least.
            while start < len(self):
                stop = int(np.searchsorted(self.offsets, self.offsets[start] + READ_BYTES, side="right")) - 1
                stop = min(max(stop, start + 1), len(self))
                cuts = (np.asarray(self.offsets[start : stop + 1]) - self.offsets[start]).tolist()
                block = stream.read(cuts[-1])
                yield from (block[a:b].decode("utf-8") for a, b in pairwise(cuts))
                start = stop


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each string, the same in every process."""
    return np.frombuffer(b"".join(map(_hash, texts)), dtype="<u8")


class Index(Protocol):
    """Finds the rows of ids."""

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The row of each id; `DataError` for an unknown one."""
        ...


@dataclass(frozen=True)
class DictIndex:
    """The index of a small table, in memory."""

    by_id: Mapping[str, int]
    what: str = "document"

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The row of each id."""
        try:
            return np.fromiter((self.by_id[i] for i in ids), np.int64, len(ids))
        except KeyError as error:
            raise unknown(self.what, error.args[0]) from None


@dataclass(frozen=True)
class HashIndex:
    """The index of a large table: sorted hashes, searched; every hit is compared with the id itself."""

    ids: StringColumn
    sorted_hashes: NDArray[np.uint64]
    order: NDArray[np.int64]
    what: str = "document"
    _none: int = field(default=-1, repr=False)

    @classmethod
    def write(cls, folder: Path, name: str) -> None:
        """Write the index of the column `name`."""
        values = hashes(StringColumn.open(folder, name))
        order = np.argsort(values, kind="stable")
        np.save(folder / f"{name}.hashes.npy", values[order])
        np.save(folder / f"{name}.order.npy", order)

    @classmethod
    def open(cls, folder: Path, name: str, what: str = "document") -> HashIndex:
        """The index that `write` wrote."""
        ids = StringColumn.open(folder, name)
        return cls(ids, map_array(folder / f"{name}.hashes.npy"), map_array(folder / f"{name}.order.npy"), what)

    def find(self, text_id: str) -> int:
        """The row of one id, -1 if it is not there."""
        # Equal hashes are neighbours: look at each until the id itself is found.
        value = hashes([text_id])[0]
        place = int(np.searchsorted(self.sorted_hashes, value))
        while place < len(self.sorted_hashes) and self.sorted_hashes[place] == value:
            row = int(self.order[place])
            if self.ids[row] == text_id:
                return row
            place += 1
        return self._none

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The row of each id."""
        if not len(self.sorted_hashes):
            raise unknown(self.what, next(iter(ids), ""))

        # All at once: where each hash would stand among the sorted ones, and the row that stands there.
        values = hashes(ids)
        places = np.minimum(np.searchsorted(self.sorted_hashes, values), len(self.sorted_hashes) - 1)
        rows = np.array(self.order[places])

        # Rarely another id has the hash, or none has: then one at a time.
        for at, text_id in enumerate(ids):
            row = rows[at]
            stored = self.ids.data[self.ids.offsets[row] : self.ids.offsets[row + 1]].tobytes()
            if stored != text_id.encode("utf-8", "surrogatepass"):
                rows[at] = self.find(text_id)
                if rows[at] < 0:
                    raise unknown(self.what, text_id)
        return rows


def unknown(what: str, text_id: str) -> DataError:
    """The error for an id that no text has."""
    return DataError(
        f"{what} {text_id!r} is not in the collection", cure="run file and collection must belong together"
    )
