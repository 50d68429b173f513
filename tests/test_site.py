"""The documentation site: it builds without a warning, and every page is opened in a browser, wide and narrow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from program import HANG, ROOT

PREFIX = "/clir-lightning/"  # the path of the address that the site is made for, which its page of error 404 names
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync"]

# What a page has: its ids, its links, its headings, and whatever is broken or does not fit into the window.
PROBE = """() => ({
  ids: [...document.querySelectorAll('[id]')].map(each => each.id),
  links: [...document.querySelectorAll('a[href]')].map(each => each.href),
  titles: document.title.trim() ? [...document.querySelectorAll('h1')].map(each => each.textContent) : [],
  broken: [...document.images].filter(each => !each.complete || !each.naturalWidth).map(each => each.src),
})"""
OUTSIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
CONTRAST = """() => {
  const light = colour => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(each => each / 255)
    .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const text = light(getComputedStyle(document.querySelector('.md-content p')).color);
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
}"""
NO_INDEX = {"config": {"lang": ["en"], "separator": " ", "pipeline": [], "fields": {}}, "docs": []}


class Seen(NamedTuple):
    """What opening a page showed."""

    page: dict[str, Any]
    wide: dict[int, int]  # by width of the window, what does not fit into it
    said: list[str]  # the console, failed and foreign requests


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, with the notebooks as they are."""
    target = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "CLIR_DOCS_NOTEBOOKS": "false", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == ""
    return target


class UnderPrefix(SimpleHTTPRequestHandler):
    """Serves a folder as the address of the site does."""

    def translate_path(self, path: str) -> str:
        return super().translate_path("/" + path.removeprefix(PREFIX) if path.startswith(PREFIX) else "/nowhere")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(UnderPrefix, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed: the site is not looked at in a browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=SWITCHES, timeout=1000 * HANG)
        context = opened.new_context(color_scheme="light")
        context.set_default_timeout(1000 * HANG)
        yield context
        opened.close()


def look(browser: BrowserContext, urls: list[str], host: str) -> dict[str, Seen]:
    """Open pages one after another in one window, whose cache keeps scripts and styles."""
    said: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((host, "data:")) else said.append(request.url))
    page.on("response", lambda response: said.append(f"{response.status} {response.url}") if not response.ok else None)
    page.route("**/search_index.json", lambda route: route.fulfill(json=NO_INDEX))  # each page would index the site

    seen = {}
    for url in urls:
        said.clear()
        page.goto(url)
        found = page.evaluate(PROBE)
        wide = {}
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            wide[width] = page.evaluate(OUTSIDE)
        seen[url] = Seen(found, wide, [*said])
    page.close()
    return seen


def test_the_navigation_names_each_page_once_in_its_order(site: Path) -> None:
    text = (site / "404.html").read_text(encoding="utf-8")
    pages = [target.removeprefix(PREFIX) for target in re.findall(r'<a href="([^"]+)" class="md-nav__link', text)]
    folders = [file.parent.relative_to(site).as_posix() for file in site.rglob("index.html")]
    assert sorted(pages) == sorted("." if folder == "." else f"{folder}/" for folder in folders)
    order = [
        pages.index(page) for page in ("install/", "first-stage/", "command-line/", "notebooks/2_a_run_read_back/")
    ]
    assert order == sorted(order)
    assert pages[pages.index("api/") + 1].startswith("api/")


def test_each_room_has_a_page_with_its_names(site: Path) -> None:
    rooms = {stub.parent.name for stub in (ROOT / "src/clir_lightning").glob("*/__init__.pyi")}
    assert {page.parent.name for page in site.glob("api/*/index.html")} == {*rooms, "types", "errors"}
    losses = (site / "api/losses/index.html").read_text(encoding="utf-8")
    assert 'id="clir_lightning.losses.InfoNCE"' in losses
    assert 'id="clir_lightning.losses.contrastive.info_nce"' in losses
    assert '<span class="gp">&gt;&gt;&gt; </span>' in losses  # an example in a docstring, shown as Python
    row = next(row for row in losses.split("<tr>") if "<code>margin_mse</code>" in row and "MarginMSE" in row)
    assert "a teacher's scores" in row.replace("&#39;", "'")


