"""Knowledge: a graph of entities with terms in two languages, its store, and what in it a text means."""

from .demo import demo_graph as demo_graph
from .documents import link_documents as link_documents
from .graph import Graph as Graph
from .graph import Neighbour as Neighbour
from .graph import Terms as Terms
from .graph import open_graph as open_graph
from .known import GraphKnowledge as GraphKnowledge
from .labelled import label_queries as label_queries
from .linking import Link as Link
from .linking import Linker as Linker
