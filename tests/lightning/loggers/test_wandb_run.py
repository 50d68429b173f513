"""W&B runs, read back from the offline files that they leave."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb.proto.wandb_internal_pb2 as protocol_module

from clir_lightning.evaluation.evaluate import Evaluation
from clir_lightning.lightning.loggers.wandb_run import ID, JobInfo, hardest, has_wandb_key, wandb
from clir_lightning.types import Document, Query, Run

protocol: Any = protocol_module  # its classes are made at import


def records(path: Path) -> Iterator[Any]:
    """The records of a `.wandb` file: LevelDB's log format, blocks of 32 KiB behind a head of 7 bytes."""
    content, at, parts = path.read_bytes(), 7, b""
    while at < len(content):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            record = protocol.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wandb"))


def test_a_job_leaves_its_settings_curves_tables_and_files(demo_run: Path) -> None:
    (path,) = files(demo_run)
    found = list(records(path))
    run = next(record.run for record in found if record.WhichOneof("record_type") == "run")
    config = {update.key: json.loads(update.value_json) for update in run.config.update}
    assert config["seed"] == 1
    assert config["splits"]["test"] == "test1"
    assert run.run_id == (demo_run / ID).read_text()
    history = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]
    keys = {key.removesuffix("/_type") for row in history for key in row}
    assert {"val/ndcg_10", "train/loss_epoch", "test/ndcg_10", "test/systems", "test/hardest"} <= keys
    assert {"test/scores_relevant", "test/scores_other"} <= keys
    value = next(row["test/ndcg_10"] for row in history if "test/ndcg_10" in row)
    metrics = json.loads((demo_run / "metrics.json").read_text())
    assert value == pytest.approx(metrics["test"]["ndcg_10"], abs=1e-6)
    metric = {record.metric.name: record.metric for record in found if record.WhichOneof("record_type") == "metric"}
    assert metric["val/ndcg_10"].summary.max
    kinds = {record.request.log_artifact.artifact.type for record in found if record.HasField("request")}
    kinds |= {record.artifact.type for record in found if record.WhichOneof("record_type") == "artifact"}
    assert {"model", "run"} <= kinds
    assert any(record.WhichOneof("record_type") == "exit" for record in found)  # closed


def test_offline_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert not has_wandb_key()
    caplog.set_level(logging.INFO)
    logger = wandb(JobInfo(tmp_path))
    assert logger._offline  # type: ignore[attr-defined]
    assert caplog.messages == [
        "no W&B key found: logging offline",
        f"W&B's files are in {tmp_path}/wandb; upload them later with: wandb sync",
    ]
    assert logger._wandb_init["settings"] == {"silent": True}  # type: ignore[attr-defined]
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert has_wandb_key()


def test_a_job_that_goes_on_keeps_its_run(tmp_path: Path) -> None:
    first = wandb(JobInfo(tmp_path))
    assert not (tmp_path / ID).exists()  # a job may still be rejected; `open_runs` writes it
    (tmp_path / ID).write_text(str(first.version))
    assert wandb(JobInfo(tmp_path, step=5)).version == first.version
    assert wandb(JobInfo(tmp_path)).version != first.version


def test_the_hardest_queries() -> None:
    result = Evaluation("x", {}, {"easy": {"ndcg_10": 1.0}, "hard": {"ndcg_10": 0.2}, "lost": {"ndcg_10": 0.0}})
    queries = {name: Query(name, f"问 {name}", "zh") for name in result.per_query}
    documents = {name: Document(name, f"мәтін {name}", "kk") for name in "ab"}
    run = Run({"easy": {"a": 1.0}, "hard": {"a": 1.0, "b": 2.0}}, "x")
    assert hardest(result, run, queries, documents, "ndcg_10")[:2] == [
        ["lost", "问 lost", 0.0, None, None],
        ["hard", "问 hard", 0.2, "b", "мәтін b"],
    ]
