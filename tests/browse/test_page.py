"""The page in a real browser: keyboard, phone, dark and light, texts from right to left, and nothing from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from browse.page import CHROMIUM, FLAGS, HANG, opened, served, write

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytest.importorskip("streamlit", reason="the extra `browse` is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    os.environ.setdefault("CLIR_CACHE", str(folder / "cache"))
    with served(folder, *write(folder)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=HANG)
        sync_api.expect.set_options(timeout=HANG)
        yield started
        started.close()


def pick(page: Any, words: str) -> None:
    """A query by its words, in the list of queries."""
    box = page.get_by_role("combobox", name="Pick a query")
    box.click()
    box.fill(words)
    box.press("Enter")


@pytest.mark.slow
def test_a_query_is_picked_by_keys_alone(browser: Any, url: str) -> None:
    with opened(browser, url) as page:
        focused = "document.activeElement.getAttribute('aria-label') || ''"
        for _ in range(12):
            page.keyboard.press("Tab")
            if "Pick a query" in page.evaluate(focused):
                break
        assert "Pick a query" in page.evaluate(focused)
        page.keyboard.type("scripts")
        page.keyboard.press("Enter")
        sync_api.expect(page.locator(".clir-query")).to_have_text("文字 <b>$y$</b>")
        sync_api.expect(page.locator(".clir-columns").first).to_contain_text("hostile")

        # Hidden text opens by a key as well.
        page.locator(".clir-list summary").first.focus()
        page.keyboard.press("Enter")
        sync_api.expect(page.locator(".clir-list details").first).to_have_attribute("open", "")


@pytest.mark.slow
def test_texts_of_files_are_shown_as_they_are_and_run_nothing(browser: Any, url: str) -> None:
    with opened(browser, url) as page:
        pick(page, "scripts")
        sync_api.expect(page.locator(".clir-query")).to_have_text("文字 <b>$y$</b>")
        hostile = page.locator(".clir-list li", has_text="hostile").first
        sync_api.expect(hostile).to_contain_text("<script>window.broken=1</script> **bold** $x^2$ :smile: <img src=x")
        assert page.evaluate("window.broken === undefined")

        # A megabyte of text stays where it is, and the lists stand side by side.
        page.locator(".clir-list details", has_text="ұзын").first.wait_for()
        assert page.evaluate("document.documentElement.outerHTML.length") < 400_000
        one, other = page.evaluate(BOXES)
        assert one["top"] == other["top"]
        assert one["right"] < other["left"]

        # Ranks, changes and grades: the second list begins with what is the first one's second.
        first, second = page.locator(".clir-columns").first.locator("section").all()
        assert first.locator(".clir-line > b:first-child").all_inner_texts() == ["1", "2", "3"]
        assert first.locator(".clir-grade").all_inner_texts() == ["0", "3", "–"]
        assert second.locator(".clir-up, .clir-new").all_inner_texts() == ["▲1", "new"]
        sync_api.expect(second).to_contain_text("not in the collection")
        sync_api.expect(page.locator(".clir-missing summary")).to_have_text(
            "Found by no system: 1 of 2 relevant documents"
        )


@pytest.mark.slow
def test_a_text_from_right_to_left_is_laid_out_so(browser: Any, url: str) -> None:
    with opened(browser, url) as page:
        pick(page, "scripts")
        text = page.locator(".clir-list summary", has_text="قازاق").first
        text.wait_for()
        box = text.bounding_box()
        begins = page.evaluate(
            """element => {
                const range = document.createRange();
                range.setStart(element.firstChild, 0);
                range.setEnd(element.firstChild, 1);
                return range.getBoundingClientRect().right;
            }""",
            text.element_handle(),
        )
        assert text.evaluate("element => getComputedStyle(element).direction") == "rtl"
        assert begins > box["x"] + 0.9 * box["width"]  # its first letter stands at the right

        # A text from left to right beside it does not turn.
        other = page.locator(".clir-list span[dir]", has_text="bold").first
        assert other.evaluate("element => getComputedStyle(element).direction") == "ltr"


@pytest.mark.slow
def test_a_typed_query_is_answered(browser: Any, url: str) -> None:
    with opened(browser, url) as page:
        box = page.get_by_role("textbox", name="or type one")
        box.fill("阿拉伯语")
        box.press("Enter")
        sync_api.expect(page.locator(".clir-query")).to_have_text("阿拉伯语")
        columns = page.locator(".clir-columns").first
        sync_api.expect(columns).to_contain_text("a run file answers the queries in it alone")

        # The first stage beside the run files answers it.
        systems = page.get_by_role("combobox", name="Systems")
        systems.fill("BM25")
        systems.press("Enter")
        systems.press("Escape")
        sync_api.expect(columns).to_contain_text("араб тілі")
        sync_api.expect(page.locator(".clir-about", has_text="no judgements")).to_be_visible()

        # Picking one again leaves the typed one.
        pick(page, "scripts")
        sync_api.expect(page.locator(".clir-query")).to_have_text("文字 <b>$y$</b>")
        sync_api.expect(box).to_have_value("")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_lists_one_under_another(browser: Any, url: str, scheme: str) -> None:
    size = {"width": 390, "height": 844}
    with opened(browser, url, viewport=size, color_scheme=scheme) as page:
        pick(page, "scripts")
        page.locator(".clir-list summary", has_text="قازاق").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.locator("[data-testid=stMain]").evaluate("element => element.scrollWidth") == 390
        first, second = page.evaluate(BOXES)
        assert second["top"] > first["bottom"]

        # Letters stand out from what is behind them, in both schemes: at least 4.5 to 1 (WCAG 2).
        for mark in (".clir-query", ".clir-grade.clir-g4", ".clir-grade.clir-g0", ".clir-up", ".clir-problem"):
            assert page.locator(mark).first.evaluate(CONTRAST) >= 4.5, mark


BOXES = "[...document.querySelector('.clir-columns').children].map(each => each.getBoundingClientRect().toJSON())"
CONTRAST = """element => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const read = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const light = colour => {
        const [r, g, b] = [...read(colour)].map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let behind = element;
    while (read(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const two = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
    return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
}"""
