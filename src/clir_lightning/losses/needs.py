"""What losses need of the architecture, the settings and the samples, compared with what there is before training."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from clir_lightning.errors import ConfigError, one_of
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.types import Sample

# What a loss may need (`RankingLoss.needs`), in words and with the cure. The first four an architecture may give
# (`outputs`), the last three the samples; a teacher is a setting.
NEEDS = {
    "scores": ("a score for each document", "use another architecture"),
    "similarities": ("the similarities of all texts of a step", "use architecture=dual or architecture=late"),
    "vectors": ("one vector per text", "use architecture=dual"),
    "cosines": ("similarities that are cosines", "use architecture=dual with architecture.similarity=cosine"),
    "teacher": (
        "a teacher's scores",
        "give teacher=FILE, the runs/test.trec of clir evaluate model=TEACHER split=train or any other system's run",
    ),
    "lists": ("2 or more documents per query", "use sampling=listwise, or more sampling.negatives"),
    "pairs": ("documents of different grades in a sample", "use sampling=original"),
    "grades": ("documents of different grades", "set sampling.negatives to 1 or more"),
}
OF_ARCHITECTURE = ("scores", "similarities", "vectors", "cosines")


def check_settings(
    losses: Mapping[str, RankingLoss],
    outputs: Collection[str] | None,
    *,
    learn_temperature: bool = False,
    teacher: str | None = None,
) -> None:
    """Reject losses that settings rule out, and settings that no loss reads; nothing is read for it.

    `outputs` is what the architecture gives, `None` if it doesn't say.

    >>> from clir_lightning.losses.contrastive import AlignmentUniformity
    >>> check_settings({"uniform": AlignmentUniformity()}, {"scores", "similarities"})
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: loss uniform needs one vector per text, which this architecture ...
    """
    # What is missing, and what is there in its place.
    missing = {}
    if outputs is not None:
        missing = {need: "which this architecture does not give" for need in OF_ARCHITECTURE if need not in outputs}
    if teacher is None:
        missing["teacher"] = "got teacher=null"
    _reject(losses, missing)

    # The other way round: settings that would do nothing.
    names = ", ".join(losses)
    if learn_temperature and not any(loss.reads_temperature for loss in losses.values()):
        problem = f"architecture.learn_temperature is true, but loss {names} does not read the temperature"
        raise ConfigError(f"{problem}; set it to false, or add a loss that does, such as infonce")
    if teacher is not None and not any("teacher" in loss.needs for loss in losses.values()):
        problem = f"teacher is {teacher!r}, but loss {names} does not read a teacher's scores"
        raise ConfigError(f"{problem}; leave it out, or add a loss that does: kl or margin_mse")


def check_samples(losses: Mapping[str, RankingLoss], samples: Sequence[Sample]) -> None:
    """Reject losses that samples of an epoch cannot teach.

    >>> from clir_lightning.losses.pairwise import RankNet
    >>> check_samples({"ranknet": RankNet()}, [Sample("q", ("a",), (6,))])
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: loss ranknet needs 2 or more documents per query, got 1; use sampling=...
    """
    missing = {}
    fewest = min((len(sample.document_ids) for sample in samples), default=2)
    if fewest < 2:
        missing["lists"] = f"got {fewest}"
    if not any(len(set(sample.grades)) > 1 for sample in samples):
        missing["pairs"] = "got one grade in each"

    # One relevant document per sample and one irrelevant one are enough for labels.
    grades = {grade for sample in samples for grade in sample.grades}
    if len(grades) < 2:
        missing["grades"] = f"got grade {', '.join(map(str, grades))} alone"
    _reject(losses, missing)


def _reject(losses: Mapping[str, RankingLoss], missing: Mapping[str, str]) -> None:
    """`ConfigError` for the first loss that needs something missing, with what there is in its place."""
    for name, loss in losses.items():
        for need in loss.needs:
            one_of(need, NEEDS, f"a need of loss {name}")
            if need in missing:
                what, cure = NEEDS[need]
                leave = f", or leave {name} out of loss=[…]" if need in OF_ARCHITECTURE else ""
                raise ConfigError(f"loss {name} needs {what}, {missing[need]}; {cure}{leave}")
