"""Outputs: an output folder, what stands in it, and how it is read back."""

from .ranker import Ranker as Ranker
from .systems import systems_of as systems_of
from .trained import Trained as Trained
