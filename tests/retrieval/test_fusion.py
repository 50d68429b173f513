"""Fusion against sums by hand, and its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.fusion import fuse, tune
from clir_lightning.types import Run
from program import clir

ONE = Run({"q": {"a": 9.0, "b": 8.0, "c": 7.0}})
TWO = Run({"q": {"b": 0.4, "c": 0.2}, "r": {"x": 1.0}})


def test_reciprocal_ranks() -> None:
    fused = fuse([ONE, TWO], weights=[1, 2], k=10)
    assert fused["q"] == pytest.approx({"a": 1 / 11, "b": 1 / 12 + 2 / 11, "c": 1 / 13 + 2 / 12})
    assert fused["r"] == pytest.approx({"x": 2 / 11})


def test_sums_of_normalised_scores() -> None:
    assert fuse([ONE, TWO], method="combsum")["q"] == pytest.approx({"a": 1.0, "b": 0.5 + 1, "c": 0.0 + 0})
    assert fuse([ONE, TWO], method="combmnz")["q"] == pytest.approx({"a": 1.0, "b": 2 * 1.5, "c": 0.0})
    spread = (2 / 3) ** 0.5
    z = fuse([ONE, TWO], method="combsum", normalisation="z")["q"]
    assert z == pytest.approx({"a": 1 / spread, "b": 0 + 1, "c": -1 / spread - 1})
    assert fuse([ONE, TWO], method="combsum", normalisation="none", depth=1)["q"] == pytest.approx({"a": 9.0})


def test_a_weight_of_nothing_leaves_a_run_out() -> None:
    assert fuse([ONE, TWO], weights=[1, 0]).ranking("q") == ["a", "b", "c"]
    assert fuse([ONE, TWO], weights=[0, 1]).ranking("q") == ["b", "c"]


def test_bad_settings() -> None:
    with pytest.raises(ConfigError, match="2 runs and 1 weights"):
        fuse([ONE, TWO], weights=[1])
    with pytest.raises(ConfigError, match="method is 'rff'"):
        fuse([ONE], method="rff")
    with pytest.raises(ConfigError, match="fewer than two runs"):
        tune([ONE], lambda _: 0.0)


def test_weights_tuned_on_dev_are_used_on_test(tmp_path: Path) -> None:
    """On dev the second system alone is right, so it outweighs the first."""
    for split, right in (("dev", "x"), ("test", "y")):
        (tmp_path / f"a.{split}").write_text("q Q0 x 1 2 a\nq Q0 y 2 1 a\n")
        (tmp_path / f"b.{split}").write_text(f"q Q0 {right} 1 2 b\nq Q0 {'xy'.replace(right, '')} 2 1 b\n")
    (tmp_path / "a.dev").write_text("q Q0 y 1 2 a\nq Q0 x 2 1 a\n")
    (tmp_path / "dev.qrels").write_text("q 0 x 1\n")
    (tmp_path / "test.qrels").write_text("q 0 y 1\n")
    tuning = ("tune.runs=[a.dev,b.dev]", "tune.qrels=dev.qrels", "qrels=test.qrels")
    done = clir("fuse", "runs=[a.test,b.test]", "method=combsum", *tuning, "hydra.run.dir=out", cwd=tmp_path)
    assert (tmp_path / "out" / "fused.trec").read_text().split()[:3] == ["q", "Q0", "y"]
    assert "weights [" in done.stdout + done.stderr


def test_failures_are_one_line_and_leave_no_run(tmp_path: Path) -> None:
    done = clir("fuse", "runs=[nowhere.trec]", "hydra.run.dir=out", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "nowhere.trec: no such file" in done.stderr.strip().splitlines()[-1]
    assert not list(tmp_path.rglob("*.trec"))
