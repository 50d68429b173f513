"""Knowledge: a graph of entities with terms in two languages, its store, and what in it a text means."""

from .documents import link_documents as link_documents
from .known import GraphKnowledge as GraphKnowledge
from .labelled import label_queries as label_queries
from .linking import Link as Link
from .linking import Linker as Linker
