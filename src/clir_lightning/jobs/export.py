"""`clir export`: a trained model as a folder that sentence-transformers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from clir_lightning.errors import ConfigError
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.outputs.export import export_cross, export_dual
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.computing import Computing


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = Path(config.path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"path {folder} is there already; give a folder that is new or empty")
    trained = Trained.load(config.model)
    model: Any = trained.model

    # What each kind of model becomes, and how it differs there from what it is here.
    if isinstance(model, DualEncoder):
        texts = trained.text_encoder(Computing())
        for place in export_dual(texts, folder):
            print(f"SentenceTransformer({str(place)!r})")
        if len(set(texts.lengths.values())) > 1:
            query, document = texts.lengths["query"], texts.lengths["document"]
            print(f"note: clir cuts queries at {query} tokens and documents at {document}")
        print('vectors: encode(texts, prompt_name="query") and encode(texts, prompt_name="document")')
    elif isinstance(model, CrossEncoder):
        length = trained.config.batches.max_length
        export_cross(model, folder, length)
        print(f"CrossEncoder({str(folder)!r})")
        print(f"note: pairs above {length} tokens are cut otherwise: clir cuts the document alone")
    else:
        problem = f"a {type(model).__name__} cannot be exported"
        raise ConfigError(f"{problem}; allowed: architecture=dual, architecture=cross")
