"""`GraphRanker`: its formula by NumPy, and what a score depends on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import Tensor

from clir_lightning.build import build, plain
from clir_lightning.configuration import config_folder
from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.errors import ConfigError
from clir_lightning.losses.alignment import EntityAlignment, entity_alignment
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.graph import GraphRanker
from clir_lightning.models.graph_layers import NAMES
from clir_lightning.models.model_folder import read_saved, write_model_folder
from clir_lightning.models.saved import Recipe
from models.fakes import Array, TableEncoder, array
from models.graphs_for_tests import batch_of, drawn, knowledge
from models.test_pair_graph import PAIR, by_sets

# Query: 7, which knows 8 and 9; document: 8, which knows 7 and 6. 9 has a text in the second language alone.
QUERY = [(7, 0, 2, 3), (8, 1, 4, 5), (9, 4, -1, 6)]
DOCUMENT = [(8, 0, 4, 5), (7, 2, 2, 3), (6, 3, 8, 9)]


def ranker(layer: str = "gcn", **settings: Any) -> Any:
    torch.manual_seed(2)
    encoder: Any = TableEncoder()
    made = GraphRanker(
        encoder, partial(CrossEncoder, dropout=0.0), layer=layer, width=8, heads=2, dropout=0.0, **settings
    )
    with torch.no_grad():
        assert not made.out.weight.any()  # training starts at the text's scores
        assert not made.out.bias.any()
        made.out.weight.normal_()
        made.out.bias.normal_()
    return made.eval()


def scores(model: Any, known: KnowledgeBatch, first: int = 20) -> list[float]:
    with torch.no_grad():
        found: list[float] = model(batch_of(known, first))[:, 0].tolist()
    return found


def norm(values: Array) -> Array:
    """A layer norm as it starts."""
    centred = values - values.mean(axis=-1, keepdims=True)
    scaled: Array = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled


def linear(layer: Any, values: Array) -> Array:
    found: Array = values @ array(layer.weight).T + array(layer.bias)
    return found


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("pagerank", [False, True])
def test_a_score_is_that_of_the_formula(pagerank: bool) -> None:
    """s + σ(u · [v; h] + c) · (w · [h; f] + b), h after two steps of a GCN with A of sets of names."""
    known = knowledge([QUERY, DOCUMENT], [(0, 1)], mass=[0.03])
    model = ranker(pagerank=pagerank)
    nodes, edges = by_sets(known, 0, 0)
    order = [PAIR, *sorted(nodes - {PAIR})]
    table = array(model.encoder.table)
    tokens = {(e, lang): t for e, _, *both in [*QUERY, *DOCUMENT] for lang, t in enumerate(both)}

    # X: the pair's vector, and each text's with the marks of the two entities.
    vector = table[20]
    rows = [norm(linear(model.from_pair[1], vector))]
    for entity, language in order[1:]:
        row = norm(linear(model.from_text[1], table[tokens[entity, language]]))
        row = row + (entity == 7) * array(model.roles)[0] + (entity == 8) * array(model.roles)[1]
        rows.append(row)
    states = np.stack(rows)

    # A GCN's Â; edges of several kinds between the same nodes are several.
    around = np.eye(len(order))
    for source, target, _ in edges:
        around[order.index(target), order.index(source)] += 1
    scale = around.sum(axis=1) ** -0.5
    for layer in model.layers:
        conv: Any = layer.layer
        passed = (scale[:, None] * around * scale) @ states @ array(conv.lin.weight).T + array(conv.bias)
        states = states + np.maximum(passed, 0)

    pair = states[0]
    mass = [math.log1p(0.03 / 1e-4) / math.log1p(1e4)] if pagerank else []
    text = float(model.text.head(torch.tensor(vector, dtype=torch.float)).detach())
    gate = sigmoid(float(linear(model.gate, np.concatenate([vector, pair]))[0]))
    graph = float(linear(model.out, np.concatenate([pair, mass]))[0])
    assert scores(model, known) == [pytest.approx(text + gate * graph, rel=1e-4)]
    assert abs(gate * graph) > 0.1


@pytest.mark.parametrize("layer", NAMES)
@pytest.mark.parametrize("linked", ["none", "some", "all"])
def test_each_pair_of_a_batch_has_the_score_that_it_has_alone(layer: str, linked: str) -> None:
    known = drawn(5)
    if linked != "some":
        row = torch.full_like(known.query, -1) if linked == "none" else known.query.clamp(min=0)
        known = replace(known, query=row, document=row.clone())
    model = ranker(layer, pagerank=True, relations=3 if layer in ("gat", "rgcn") else 0)
    together = scores(model, known)
    text = model.text(batch_of(known))[:, 0].tolist()
    for pair, score in enumerate(together):
        rows = slice(pair, pair + 1)
        one = replace(known, query=known.query[rows], document=known.document[rows], mass=known.mass[rows])
        assert scores(model, one, 20 + pair % 9) == [pytest.approx(score, abs=1e-5)]

        # What is not linked has exactly the text's score, and what is has another.
        alone = int(known.query[pair]) < 0 and int(known.document[pair]) < 0
        assert (score == text[pair]) == alone


def test_a_batch_without_any_neighbourhood_has_the_scores_of_the_texts() -> None:
    known = knowledge([], [(-1, -1), (-1, -1)], size=3)
    model = ranker()
    assert scores(model, known) == model.text(batch_of(known))[:, 0].tolist()


@pytest.mark.parametrize("layer", NAMES)
def test_an_entity_without_neighbours_counts_too(layer: str) -> None:
    model = ranker(layer)
    alone = knowledge([QUERY[:1]], [(0, -1), (-1, 0), (0, 0), (-1, -1)])
    found = scores(model, alone)
    assert all(map(math.isfinite, found))
    assert found[3] == model.text(batch_of(alone))[3, 0].item()
    wider = replace(
        alone,
        members=torch.nn.functional.pad(alone.members, (0, 0, 0, 2), value=-1),
        entities=torch.nn.functional.pad(alone.entities, (0, 2), value=-1),
        relations=torch.nn.functional.pad(alone.relations, (0, 2)),
    )
    assert scores(model, wider) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("layer", NAMES)
@pytest.mark.parametrize("place", [(0, 1, 0), (0, 1, 1), (0, 2, 1), (1, 2, 0), (1, 0, 1)])
def test_a_text_of_either_language_changes_the_score(layer: str, place: tuple[int, int, int]) -> None:
    known = knowledge([QUERY, DOCUMENT], [(0, 1)])
    model = ranker(layer)
    members = known.members.clone()
    entity = known.entities[place[:2]]
    members[..., place[2]][known.entities == entity] = int(known.members[0, 0, 0])
    assert abs(scores(model, known)[0] - scores(model, replace(known, members=members))[0]) > 1e-4


@pytest.mark.parametrize("layer", NAMES)
def test_the_order_of_neighbours_does_not_matter(layer: str) -> None:
    model = ranker(layer, relations=3 if layer in ("gat", "rgcn") else 0)
    given = knowledge([QUERY, DOCUMENT], [(0, 1), (1, 0), (0, -1)])
    other = knowledge([[QUERY[0], *QUERY[:0:-1]], [DOCUMENT[0], *DOCUMENT[:0:-1]]], [(0, 1), (1, 0), (0, -1)])
    assert scores(model, given) == pytest.approx(scores(model, other), abs=1e-5)


@pytest.mark.parametrize("layer", NAMES)
def test_what_stands_behind_minus_one_does_not_come_through(layer: str) -> None:
    known = drawn(5)
    absent = known.entities < 0
    model = ranker(layer, pagerank=True)
    unused = replace(known, relations=known.relations.masked_fill(absent, 10**12))
    unlinked = (known.query < 0) & (known.document < 0)
    planted = replace(unused, mass=known.mass.masked_fill(unlinked, torch.nan))
    assert scores(model, planted) == scores(model, known)

    # The vector of a text that no member is, as -1 would count from the end.
    poisoned = replace(known, members=torch.where(known.members == known.members.max(), -1, known.members))
    whole = scores(model, poisoned)
    with torch.no_grad():
        token = int(known.numbers[-1])
        model.encoder.table[token] = torch.nan
    assert scores(model, poisoned) == whole


@pytest.mark.parametrize("layer", ["gat", "rgcn"])
def test_relations_matter_only_where_they_are_told_apart(layer: str) -> None:
    known = knowledge([QUERY, DOCUMENT], [(0, 1)])
    other = replace(known, relations=known.relations + 2 * (known.relations > 0))
    turned = replace(known, relations=torch.tensor([[0, 2, 3], [0, 1, 4]]))
    model = ranker(layer)
    assert scores(model, other) == scores(model, known) == scores(model, turned)
    told = ranker(layer, relations=5)
    assert abs(scores(told, other)[0] - scores(told, known)[0]) > 1e-4
    assert abs(scores(told, turned)[0] - scores(told, known)[0]) > 1e-4
    modulo = replace(known, relations=known.relations + 10 * (known.relations > 0))
    assert scores(told, modulo) == scores(told, known)


@pytest.mark.parametrize("layer", NAMES)
@pytest.mark.parametrize("linked", [True, False])
def test_every_weight_gets_a_gradient(layer: str, linked: bool) -> None:
    """Also of a batch in which nothing is linked: other processes wait for it."""
    known = drawn(5) if linked else knowledge([], [(-1, -1)], size=3)
    relations = 3 if layer in ("gat", "rgcn") else 0
    model = ranker(layer, relations=relations, pagerank=True, alignment=EntityAlignment()).train()
    loss = model(batch_of(known)).sum() + model.own_losses()["alignment"]
    loss.backward()
    grads = {name: weight.grad for name, weight in model.named_parameters()}
    assert [name for name, grad in grads.items() if grad is None] == []
    if linked:
        zero = {name for name, grad in grads.items() if grad is not None and not grad.any()}
        assert zero <= {"out.bias"}


def projected(model: Any, token: int) -> Tensor:
    found: Tensor = model.from_text(model.encoder.table[token]).detach()
    return found


def test_entities_with_texts_in_both_languages_are_aligned() -> None:
    """7 and 8 are there many times, 9 has one language alone, 6 has both; nobody has an empty place."""
    known = knowledge([QUERY, DOCUMENT] * 5, [(0, 1), (0, -1)], size=4)
    assert len(known.texts) < known.entities.numel()
    model = ranker(alignment=EntityAlignment(weight=0.5, temperature=0.2)).train()
    model(batch_of(known))
    vectors = torch.stack([torch.stack([projected(model, t) for t in both]) for both in [(2, 3), (4, 5), (8, 9)]])
    expected = 0.5 * entity_alignment(vectors, torch.ones(3, 2).bool(), torch.tensor([7, 8, 6]), 0.2)
    assert model.own_losses()["alignment"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert model.own_losses() == {}  # of the passes since the last call


def test_parts_of_a_step_are_aligned_as_the_whole() -> None:
    known = drawn(3)
    model = ranker(alignment=EntityAlignment()).train()
    model(batch_of(known))
    whole = model.own_losses()["alignment"].item()
    rows = torch.arange(len(known.query))
    for part in rows.chunk(3):
        model(batch_of(replace(known, query=known.query[part], document=known.document[part], mass=known.mass[part])))
    assert model.own_losses()["alignment"].item() == pytest.approx(whole, rel=1e-5)
    assert whole > 0


def test_of_all_processes_the_entities_are_aligned_together() -> None:
    model = ranker(alignment=EntityAlignment()).train()
    model(batch_of(knowledge([QUERY], [(0, -1)])))
    model(batch_of(knowledge([DOCUMENT], [(-1, 0)])))
    whole = model.own_losses()["alignment"].item()
    model(batch_of(knowledge([DOCUMENT], [(-1, 0)])))
    others = [torch.cat(parts) for parts in zip(*model.seen, strict=True)]
    model.own_losses()
    model(batch_of(knowledge([QUERY], [(0, -1)])))
    gathered: Callable[[Tensor], Tensor] = lambda rows: torch.cat([rows, others.pop(0)])  # noqa: E731
    assert model.own_losses(gathered)["alignment"].item() == pytest.approx(whole, rel=1e-5)


def test_nothing_is_aligned_in_scoring_and_without_a_weight() -> None:
    known = drawn(3)
    model = ranker(alignment=EntityAlignment())
    scores(model, known)
    assert model.own_losses() == {}
    model.train()
    scores(model, known)
    assert model.own_losses() == {}
    for alignment in (None, EntityAlignment(weight=0)):
        without = ranker(alignment=alignment).train()
        without(batch_of(known))
        assert without.seen == []
        assert without.own_losses() == {}


def test_what_it_cannot_do_without_is_told() -> None:
    batch = replace(batch_of(drawn(1)), knowledge=None)
    with pytest.raises(ConfigError, match="reads a knowledge graph, and the batch has none"):
        ranker()(batch)
    with pytest.raises(ConfigError, match=r"architecture.layers is 0; allowed: 1 or more"):
        ranker(layers=0)


def saved_and_read(folder: Path, encoder: Encoder) -> list[Any]:
    """A model as its YAML makes it, and the one that is read from its folder."""
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("train", ["architecture=graph"])
    changes = {"dropout": 0.1, "architecture.layer": "gat", "architecture.relations": 3}
    for name, value in {**changes, "architecture.alignment.weight": 0.1}.items():
        OmegaConf.update(config, name, value)
    model = build(config.architecture, encoder)
    torch.nn.init.normal_(model.out.weight)
    recipe = Recipe.of({"architecture": plain(config.architecture)}, encoder)
    write_model_folder(folder, recipe, model.state_dict())

    saved = read_saved(folder)
    with saved.recipe.encoder_folder() as files:
        again = build(OmegaConf.create(saved.recipe.config["architecture"]), Encoder(files, weights=False))
    again.float().load_state_dict(saved.weights)
    return [model.eval(), again.eval()]


def test_it_is_saved_and_read_with_its_scores(encoder: Encoder, tmp_path: Path) -> None:
    known = drawn(4)
    model, again = saved_and_read(tmp_path / "model", encoder)
    assert scores(again, known) == scores(model, known)
    assert again.alignment.weight == 0.1
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert sum(weight.numel() for weight in weights.values()) == sum(weight.numel() for weight in model.parameters())
