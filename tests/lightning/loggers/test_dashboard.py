"""The W&B workspace asks for keys that runs log, and groups them by the setting."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from clir_lightning.lightning.loggers.dashboard import BARS, SECTIONS, workspace
from program import clir

pytest.importorskip("wandb_workspaces", reason="the extra `dashboard` is not installed")


def test_every_line_and_bar_is_of_a_key_that_trainings_log(demo_run: Path, dual_run: Path) -> None:
    logged: set[str] = set()
    for folder in (demo_run, dual_run):
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as stream:
            logged |= set(csv.DictReader(stream).fieldnames or ())
    assert {key for keys in SECTIONS.values() for key in keys} | set(BARS) <= logged


def test_the_view_groups_runs_by_the_setting() -> None:
    view = json.loads(workspace("team", "clir_lightning", by="encoder.name")._to_model().model_dump_json(by_alias=True))
    text = json.dumps(view)
    assert view["entity"] == "team"
    assert view["project"] == "clir_lightning"
    assert text.count("config:encoder.value.name") + text.count("encoder.value.name") >= 1
    assert text.count('"val/ndcg_10"') >= 2  # a curve, and the order of the runs


def test_without_a_key_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    done = clir("dashboard", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr == "clir dashboard: entity has no value; give entity=…\n"
    done = clir("dashboard", "entity=team", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "clir dashboard: there is no W&B key to save the view with; set WANDB_API_KEY or run: wandb login\n"
    )
    assert not list(tmp_path.iterdir())
