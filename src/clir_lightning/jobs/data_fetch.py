"""`clir data fetch`: a CLIRMatrix pair into a folder, through ir_datasets where the network allows it."""

from __future__ import annotations

from omegaconf import DictConfig

from clir_lightning.data.sources.clirmatrix import split_file, write_clirmatrix
from clir_lightning.data.sources.ir_datasets import read_ir_datasets
from clir_lightning.data.sources.languages import check_language
from clir_lightning.data.store.fresh import check_free
from clir_lightning.errors import DataError

HOME = "http://www.cs.jhu.edu/~shuosun/clirmatrix/"
PARTS = {"base": "bi139-base", "full": "bi139-full", "multi8": "multi8"}  # of ids in ir_datasets


def main(config: DictConfig) -> None:
    """Run the job."""
    query_language = check_language(config.query_language, "query_language")
    document_language = check_language(config.document_language, "document_language")
    check_free(config.path)
    names = [split_file(query_language, document_language, split, config.variant) for split in config.splits]
    start = f"clirmatrix/{document_language}/{PARTS[config.variant]}/{query_language}"
    try:
        collection = read_ir_datasets(f"{start}/{config.splits[0]}", splits=list(config.splits), on_missing="skip")
    except DataError as error:
        files = ", ".join(f"{name}.gz" for name in (f"{document_language}.tsv", *names))
        cure = f"or fetch the pair's files from {HOME} on a machine with network and put {files} into {config.path}"
        raise DataError(f"{error}, {cure}") from error
    for path in write_clirmatrix(collection, config.path, variant=config.variant):
        print(path)
