"""The card of a collection."""

from __future__ import annotations

from clir_lightning.data.collection import Split
from clir_lightning.evaluation.card import blind_orders
from clir_lightning.types import Document, Qrels


def test_orders_by_length_show_what_a_collection_gives_away() -> None:
    """The relevant document is the shortest of three: first at 1, last at 1/log2(4)."""
    documents = {i: Document(i, text, "kk") for i, text in {"a": "т", "b": "тілі", "c": "тіл"}.items()}
    judged = Split({}, Qrels({"q": {"a": 1, "b": 0, "c": 0}, "none": {"b": 0}}))
    found = dict(part.rsplit(" ", 1) for part in blind_orders(judged, documents).split(", "))
    assert found["longest first"] == "50.0"
    assert found["shortest first"] == "100.0"
    assert 50 < float(found["random"]) < 100
    assert blind_orders(Split({}, Qrels({"none": {"b": 0}})), documents) == "none judged"
