"""Scoring: pairs to scores, texts to vectors, on any device and in any precision."""

from .computing import Computing as Computing
from .engine import Engine as Engine
from .text_encoder import TextEncoder as TextEncoder
