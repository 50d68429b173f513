"""Layers of graph networks by name, those of torch-geometric, over graphs that may hold a sink for absent edges.

All take states `[n, W]` and the edges between them and give `[n, W]`. Only `edge_index` paths are used, which need
neither pyg-lib nor torch-scatter, and none that looks at a device's numbers: self-loops, norms and relations are put
together here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from clir_lightning.errors import ConfigError, one_of
from clir_lightning.models.pair_graph import Edges, kinds


def geometric() -> Any:
    """torch-geometric's layers. Raises `ConfigError` where it is not installed."""
    try:
        from torch_geometric import nn as layers
    except ImportError as error:
        raise ConfigError("architecture=graph needs torch-geometric: pip install 'clir-lightning[gnn]'") from error
    return layers


def with_loops(edges: Edges) -> Tensor:
    """The edges and one from each node to itself behind them, `[2, E + n]`."""
    own = torch.arange(edges.nodes, device=edges.index.device)
    return torch.cat([edges.index, own.expand(2, -1)], dim=1)


class GCN(nn.Module):
    """x′ᵢ = b + Θ Σⱼ xⱼ / √(dᵢ dⱼ) over i itself and the j with an edge to it; d counts these (Kipf and Welling, 2017).

    Kinds of edges are all the same to it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = geometric().GCNConv(width, width, normalize=False)

    def forward(self, states: Tensor, edges: Edges) -> Tensor:
        """States `[n, W]` after one step."""
        index = with_loops(edges)
        degree = states.new_zeros(edges.nodes).index_add(0, index[1], states.new_ones(index.shape[1]))
        scale = degree.rsqrt()
        passed: Tensor = self.layer(states, index, scale[index[0]] * scale[index[1]])
        return passed


class GAT(nn.Module):
    """x′ᵢ = b + Σⱼ αᵢⱼ Θ xⱼ, several heads side by side, over i itself and the j with an edge to it.

    α = softmaxⱼ LeakyReLU(a · Θ xᵢ + c · Θ xⱼ + e · U r) (Veličković et al., 2018), r a vector of the edge's kind where
    kinds are told apart, an edge to itself being one more.
    """

    def __init__(self, width: int, heads: int = 4, kinds: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ConfigError(f"architecture.heads is {heads}; allowed: divisors of architecture.width, {width}")
        size = width // heads
        self.loops = kinds or 0  # the kind of an edge to itself
        self.kinds = nn.Embedding(kinds + 1, size) if kinds else None
        self.layer = geometric().GATConv(
            width, size, heads, add_self_loops=False, dropout=dropout, edge_dim=size if kinds else None
        )

    def forward(self, states: Tensor, edges: Edges) -> Tensor:
        """States `[n, W]` after one step."""
        about = None
        if self.kinds is not None:
            own = edges.kinds.new_full((edges.nodes,), self.loops)
            about = self.kinds(torch.cat([edges.kinds, own]))
        passed: Tensor = self.layer(states, with_loops(edges), about)
        return passed


class SAGE(nn.Module):
    """x′ᵢ = b + Θ · mean of xⱼ + R xᵢ over the j with an edge to i; no edge, no mean (Hamilton et al., 2017).

    Kinds of edges are all the same to it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = geometric().SAGEConv(width, width)

    def forward(self, states: Tensor, edges: Edges) -> Tensor:
        """States `[n, W]` after one step."""
        passed: Tensor = self.layer(states, edges.index)
        return passed


class RGCN(nn.Module):
    """x′ᵢ = b + Σᵣ Θᵣ · mean of xⱼ + R xᵢ, over the j with an edge of kind r to i (Schlichtkrull et al., 2018).

    The weights are those of torch-geometric's layer, which would go through the kinds one by one and ask the device
    for each kind's edges; here the means of all kinds are taken at once, `[n, R, W]`.
    """

    def __init__(self, width: int, kinds: int) -> None:
        super().__init__()
        self.layer = geometric().RGCNConv(width, width, kinds)

    def forward(self, states: Tensor, edges: Edges) -> Tensor:
        """States `[n, W]` after one step."""
        layer = self.layer
        count = edges.nodes * layer.num_relations
        group = edges.index[1] * layer.num_relations + edges.kinds

        # [n·R, W] sums and [n·R] numbers of edges.
        sums = states.new_zeros(count, states.shape[1]).index_add(0, group, states[edges.index[0]])
        sizes = states.new_zeros(count).index_add(0, group, states.new_ones(len(group)))
        means = sums / sizes.clamp(min=1)[:, None]
        found: Tensor = means.view(edges.nodes, -1) @ layer.weight.flatten(0, 1) + states @ layer.root + layer.bias
        return found


NAMES = ("gcn", "gat", "sage", "rgcn")
TELL_KINDS = ("gat", "rgcn")


def layers(name: str, number: int, width: int, *, heads: int, relations: int, dropout: float) -> nn.ModuleList:
    """`number` layers of a name.

    Raises `ConfigError` for another name, for kinds of statements that a layer does not tell apart, and without
    torch-geometric.
    """
    one_of(name, NAMES, "architecture.layer")
    if relations < 0 or (relations and name not in TELL_KINDS):
        problem = f"architecture.relations is {relations} with layer={name}"
        raise ConfigError(f"{problem}; allowed: 0, or more with layer=gat or layer=rgcn, which tell edges apart")
    make: dict[str, Callable[[], nn.Module]] = {
        "gcn": lambda: GCN(width),
        "gat": lambda: GAT(width, heads, kinds(relations) if relations else None, dropout),
        "sage": lambda: SAGE(width),
        "rgcn": lambda: RGCN(width, kinds(relations)),
    }
    return nn.ModuleList(make[name]() for _ in range(number))
