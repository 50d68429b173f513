"""Readers, collections, token ids, sampling, batches and the data module."""
