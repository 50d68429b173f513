"""`clir mine`: from any run of the training queries to negatives for `sampling=hard` and `sampling=triples`."""

from __future__ import annotations

from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import build, plain
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import read_run, write_run
from clir_lightning.data.sampling.from_run import Hard
from clir_lightning.data.sampling.mining import Filters, mine
from clir_lightning.data.sampling.triples import write_triples
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.outputs.folder import claim, output_folder
from clir_lightning.outputs.provenance import write_json
from clir_lightning.outputs.trained import Trained
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.types import Run

FILES = ("negatives.trec", "triples.tsv", "mining.json")


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    filters = Filters(**plain(config.filters))

    # What is left of the run, as negatives and as triples.
    if (config.run is None) == (config.model is None):
        raise ConfigError("give either run=FILE, of any system, or model=RUN, of architecture=dual")
    teacher = None if config.teacher is None else read_run(config.teacher)
    collection, run = _of_file(config) if config.model is None else _of_model(config, filters.last)
    split = collection.split(config.split)
    mined = mine(run, split.qrels, filters, teacher)
    if not mined.negatives:
        cure = "widen filters.last or loosen the filters"
        raise DataError("no negatives are left", path=config.run or config.model, cure=cure)

    # As samples, and in numbers.
    samples = mined.triples(config.negatives, config.seed)
    total = sum(len(documents) for documents in mined.negatives.values())
    counts = {
        "queries": len(mined.positives),
        "queries_with_negatives": len(mined.negatives),
        "negatives": total,
        "triples": len(samples),
        "removed": dict(mined.removed),
    }

    # Nothing is rejected any more.
    claim(config, folder, FILES)
    write_run(mined.negatives, folder / "negatives.trec")
    write_triples(samples, folder / "triples.tsv")
    write_json({"settings": plain(config), **counts}, folder / "mining.json")

    # What was found, and the commands that train on it.
    console = Console()
    shares = ", ".join(f"{reason} {count:,}" for reason, count in mined.removed.items() if count) or "nothing"
    console.print(
        f"{len(mined.negatives):,} of {len(mined.positives):,} queries have {total:,} negatives at ranks "
        f"{filters.first} to {filters.last}; removed: {shares}",
        soft_wrap=True,
    )
    longest = max(map(len, mined.negatives.values()))
    deeper = f" sampling.last={longest}" if longest > Hard.last else ""  # by default it reads less
    console.print(f"train with sampling=hard sampling.run={folder}/negatives.trec{deeper}", soft_wrap=True)
    console.print(f"  or with sampling=triples sampling.path={folder}/triples.tsv", soft_wrap=True)


def _of_file(config: DictConfig) -> tuple[Collection, Run]:
    """The collection that the settings name, and a run file of it."""
    if not config.data:
        raise ConfigError("run=… does not tell its collection; add data=…, data=demo say")
    run = read_run(config.run)
    collection: Collection = build(config.data)
    return collection, run


def _of_model(config: DictConfig, depth: int) -> tuple[Collection, Run]:
    """The collection that a model was trained with, as the settings change it, and what its own search finds there."""
    trained = Trained.load(config.model)
    encoder = trained.text_encoder(trained.computing(config.device, config.precision))
    collection = trained.collection(config.data)
    retriever = DenseRetriever(config.model, cache=config.cache, encoder=encoder)
    return collection, retriever(collection.documents, collection.split(config.split).queries, depth=depth)
