"""Knowledge: a graph of entities with terms in two languages, its store, and what in it a text means."""

from .graph import Graph as Graph
from .graph import Neighbour as Neighbour
from .graph import Terms as Terms
from .graph import open_graph as open_graph
