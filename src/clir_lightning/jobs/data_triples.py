"""`clir data triples`: the samples of one epoch in a file, to train this or another system on exactly these."""

from __future__ import annotations

from omegaconf import DictConfig

from clir_lightning.build import build
from clir_lightning.data.collection import Collection
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sampling.triples import write_triples
from clir_lightning.data.sampling.usage import Usage


def main(config: DictConfig) -> None:
    """Run the job."""
    sampling: Sampling = build(config.sampling)
    collection: Collection = build(config.data)
    split = collection.split(config.split)
    samples = sampling(split, seed=config.seed, epoch=config.epoch)
    Usage.of(sampling, split, samples).checked(config.split)
    write_triples(samples, config.path)
    print(f"{len(samples)} samples: {config.path}")
    print(f"train on them with sampling=triples sampling.path={config.path}")
