"""A graph network over what a graph knows of query and document, beside an architecture that reads their texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import at_least
from clir_lightning.models.contracts import PairText
from clir_lightning.models.encoder import Encoder, full_precision
from clir_lightning.models.graph_layers import NAMES
from clir_lightning.models.graph_layers import layers as layers_of
from clir_lightning.models.knowledge import KnowledgeRanker
from clir_lightning.models.pair_graph import PairGraph, pair_graph
from clir_lightning.settings.markers import Count, Dropout, Natural, OneOf

Everyone = Callable[[Tensor], Tensor]  # this process's rows in, those of all processes out
SMALLEST = 1e-4  # a PageRank mass that counts


def scaled(mass: Tensor) -> Tensor:
    """PageRank masses, 0 to 1, on a scale of logarithms, 0 to 1 too.

    >>> scaled(torch.tensor([0.0, 1e-4, 1e-2, 1.0]))
    tensor([0.0000, 0.0753, 0.5011, 1.0000])
    """
    return torch.log1p(mass / SMALLEST) / math.log1p(1 / SMALLEST)


class GraphRanker(KnowledgeRanker):
    """score = s + g · s′ where query or document is linked, the text's score s alone where neither is.

    A pair's graph (`models/pair_graph.py`) has the text architecture's vector v of the pair and each text t of the
    entities around it as nodes, x = norm(W v) and norm(U t), with learnt vectors added to the two entities' own. After
    the layers, x ← x + dropout(relu(layer(x))), the pair's node h gives s′ = w · [h; f] + b and g = σ(u · [v; h] + c);
    f is the scaled PageRank mass of the document's entity, where that is read. w and b start at 0, and so training at
    the text's scores.

    Args:
        encoder, text: see `KnowledgeRanker`; a text of the graph is the mean of its tokens' states.
        layer: `gcn`, `gat`, `sage` or `rgcn` (`models/graph_layers.py`).
        layers: how many of them: how far a pair's node sees.
        width: W, of a node.
        heads: of `gat`.
        relations: into how many kinds statements fall, by their property and direction; 0: into one.
        alignment: a loss of an entity's vectors in two languages (`losses.EntityAlignment`); `None`: without.
        pagerank: read the mass f.
        dropout: before W and U, after each layer and on the attention of `gat`.

    Raises `ConfigError` for a text architecture without `read`, and without torch-geometric.
    """

    def __init__(
        self,
        encoder: Encoder,
        text: Callable[[Encoder], PairText],
        *,
        layer: Annotated[str, OneOf(NAMES)] = "gcn",
        layers: Count = 2,
        width: Count = 128,
        heads: Count = 4,
        relations: Natural = 0,
        alignment: Any = None,
        pagerank: bool = False,
        dropout: Dropout = 0.1,
    ) -> None:
        super().__init__(encoder, text)
        at_least(layers, 1, "architecture.layers")

        # Nodes of the pair and of texts, and what marks the two entities, [2, W].
        size: int = self.text.vector_width
        self.from_pair = nn.Sequential(nn.Dropout(dropout), nn.Linear(size, width), nn.LayerNorm(width))
        self.from_text = nn.Sequential(nn.Dropout(dropout), nn.Linear(encoder.width, width), nn.LayerNorm(width))
        self.roles = nn.Parameter(torch.randn(2, width) / math.sqrt(width))

        # What passes between them, and what is read of the pair's.
        self.relations = relations
        self.layers = layers_of(layer, layers, width, heads=heads, relations=relations, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.pagerank = pagerank
        self.out = nn.Linear(width + pagerank, 1)
        self.gate = nn.Linear(size + width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

        # A loss that is not there costs nothing.
        self.alignment = alignment if alignment is not None and alignment.weight > 0 else None
        self.seen: list[tuple[Tensor, Tensor]] = []  # entities of the forward passes since `own_losses`

    def forward(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]` of B queries with D documents each."""
        knowledge = self.known(batch)
        vector, score = self.text.read(batch)  # [P, V], [P]
        nodes = self.text_nodes(knowledge)
        if self.alignment is not None and self.training and torch.is_grad_enabled():
            self.seen.append(entities(nodes, knowledge))
        return self.joined(vector, score, nodes, knowledge).view(batch.grades.shape)

    def text_nodes(self, knowledge: KnowledgeBatch) -> Tensor:
        """The node of each text, `[K + 1, W]`; the last one, of nothing, is 0."""
        vectors = self.texts.vectors(knowledge)
        with full_precision(vectors):
            nodes: Tensor = pad(self.from_text(vectors.float()), (0, 0, 0, 1))
        return nodes

    def joined(self, vector: Tensor, score: Tensor, nodes: Tensor, knowledge: KnowledgeBatch) -> Tensor:
        """The scores `[P]` of pairs with vectors `[P, V]` and scores `[P]` of their texts; `nodes` `[K + 1, W]`."""
        graph = pair_graph(knowledge, self.relations)
        with full_precision(vector):
            vector = vector.float()
            pair = self.passed(vector, nodes, graph)
            known = torch.cat([pair, scaled(knowledge.mass)[:, None]], dim=1) if self.pagerank else pair
            gate = torch.sigmoid(self.gate(torch.cat([vector, pair], dim=1)))
            addition = (gate * self.out(known))[:, 0]
        return torch.where(graph.linked, score + addition, score)

    def passed(self, vector: Tensor, nodes: Tensor, graph: PairGraph) -> Tensor:
        """The pairs' nodes `[P, W]` after all layers."""
        pairs, places = graph.texts.shape

        # [P, S, W]: texts where they are, the pair in the first place, the two entities marked.
        states = nodes[graph.texts]
        marks = self.roles[None, :, None].expand(*graph.centres.shape, -1).flatten(1, 2)
        where = graph.centres.flatten(1)[:, :, None].expand_as(marks)
        states = states.scatter_add(1, where, marks)
        states = torch.cat([self.from_pair(vector)[:, None], states[:, 1:]], dim=1).flatten(0, 1)

        # All graphs are one.
        for layer in self.layers:
            states = states + self.dropout(torch.relu(layer(states, graph.edges)))
        return states.view(pairs, places, -1)[:, 0]

    def own_losses(self, everyone: Everyone = lambda rows: rows) -> dict[str, Tensor]:
        """Losses of the forward passes since the last call, scalars of the whole step by name.

        `everyone` gathers rows from all processes, with gradients.
        """
        seen = self.seen
        self.seen = []
        if self.alignment is None or not seen:
            return {}
        vectors = everyone(torch.cat([vectors for vectors, _ in seen]))
        about = everyone(torch.cat([about for _, about in seen]))
        return {"alignment": self.alignment(vectors, about[:, 1:] > 0, about[:, 0])}


def entities(nodes: Tensor, knowledge: KnowledgeBatch) -> tuple[Tensor, Tensor]:
    """The entities of a batch, each once: vectors `[E, L, W]`; their numbers and where there is text, `[E, 1 + L]`.

    E is the number of members' places or of texts, whichever is less, so that no device is asked how many entities
    there are: what lies behind the last of them is marked as without text. More entities than texts have texts in
    common, and then the last ones are left out.
    """
    members = knowledge.members.flatten(0, 1)
    numbers = knowledge.entities.flatten()

    # Equal entities lie together in the order of their numbers, and the first of each is kept.
    ordered, order = numbers.sort(stable=True)
    first = pad(ordered[1:] != ordered[:-1], (1, 0), value=True)[: len(ordered)]
    there = (members[order] >= 0) & (first & (ordered >= 0))[:, None]

    # Those that are kept come first, so that the rest can be cut off.
    front = (~there.any(dim=1)).byte().sort(stable=True).indices[: len(nodes) - 1]
    there = there[front]
    vectors = nodes[torch.where(there, members[order[front]], -1)]
    return vectors, torch.cat([ordered[front, None], there.long()], dim=1)
