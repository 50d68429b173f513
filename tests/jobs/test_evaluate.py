"""`clir evaluate`: a model gives the same numbers as its training run; a run file those of its qrels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from clir_lightning.configuration import config_folder
from clir_lightning.data.files.trec import read_run, write_run
from clir_lightning.jobs import evaluate
from clir_lightning.scoring.computing import Computing
from clir_lightning.types import Run
from program import HANG, begin, clir, until


def test_a_model_gives_what_training_reported(demo_run: Path, tmp_path: Path) -> None:
    clir("evaluate", f"model={demo_run}", "hydra.run.dir=out", cwd=tmp_path)
    again = json.loads((tmp_path / "out" / "metrics.json").read_text())["cross"]
    assert again == pytest.approx(json.loads((demo_run / "metrics.json").read_text())["test"], abs=1e-9)


@pytest.mark.slow
def test_a_killed_command_goes_on_and_gives_the_same_bytes(
    demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle, then taken up by two processes: every file is that of a command left alone."""
    monkeypatch.setenv("CLIR_CACHE", str(tmp_path / "cache"))
    command = ("evaluate", f"model={demo_run}", "device=cpu", "split=dev", "depth=5", "score_tokens=200")
    clir(*command, "hydra.run.dir=whole", cwd=tmp_path)
    blocks = tmp_path / "cache" / "scores"
    assert list(blocks.rglob("*.scores")) == []

    # On a machine that is busy elsewhere the command may have ended before it is killed: then once more.
    said = (tmp_path / "stdout", tmp_path / "stderr")
    for _ in range(5):
        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        killed = begin(*command, "keep_seconds=0", "hydra.run.dir=killed", cwd=tmp_path, said=said)
        until(lambda: len(list(blocks.rglob("*.scores"))) > 10, killed)
        killed.kill()
        killed.join(HANG)
        if not (tmp_path / "killed" / "runs").exists():
            break
    assert not (tmp_path / "killed" / "runs").exists()
    damaged = next(blocks.rglob("*.scores"))
    damaged.write_bytes(damaged.read_bytes()[:-1])

    done = clir(*command, "devices=2", "hydra.run.dir=resumed", cwd=tmp_path)
    assert "steps are scored already: going on behind them" in done.stdout, done.stdout
    assert f"{damaged} is damaged: its pairs are scored again" in done.stdout
    for name in ("runs/test.trec", "runs/test.qrels", "metrics.json", "per_query.csv"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert list(blocks.rglob("*.scores")) == []


def test_one_gpu_is_not_for_several_processes(tmp_path: Path) -> None:
    done = clir("evaluate", "model=m", "device=cuda:1", "devices=2", cwd=tmp_path, check=False)
    assert "device=cuda:1 names one GPU, devices=2 several; leave one out" in done.stderr.strip().splitlines()[-1]


def test_another_split_is_scored_whole_and_as_deep_as_asked(demo_run: Path, tmp_path: Path) -> None:
    """The training scored five test queries; that limit, and its lists, are not the dev split's."""
    model = f"model={demo_run}"
    clir("evaluate", model, "split=dev", "depth=4", "hydra.run.dir=out", cwd=tmp_path)
    run = read_run(tmp_path / "out" / "runs" / "test.trec")
    assert len(run) == 100
    assert {len(run[query]) for query in run} == {4}
    few = {query: dict(list(run[query].items())[:2]) for query in list(run)[:3]}
    write_run(Run(few, name="few"), tmp_path / "few.trec")
    clir(
        "evaluate",
        model,
        "split=dev",
        "queries=2",
        f"candidates={tmp_path}/few.trec",
        "hydra.run.dir=b",
        cwd=tmp_path,
    )
    again = read_run(tmp_path / "b" / "runs" / "test.trec")
    assert len(again) <= 2
    assert all(set(again[query]) == set(few[query]) for query in again)


def test_settings_of_the_data_are_changed_as_the_file_offers(
    demo_run: Path, clirmatrix_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """`data.path=FOLDER` although the verb's own file has no such setting: the model's data has it."""
    content = torch.load(demo_run / "checkpoints" / "last.ckpt", weights_only=True)
    target = "clir_lightning.data.read_clirmatrix"
    languages = {"query_language": "zh", "document_language": "kk"}
    content["config"]["data"] = {"_target_": target, "path": "gone", "cache": None, **languages}
    torch.save(content, tmp_path / "x.ckpt")
    folder = clirmatrix_folder()
    done = clir("evaluate", "model=x.ckpt", f"data.path={folder}", "hydra.run.dir=out", cwd=tmp_path)
    assert len(read_run(tmp_path / "out" / "runs" / "test.trec")) == 2
    for unasked in ("litlogger", "GPU available", "LeafSpec", "Warning"):  # what Lightning and its vendor say
        assert unasked not in done.stdout + done.stderr
    told = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert told["trained"]["data"]["path"] == str(folder)
    assert told["trained"]["splits"]["test"] == "test1"


@pytest.mark.parametrize("verb", ["evaluate", "search", "geometry"])
def test_a_misspelt_setting_of_the_data_names_the_allowed(verb: str, dual_run: Path, tmp_path: Path) -> None:
    model = f"model={dual_run}"
    other = ("data=clirmatrix",) if verb != "evaluate" else ()
    done = clir(verb, model, *other, "data.pth=x", cwd=tmp_path, check=False)
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    named = "there is no setting data.pth; did you mean data.path?"
    expected = named if other else "setting is 'data.pth'; allowed: data.dev, data.test"
    assert said.startswith(f"clir {verb}: {expected}")


def test_it_computes_where_and_as_the_settings_say(
    demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ToldError(Exception):
        pass

    def engine(model: object, at: Computing) -> None:
        raise ToldError(at)

    monkeypatch.setattr(evaluate, "Engine", engine)
    monkeypatch.setattr(evaluate, "claim", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device, precision, place, told in (
        ("auto", "null", "cuda:0", "32-true"),
        ("cuda:1", "bf16-mixed", "cuda:1", "bf16-mixed"),
        ("cpu", "bf16-mixed", "cpu", "bf16-mixed"),
    ):
        overrides = [f"model={demo_run}", f"device={device}", f"precision={precision}"]
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            config = compose("evaluate", overrides=overrides)
        with pytest.raises(ToldError) as caught:
            evaluate.of_model(config, tmp_path)
        assert caught.value.args == (Computing(torch.device(place), told),)


def test_a_run_file_against_qrels(tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q Q0 z 1 0.9 a\nq Q0 x 2 0.5 a\nq Q0 y 3 0.1 a\n")
    (tmp_path / "qrels").write_text("q 0 x 1\nq 0 y 0\nq 0 z 0\n")
    done = clir("evaluate", "run=a.trec", "qrels=qrels", "measures=[mrr_10,ndcg_10]", cwd=tmp_path)
    assert "50.0" in done.stdout
    assert "63.1" in done.stdout
    floor, mine, ceiling = (line.split("│")[1:4] for line in done.stdout.splitlines() if line.startswith("│"))
    assert [row[0].strip() for row in (floor, mine, ceiling)] == ["random order", "a", "ideal"]
    assert float(mine[1]) == 50.0
    assert 33.3 < float(floor[1]) < float(ceiling[1]) == 100.0
    assert "note:" not in done.stdout
    (folder,) = (tmp_path / "outputs").glob("*/*")
    assert (folder / "per_query.csv").read_text() == "qid,mrr_10,ndcg_10\nq,0.5,0.6309297535714575\n"


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q Q0 x 1 0.9 a\nother Q0 x 1 0.9 a\n")
    (tmp_path / "qrels").write_text("q 0 y 1\nmissing 0 y 1\n")
    done = clir("evaluate", "run=a.trec", "qrels=qrels", cwd=tmp_path).stdout
    for note in (
        "note: 1 of 2 judged queries are not in the run and count 0",
        "note: 1 queries of the run are not judged and left out",
        "note: 2 relevant documents are not in the run",
        "note: 1 documents of the run are not judged and count as grade 0",
    ):
        assert note in done


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run=nowhere.trec", "qrels=nowhere"], "nowhere.trec: no such file"),
        (["run=nowhere.trec"], "add qrels=FILE"),
        ([], "give either model=… (with split=…) or run=… (with qrels=…)"),
        (["model=nowhere.ckpt"], "nowhere.ckpt is missing"),
        (["run=a", "qrels=b", "measures=[recal_10]"], "measure is 'recal_10'"),
    ],
)
def test_bad_settings_end_with_one_line(overrides: list[str], message: str, tmp_path: Path) -> None:
    done = clir("evaluate", *overrides, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