def test_links_of_the_repository_lead_to_pages_or_back_to_it(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8") + (site / "design/index.html").read_text(encoding="utf-8")
    targets = re.findall(r'href="([^"]+)"', text)
    assert "design/" in targets
    assert not [target for target in targets if target.endswith(".md") and "github.com" not in target]


def test_no_page_tells_where_it_was_built(site: Path) -> None:
    folders = (str(ROOT), sys.prefix)
    for file in site.rglob("*.html"):
        assert not [folder for folder in folders if folder in file.read_text(encoding="utf-8")], file


def test_every_list_is_a_list(site: Path) -> None:
    """Repositories show a list right below a line of text, or one indented by two; Python-Markdown wants more."""
    for file in site.rglob("index.html"):
        text = re.sub(r"<(pre|nav|header|script)\b.*?</\1>", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r"\n *(?:[-*]|\d+\.) [^\n]*", text) == [], file


@pytest.mark.slow
def test_every_page_opens_and_every_link_leads_somewhere(site: Path, browser: BrowserContext, address: str) -> None:
    host = address.removesuffix(PREFIX)
    pages = [file.relative_to(site).as_posix().removesuffix("index.html") for file in site.rglob("*.html")]
    seen = look(browser, [address + name for name in pages], host)
    assert {url: found.said for url, found in seen.items() if found.said} == {}
    assert {url: found.wide for url, found in seen.items() if any(found.wide.values())} == {}
    assert {url: found.page["broken"] for url, found in seen.items() if found.page["broken"]} == {}
    assert {url: found.page["titles"] for url, found in seen.items() if len(found.page["titles"]) != 1} == {}

    # Links within the site: the page or the file is there, and the anchor on it.
    lost = []
    for url, found in seen.items():
        for link in found.page["links"]:
            target, _, anchor = link.partition("#")
            if target in seen:
                lost += [(url, link)] if anchor and anchor not in seen[target].page["ids"] else []
            elif target.startswith(host) and not (site / target.removeprefix(address)).is_file():
                lost.append((url, link))
    assert lost == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("哈萨克语", ""),
        ("日语", "api/"),
        ("萨克", ""),  # within a word: Chinese has no spaces
        ("жапон", "api/"),
        ("info_nce", "api/losses/"),
        ("collapse", "collapse/"),
        ("kernel pooling", "architectures/cedr_knrm/"),
    ],
)
def test_the_search_finds(browser: BrowserContext, address: str, words: str, page: str) -> None:
    opened = browser.new_page()
    opened.goto(address)
    opened.fill("input[name=query]", words)
    opened.press("input[name=query]", "End")  # the page looks at what is typed whenever a key comes up
    opened.wait_for_selector(".md-search-result__meta:has-text('matching')")  # some document, or none
    found = [link.get_attribute("href") or "" for link in opened.query_selector_all(".md-search-result__item a")]
    opened.close()
    assert address + page in {re.split(r"[?#]", link)[0] for link in found}


@pytest.mark.slow
def test_the_dark_scheme_is_legible_and_stays(browser: BrowserContext, address: str) -> None:
    page = browser.new_page()
    page.goto(address + "design/")
    assert page.get_attribute("body", "data-md-color-scheme") == "default"
    assert page.evaluate(CONTRAST) > 7
    page.click("label[title='Switch to dark']")
    assert page.get_attribute("body", "data-md-color-scheme") == "slate"
    assert page.evaluate(CONTRAST) > 7
    page.goto(address + "results/")
    assert page.get_attribute("body", "data-md-color-scheme") == "slate"
    page.close()
