"""Fusion against sums by hand, and its weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clir_lightning.errors import ConfigError, DataError
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
    assert z == pytest.approx({"a": 2 / spread, "b": 1 / spread + 2, "c": 0})  # a: 1, b: 0, c: -1, and b: 1, c: -1
    assert fuse([ONE, TWO], method="combsum", normalisation="none", depth=1)["q"] == pytest.approx({"a": 9.0})


# Both runs find `both`, the first ranks it above `one`: under a mean of 0, -0.46 - 0.95 would lose to -1.25.
LONG = Run({"q": {"top": 9.0, "both": 4.0, "one": 2.0, "last": 1.5}})
SHORT_RUN = Run({"q": {"other": 9.0, "more": 8.0, "both": 1.0}})


@pytest.mark.parametrize("method", ["combsum", "combmnz"])
@pytest.mark.parametrize("normalisation", ["z", "minmax", "none"])
@pytest.mark.parametrize("shift", [0.0, -100.0])  # scores of a dense or a neural system are often all negative
def test_z_norm_ranks_what_both_runs_found_above_what_one_ranked_lower(
    method: str, normalisation: str, shift: float
) -> None:
    runs = [Run({"q": {i: score + shift for i, score in run["q"].items()}}) for run in (LONG, SHORT_RUN)]
    ranking = fuse(runs, method=method, normalisation=normalisation).ranking("q")
    assert ranking.index("both") < ranking.index("one") < ranking.index("last")


def test_a_document_that_a_run_lacks_counts_as_the_runs_last() -> None:
    """As in Pyserini's hybrid search, which gives it the lowest score; here scores count from that one."""
    z = fuse([LONG, SHORT_RUN], method="combsum", normalisation="z")["q"]
    means, spreads = (4.125, 6.0), (8.796875**0.5, (38 / 3) ** 0.5)
    assert z["one"] == pytest.approx((2 - 1.5) / spreads[0])
    assert z["both"] == pytest.approx((4 - 1.5) / spreads[0])
    assert z["other"] == pytest.approx((9 - 1) / spreads[1])
    floor = sum((least - mean) / spread for least, mean, spread in zip((1.5, 1), means, spreads, strict=True))
    assert z["last"] == pytest.approx((1.5 - means[0]) / spreads[0] + (1 - means[1]) / spreads[1] - floor)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), st.floats(-50, 50), min_size=1), min_size=1, max_size=3),
    st.sampled_from(["combsum", "combmnz"]),
    st.sampled_from(["z", "minmax", "none"]),
)
def test_a_document_that_no_run_ranks_lower_is_not_ranked_lower(
    lists: list[dict[str, float]], method: str, normalisation: str
) -> None:
    fused = fuse([Run({"q": scores}) for scores in lists], method=method, normalisation=normalisation)["q"]
    least = float("-inf")
    for one in fused:
        for other in fused:
            if all(scores.get(one, least) >= scores.get(other, least) for scores in lists):
                assert fused[one] >= fused[other] - 1e-9


def test_infinite_scores_are_rejected_where_they_cannot_be_added() -> None:
    endless = Run({"q": {"a": float("inf"), "b": 1.0}}, name="first")
    assert fuse([endless]).ranking("q") == ["a", "b"]
    with pytest.raises(DataError, match="run 'first' has an infinite score for query 'q'; take method=rrf"):
        fuse([endless], method="combsum")


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


def test_a_rejected_command_leaves_the_results_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q Q0 x 1 2 a\n")
    (tmp_path / "out").mkdir()
    results = ("fused.trec", "weights.json", "metrics.json")
    for name in results:
        (tmp_path / "out" / name).write_text("before")
    for wrong in ("runs=[nowhere.trec]", "qrels=nowhere.qrels", "measures=[nothing]", "weights=[1,2]", "method=rff"):
        done = clir("fuse", "runs=[a.trec]", wrong, "hydra.run.dir=out", cwd=tmp_path, check=False)
        assert done.returncode == 1
        assert {(tmp_path / "out" / name).read_text() for name in results} == {"before"}
    clir("fuse", "runs=[a.trec]", "hydra.run.dir=out", cwd=tmp_path)
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert (tmp_path / "out" / "fused.trec").read_text().startswith("q Q0 x 1 ")


def test_failures_are_one_line_and_leave_no_run(tmp_path: Path) -> None:
    done = clir("fuse", "runs=[nowhere.trec]", "hydra.run.dir=out", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "nowhere.trec: no such file" in done.stderr.strip().splitlines()[-1]
    assert not list(tmp_path.rglob("*.trec"))
