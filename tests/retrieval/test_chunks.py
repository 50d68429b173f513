"""Long texts in parts: borders, limits, and that nothing is lost."""

from __future__ import annotations

import pytest

from clir_lightning.retrieval.chunks import chunks


def test_long_texts_are_cut_at_sentences_then_words_then_anywhere() -> None:
    assert chunks("short", 5, len) == ["short"]
    text = "One two. Three four! Five six seven. Eight."
    assert chunks(text, 25, len) == ["One two. Three four!", "Five six seven. Eight."]
    assert chunks("aaa bbb ccc ddd", 8, len) == ["aaa bbb", "ccc ddd"]
    assert chunks("他说汉语。她说法语。", 6, len) == ["他说汉语。", "她说法语。"]
    assert chunks("abcdefgh", 2, len) == ["ab", "cd", "ef", "gh"]
    assert chunks("3.14 and 2.71 are numbers", 14, len) == ["3.14 and 2.71", "are numbers"]  # no sentence ends there
    assert chunks("ab", 0, len) == ["a", "b"]  # no shorter text there is


@pytest.mark.parametrize("limit", [1, 2, 7, 30])
def test_chunks_lose_nothing_and_are_within_the_limit(limit: int) -> None:
    text = "Ол 2024 жылы келді. Кім?  Белгісіз… " * 5 + "我们说话。" * 9 + "х" * 50
    parts = chunks(text, limit, len)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert max(map(len, parts)) <= limit
