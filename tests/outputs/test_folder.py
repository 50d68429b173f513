"""Output folders: what a rejected command leaves of a finished one, and whose a folder is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clir_lightning.outputs.folder import take, tell_files
from program import RANDOM, SHORT, begin, clir, until

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
        ("train", [*SHORT, "init_from=nowhere.ckpt"], "init_from is 'nowhere.ckpt', and there is no such file"),
        ("train", [*SHORT, "data=clirmatrix", "data.path=nowhere"], "nowhere: no such folder"),
        ("train", ["nonsense=1"], "there is no setting nonsense"),
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


def test_the_files_that_are_there_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    folder = tmp_path / "with spaces and [brackets], longer than the terminal is wide"
    (folder / "runs").mkdir(parents=True)
    (folder / "runs" / "a.trec").touch()
    (folder / "b").touch()
    tell_files(folder, ["runs/", "runs/a.trec", "missing", "b"])
    assert capsys.readouterr().out == f"files: {folder}\n  runs/\n  runs/a.trec\n  b\n"


@pytest.mark.slow
def test_a_second_training_in_the_folder_of_one_at_work_is_rejected_and_changes_nothing(tmp_path: Path) -> None:
    said = tmp_path / "said"
    process = begin("train", RANDOM, "batches.size=4", "hydra.run.dir=out", cwd=tmp_path, said=(said, said))
    until((tmp_path / "out" / "metrics.csv").exists, process)
    try:
        done = clir("train", *SHORT, "candidates.test_queries=2", "hydra.run.dir=out", cwd=tmp_path, check=False)
        assert process.exitcode is None
    finally:
        process.kill()
        process.join()
    assert done.returncode == 1
    assert f"another command is at work in {tmp_path / 'out'}; wait for its end, or give another" in done.stderr
    assert "batches.size=4" in (tmp_path / "out" / ".hydra" / "overrides.yaml").read_text()
    assert not (tmp_path / "out" / "metrics.json").exists()


TAKE = """
import sys
from pathlib import Path
from clir_lightning.outputs.folder import take
print(take(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_a_folder_is_a_processs_until_it_ends_or_takes_another(tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = tmp_path / "other"
    for folder in (out, other):
        folder.mkdir()
    command = [sys.executable, "-c", TAKE, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not take(out)
        assert take(other)
        process.kill()
        process.wait()

    # The next of this process's jobs, in the same folder as the one before and then in another.
    assert take(out)
    assert take(out)
    assert list(out.iterdir()) == []
    with subprocess.Popen([*command[:-1], str(other)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        process.kill()


FORK = """
import os, sys
from pathlib import Path
from clir_lightning.outputs.folder import take
print(take(Path(sys.argv[1])), flush=True)
if os.fork():
    os._exit(0)
print("forked", flush=True)
sys.stdin.read()
"""


def test_a_process_forked_from_a_job_does_not_have_its_folder(tmp_path: Path) -> None:
    """A data loader's worker lives a while longer than the job that was killed."""
    command = [sys.executable, "-c", FORK, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert [job.stdout.readline() for _ in range(2)] == ["True\n", "forked\n"]
        job.wait()
        assert take(tmp_path)
