"""Lists in arrays are the lists that they were made of."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clir_lightning.data.store.packed import PackedLists, packed

IDS = st.text(max_size=4)
LISTS = st.dictionaries(IDS, st.dictionaries(IDS, st.floats(allow_nan=False), max_size=4), max_size=5)


@given(LISTS)
def test_packed_lists_read_as_dictionaries(lists: dict[str, dict[str, float]]) -> None:
    made = PackedLists.of(lists)
    assert dict(made) == lists
    assert list(made) == list(lists)
    assert [list(made[query]) for query in made] == [list(lists[query]) for query in lists]
    assert made.sizes.tolist() == [len(scores) for scores in lists.values()]
    pairs = [(query, document) for query, scores in lists.items() for document in scores]
    assert [made.names(pair) for pair in range(made.pairs)] == pairs
    assert [pairs[pair][0] for query in lists for pair in made.numbers(query)] == [query for query, _ in pairs]


def test_other_scores_of_the_same_pairs() -> None:
    made = PackedLists.of({"q": {"a": 0.0, "b": 0.0}, "none": {}, "p": {"a": 0.0}})
    scored = made.with_scores(np.array([1.5, -0.5, 0.25], np.float32))
    assert dict(scored) == {"q": {"a": 1.5, "b": -0.5}, "none": {}, "p": {"a": 0.25}}
    assert "z" not in scored
    assert packed(scored) is scored
    assert packed({"q": {"a": 1.0}})["q"] == {"a": 1.0}


def test_half_a_character_in_an_id_is_kept() -> None:
    assert list(PackedLists.of({"q": {"\ud83d": 1.0, "": 2.0}})["q"]) == ["\ud83d", ""]
