"""Encoders and the architectures over them."""
