"""The picture of `clir browse` in the documentation, of a page that is being served.

    clir train architecture=late trainer.max_epochs=1 +trainer.limit_train_batches=20 hydra.run.dir=outputs/late
    clir train architecture=cedr trainer.max_epochs=1 +trainer.limit_train_batches=20 hydra.run.dir=outputs/cedr
    clir browse models=[outputs/late,outputs/cedr] open=false
    python benchmarks/browse_picture.py http://127.0.0.1:8501 docs/figures/browse.png

It needs the extra `dev`, Chromium, and fonts of both scripts.
"""

from __future__ import annotations

import shutil
import sys

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

WIDTH = 1280
HEIGHT = 3000  # more than the page has: it is cut at its end
COLOURS = 64
PATIENCE = 120_000  # milliseconds
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"  # Streamlit's own mark of a page that is drawn


def choose(page: Page, box: str, words: str) -> None:
    """An entry of a list, and wait until it is drawn."""
    field = page.get_by_role("combobox", name=box)
    field.click()
    field.fill(words)
    field.press("Enter")
    expect(page.locator(IDLE)).to_be_visible()


def main(url: str, path: str) -> None:
    """Take the picture: the first five documents, and of them a related one looked into."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        expect(page.locator(".clir-heat")).to_be_visible()

        # Fewer documents, and one that is not the query's own.
        choose(page, "Depth", "5")
        choose(page, "Look into a document", "currency:")
        expect(page.locator(".clir-heat")).to_be_visible()
        page.wait_for_timeout(3000)
        page.keyboard.press("Escape")
        page.locator("h1").click()

        # As far down as the page goes.
        last = page.locator(".clir-heat").bounding_box()
        assert last is not None
        below = last["y"] + last["height"] + 30
        page.screenshot(path=path, clip={"x": 0, "y": 0, "width": WIDTH, "height": below})
        browser.close()

    # Few colours: a third of the size, and no difference to the eye.
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
