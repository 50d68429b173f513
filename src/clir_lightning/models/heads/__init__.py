"""Heads over [CLS] states and similarity matrices."""
