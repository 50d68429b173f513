"""Where a result came from, looked up beside people who work in the same checkout."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from clir_lightning.outputs import provenance


def test_the_look_at_the_checkout_leaves_its_index_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To write it, git takes a lock, over which somebody's commit at that moment would fail."""

    def git(*arguments: str) -> None:
        own = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", "-C", str(tmp_path), *own, *arguments], check=True, capture_output=True)

    (tmp_path / "file").write_text("text")
    git("init")
    git("add", "file")
    git("commit", "-m", "first")
    os.utime(tmp_path / "file", (1, 1))  # the index does not know the file any more
    index = tmp_path / ".git" / "index"
    before = index.read_bytes()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "src" / "package" / "outputs" / "provenance.py"))
    found = provenance.commit()
    assert found is not None
    assert re.fullmatch("[0-9a-f]{40}", found)
    assert index.read_bytes() == before
