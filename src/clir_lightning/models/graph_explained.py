"""What each neighbour adds to a pair's graph score, by leaving it out."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.models.graph import GraphRanker


class Contribution(NamedTuple):
    """An entity's text in one language, and how much lower the score is without it."""

    entity: int  # its number in `KnowledgeBatch.entities`
    language: int  # its place in `KnowledgeTable.languages`
    change: float


@torch.no_grad()
def explain(model: GraphRanker, batch: PairBatch) -> list[Contribution]:
    """What each text of the query's and the document's neighbourhood adds to the score of a pair, the greatest first.

    A text is left out wherever its entity stands, in both neighbourhoods. Texts are encoded once. `batch` is of one
    pair; of a pair that is not linked nothing is told.
    """
    knowledge = model.known(batch)
    assert batch.grades.numel() == 1
    training = model.training
    model.eval()
    try:
        vector, score = model.text.read(batch)
        nodes = model.text_nodes(knowledge)
        whole = float(model.joined(vector, score, nodes, knowledge))

        # The entities and languages of texts in the pair's neighbourhoods, each once.
        rows = [row for row in (int(knowledge.query), int(knowledge.document)) if row >= 0]
        members = knowledge.members[rows].flatten(0, 1).tolist()
        numbers = knowledge.entities[rows].flatten().tolist()
        texts = {
            (entity, language): None
            for entity, places in zip(numbers, members, strict=True)
            for language, place in enumerate(places)
            if place >= 0
        }

        # The score without each of them.
        found = []
        for entity, language in texts:
            left = knowledge.members.clone()
            left[..., language][knowledge.entities == entity] = -1
            without = float(model.joined(vector, score, nodes, replace(knowledge, members=left)))
            found.append(Contribution(entity, language, whole - without))
    finally:
        model.train(training)
    return sorted(found, key=lambda one: -abs(one.change))
