"""The small random encoders of `tests/models`."""

from models.conftest import batches, encoder, encoder_folder

__all__ = ["batches", "encoder", "encoder_folder"]
