"""A collection with every script and every hostile character, and the page of it, served once for all browser tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.files.trec import write_run
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.data.sources.folder_export import write_folder
from clir_lightning.types import Document, Qrels, Query, Run
from program import begin, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", *QUIET]

HANG = 600_000  # milliseconds: a hang, not slowness
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"  # Streamlit's own mark of a page that is drawn
FIELDS = (("combobox", "Pick a query"), ("textbox", "or type one"), ("combobox", "Systems"), ("combobox", "Look into"))

HOSTILE = '<script>window.broken=1</script> **bold** $x^2$ :smile: <img src=x onerror="window.broken=1">'
ARABIC = "قازاق تىلى — تۇركى تىلدەرىنىڭ بىرى. " * 12  # Kazakh in its Arabic script, longer than what stands unfolded
EXTRA = {"rtl": ARABIC, "hostile": HOSTILE, "long": "ұзын мәтін " * 100_000}
PICKED = "territory:KZ"


def collection() -> Collection:
    """The demo with three documents more, and a query that a run lists them for."""
    demo = build_demo()
    documents = {**demo.documents, **{name: Document(name, text, "kk") for name, text in EXTRA.items()}}
    test = demo.splits["test1"]
    queries = {**test.queries, "scripts": Query("scripts", "文字 <b>$y$</b>", "zh")}
    qrels = Qrels({**test.qrels, "scripts": {"rtl": 3, "hostile": 0, "script:Arab": 2}})
    splits = {**demo.splits, "test1": replace(test, queries=queries, qrels=qrels)}
    return Collection("scripts", documents, splits)


def write(folder: Path) -> list[str]:
    """The collection and its run files in a folder; the settings that a page of them takes."""
    whole = collection()
    write_folder(whole, folder / "data")
    ranked = {"hostile": 3.0, "rtl": 2.0, "long": 1.0}
    write_run(Run({"scripts": ranked, **_first(whole.splits["test1"], 1.0)}, "one"), folder / "one.trec")
    other = {"rtl": 1.0, "gone": 0.5}
    write_run(Run({"scripts": other, **_first(whole.splits["test1"], -1.0)}, "two"), folder / "two.trec")
    languages = ("data.query_language=zh", "data.document_language=kk", "data.splits=[train,dev,test1]")
    return ["data=folder", f"data.path={folder / 'data'}", *languages, f"runs=['{folder}/*.trec']"]


def _first(split: Split, sign: float) -> dict[str, dict[str, float]]:
    """The judged documents of some queries by grade, or by its opposite."""
    names = list(split.queries)[:20]
    return {name: {document: sign * grade for document, grade in split.qrels[name].items()} for name in names}


@contextmanager
def served(folder: Path, *settings: str) -> Iterator[str]:
    """The address of the page of these settings, while it is there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = (folder / "stdout", folder / "stderr")
    process = begin("browse", f"port={port}", "open=false", *settings, cwd=folder, said=said)
    try:
        until(lambda: "the page is at" in said[0].read_text(encoding="utf-8"), process)
        assert process.exitcode is None, said[1].read_text(encoding="utf-8")
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.pid is not None:
            os.kill(process.pid, signal.SIGINT)  # Ctrl-C
        process.join()
    assert process.exitcode == 0, said[1].read_text(encoding="utf-8")


@contextmanager
def opened(browser: Any, url: str, **context: Any) -> Iterator[Any]:
    """A page of its own with its lists and fields, which says nothing in its console and asks for nothing outside."""
    from playwright.sync_api import expect

    within = browser.new_context(**context)
    page = within.new_page()
    page.set_default_timeout(HANG)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    expect(page.locator(".clir-list li").first).to_be_visible(timeout=HANG)
    expect(page.locator(IDLE)).to_be_visible(timeout=HANG)
    for role, name in FIELDS:  # the browser gets a field's code when it first meets one, which may be after the lists
        expect(page.get_by_role(role, name=name)).to_be_visible(timeout=HANG)
    yield page
    assert said == []
    assert [address for address in asked if not address.startswith((url, "data:", "blob:"))] == []
    within.close()
