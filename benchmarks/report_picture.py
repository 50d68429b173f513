"""The README's picture of a report: `python benchmarks/report_picture.py [RUN] [--output docs/figures/report.png]`.

`RUN` is the output folder of a `clir train` on the demo; without one, one is trained (two minutes on two cores). It is
compared with both BM25 rows that the training wrote. Of the report, opened in Chromium, the picture has the table, the
differences on single queries with the pointer on one, and the query that differs most.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

WIDTH = 940  # pixels of the page, twice as many of the picture
LARGEST = 250_000  # bytes
POINTED = 20  # the query under the pointer, counted from the greatest gain
PROGRAM = (sys.executable, "-c", "from clir_lightning.cli import main; main()")


def check() -> None:
    """End with a line, before anything is trained, where the picture could not be taken."""
    for program, package in (("chromium", "chromium"), ("fc-list", "fontconfig")):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is missing; the package {package} of Debian has it")
    fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=True).stdout
    if not fonts:
        raise SystemExit("no font has Chinese, so the queries would be boxes; fonts-wqy-microhei of Debian has it")


def report(run: Path | None, folder: Path) -> Path:
    """The report of a run, or of a fresh one, beside both BM25 rows."""
    if run is None:
        run = folder / "run"
        subprocess.run([*PROGRAM, "train", f"hydra.run.dir={run}"], check=True)

    # The run itself has the judgements.
    runs = run.resolve() / "runs"
    names = {
        "BM25": runs / "test.bm25.trec",
        "BM25 with all names": runs / "test.bm25_own_names.trec",
        "cross": run.resolve(),
    }
    compared = ",".join(f"{name}: '{path}'" for name, path in names.items())
    settings = [f"qrels={runs / 'test.qrels'}", "baseline=BM25", "data=demo", "measures=[mrr_10,ndcg_10]"]
    shown = ["report.examples=1", "report.depth=3", f"hydra.run.dir={folder / 'comparison'}"]
    subprocess.run([*PROGRAM, "compare", f"runs={{{compared}}}", *settings, *shown], check=True)
    return folder / "comparison" / "report.html"


# A picture has room for the table and two sections.
KEEP = """() => document.querySelectorAll('main > aside, main > section:has(h2)').forEach(part => {
  if (!/of each query|that differ most/.test(part.querySelector('h2').textContent)) part.remove();
})"""


def photograph(report_file: Path, picture: Path) -> None:
    """The main parts of a report, with the pointer on a query."""
    with sync_playwright() as started:
        args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=args)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=2, color_scheme="light")
        page.goto(report_file.as_uri())
        page.evaluate(KEEP)

        # One of the queries that it gains on.
        strip = page.locator(".at").last.locator("i").nth(POINTED).bounding_box()
        assert strip is not None
        page.mouse.move(strip["x"] + strip["width"] / 2, strip["y"] + strip["height"] / 2)
        page.screenshot(path=picture, full_page=True)
        browser.close()


def main() -> None:
    """Train if need be, compare, photograph, and make the picture small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="an output folder of `clir train` on the demo")
    parser.add_argument("--output", type=Path, default=Path("docs/figures/report.png"))
    given = parser.parse_args()
    check()
    with tempfile.TemporaryDirectory() as folder:
        photograph(report(given.run, Path(folder)), given.output)

    # Flat colours need no more than 64 of them.
    with Image.open(given.output) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(given.output, optimize=True)
    size = given.output.stat().st_size
    assert size < LARGEST, f"{given.output} has {size} bytes"
    print(f"{given.output}: {size} bytes")


if __name__ == "__main__":
    main()
