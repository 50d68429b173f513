"""Columns of strings on disk and their index."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.data.store.columns import HashIndex, StringWriter
from clir_lightning.errors import DataError


def test_an_id_with_half_a_character_is_unknown_without_a_traceback(tmp_path: Path) -> None:
    writer = StringWriter(tmp_path, "ids")
    for text_id in ("a", "ә"):
        writer.append(text_id)
    writer.close()
    HashIndex.write(tmp_path, "ids")
    index = HashIndex.open(tmp_path, "ids")
    assert index.rows(["ә", "a"]).tolist() == [1, 0]
    assert index.find("\ud800") == -1
    with pytest.raises(DataError, match=r"document '\\ud800' is not in the collection"):
        index.rows(["a", "\ud800"])
