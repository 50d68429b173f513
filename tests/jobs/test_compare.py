"""`clir compare` from outside: output folders and foreign run files, what it prints, leaves and rejects."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.files.trec import read_run, write_run
from clir_lightning.jobs.compare import queries_of
from clir_lightning.types import Qrels, Query, Run
from program import clir

FILES = {"comparison.md", "comparison.tex", "comparison.csv", "comparison.json", "per_query.csv", "report.html"}


def another(run: Path, target: Path, shift: float, **changed: object) -> Path:
    """A copy of an output folder with other settings and other scores."""
    shutil.copytree(run / "runs", target / "runs")
    provenance = json.loads((run / "provenance.json").read_text())
    config = OmegaConf.create(provenance["config"])
    for key, value in changed.items():
        OmegaConf.update(config, key.replace("__", "."), value)
    changed_config = OmegaConf.to_container(config)
    (target / "provenance.json").write_text(json.dumps({**provenance, "config": changed_config}))
    (target / ".hydra").mkdir()
    (target / ".hydra" / "config.yaml").write_text("name: what a later command left\nseed: 7\n")
    old = read_run(run / "runs" / "test.trec")
    scores = {q: {d: s + shift * (hash_of(d) % 7) for d, s in old[q].items()} for q in old}
    write_run(Run(scores), target / "runs" / "test.trec")
    return target


def hash_of(document: str) -> int:
    """A number that is the same in every process."""
    return sum(map(ord, document))


@pytest.fixture(scope="module")
def folders(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of one system, one of another, an older run of a seed, and an unfinished run."""
    home = tmp_path_factory.mktemp("compare")
    another(demo_run, home / "1", 0.0)
    another(demo_run, home / "2", 0.1, seed=2)
    another(demo_run, home / "other", 0.2, optimizer__learning_rate=0.5)
    old = another(demo_run, home / "old", 0.3)
    os.utime(old / "runs" / "test.trec", (1, 1))
    (home / "unfinished").mkdir()
    return home


def test_the_report_shows_the_text_of_the_split_that_was_judged() -> None:
    """Both splits have a query 1; 2 is the dev split's alone, 3 is in both and judged like neither."""

    def split(name: str, grades: dict[str, dict[str, int]]) -> Split:
        return Split({query: Query(query, f"{name} {query}", "zh") for query in grades}, Qrels(grades))

    train = split("train", {"1": {"a": 6}, "3": {"a": 1}})
    dev = split("dev", {"1": {"b": 6}, "2": {"b": 1}, "3": {"b": 1}})
    found = queries_of(Collection("c", {}, {"train": train, "dev": dev}), {"1": {"b": 6}, "2": {"c": 3}, "3": {"c": 1}})
    assert {query: record.text for query, record in found.items()} == {"1": "dev 1", "2": "dev 2"}


@pytest.mark.slow
def test_output_folders_become_systems_over_seeds(folders: Path, tmp_path: Path) -> None:
    done = clir("compare", f"runs=[{folders}/*]", "hydra.run.dir=out", "samples=999", cwd=tmp_path)
    assert {path.name for path in (tmp_path / "out").iterdir()} >= FILES
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    rows = [(row["name"], row["seeds"]) for row in content["systems"]]
    assert rows == [
        ("random order", 1),
        ("bm25", 1),
        ("bm25 own names", 1),
        ("cross learning_rate=0.001", 2),
        ("cross learning_rate=0.5", 1),
        ("ideal", 1),
    ]
    assert content["baseline"] == "bm25"
    assert len(content["tests"]) == 3 * 4
    said = (tmp_path / "out" / "compare.log").read_text()
    assert "unfinished is left out: it has no runs/test.trec" in said
    assert "old is left out: " in said
    assert "cross learning_rate=0.5: one seed" in done.stdout
    mean = json.loads((tmp_path / "out" / "comparison.json").read_text())["systems"][3]["means"]["ndcg_10"]
    with (tmp_path / "out" / "per_query.csv").open() as stream:
        mine = [row for row in csv.DictReader(stream) if row["system"] == "cross learning_rate=0.001"]
    assert len(mine) == 5
    assert sum(float(row["ndcg_10"]) for row in mine) / 5 == pytest.approx(mean, abs=1e-12)


