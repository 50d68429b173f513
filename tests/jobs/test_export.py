"""`clir export` of trained demo models: what sentence-transformers computes from the folder is what was reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from clir_lightning.data.files.trec import read_run
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.errors import DataError
from clir_lightning.jobs.export import main
from clir_lightning.outputs.trained import Trained
from program import clir


@pytest.mark.parametrize("architecture", ["dual", "cross"])
def test_the_folder_gives_the_runs_scores(architecture: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    import sentence_transformers as library  # takes seconds, and pytest imports this module in each of its processes

    home: Path = request.getfixturevalue("dual_run" if architecture == "dual" else "demo_run")
    clir("export", f"model={home}", "path=out", cwd=tmp_path)
    run, demo = read_run(home / "runs" / "test.trec"), build_demo()
    queries = demo.split("test1").queries
    for query in list(run)[:3]:
        text, ids = queries[query].text, run.ranking(query)[:20]
        documents = [demo.documents[document].text for document in ids]
        if architecture == "dual":
            model = library.SentenceTransformer(str(tmp_path / "out"), device="cpu")
            scores = model.encode(documents, prompt_name="document") @ model.encode(text, prompt_name="query")
        else:
            model = library.CrossEncoder(str(tmp_path / "out"), device="cpu")
            scores = model.predict([(text, document) for document in documents])
        assert scores.tolist() == pytest.approx([run[query][document] for document in ids], abs=1e-5)


def test_a_folder_that_is_there_is_left_alone(demo_run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    done = clir("export", f"model={demo_run}", "path=out", cwd=tmp_path, check=False)
    assert done.stderr.strip().splitlines()[-1].startswith("clir export: path out is there already")


@pytest.mark.parametrize("architecture", ["dual", "cross"])
def test_two_exports_into_one_folder_are_not_mixed(
    architecture: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other begins and ends while this one's model is read."""
    home: Path = request.getfixturevalue("dual_run" if architecture == "dual" else "demo_run")
    config = OmegaConf.create({"model": str(home), "path": str(tmp_path / "out")})
    load = Trained.load

    def overtaken(path: str) -> Trained:
        monkeypatch.setattr(Trained, "load", load)
        main(config)
        return load(path)

    monkeypatch.setattr(Trained, "load", overtaken)
    with pytest.raises(DataError, match="out: is not empty, it holds"):
        main(config)
    assert not list((tmp_path / "out").glob(".*"))
