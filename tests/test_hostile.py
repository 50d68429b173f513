"""Files from elsewhere: ids that look like paths, checkpoints and configurations that would run code."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from program import SHORT, clir

IDS = ("../../escaped", "/tmp/absolute-escaped", "a/b", "..", "$(touch${IFS}escaped)", "{_target_:os.system}")


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch escaped",)


def hostile_folder(folder: Path) -> None:
    """A BEIR collection whose ids are paths, commands and configuration."""
    documents = [*(f"d{name}" for name in IDS), *IDS, *(f"{number}" for number in range(12))]
    folder.mkdir()
    for name, ids in (("corpus", documents), ("queries", IDS)):
        lines = [json.dumps({"_id": i, "title": "", "text": f"мәтін {place}"}) for place, i in enumerate(ids)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "qrels").mkdir()
    rows = [f"{query}\t{document}\t{int(query == document)}" for query in IDS for document in documents[3:]]
    for split in ("train", "dev", "test"):
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]) + "\n")


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.slow
def test_ids_write_nothing_outside_the_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "deep" / "inside" / "work"
    home.mkdir(parents=True)
    monkeypatch.setenv("CLIR_CACHE", str(home / "cache"))
    hostile_folder(home / "in")
    data = ("data=folder", f"data.path={home / 'in'}", "data.query_language=zh", "data.document_language=kk")
    small = ("trainer.max_epochs=1", "+trainer.limit_train_batches=1", "splits.test=test", "logger=[csv,wandb]")
    clir("train", *data, *small, "hydra.run.dir=out", cwd=home)
    for layout in ("beir", "trec"):
        clir("data", "export", *data, f"layout={layout}", f"path={home / 'out' / layout}", cwd=home)
    splits = "splits=[dev,test]"
    clir("retrieve", *data, splits, "translation=none", "retriever=bm25s", "hydra.run.dir=out/run", cwd=home)
    assert {name.split("/")[0] for name in tree(home)} <= {"in", "out", "cache", "outputs"}
    assert not [name for name in tree(tmp_path) if "escaped" in name]
    assert not list(Path("/tmp").glob("absolute-escaped*"))


@pytest.mark.parametrize("verb", ["evaluate", "init_from"])
def test_a_checkpoint_that_would_run_code_is_rejected(verb: str, demo_run: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_run, tmp_path / "given")
    checkpoint = tmp_path / "given" / "checkpoints" / "last.ckpt"
    torch.save({"state_dict": Hostile()}, checkpoint)
    settings = ("evaluate", f"model={checkpoint}") if verb == "evaluate" else ("train", f"init_from={checkpoint}")
    done = clir(*settings, *(SHORT if verb == "init_from" else ()), cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "holds more than tensors and plain values, and is not read" in done.stderr
    assert not (tmp_path / "escaped").exists()


def test_a_configuration_that_would_run_code_is_rejected(demo_run: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_run, tmp_path / "given")
    saved = tmp_path / "given" / "checkpoints" / "last.ckpt"
    content = torch.load(saved, weights_only=True)
    content["config"]["architecture"]["head"] = {"_target_": "os.system", "command": "touch escaped"}
    torch.save(content, saved)
    done = clir("evaluate", f"model={saved}", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "_target_ 'os.system' is not allowed" in done.stderr
    assert not (tmp_path / "escaped").exists()
