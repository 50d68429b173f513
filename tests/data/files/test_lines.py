"""Lines in, lines out: numbering, gzip, and files that appear whole or not at all."""

from pathlib import Path

import pytest

from clir_lightning.data.files.lines import read_lines, tab_line, tab_texts, write_whole
from clir_lightning.errors import DataError
from clir_lightning.types import Query


def test_numbers_from_one_and_keeps_odd_separators(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffб\u2028в\r\nг\x0b\n".encode())
    assert list(read_lines(path)) == [(1, "б\u2028в"), (2, "г\x0b")]


def test_a_crash_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    with write_whole(path) as stream:
        stream.write("old\n")

    def crash() -> None:
        with write_whole(path) as stream:
            stream.write("new\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert list(read_lines(path)) == [(1, "old")]
    assert list(tmp_path.iterdir()) == [path]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_lines(tmp_path / "none"))


def test_half_a_character_is_one_line_that_names_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("old\n")

    def write(text: str) -> None:
        with write_whole(path) as stream:
            stream.write(tab_line(Query("7", text, "zh")))

    with pytest.raises(DataError, match=r"a\.tsv: cannot be written: half a character .* of '7\\tab\\ud800'"):
        write("ab\ud800c")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_texts_by_id_keep_further_tabs_and_have_each_id_once(tmp_path: Path) -> None:
    path = tmp_path / "topics.tsv"
    path.write_text("7\ta\tb\n9\tc\n")
    assert tab_texts(path) == {"7": "a\tb", "9": "c"}
    path.write_text("7\ta\n9\tc\n7\td\n")
    with pytest.raises(DataError, match=r"topics\.tsv, line 3: id '7' twice; keep one of the two"):
        tab_texts(path)
