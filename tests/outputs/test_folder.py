"""Output folders: what a rejected command leaves of a finished one, and whose a folder is."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from program import SHORT, clir

RESULTS = (
    *("metrics.json", "provenance.json", "per_query.csv", "metrics.csv", "runs/test.trec", "runs/test.qrels"),
    *("runs/dev.trec", "runs/search.trec", "fused.trec", "weights.json", "negatives.trec", "triples.tsv"),
    *("mining.json", "geometry.json", "geometry.html", "comparison.md", "comparison.json", "report.html"),
    *("checkpoints/last.ckpt", "model/clir.json", "wandb_id", "encoder/config.json"),
)


def finished(folder: Path, verb: str) -> Path:
    """A folder that looks as if each result of every verb lay in it; it is the verb's."""
    for name in (*RESULTS, f"{verb}.log", ".hydra/config.yaml", ".hydra/overrides.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"what {name} holds\n", encoding="utf-8")
    (folder / ".hydra" / "hydra.yaml").write_text(f"hydra: {{job: {{config_name: {verb}}}}}\n", encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Each file's hash, and the folders."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(
    ("verb", "overrides", "message"),
    [
        ("train", [*SHORT, "batches.max_length=5000"], "this encoder takes at most 512 tokens"),
        ("train", [*SHORT, "callbacks=[centring]"], "the callback `centring` is for architecture=dual"),
        ("train", [*SHORT, "resume=nowhere.ckpt"], "missing or no whole checkpoint"),
        ("train", [*SHORT, "init_from=nowhere.ckpt"], "nowhere.ckpt is missing"),
        ("train", [*SHORT, "data=clirmatrix", "data.path=nowhere"], "nowhere: no such folder"),
        ("train", ["nonsense=1"], "Key 'nonsense' is not in struct"),
        ("evaluate", ["model=nowhere.ckpt"], "nowhere.ckpt is missing"),
        ("evaluate", ["run=nowhere.trec", "qrels=nowhere"], "nowhere.trec: no such file"),
        ("evaluate", ["run=a", "qrels=b", "measures=[recal_10]"], "measure is 'recal_10'"),
        ("search", ["model=nowhere.ckpt", "topics=t"], "nowhere.ckpt is missing"),
        ("geometry", ["model=nowhere.ckpt"], "nowhere.ckpt is missing"),
        ("compare", ["runs=[nowhere*]"], "nothing matches 'nowhere*'"),
        ("compare", [], "runs has no value"),
        ("retrieve", ["measures=[recal_10]"], "measure is 'recal_10'"),
        ("retrieve", ["retriever=dense", "retriever.model=nowhere.ckpt"], "nowhere.ckpt is missing"),
        ("mine", ["data=demo", "run=nowhere.trec"], "nowhere.trec: no such file"),
        ("fuse", ["runs=[nowhere.trec]"], "nowhere.trec: no such file"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_rejected_command_changes_nothing_in_a_finished_folder(
    verb: str, overrides: list[str], message: str, tmp_path: Path
) -> None:
    folder = finished(tmp_path / "out", verb)
    before = contents(folder)
    done = clir(verb, *overrides, "hydra.run.dir=out", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert contents(folder) == before


def test_a_training_that_is_finished_or_of_other_settings_is_left_as_it_is(demo_run: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_run, tmp_path / "out")
    before = contents(tmp_path / "out")
    same = (*SHORT, "candidates.test_queries=5", "hydra.run.dir=out", "resume=auto", "logger=[csv,wandb]")
    done = clir("train", *same, cwd=tmp_path)
    assert "is finished: nothing is left to do" in done.stdout
    assert contents(tmp_path / "out") == before
    done = clir("train", *same, "seed=2", cwd=tmp_path, check=False)
    assert "is of other settings (seed: 1 then, 2 now)" in done.stderr
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("verb", ["evaluate", "search", "geometry", "retrieve", "compare"])
def test_another_verb_does_not_touch_the_folder_of_a_training(verb: str, tmp_path: Path) -> None:
    folder = finished(tmp_path / "out", "train")
    before = contents(folder)
    settings = [] if verb in ("retrieve", "compare") else [f"model={folder}"]
    settings += ["runs=[out]"] if verb == "compare" else []
    done = clir(verb, *settings, "hydra.run.dir=out", cwd=tmp_path, check=False)
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith(f"clir {verb}: {folder} holds what clir train left; give another folder: hydra.run.dir=")
    assert contents(folder) == before


def test_an_accepted_command_replaces_its_own_earlier_results_and_says_so_in_log_and_settings(tmp_path: Path) -> None:
    folder = finished(tmp_path / "out", "evaluate")
    (tmp_path / "a.trec").write_text("q Q0 x 1 0.5 a\nq Q0 y 2 0.1 a\n")
    (tmp_path / "qrels").write_text("q 0 x 1\nq 0 y 0\n")
    clir("evaluate", "run=a.trec", "qrels=qrels", "hydra.run.dir=out", cwd=tmp_path)
    assert json.loads((folder / "metrics.json").read_text())["a"]["ndcg_10"] == 1.0
    assert "run=a.trec" in (folder / ".hydra" / "overrides.yaml").read_text()
    assert (folder / "evaluate.log").read_text().startswith("what evaluate.log holds\n")
