"""What affinity and control groups leave of a machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clir_lightning import cli, limits


def reading(groups: str) -> Callable[..., str]:
    """`Path.read_text` for a process of these control groups."""
    real = Path.read_text

    def read(path: Path, *args: str, **more: str) -> str:
        return groups if str(path) == "/proc/self/cgroup" else real(path, *args, **more)

    return read


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group `/job/step` of version 2."""
    monkeypatch.setattr(Path, "read_text", reading("0::/job/step\n"))
    (tmp_path / "job" / "step").mkdir(parents=True)
    return tmp_path


def test_the_tightest_limit_of_the_groups_around_counts(group: Path) -> None:
    assert limits.cpu_limit(group) is None
    assert limits.memory_limit(group) is None
    (group / "job" / "step" / "cpu.max").write_text("max 100000\n")
    (group / "job" / "cpu.max").write_text("350000 100000\n")
    (group / "job" / "step" / "memory.max").write_text("max\n")
    (group / "job" / "memory.max").write_text("8000000000\n")
    (group / "memory.max").write_text("9000000000\n")
    assert limits.cpu_limit(group) == 3.5
    assert limits.memory_limit(group) == 8_000_000_000


def test_a_limit_of_the_first_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for controller, name, text in (
        ("cpu", "cpu.cfs_quota_us", "200000"),
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("memory", "memory.limit_in_bytes", "5000"),
    ):
        (tmp_path / controller).mkdir(exist_ok=True)
        (tmp_path / controller / name).write_text(text)
    assert limits.cpu_limit(tmp_path) == 2
    assert limits.memory_limit(tmp_path) == 5000
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    assert limits.cpu_limit(tmp_path) is None


def test_both_versions_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a host with both, where the second has a group but no controller."""
    monkeypatch.setattr(Path, "read_text", reading("4:memory:/job\n1:cpu,cpuacct:/job\n0::/\n"))
    for controller, name, text in (
        ("cpu", "cpu.cfs_quota_us", "300000"),
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("memory", "memory.limit_in_bytes", "5000"),
    ):
        (tmp_path / controller / "job").mkdir(parents=True, exist_ok=True)
        (tmp_path / controller / "job" / name).write_text(text)
    assert limits.cpu_limit(tmp_path) == 3
    assert limits.memory_limit(tmp_path) == 5000


@pytest.mark.parametrize(("limit", "cores"), [(None, 8), (0.5, 1), (2.5, 2), (3.75, 3), (8.0, 8), (64.0, 8)])
def test_usable_cores_and_threads(limit: float | None, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(limits, "cpu_limit", lambda: limit)
    assert limits.usable_cores() == cores

    # Libraries are told only what they do not see themselves.
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    monkeypatch.delenv("OMP_NUM_THREADS")
    limits.limit_threads()
    assert os.environ.get("OMP_NUM_THREADS") == (None if cores == 8 else str(cores))
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    limits.limit_threads()
    assert os.environ["OMP_NUM_THREADS"] == "6"


def test_a_verb_limits_threads_before_their_libraries_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hydra", None)
    monkeypatch.setattr(cli, "limit_threads", lambda: pytest.exit("first"))
    with pytest.raises(pytest.exit.Exception, match="first"):
        cli.run_verb("train", [])
