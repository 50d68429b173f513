"""Each layer against a dense computation by NumPy, and against torch-geometric's own layer as it comes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clir_lightning.errors import ConfigError
from clir_lightning.models.graph_layers import GAT, GCN, NAMES, RGCN, SAGE, geometric, layers
from clir_lightning.models.pair_graph import Edges, kinds, pair_graph
from host_reads import HostReads
from models.fakes import Array, array
from models.graphs_for_tests import drawn

NODES, WIDTH, KINDS = 6, 8, 3
# Node 4 has none, 0 has several, of several kinds; 3 and 0 know each other.
EDGES = [(1, 0, 0), (2, 0, 0), (3, 0, 1), (0, 3, 1), (2, 1, 2), (5, 2, 0), (3, 2, 2), (1, 2, 2)]


@pytest.fixture
def states() -> Tensor:
    return torch.randn(NODES, WIDTH, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def edges() -> Edges:
    source, target, kind = torch.tensor(EDGES).T
    return Edges(torch.stack([source, target]), kind, NODES)


def weights(layer: Any) -> dict[str, Array]:
    """A layer's weights; those that start at 0 are drawn."""
    torch.manual_seed(5)
    for name, weight in layer.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight)
    return {name: array(weight) for name, weight in layer.named_parameters()}


def adjacency(kind: int | None = None, *, loops: bool = False) -> Array:
    """1 in row i and column j where an edge leads from j to i."""
    found = np.eye(NODES) if loops else np.zeros((NODES, NODES))
    for source, target, this in EDGES:
        if kind in (None, this):
            found[target, source] = 1.0
    return found


def same(found: Tensor, expected: Array) -> None:
    np.testing.assert_allclose(array(found), expected, rtol=1e-5, atol=1e-5)


def test_gcn(states: Tensor, edges: Edges) -> None:
    """D^-½ (A + I) D^-½ X Θᵀ + b."""
    torch.manual_seed(1)
    layer = GCN(WIDTH)
    found = weights(layer)
    around = adjacency(loops=True)
    scale = around.sum(axis=1) ** -0.5
    norm = scale[:, None] * around * scale
    same(layer(states, edges), norm @ array(states) @ found["layer.lin.weight"].T + found["layer.bias"])

    own = geometric().GCNConv(WIDTH, WIDTH)
    own.load_state_dict(layer.layer.state_dict())
    same(layer(states, edges), array(own(states, edges.index)))


def test_sage(states: Tensor, edges: Edges) -> None:
    """Mean over neighbours, nothing without any, and the node itself by other weights."""
    torch.manual_seed(1)
    layer = SAGE(WIDTH)
    found = weights(layer)
    around = adjacency()
    mean = around / np.maximum(around.sum(axis=1, keepdims=True), 1) @ array(states)
    expected = mean @ found["layer.lin_l.weight"].T + found["layer.lin_l.bias"]
    same(layer(states, edges), expected + array(states) @ found["layer.lin_r.weight"].T)


def test_rgcn(states: Tensor, edges: Edges) -> None:
    """A mean and a matrix for each kind."""
    torch.manual_seed(1)
    layer = RGCN(WIDTH, KINDS)
    found = weights(layer)
    expected = array(states) @ found["layer.root"] + found["layer.bias"]
    for kind in range(KINDS):
        around = adjacency(kind)
        mean = around / np.maximum(around.sum(axis=1, keepdims=True), 1) @ array(states)
        expected = expected + mean @ found["layer.weight"][kind]
    same(layer(states, edges), expected)
    same(layer(states, edges), array(layer.layer(states, edges.index, edges.kinds)))


@pytest.mark.parametrize("told", [None, KINDS])
def test_gat(states: Tensor, edges: Edges, told: int | None) -> None:
    """Each head's softmax over the node itself and its neighbours, with the edge's kind where kinds are told apart."""
    torch.manual_seed(1)
    heads, size = 2, WIDTH // 2
    layer = GAT(WIDTH, heads, told).eval()
    found = weights(layer)
    lists = [*EDGES, *((node, node, KINDS) for node in range(NODES))]
    outputs = []
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        values = array(states) @ found["layer.lin.weight"][rows].T
        source, target = (found[f"layer.att_{end}"][0, head] for end in ("src", "dst"))
        logits = np.full((NODES, NODES), -np.inf)
        for one, other, kind in lists:
            logit = source @ values[one] + target @ values[other]
            if told:
                about = found["layer.lin_edge.weight"][rows] @ found["kinds.weight"][kind]
                logit += found["layer.att_edge"][0, head] @ about
            logits[other, one] = logit if logit > 0 else 0.2 * logit
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        outputs.append(share / share.sum(axis=1, keepdims=True) @ values)
    same(layer(states, edges), np.concatenate(outputs, axis=1) + found["layer.bias"])


@pytest.mark.parametrize("name", NAMES)
def test_the_layers_of_a_name_ask_no_device_for_numbers(name: str) -> None:
    relations = 4 if name in ("gat", "rgcn") else 0
    reads = HostReads()
    known = drawn(3)
    made = layers(name, 2, WIDTH, heads=2, relations=relations, dropout=0.1)
    assert len(made) == 2
    reads.at = 0
    with reads.watch():
        graph = pair_graph(known, relations)
        states = torch.zeros(graph.edges.nodes, WIDTH)
        for layer in made:
            states = layer(states, graph.edges)
        states.sum().backward()  # type: ignore[no-untyped-call]
    assert reads.found == []
    assert all(weight.grad is not None for weight in made.parameters())


def test_the_kinds_of_a_layer_are_those_of_the_graph() -> None:
    def made(name: str, relations: int) -> Any:
        return layers(name, 1, WIDTH, heads=2, relations=relations, dropout=0.3)[0]

    assert made("rgcn", 0).layer.num_relations == kinds(0) == 6
    assert made("rgcn", 4).layer.num_relations == kinds(4) == 9
    assert made("gat", 0).kinds is None
    told = made("gat", 4)
    assert told.kinds.num_embeddings == 10  # an edge to itself is one more
    assert told.layer.dropout == 0.3


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(ConfigError, match=r"architecture\.layer is 'gin'"):
        layers("gin", 1, WIDTH, heads=2, relations=0, dropout=0.0)
    for name in ("gcn", "sage"):
        with pytest.raises(ConfigError, match=f"architecture.relations is 4 with layer={name}; allowed: 0, or more"):
            layers(name, 1, WIDTH, heads=2, relations=4, dropout=0.0)
    with pytest.raises(ConfigError, match="relations is -1 with layer=rgcn"):
        layers("rgcn", 1, WIDTH, heads=2, relations=-1, dropout=0.0)
    for heads in (0, 3):
        with pytest.raises(ConfigError, match=f"heads is {heads}; allowed: divisors of architecture.width, 8"):
            layers("gat", 1, WIDTH, heads=heads, relations=0, dropout=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_without_torch_geometric_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    with pytest.raises(ConfigError, match=r"needs torch-geometric: pip install 'clir-lightning\[gnn\]'"):
        layers(name, 1, WIDTH, heads=2, relations=0, dropout=0.0)
