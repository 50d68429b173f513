"""Stored vectors: killed and resumed, shared by processes, whole or not there."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clir_lightning.data.store.holding import release
from clir_lightning.data.store.inventory import IN_USE, inventory
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.retrieval.vectors import Shard, UnfinishedError, stored_vectors
from clir_lightning.scoring.text_encoder import Vectors
from program import HANG


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


def test_a_process_that_died_while_it_wrote_a_block_or_put_them_together(tmp_path: Path) -> None:
    place, again = tmp_path / "store", Encoder()
    with pytest.raises(UnfinishedError):
        stored_vectors(place, 9, 2, Encoder(), shard=Shard(0, 3), block=3)
    unfinished = tmp_path / ".store.3.unfinished"
    first = (unfinished / "00000000.float32").read_bytes()
    (unfinished / "00000001.float32").write_bytes(first[:8])  # half a block, as a broken disk leaves it
    (unfinished / ".00000002.float32.elsewhere.1.aa.partial").write_bytes(first)
    (tmp_path / ".store.elsewhere.1.aa.partial").mkdir()
    assert np.array_equal(stored_vectors(place, 9, 2, again, block=3), wanted(9))
    assert again.seen == [3, 4, 5, 6, 7, 8]
    assert not unfinished.exists()


def test_blocks_are_one_file_each_so_that_hosts_share_no_page(tmp_path: Path) -> None:
    """What a shard writes leaves the bytes and the times of all other shards' files as they are."""
    place, unfinished = tmp_path / "store", tmp_path / ".store.3.unfinished"
    seen: dict[str, tuple[int, bytes]] = {}
    for number in (2, 0):
        with pytest.raises(UnfinishedError):
            stored_vectors(place, 10, 2, Encoder(), shard=Shard(number, 3), block=3)
        files = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in unfinished.iterdir()}
        assert {name: files[name] for name in seen} == seen
        seen = files
    assert sorted(seen) == ["00000000.float32", "00000002.float32", "00000003.float32"]
    assert seen["00000003.float32"][1] == np.array([9.0, -9.0], np.float32).tobytes()


def encode_beside_others(number: int, home: Path, how: str) -> None:
    """One of four processes on a file system without locks; all start together, and the later ones are slower."""

    def flock(stream: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    def encode(rows: NDArray[np.int64]) -> Vectors:
        time.sleep(0.01 * (1 + number))
        return np.stack([rows, -rows], axis=1).astype(np.float32)

    # The others are waited for.
    fcntl.flock = flock  # type: ignore[assignment]
    (home / f"ready-{number}").touch()
    while len(list(home.glob("ready-*"))) < 4:
        time.sleep(0.005)

    shard = Shard(number, 4) if how == "shards" else None
    try:
        said = str(stored_vectors(home / "store", 50, 2, encode, shard=shard, block=3).sum(axis=0).tolist())
    except UnfinishedError:
        said = "unfinished"
    (home / f"said-{number}").write_text(said)


@pytest.mark.parametrize("how", ["shards", "the same"])
def test_four_processes_without_locks_make_one_store(tmp_path: Path, how: str) -> None:
    forks = multiprocessing.get_context("fork")
    processes = [forks.Process(target=encode_beside_others, args=(number, tmp_path, how)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(HANG)
    assert [process.exitcode for process in processes] == [0] * 4

    whole = "[1225.0, -1225.0]"
    said = {path.read_text() for path in tmp_path.glob("said-*")}
    assert said <= ({whole, "unfinished"} if how == "shards" else {whole})
    assert np.array_equal(stored_vectors(tmp_path / "store", 50, 2, Encoder(blocks=0), block=3), wanted(50))
    assert not list(tmp_path.glob(".*unfinished")) + list(tmp_path.glob(".*partial"))


class Beside(Encoder):
    """Lets others act when it is asked for its second block."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__()
        self.act = act

    def __call__(self, rows: NDArray[np.int64]) -> Vectors:
        if len(self.seen) == 3:
            self.act()
        return super().__call__(rows)


def test_a_store_that_another_process_completes_meanwhile_is_held(tmp_path: Path) -> None:
    """The other holds another lock, that of its shard, and removes the blocks."""
    place = tmp_path / "vectors" / f"{1:032x}"

    def completed() -> None:
        stored_vectors(place, 10, 2, Encoder(), shard=Shard(0, 2), block=3)
        release(place)  # it ends

    with pytest.raises(UnfinishedError):
        stored_vectors(place, 10, 2, Encoder(), shard=Shard(1, 2), block=3)
    assert np.array_equal(stored_vectors(place, 10, 2, Beside(completed), block=3), wanted(10))
    assert [entry.state for entry in inventory(tmp_path).entries] == [IN_USE]
    assert not list(place.parent.glob(".*unfinished"))


@pytest.mark.parametrize("shard", [None, Shard(0, 2)])
def test_blocks_that_are_pruned_as_a_process_begins_to_go_on_behind_them_are_encoded_again(
    shard: Shard | None, tmp_path: Path
) -> None:
    """The prune looked for locks before there was one."""
    place = tmp_path / "store"
    with pytest.raises(UnfinishedError):
        stored_vectors(place, 18, 2, Encoder(), shard=Shard(1, 2), block=3)
    encoder = Beside(lambda: shutil.rmtree(tmp_path / ".store.3.unfinished"))
    if shard is None:
        assert np.array_equal(stored_vectors(place, 18, 2, encoder, block=3), wanted(18))
    else:
        with pytest.raises(UnfinishedError, match="shard 0/2 is encoded, 3 blocks of others are not"):
            stored_vectors(place, 18, 2, encoder, shard=shard, block=3)
        assert sorted(set(encoder.seen)) == [0, 1, 2, 6, 7, 8, 12, 13, 14]


def test_no_texts_and_vectors_of_another_kind(tmp_path: Path) -> None:
    def transposed(rows: NDArray[np.int64]) -> Any:
        return np.ones((2, len(rows))).T

    assert stored_vectors(tmp_path / "none", 0, 2, Encoder()).shape == (0, 2)
    doubles = stored_vectors(tmp_path / "doubles", 4, 2, transposed, block=3)
    assert doubles.dtype == np.float32
    assert doubles.sum() == 8
    with pytest.raises(ValueError, match="cannot reshape"):
        stored_vectors(tmp_path / "wide", 4, 2, lambda rows: np.ones((len(rows), 3), np.float32))


def test_what_is_damaged_or_misspelt_is_said(tmp_path: Path) -> None:
    stored_vectors(tmp_path / "store", 4, 2, Encoder())
    (tmp_path / "store" / "vectors.npy").write_bytes(b"short")
    with pytest.raises(DataError, match="5 bytes instead of 160; delete the folder"):
        stored_vectors(tmp_path / "store", 4, 2, Encoder())
    for text in ("2/2", "1", "a/b", "-1/2"):
        with pytest.raises(ConfigError, match="allowed: 0/N to N-1/N"):
            Shard.of(text)
