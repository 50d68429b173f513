"""Sampling: the training samples of an epoch, from judgements, runs and files; mining."""
