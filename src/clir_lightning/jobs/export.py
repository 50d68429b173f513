"""`clir export`: a trained model as a folder that sentence-transformers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from clir_lightning.data.store.fresh import check_free, fresh_folder
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.outputs.export import export_cross, export_dual
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.computing import Computing
from clir_lightning.scoring.text_encoder import TextEncoder


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = Path(config.path)
    try:
        check_free(folder)
    except DataError as error:
        raise ConfigError(f"path {folder} is there already; give a folder that is new or empty") from error
    trained = Trained.load(config.model)
    model: Any = trained.model

    # Another export may have begun into the same folder while this one's model was read.
    if isinstance(model, DualEncoder):
        _export_dual(trained.text_encoder(Computing()), folder)
    elif isinstance(model, CrossEncoder):
        _export_cross(model, folder, trained.config.batches.max_length)
    else:
        problem = f"a {type(model).__name__} cannot be exported"
        raise ConfigError(f"{problem}; allowed: architecture=dual, architecture=cross")


def _export_dual(texts: TextEncoder, folder: Path) -> None:
    with fresh_folder(folder, last="modules.json") as partial:
        places = [folder / place.relative_to(partial) for place in export_dual(texts, partial)]
    for place in places:
        print(f"SentenceTransformer({str(place)!r})")
    query_length = texts.lengths["query"]
    document_length = texts.lengths["document"]
    if query_length != document_length:
        print(f"note: clir cuts queries at {query_length} tokens and documents at {document_length}")
    print('vectors: encode(texts, prompt_name="query") and encode(texts, prompt_name="document")')


def _export_cross(model: CrossEncoder, folder: Path, length: int) -> None:
    with fresh_folder(folder, last="config.json") as partial:
        export_cross(model, partial, length)
    print(f"CrossEncoder({str(folder)!r})")
    print(f"note: pairs above {length} tokens are cut otherwise: clir cuts the document alone")