def test_the_folder_of_an_evaluation_is_its_models_system(demo_run: Path, tmp_path: Path) -> None:
    clir("evaluate", f"model={os.path.relpath(demo_run, tmp_path)}", "hydra.run.dir=evaluated", cwd=tmp_path)
    clir("compare", "runs=[evaluated]", "hydra.run.dir=out", cwd=tmp_path)
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [row["name"] for row in content["systems"]] == ["random order", "cross", "ideal"]
    metrics = json.loads((demo_run / "metrics.json").read_text())["test"]
    assert content["systems"][1]["means"] == pytest.approx({k: metrics[k] for k in metrics}, abs=1e-9)


def test_foreign_run_files_with_qrels(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("".join(f"q{i} 0 x 1\nq{i} 0 y 0\n" for i in range(6)))
    for name, good in (("a", 1), ("b", 5), ("c", 6)):
        lines = [f"q{i} Q0 x 1 {0.9 if i < good else 0.1} t\nq{i} Q0 y 2 0.5 t\n" for i in range(6)]
        (tmp_path / f"{name}.trec").write_text("".join(lines))
    overrides = ["qrels=qrels", "measures=[mrr_10,hits_1]", "hydra.run.dir=out"]
    done = clir("compare", "runs=[a.trec,b.trec,c.trec]", "baseline=a", *overrides, cwd=tmp_path)
    for text in ("a (baseline)", "91.7", "against a", "Hits@1"):
        assert text in done.stdout
    assert "note:" not in done.stdout
    tests = json.loads((tmp_path / "out" / "comparison.json").read_text())["tests"]
    assert [(t["system"], t["p_randomisation"], t["wins"]) for t in tests[:2]] == [("b", 2 / 16, 4), ("c", 2 / 32, 5)]
    clir("compare", "runs={ours:[b.trec,c.trec],theirs:a.trec}", "baseline=theirs", *overrides, cwd=tmp_path)
    systems = json.loads((tmp_path / "out" / "comparison.json").read_text())["systems"]
    assert [(s["name"], s["seeds"]) for s in systems[1:3]] == [("ours", 2), ("theirs", 1)]


def test_settings_of_the_folders_data_can_be_changed(folders: Path, tmp_path: Path) -> None:
    runs = f"runs=[{folders}/1,{folders}/2]"
    done = clir("compare", runs, "data.no=1", "hydra.run.dir=out", cwd=tmp_path, check=False)
    assert done.stderr.strip().splitlines()[-1].startswith("clir compare: setting is 'data.no'; allowed: ")
    provenance = json.loads((folders / "1" / "provenance.json").read_text())
    provenance["config"]["data"] = {
        "_target_": "clir_lightning.data.read_clirmatrix",
        "path": "gone",
        "query_language": "zh",
        "document_language": "kk",
    }
    shutil.copytree(folders / "1", tmp_path / "one")
    (tmp_path / "one" / "provenance.json").write_text(json.dumps(provenance))
    done = clir("compare", "runs=[one]", "data.path=moved", "hydra.run.dir=out", "samples=99", cwd=tmp_path)
    assert "the report shows ids without texts: moved: no such folder" in done.stdout


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["runs=[a.trec]", "qrels=qrels", "data.path=x"], "data.path is given, and nothing says of which data"),
        (["runs=[nowhere*]"], "runs: nothing matches 'nowhere*'"),
        (["runs=[a.trec]"], "there are no judgements; add qrels=FILE"),
        (["runs=[a.trec]", "qrels=qrels", "baseline=b"], "baseline is 'b'; allowed: a"),
        (["runs=[empty]"], "no run file and no folder with runs/test.trec"),
        (["runs=[a.trec]", "measures=[ndgc_10]"], "measure is 'ndgc_10'"),
    ],
)
def test_bad_settings_end_with_one_line(overrides: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q Q0 x 1 0.5 t\n")
    (tmp_path / "qrels").write_text("q 0 x 1\n")
    (tmp_path / "empty").mkdir()
    done = clir("compare", *overrides, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
