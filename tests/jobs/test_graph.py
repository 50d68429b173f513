"""`clir graph inspect`, `reduce` and `rank` over the demo's graph, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clir_lightning.data.files.trec import read_run
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.data.sources.term_tables import read_entries
from clir_lightning.knowledge.demo import demo_graph
from clir_lightning.knowledge.graph import Graph
from program import clir


@pytest.mark.slow
def test_inspect_reduce_and_rank(tmp_path: Path) -> None:
    whole = demo_graph("kept", cache=str(tmp_path / "cache"))
    done = clir("graph", "inspect", f"graph={whole.path}", "terms=terms.tsv", cwd=tmp_path).stdout
    assert "2,903 (100.0 %)" in done
    assert "whole: nothing was taken out" in done
    entries = list(read_entries(tmp_path / "terms.tsv", "zh", "kk"))
    assert ("哈萨克斯坦", "Қазақстан", 4.0) in entries

    # The verb finds the pairs by linking, and leaves what the ids leave, or less where two entities have one name.
    done = clir("graph", "reduce", f"graph={whole.path}", "path=less", "data=demo", cwd=tmp_path).stdout
    assert "in demo (train, dev, test1); edges real" in done
    reduced = Graph.open(tmp_path / "less")
    left = demo_graph(cache=str(tmp_path / "cache")).manifest["rows"]["triples"]
    assert 0 <= reduced.manifest["rows"]["triples"] - left < 40
    assert "judged statements removed" in clir("graph", "inspect", "graph=less", cwd=tmp_path).stdout

    # An upper bound, and what is left of it.
    means = {}
    for name, path in (("whole", str(whole.path)), ("less", "less")):
        folder = f"hydra.run.dir={name}"
        clir("graph", "rank", f"graph={path}", "splits=[dev]", folder, cwd=tmp_path)
        means[name] = json.loads((tmp_path / name / "metrics.json").read_text())["dev"]["ndcg_10"]
        run = read_run(tmp_path / name / "runs" / "dev.trec")
        assert set(run) == set(build_demo().split("dev").queries)
    assert means["whole"] > 0.8 > means["less"]


@pytest.mark.slow
def test_what_cannot_be_is_told_before_the_work(tmp_path: Path) -> None:
    whole = demo_graph("kept", cache=str(tmp_path / "cache")).path
    for words, problem in (
        (["reduce", f"graph={whole}", "path=less"], "judged=removed needs a collection; add data="),
        (["reduce", f"graph={whole}", "path=cache", "data=demo"], "holds something else than a graph"),
        (["rank", "graph=nowhere"], "there is no such folder"),
        (["rank", f"graph={whole}", "candidates=a.trec"], "write {split} where its name has the split's"),
        (["rank", f"graph={whole}", "damping=1"], "damping is 1"),
    ):
        done = clir("graph", *words, cwd=tmp_path, check=False)
        assert done.returncode == 1
        assert problem in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "less").exists()
