"""What each neighbour adds: the score with it less the score without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clir_lightning.models.graph_explained import Contribution, explain
from models.graphs_for_tests import Member, batch_of, knowledge
from models.test_graph import DOCUMENT, QUERY, ranker, scores


def test_each_text_is_left_out_wherever_its_entity_stands() -> None:
    known = knowledge([QUERY, DOCUMENT, [(5, 0, 9, 8)]], [(0, 1)])
    model = ranker().train()
    found = explain(model, batch_of(known))
    assert model.training
    model.eval()
    texts = {(entity, at): token for entity, _, *both in [*QUERY, *DOCUMENT] for at, token in enumerate(both)}
    assert {(one.entity, one.language) for one in found} == {place for place, token in texts.items() if token >= 0}
    assert len(found) == 7
    whole = scores(model, known)[0]

    def left(place: tuple[int, int], member: Member) -> Member:
        entity, relation, one, other = member
        return entity, relation, -1 if place == (entity, 0) else one, -1 if place == (entity, 1) else other

    for entity, language, change in found:
        without = [[left((entity, language), member) for member in side] for side in (QUERY, DOCUMENT)]
        assert change == pytest.approx(whole - scores(model, knowledge(without, [(0, 1)]))[0], abs=1e-5)
    sizes = [abs(one.change) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0.01


def test_of_a_pair_without_entities_nothing_is_told() -> None:
    known = knowledge([QUERY, DOCUMENT], [(-1, -1)])
    assert explain(ranker(), batch_of(known)) == []
    one = explain(ranker(), batch_of(replace(known, document=known.query + 1)))
    assert {(each.entity, each.language) for each in one} == {(7, 0), (7, 1), (8, 0), (8, 1), (9, 1)}
    assert isinstance(one[0], Contribution)
