"""Experiments in cross-lingual information retrieval with PyTorch Lightning and Hydra."""
