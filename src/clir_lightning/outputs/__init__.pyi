"""Outputs: an output folder, what stands in it, and how it is read back."""
from .trained import Trained as Trained
from .systems import systems_of as systems_of
