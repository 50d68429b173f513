"""The token store: each text tokenised once for a tokenizer, its ids end to end in a file mapped into memory.

Tokenising belongs here, before training; nothing is tokenised in `forward`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.store.columns import ArrayWriter, DictIndex, Index, map_array
from clir_lightning.data.store.folders import build_once, fingerprint, read_manifest
from clir_lightning.data.store.tables import RecordTable
from clir_lightning.data.store.telling import of_texts
from clir_lightning.errors import ConfigError
from clir_lightning.progress import Progress
from clir_lightning.types import Document, Query

# Of texts tokenised in one go; the tokenizer's own records of a character take about 100 bytes.
CHUNK_CHARACTERS = 1 << 20
CHUNK_TEXTS = 4096


@dataclass(frozen=True)
class TokenTable:
    """The token ids of many texts, end to end; `table[text_id]` is one text's ids, without special tokens."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    index: Index

    def __getitem__(self, text_id: str) -> NDArray[np.int32]:
        row = int(self.index.rows([text_id])[0])
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def length(self, text_id: str) -> int:
        """Number of tokens of a text."""
        return int(self.lengths(self.index.rows([text_id]))[0])

    def lengths(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Number of tokens of the texts in these rows, of all without."""
        if rows is None:
            return np.diff(self.offsets)
        return np.asarray(self.offsets[rows + 1] - self.offsets[rows])


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """What a tokenizer does to a text, as a fingerprint: all its settings but padding and truncation."""
    core = backend(tokenizer)
    core.no_padding()
    core.no_truncation()
    return fingerprint([tokenizers.__version__, core.to_str()])


def backend(tokenizer: PreTrainedTokenizerBase) -> tokenizers.Tokenizer:
    """The tokenizer of the tokenizers library within; `ConfigError` for one written in Python alone."""
    core: tokenizers.Tokenizer | None = getattr(tokenizer, "backend_tokenizer", None)
    if core is None:
        raise ConfigError(
            f"{type(tokenizer).__name__} has no fast form; give an encoder whose folder holds a tokenizer.json"
        )
    return core


def chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lists of bounded size."""
    part: list[str] = []
    characters = 0
    for text in texts:
        part.append(text)
        characters += len(text)
        if characters >= CHUNK_CHARACTERS or len(part) >= CHUNK_TEXTS:
            yield part
            part = []
            characters = 0
    if part:
        yield part


def write_tokens(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, folder: Path, *, name: str, total: int | None = None
) -> None:
    """Tokenise all texts into `folder/ids.npy` and `folder/ids.offsets.npy`; `name` and `total` are for the progress.

    The tokenizer's own threads share each chunk; meanwhile this one reads the next and stores the one before.
    """
    # A tokenizer is often stored with the padding and truncation of its training.
    core = backend(tokenizer)
    core.no_padding()
    core.no_truncation()
    writer = ArrayWriter(folder, "ids", np.int32)

    def encode(part: list[str]) -> list[Any]:
        encoded: list[Any] = core.encode_batch_fast(part, add_special_tokens=False)
        return encoded

    def store(encoded: list[Any]) -> None:
        rows = [row.ids for row in encoded]
        lengths = [len(row) for row in rows]
        writer.extend(np.fromiter(chain.from_iterable(rows), np.int32, sum(lengths)), lengths)
        progress.advance(len(rows))

    # One chunk is being tokenised while the one before it is stored and the next one read.
    with ThreadPoolExecutor(1) as pool, Progress(f"tokenising {name}", "texts", total) as progress:
        before = None
        for part in chunks(texts):
            now = pool.submit(encode, part)
            if before is not None:
                store(before.result())
            before = now
        if before is not None:
            store(before.result())
    writer.close()


def texts_fingerprint(records: Mapping[str, Query] | Mapping[str, Document]) -> str:
    """What stands for the records' texts, in their order."""
    return texts_of(records)[1]


def texts_of(records: Mapping[str, Query] | Mapping[str, Document]) -> tuple[Iterable[str], str, Index]:
    """The texts of records, to be gone through as often as needed, their fingerprint, and the row of each id."""
    if isinstance(records, RecordTable):
        return records.texts, records.fingerprint, records.index
    texts = [record.text for record in records.values()]
    return texts, fingerprint(texts), DictIndex({text_id: row for row, text_id in enumerate(records)})


def tokenise(
    records: Mapping[str, Query] | Mapping[str, Document],
    tokenizer: PreTrainedTokenizerBase,
    *,
    name: str,
    cache: str | Path | None = None,
) -> TokenTable:
    """The tokens of every record's text, from the store in `cache` if it has them.

    The store's key is a fingerprint of the texts and of the tokenizer. Without a cache the tokens stay in memory.
    """
    texts, key, index = texts_of(records)

    # Without a cache the files live as long as it takes to read them.
    if cache is None:
        with TemporaryDirectory() as scratch:
            write_tokens(texts, tokenizer, Path(scratch), name=name, total=len(records))
            return TokenTable(np.load(f"{scratch}/ids.npy"), np.load(f"{scratch}/ids.offsets.npy"), index)

    def build(folder: Path) -> dict[str, Any]:
        write_tokens(texts, tokenizer, folder, name=name, total=len(records))
        named = tokenizer.name_or_path
        return {"kind": "tokens", "of": f"{of_texts(records)}; {named}", "texts": key, "tokenizer": named}

    # With one, the first process to come builds the folder and the others wait for it; all map the files.
    place = Path(cache).expanduser() / "tokens" / fingerprint([key, tokenizer_fingerprint(tokenizer)])
    folder = build_once(place, build)
    read_manifest(folder)
    return TokenTable(map_array(folder / "ids.npy"), map_array(folder / "ids.offsets.npy"), index)


def as_rows(index: Index, ids: Sequence[str]) -> NDArray[np.int64]:
    """The rows of ids, each different id looked up once.

    >>> as_rows(DictIndex({"a": 0, "b": 1}), ["b", "a", "b"])
    array([1, 0, 1])
    """
    places = {text_id: place for place, text_id in enumerate(dict.fromkeys(ids))}
    rows = index.rows(list(places))
    return rows[np.fromiter((places[i] for i in ids), np.int64, len(ids))]
