"""`clir data export`: any collection in a folder of one of the common layouts."""

from __future__ import annotations

from omegaconf import DictConfig

from clir_lightning.build import build
from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.clirmatrix import write_clirmatrix
from clir_lightning.data.sources.folder import LAYOUTS
from clir_lightning.data.sources.folder_export import write_folder
from clir_lightning.data.store.fresh import check_free
from clir_lightning.errors import one_of


def main(config: DictConfig) -> None:
    """Run the job."""
    layout = one_of(config.layout, (*LAYOUTS, "clirmatrix"), "layout")
    check_free(config.path)
    collection: Collection = build(config.data)
    if layout == "clirmatrix":
        written = write_clirmatrix(collection, config.path)
        read = "data=clirmatrix"
    else:
        written = write_folder(collection, config.path, layout=layout)
        read = "data=folder"
    for path in written:
        print(path)
    languages = f"data.query_language={collection.query_language} data.document_language={collection.document_language}"
    print(f"read it with {read} data.path={config.path} {languages} data.splits=[{','.join(collection.splits)}]")
