"""Batches: which samples form a step, and their tensors."""
