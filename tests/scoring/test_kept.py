"""Kept scores: a pass that was killed goes on behind them; damaged blocks and other passes' are not used."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from clir_lightning.errors import DataError
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.kept import Collected, KeptScores
from scoring.passes import given
from scoring.test_engine import Asked, Numbers, batch


def three() -> list[Numbers]:
    return [batch("q", "a", 1.0), batch("q", "b", 2.0), batch("p", "a", 3.0)]


class KilledError(BaseException):
    pass


class Killed(Asked):
    """Is killed at its third batch."""

    def forward(self, batch: Numbers) -> torch.Tensor:
        if len(self.seen) == 2:
            raise KilledError
        return super().forward(batch)


def cut_short(cache: Path, fingerprint: str = "one") -> KeptScores:
    """A pass of three steps of which two are done and, being one step late, one or two kept."""
    kept = KeptScores(cache, fingerprint, 0)
    with pytest.raises(KilledError):
        Engine(Killed()).score(given(three()), name="r", kept=kept)
    assert list(kept.blocks())
    return kept


EXPECTED = {"q": {"a": 1 + 2**-10, "b": 2 + 2**-9}, "p": {"a": 3 * (1 + 2**-10)}}


def test_a_pass_goes_on_behind_what_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kept = cut_short(tmp_path)
    done = sorted(step for steps, _ in kept.blocks() for step in steps.tolist())
    model = Asked()
    assert dict(Engine(model).score(given(three()), name="r", kept=KeptScores(tmp_path, "one", 0))) == EXPECTED
    assert len(model.seen) == 3 - len(done)
    assert f"{len(done)} of 3 steps are scored already: going on behind them" in caplog.messages

    # All is done: nothing is left to compute; and once the result is in its place the blocks go.
    model = Asked()
    assert dict(Engine(model).score(given(three()), name="r", kept=kept)) == EXPECTED
    assert model.seen == []
    kept.remove()
    assert list(tmp_path.rglob("*.scores")) == []


def test_blocks_of_another_pass_are_not_used(tmp_path: Path) -> None:
    cut_short(tmp_path)
    model = Asked()
    Engine(model).score(given(three()), name="r", kept=KeptScores(tmp_path, "other", 0))
    assert len(model.seen) == 3
    for file in (tmp_path / "scores" / "one").iterdir():  # nor where someone put them into its folder
        file.rename(tmp_path / "scores" / "other" / file.name)
    steps = [steps for steps, _ in KeptScores(tmp_path, "other").blocks()]
    assert sorted(np.concatenate(steps).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("damage", ["truncated", "emptied", "changed", "lengthened"])
def test_damaged_blocks_are_scored_again(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut_short(tmp_path)
    for file in (tmp_path / "scores" / "one").iterdir():
        content = file.read_bytes()
        changed = content[:-1] + bytes([content[-1] ^ 1])
        parts = {"truncated": content[:-4], "emptied": b"", "changed": changed, "lengthened": content + b"\0\0\0\0"}
        file.write_bytes(parts[damage])
    model = Asked()
    assert dict(Engine(model).score(given(three()), name="r", kept=KeptScores(tmp_path, "one", 0))) == EXPECTED
    assert len(model.seen) == 3
    assert "is damaged: its pairs are scored again" in caplog.text


def test_a_block_of_steps_that_are_not_there_is_not_used(tmp_path: Path) -> None:
    kept = KeptScores(tmp_path, "one", 0)
    kept.add(7, np.zeros(1, np.float32))
    kept.add(0, np.zeros(3, np.float32))
    assert not Collected(4, lambda step: np.array([step]), 4, kept).read().any()


def test_blocks_are_written_when_it_is_time_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    kept = KeptScores(tmp_path, "one", 30)
    for step in range(5):
        now[0] += 20
        kept.add(step, np.array([step, step], np.float32))
    kept.flush()
    blocks = [(steps.tolist(), values.tolist()) for steps, values in kept.blocks()]
    assert blocks == [([0, 1], [0, 0, 1, 1]), ([2, 3], [2, 2, 3, 3]), ([4], [4, 4])]


def test_two_programs_at_the_same_pass_do_each_other_no_harm(tmp_path: Path) -> None:
    one, other = KeptScores(tmp_path, "one", 0), KeptScores(tmp_path, "one", 0)
    for kept in (one, other):
        kept.add(0, np.array([0.5], np.float32))
    assert len(list(one.blocks())) == 2
    one.remove()  # it was first
    other.add(1, np.array([1.5], np.float32))
    assert [steps.tolist() for steps, _ in other.blocks()] == [[1]]


@pytest.mark.parametrize("moment", ["listed", "read"])
def test_a_pass_begins_while_another_program_completes_the_same(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = KeptScores(tmp_path, "one", 0)
    other.add(0, np.array([0.5], np.float32))
    place, name = {"listed": (os, "scandir"), "read": (Path, "read_bytes")}[moment]
    real = getattr(place, name)

    def removed_first(path: Path) -> object:
        monkeypatch.setattr(place, name, real)
        other.remove()
        return real(path)

    monkeypatch.setattr(place, name, removed_first)
    assert list(KeptScores(tmp_path, "one").blocks()) == []
    assert caplog.messages == []


def test_a_full_disk_stops_no_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "scores").write_text("a file where the folder should be")
    assert dict(Engine(Asked()).score(given(three()), name="r", kept=KeptScores(tmp_path, "one", 0))) == EXPECTED
    assert "scores are not kept" in caplog.text


def test_passes_that_nobody_went_on_with_are_removed(tmp_path: Path) -> None:
    for name in ("old", "new", "mine"):
        KeptScores(tmp_path, name, 0).add(0, np.zeros(1, np.float32))
    os.utime(tmp_path / "scores" / "old", (0, 0))
    KeptScores(tmp_path, "mine").remove()
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == ["new"]


def test_a_score_that_is_not_a_number_ends_the_pass_at_once(tmp_path: Path) -> None:
    batches = [batch("q", "a"), batch("q", "b", float("nan")), batch("p", "a"), batch("p", "b")]
    model = Asked()
    kept = KeptScores(tmp_path, "one", 0)
    with pytest.raises(DataError, match="the score of document 'b' for query 'q' is not a number"):
        Engine(model).score(given(batches), name="r", kept=kept)
    assert len(model.seen) < 4
    assert [steps.tolist() for steps, _ in kept.blocks()] == [[0]]


def test_infinite_and_zero_scores_are_kept_to_the_bit(tmp_path: Path) -> None:
    values = [float("inf"), -float("inf"), -0.0, 0.0, -1.0]
    kept = KeptScores(tmp_path, "one", 0)
    for step, value in enumerate(values):
        kept.add(step, np.array([value], np.float32))
    found = Collected(5, lambda step: np.array([step]), 5, kept)
    assert found.read().all()
    assert found.values.tobytes() == np.array(values, np.float32).tobytes()
