"""Loggers: files, TensorBoard, W&B."""
