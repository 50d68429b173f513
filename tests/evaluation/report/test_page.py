"""The report in a headless browser: nothing escapes from its texts, nothing overflows, nothing is fetched or wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from clir_lightning.evaluation.comparison import Comparison, Member, System, compare
from clir_lightning.evaluation.report.charts import over_training, query_differences
from clir_lightning.evaluation.report.examples import KnownTexts, most_different
from clir_lightning.evaluation.report.page import page as made
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
    comparison = compare(systems, measures=["mrr_10", "ndcg_10"], samples=1000)
    text = made(
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed: the report is not looked at in a browser")
    silent = ["quic", "gpu", "background-networking", "component-update", "sync"]
    with sync_playwright() as started:
        args = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in silent)]
        yield started.chromium.launch(executable_path=path, args=args, timeout=1000 * HANG)


@pytest.fixture
def open_page(browser: Browser, systems: list[System], tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """The report in a window, without a network; what a browser complains about fails the test."""
    said: list[str] = []
    written(systems, tmp_path / "report.html")
    contexts = []

    def opened(width: int = 1280, **settings: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **settings)
        context.set_default_timeout(1000 * HANG)
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.on("request", lambda request: said.append(request.url))
        shown.goto((tmp_path / "report.html").as_uri())
        said.remove(shown.url)
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert said == []


WHOLE = """() => {
  const wide = document.documentElement.clientWidth + 1;
  const all = selector => [...document.querySelectorAll(selector)];
  const outside = all('main *').filter(e => !e.closest('.wide *') && e.getBoundingClientRect().right > wide);
  const spill = all('svg text').filter(t => { const a = t.getBoundingClientRect(),
    b = t.ownerSVGElement.getBoundingClientRect(); return a.left < b.left - 1 || a.right > b.right + 1; });
  return {outside: outside.map(e => e.outerHTML.slice(0, 80)), spill: spill.map(e => e.textContent),
    scripts: document.scripts.length, svgs: all('svg').length, articles: all('article').length,
    lines: all('svg .line').length, title: document.title};
}"""


@pytest.mark.parametrize("width", [1280, 600, 390])
def test_a_browser_shows_it_whole(open_page: Callable[..., Page], width: int) -> None:
    assert open_page(width).evaluate(WHOLE) == {
        "outside": [],
        "spill": [],
        "scripts": 0,  # those in the texts are text
        "svgs": 1 + 1 + 2 + 2,  # differences, recall, scores, training
        "lines": 1 + 2 + 2 * 2,  # zero, one line per system, one per seed
        "articles": 6,
        "title": f"2 systems {EVIL}",
    }


def shown_at(page: Page, chart: int, across: float, point: str = "move") -> list[str]:
    """The lines that a chart shows when a pointer or a finger is at a place, `across` from 0 to 1 of its plane."""
    plane = page.locator(".at").nth(chart)
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    assert box is not None
    place = (box["x"] + across * box["width"], box["y"] + box["height"] / 2)
    page.mouse.move(*place) if point == "move" else page.touchscreen.tap(*place)
    said: str = page.locator(".at i:hover").evaluate("e => getComputedStyle(e, '::after').content")
    return list(json.loads(said.replace("\\a ", "\\n")).split("\n"))


def test_values_are_shown_under_the_pointer(open_page: Callable[..., Page]) -> None:
    page = open_page()
    # bm25's order b, c, a has a DCG of 3 / log2(3) + 6 / 2, ours a, b, c one of 6 + 3 / 2, the best 6 + 3 / log2(3);
    # on the last query the second seed has bm25's order.
    assert shown_at(page, 0, 0.1) == ["q0", "+0.330"]
    assert shown_at(page, 0, 0.9) == ["q5", "+0.165"]
    # The first document is one of two relevant ones on 11 of our 12 lists, on none of bm25's.
    assert shown_at(page, 1, 0.1) == ["rank 1", "bm25 0", f"ours {EVIL} 0.4583"]
    assert shown_at(page, 1, 0.99)[0] == "rank 3"
    # bm25's scores are 0 and .3 of relevant documents, .5 of the others: 25 bins of .02.
    assert shown_at(page, 2, 0.01) == ["score below 0.02", "relevant 50.0 %", "other 0.0 %"]
    assert shown_at(page, 2, 0.06) == ["score 0.02 to 0.04", "relevant 0.0 %", "other 0.0 %"]
    assert shown_at(page, 2, 0.99) == ["score 0.48 and above", "relevant 0.0 %", "other 100.0 %"]
    assert shown_at(page, 4, 0.9) == ["step 20", *(f"ours {EVIL}, seed {seed} 0.4" for seed in (1, 2))]
    assert shown_at(page, 5, 0.2) == ["step 10", *(f"ours {EVIL}, seed {seed} 0.5" for seed in (1, 2))]


def test_queries_stand_in_the_order_of_their_differences(systems: list[System]) -> None:
    only = Run({q: {"a": float(q == "q3"), "b": 0.5, "c": 0.3} for q in QRELS})
    ((caption, picture),) = query_differences(
        compare([systems[0], System("only", (Member(only, QRELS),))], measures=["ndcg_10"]), "ndcg_10"
    )
    assert "better on 1, equal on 5, worse on 0" in caption
    assert re.findall(r'data-said="([^"]*)"', picture)[:2] == ["q3\n+0.330", "q0\n+0.000"]


def test_a_finger_shows_values_too(open_page: Callable[..., Page]) -> None:
    page = open_page(390, has_touch=True, is_mobile=True)
    assert shown_at(page, 0, 0.1, "tap") == ["q0", "+0.330"]


def test_values_are_read_by_keyboard_in_a_table(open_page: Callable[..., Page]) -> None:
    page = open_page()
    numbers = page.locator("details").first
    cell = numbers.get_by_role("cell", name="+0.165")
    assert not cell.is_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if numbers.locator("summary").evaluate("e => e === document.activeElement"):
            break
    page.keyboard.press("Enter")
    assert cell.is_visible()
    assert numbers.locator("tbody tr").count() == 6
    assert page.get_by_role("img", name="minus bm25, better on 6, equal on 0, worse on 0").count() == 1


def colour(page: Page, element: str, kind: str = "color") -> str:
    return str(page.locator(element).first.evaluate(f"e => getComputedStyle(e).{kind}"))


def test_it_is_light_or_dark_as_the_reader_has_it_and_light_on_paper(open_page: Callable[..., Page]) -> None:
    light, dark = open_page(), open_page(color_scheme="dark")
    white = "rgb(255, 255, 255)"
    assert colour(light, "body", "backgroundColor") == white
    assert colour(dark, "body", "backgroundColor") == "rgb(22, 24, 29)"
    assert colour(dark, "svg .line", "stroke") == colour(dark, "body")
    assert colour(dark, "svg .area", "fill") != colour(light, "svg .area", "fill")
    dark.emulate_media(media="print")
    assert colour(dark, "body", "backgroundColor") == white
    assert colour(dark, "svg .area", "fill") == colour(light, "svg .area", "fill") == "rgb(0, 114, 178)"


def test_paper_has_no_folded_tables_but_those_that_were_opened(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.locator("summary").first.click()
    page.emulate_media(media="print")
    assert [entry.is_visible() for entry in page.locator("details").all()] == [True] + 5 * [False]
    assert page.pdf().startswith(b"%PDF")


def test_no_script_would_run_even_if_one_got_in(systems: list[System], browser: Browser, tmp_path: Path) -> None:
    text = written(systems, tmp_path / "report.html")
    (tmp_path / "report.html").write_text(text + "<script>document.title = 'broken'</script>", encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.title() == f"2 systems {EVIL}"
    page.close()


def test_a_log_that_its_job_removes_as_it_begins_anew_is_not_drawn(
    systems: list[System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def removed_first(path: Path, *arguments: Any, **settings: Any) -> Any:
        (tmp_path / "metrics.csv").unlink(missing_ok=True)
        return opened(path, *arguments, **settings)

    comparison = compare(systems, measures=["ndcg_10"])
    assert over_training(comparison, systems, "ndcg_10")
    monkeypatch.setattr(Path, "open", removed_first)
    assert over_training(comparison, systems, "ndcg_10") == []


def test_a_sweep_of_twelve_systems_stays_under_a_megabyte(systems: list[System], tmp_path: Path) -> None:
    qrels = {f"q{i}": {f"d{j}": int(j < 4) for j in range(20)} for i in range(200)}
    rows = np.random.default_rng(1).random((200, 20)).tolist()
    run = Run({q: dict(zip(qrels[q], row, strict=True)) for q, row in zip(qrels, rows, strict=True)})
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,val/ndcg_10,train/loss_epoch\n" + "".join(f"{e},{e},0.{e:04},{1 / e}\n" for e in range(1, 101))
    )
    members = tuple(Member(run, qrels, seed, tmp_path) for seed in range(3))
    sweep = [System(f"experiment lr=1e-{k}", members) for k in range(12)]
    assert len(written(sweep, tmp_path / "report.html").encode()) < 700_000


def test_texts_and_grades_are_shown_and_ids_alone_without_texts(systems: list[System], tmp_path: Path) -> None:
    text = written(systems, tmp_path / "report.html")
    assert 'lang="zh" dir="auto">阿拉木图&lt;script&gt;' in text
    assert 'title="grade 6">6</b><code>a</code> <span lang="kk" dir="auto">Алматы' in text
    assert "c0ffee" in text
    assert "://" not in text
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
