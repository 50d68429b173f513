"""The report in a headless browser: nothing escapes from its texts, nothing overflows, nothing is fetched or wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from clir_lightning.evaluation.comparison import Comparison, Member, System, compare
from clir_lightning.evaluation.report.examples import KnownTexts, most_different
from clir_lightning.evaluation.report.page import page
from clir_lightning.types import Document, Query, Run
from program import HANG

EVIL = "<script>document.title = 'broken'</script> & \"quoted\""
QRELS = {f"q{i}": {"a": 6, "b": 0, "c": 3} for i in range(6)}
TEXTS = KnownTexts(
    {f"q{i}": Query(f"q{i}", "阿拉木图" + EVIL, "zh") for i in range(6)},
    {"a": Document("a", "Алматы — қала. " * 60, "kk"), "b": Document("b", EVIL, "kk")},
)
LOG = "step,epoch,val/ndcg_10,train/loss_epoch\n10,0,0.2,\n10,0,,0.5\n20,1,0.4,\n20,1,,0.25\n"


def run(right: int) -> Run:
    return Run({q: {"a": float(i < right), "b": 0.5, "c": 0.3} for i, q in enumerate(QRELS)})


@pytest.fixture
def systems(tmp_path: Path) -> list[System]:
    (tmp_path / "metrics.csv").write_text(LOG)
    ours = tuple(Member(run(right), QRELS, seed, tmp_path) for seed, right in enumerate((6, 5), start=1))
    return [System("bm25", (Member(run(0), QRELS),)), System(f"ours {EVIL}", ours)]


def written(systems: list[System], path: Path, texts: KnownTexts = TEXTS) -> str:
    comparison = compare(systems, measures=["mrr_10", "ndcg_10"])
    text = page(
        comparison,
        systems,
        title=f"2 systems {EVIL}",
        alpha=0.05,
        notes=[f"one seed {EVIL}"],
        commits={path.parent: "c0ffee"},
        texts=texts,
        measure="ndcg_10",
    )
    path.write_text(text, encoding="utf-8")
    return text


PROBE = """<script>
const outside = [...document.querySelectorAll('main *')].filter(e => !e.closest('.wide *')
  && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80));
const spill = [...document.querySelectorAll('svg text')].filter(t => { const a = t.getBoundingClientRect(),
  b = t.ownerSVGElement.getBoundingClientRect(); return a.left < b.left - 1 || a.right > b.right + 1; }).length;
document.body.dataset.found = JSON.stringify({outside, spill, scripts: document.scripts.length,
  svgs: document.querySelectorAll('svg').length, articles: document.querySelectorAll('article').length,
  title: document.title, fetched: performance.getEntriesByType('resource').length,
  lines: document.querySelectorAll('svg .line').length});
</script>"""


def browse(path: Path, width: int) -> tuple[dict[str, object], str]:
    """What the probe finds in a window of that width, and what the browser wrote to its console."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed: the report is not looked at in a browser")
    probed = path.with_name("probed.html")
    probed.write_text(path.read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},900"]
    switches += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    home = f"--user-data-dir={path.parent / 'profile'}"
    command = [chromium, *switches, home, "--dump-dom", probed.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True)
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None, done.stdout[-500:]
    content: dict[str, object] = json.loads(unescape(found[1]))
    return content, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.parametrize("width", [1280, 600])
def test_a_browser_shows_it_whole(systems: list[System], tmp_path: Path, width: int) -> None:
    written(systems, tmp_path / "report.html")
    found, console = browse(tmp_path / "report.html", width)
    assert console == ""
    assert found["outside"] == []
    assert found["spill"] == 0
    assert found["scripts"] == 1  # the probe alone: those in the texts are text
    assert found["fetched"] == 0
    assert found["title"] == f"2 systems {EVIL}"
    assert found["svgs"] == 1 + 1 + 2 + 2  # differences, recall, scores, training
    assert found["lines"] == 1 + 2 + 2 * 2  # zero, one line per system, one per seed
    assert found["articles"] == 6


def test_texts_and_grades_are_shown_and_ids_alone_without_texts(systems: list[System], tmp_path: Path) -> None:
    text = written(systems, tmp_path / "report.html")
    assert 'lang="zh" dir="auto">阿拉木图&lt;script&gt;' in text
    assert 'title="grade 6">6</b><code>a</code> <span lang="kk" dir="auto">Алматы' in text
    assert "c0ffee" in text
    assert "http" not in text
    without = written(systems, tmp_path / "report.html", KnownTexts({}, {}))
    assert "<code>a</code> </li>" in without
    assert "阿拉木图" not in without


def test_the_queries_that_differ_most_come_first_and_equal_ones_not_at_all(systems: list[System]) -> None:
    one = Member(run(2), QRELS)
    few: Comparison = compare([systems[0], System("few", (one,))], measures=["mrr_10"])
    assert most_different(few, "mrr_10", 10) == ["q0", "q1"]
    assert most_different(few, "mrr_10", 1) == ["q0"]


def test_a_single_system_has_a_report_too(systems: list[System], tmp_path: Path) -> None:
    text = written(systems[:1], tmp_path / "report.html")
    assert "Against" not in text
    assert "Queries that differ most" not in text
    assert text.count("<svg") == 2  # recall and scores
