"""Measures on tensors and the evaluation of a run against qrels."""
