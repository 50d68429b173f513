"""Stored vectors: killed and resumed, shared by processes, whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clir_lightning.errors import ConfigError, DataError
from clir_lightning.retrieval.vectors import Shard, UnfinishedError, Vectors, stored_vectors


class Encoder:
    """Gives row i the vector (i, -i) and dies, if asked, after so many blocks."""

    def __init__(self, blocks: int | None = None) -> None:
        self.blocks, self.seen = blocks, list[int]()

    def __call__(self, rows: NDArray[np.int64]) -> Vectors:
        if self.blocks is not None and len(self.seen) // 3 >= self.blocks:
            raise KeyboardInterrupt
        self.seen += rows.tolist()
        return np.stack([rows, -rows], axis=1).astype(np.float32)


def wanted(rows: int) -> Vectors:
    return np.stack([np.arange(rows), -np.arange(rows)], axis=1).astype(np.float32)


def test_a_killed_encoding_goes_on_behind_its_last_block(tmp_path: Path) -> None:
    place, first, second, third = tmp_path / "store", Encoder(blocks=2), Encoder(), Encoder()
    with pytest.raises(KeyboardInterrupt):
        stored_vectors(place, 10, 2, first, block=3)
    assert not place.exists()
    vectors = stored_vectors(place, 10, 2, second, block=3)
    assert first.seen == [0, 1, 2, 3, 4, 5]
    assert second.seen == [6, 7, 8, 9]
    assert np.array_equal(vectors, wanted(10))
    assert np.array_equal(stored_vectors(place, 10, 2, third, block=3), wanted(10))
    assert third.seen == []
    assert not list(tmp_path.glob(".*unfinished"))


def test_shards_encode_their_own_blocks_and_the_last_completes(tmp_path: Path) -> None:
    place, encoders = tmp_path / "store", [Encoder(), Encoder()]
    with pytest.raises(UnfinishedError, match="shard 1/2 is encoded, 2 blocks of others are not"):
        stored_vectors(place, 10, 2, encoders[1], shard=Shard.of("1/2"), block=3)
    vectors = stored_vectors(place, 10, 2, encoders[0], shard=Shard.of("0/2"), block=3)
    assert encoders[1].seen == [3, 4, 5, 9]
    assert encoders[0].seen == [0, 1, 2, 6, 7, 8]
    assert np.array_equal(vectors, wanted(10))


def test_a_process_that_died_while_it_completed_the_store(tmp_path: Path) -> None:
    place, again = tmp_path / "store", Encoder()
    with pytest.raises(UnfinishedError):
        stored_vectors(place, 6, 2, Encoder(), shard=Shard(0, 2), block=3)
    (tmp_path / ".store.3.unfinished" / "manifest.json").write_text("half a file")
    assert np.array_equal(stored_vectors(place, 6, 2, again, block=3), wanted(6))
    assert again.seen == [3, 4, 5]


def test_what_is_damaged_or_misspelt_is_said(tmp_path: Path) -> None:
    stored_vectors(tmp_path / "store", 4, 2, Encoder())
    (tmp_path / "store" / "vectors.npy").write_bytes(b"short")
    with pytest.raises(DataError, match="5 bytes instead of 160; delete the folder"):
        stored_vectors(tmp_path / "store", 4, 2, Encoder())
    for text in ("2/2", "1", "a/b", "-1/2"):
        with pytest.raises(ConfigError, match="allowed: 0/N to N-1/N"):
            Shard.of(text)
