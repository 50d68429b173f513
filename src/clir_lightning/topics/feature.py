"""`TopicVectors`: the topics of query and document as numbers of their pair, for the heads of pair models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

from clir_lightning.data.store.columns import map_array
from clir_lightning.data.store.folders import build_once, fingerprint, read_manifest
from clir_lightning.data.store.telling import of_texts
from clir_lightning.data.tokens.table import texts_fingerprint
from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError
from clir_lightning.scoring.computing import computing
from clir_lightning.topics.folder import Theta, Topics, content_of, read_pool
from clir_lightning.types import Document, Query

Records = Mapping[str, Query] | Mapping[str, Document]


class TopicVectors:
    """A `Feature`, `[N, 3K]` of N pairs: topics of the query, of the document, and their product.

    A text's topics are computed once: those of a whole split before training, kept in the cache; of others when they
    first come, kept in memory. Only the topics are pickled along to other processes, never the encoder.

    Args:
        path: a folder of `clir topics`.
        shuffled: the control: each text gets the topics of another text, drawn by this seed from those that the folder
            keeps of training queries and documents, and always the same; `None` for its own.
        device: to encode on, `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises `ConfigError` for a folder without topics.
    """

    def __init__(self, path: str | None, shuffled: int | None = None, device: str = "auto") -> None:
        if path is None:
            raise ConfigError("topics.path is null; give topics.path=FOLDER, a folder of clir topics")
        self.path = Path(path).expanduser().absolute()
        self.shuffled = shuffled
        self.device = device
        self.content = content_of(self.path)
        self._known: dict[tuple[Side, bytes], NDArray[np.float32]] = {}
        self._whole: set[str] = set()  # splits' texts that are known
        self._topics: Topics | None = None
        self._pools: dict[Side, Theta] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_topics": None}

    def fingerprint(self) -> str:
        """What decides the numbers of a pair, beside its texts."""
        return fingerprint([self.content, repr(self.shuffled)])

    def prepare(self, queries: Mapping[str, Query], documents: Mapping[str, Document], cache: str | None) -> None:
        """Find the topics of all these texts, kept in `cache` by a fingerprint of texts and topics."""
        sides: dict[Side, Records] = {"query": queries, "document": documents}
        for side, records in sides.items():
            key = fingerprint([self.content, side, texts_fingerprint(records)])
            if key in self._whole or not records:
                continue
            theta = self._stored(records, side, Path(cache).expanduser() / "topics" / key) if cache else None
            self._keep(records, side, self.topics.theta(records, side) if theta is None else theta)
            self._whole.add(key)

    def _stored(self, records: Records, side: Side, place: Path) -> Theta:
        """Topics `[N, K]` of the records from the cache, where they are put if they are not there."""

        def write(folder: Path) -> dict[str, Any]:
            np.save(folder / "theta.npy", self.topics.theta(records, side))
            of = f"{of_texts(records)}; {self.path}"
            return {"kind": "topics", "of": of, "side": side, "content": self.content}

        read_manifest(build_once(place, write))
        theta: Theta = map_array(place / "theta.npy")
        return theta

    @property
    def topics(self) -> Topics:
        """What computes topics, read when it is first needed; on the processor within a data loader's worker."""
        if self._topics is None:
            device = "cpu" if get_worker_info() is not None else self.device
            found = Topics.read(self.path, computing(device, "32-true"))
            self._check()
            self._topics = found
        return self._topics

    def _check(self) -> None:
        """`ConfigError` if other topics lie in the folder by now: they would be kept as those that lay there before."""
        if content_of(self.path) != self.content:
            raise ConfigError(f"the topics in {self.path} were replaced since this command began; start it again")

    def _keep(self, records: Records, side: Side, theta: Theta) -> None:
        """Keep the records' topics `[N, K]`, another text's where they are shuffled."""
        digests = [_digest(record.text) for record in records.values()]
        if self.shuffled is not None:
            theta = _of_others(theta, digests, self._pool(side), self.shuffled)
        self._known.update(zip(((side, digest) for digest in digests), theta, strict=True))

    def _pool(self, side: Side) -> Theta:
        """Other texts' topics, read once."""
        if side not in self._pools:
            found = read_pool(self.path, side)
            self._check()
            self._pools[side] = found
        return self._pools[side]

    def _theta(self, records: Sequence[Query] | Sequence[Document], side: Side) -> Theta:
        """Topics `[N, K]` of records, those of unknown texts computed first, each once."""
        digests = [_digest(record.text) for record in records]
        new: Any = {
            digest.hex(): record
            for digest, record in zip(digests, records, strict=True)
            if (side, digest) not in self._known
        }
        if new:
            self._keep(new, side, self.topics.theta(new, side))
        return np.array([self._known[side, digest] for digest in digests])

    def __call__(self, queries: Sequence[Query], documents: Sequence[Document]) -> Tensor:
        """`[N, 3K]` of N pairs."""
        one = self._theta(queries, "query")
        other = self._theta(documents, "document")
        return torch.from_numpy(np.concatenate([one, other, one * other], axis=1))


def _digest(text: str) -> bytes:
    """What stands for a text in memory."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _of_others(theta: Theta, digests: Sequence[bytes], pool: Theta, seed: int) -> Theta:
    """Rows of `pool`, drawn for each text by its digest and the seed; the next one where that is the text's own."""
    key = str(seed).encode()
    numbers = [hashlib.blake2b(digest, key=key, digest_size=8).digest() for digest in digests]
    places = np.array([int.from_bytes(number, "little") % len(pool) for number in numbers], np.int64)
    own = np.isclose(pool[places], theta, atol=1e-6).all(axis=1)
    found: Theta = pool[(places + own) % len(pool)]
    return found
