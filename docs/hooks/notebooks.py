"""The notebooks as pages, with what their cells print.

Notebooks are committed without outputs. Here each is run once, as a user would run it beside an output folder of
`clir train`, and kept until it, the program or a setting changes. `CLIR_DOCS_NOTEBOOKS=false` runs none: the pages then
have the outputs that are kept, and say so where there are none.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "notebooks"
WORK = "work-"  # how the folder begins that notebooks are run in
TRAIN = (sys.executable, "-c", "from clir_lightning.cli import main; main()", "train")
SETTINGS = {
    "COLUMNS": "100",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONWARNINGS": "ignore:IProgress not found",  # by tqdm, of notebooks that are opened in a browser
    "WANDB_MODE": "offline",
}
NOT_RUN = '!!! note "Not run"\n\n    The site was built without running this notebook.\n'
HANG = 3600  # seconds for a kernel's start, for a cell and for the end of what it prints
log = get_plugin_logger("notebooks")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each notebook, and its figures."""
    program = digest(*sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("conf/**/*.yaml")]))
    run = os.environ.get("CLIR_DOCS_NOTEBOOKS", "true") != "false"
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        book = executed(path, program) if run else kept(path, program)
        page, figures = as_markdown(book if book is not None else read(path), path.stem)

        # Below the heading: where the notebook itself lies.
        head, _, rest = page.partition("\n")
        source = f"[{path.name}]({config.repo_url}/blob/main/notebooks/{path.name})"
        page = f"{head}\n\n{source}\n\n{NOT_RUN if book is None else ''}{rest}"
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=page))
        for name, content in figures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def digest(*paths: Path) -> str:
    """Of the files' names and contents, 16 digits."""
    made = hashlib.sha256()
    for path in paths:
        made.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return made.hexdigest()[:16]


def read(path: Path) -> Any:
    """A notebook."""
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


def place(path: Path, program: str) -> Path:
    """Where a notebook with its outputs is kept."""
    return KEPT / f"{path.stem}-{program}-{digest(path)}.ipynb"


def kept(path: Path, program: str) -> Any:
    """The notebook with its outputs, if it is kept."""
    return read(place(path, program)) if place(path, program).exists() else None


def executed(path: Path, program: str) -> Any:
    """The notebook with its outputs, run unless they are kept; an error in a cell fails the build."""
    book = kept(path, program)
    if book is not None:
        return book

    # Beside a run of the demo, which one of the notebooks reads; in the folder of no other program's outputs.
    work = KEPT / f"{WORK}{program}"
    path_with_clir = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path_with_clir, **SETTINGS}
    if not list(work.glob("outputs/2*/*/metrics.json")):
        shutil.rmtree(KEPT, ignore_errors=True)
        work.mkdir(parents=True)
        log.info("training on the demo for the notebooks")
        done = subprocess.run(TRAIN, cwd=work, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise PluginError(f"clir train failed:\n{done.stderr[-3000:]}")

    # A kernel of its own; the result replaces that of an earlier text of the notebook.
    log.info("running %s", path.name)
    book = read(path)
    quiet = ["--IPKernelApp.log_level=ERROR"]
    where = {"metadata": {"path": str(work)}}
    limits: Any = {"timeout": HANG, "startup_timeout": HANG, "iopub_timeout": HANG}
    client = NotebookClient(book, **limits, kernel_name="python3", extra_arguments=quiet, resources=where)
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        raise PluginError(f"{path}: {error}") from error
    for old in KEPT.glob(f"{path.stem}-*.ipynb"):
        old.unlink()
    place(path, program).write_text(nbformat.writes(book), encoding="utf-8")  # type: ignore[no-untyped-call]
    return book


def as_markdown(book: Any, stem: str) -> tuple[str, dict[str, bytes]]:
    """The page, and its figures by their names beside it."""
    figures: dict[str, bytes] = {}
    parts: list[str] = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(fence(cell.source, "python"))
            parts += outputs(cell, stem, figures)
    return "\n\n".join(parts) + "\n", figures


def outputs(cell: Any, stem: str, figures: dict[str, bytes]) -> Iterator[str]:
    """What a cell printed, in one block between figures; these are added to those before."""
    text = ""
    for output in cell.outputs:
        data = output.get("data", {"text/plain": output.get("text", "")})
        if "image/png" in data:
            yield from said(text)
            text = ""
            name = f"{stem}-{len(figures) + 1}.png"
            figures[name] = b64decode(data["image/png"])
            yield f"![figure {len(figures)}]({name}){{ .figure }}"
        else:
            text += data["text/plain"]
    yield from said(text)


def said(text: str) -> list[str]:
    """A block of what was printed, if anything was."""
    return [fence(printed(text), "text { .output .no-copy }")] if printed(text) else []


def printed(text: str) -> str:
    r"""A terminal's text: without colours and this machine's folders, of overwritten lines the last state alone.

    >>> printed("\x1b[1mbold\x1b[0m\n 10 %\r100 %\n/home/me/.cache/notebooks/work-c0de/outputs/2026\n")
    'bold\n100 %\noutputs/2026'
    >>> printed("/home/me/.venv/lib/site-packages/tqdm/auto.py:21: TqdmWarning")
    'tqdm/auto.py:21: TqdmWarning'
    """
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", re.sub(rf"\S*/(?:notebooks/{WORK}\w+|site-packages)/", "", text))
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in plain.rstrip().split("\n"))


def fence(text: str, kind: str) -> str:
    """A block of code of that kind."""
    marks = "`" * (3 + max((len(found) for found in re.findall(r"`{3,}", text)), default=0))
    return f"{marks}{kind}\n{text}\n{marks}"
