"""Retrieval: first stages, sparse and dense, and what goes before and after them."""

from .bm25 import LightBM25 as LightBM25
from .dense import DenseRetriever as DenseRetriever
from .expansion import RM3 as RM3
from .lucene import LuceneBM25 as LuceneBM25
from .mt import MachineTranslation as MachineTranslation
from .retriever import Retriever as Retriever
from .translation import GivenTranslation as GivenTranslation
from .translation import LexiconTranslation as LexiconTranslation
from .translation import NoTranslation as NoTranslation
from .translation import Translation as Translation
