"""Which output folders are one system, and what it is called."""

from __future__ import annotations

from typing import Any

from clir_lightning.evaluation.grouping import group_names


def config(seed: int = 1, name: str = "cross", rate: object = "1e-3", loss: str = "lce", **more: Any) -> dict[str, Any]:
    """A configuration as `clir train` saves it."""
    losses = {loss: {"_target_": f"losses.{loss.title()}", "weight": 1.0}}
    optimizer = {"learning_rate": rate, "warmup": 0.1}
    return {"seed": seed, "name": name, "optimizer": optimizer, "loss": losses, "logger": {"csv": {}}, **more}


def test_seeds_loggers_and_caches_do_not_part_a_system() -> None:
    other = config(2, logger={"wandb": {}}, cache="there", data={"cache": "there"})
    assert group_names([config(cache="here", data={"cache": "here"}), other]) == ["cross", "cross"]


def test_numbers_are_equal_however_they_are_written() -> None:
    assert group_names([config(rate="1e-3"), config(2, rate=0.001)]) == ["cross", "cross"]


def test_settings_that_differ_name_the_system() -> None:
    names = group_names([config(), config(rate=1e-4), config(loss="hinge"), config(name="dual", extra=3)])
    assert names == ["cross learning_rate=0.001 loss=lce", "cross learning_rate=0.0001 loss=lce",
                     "cross learning_rate=0.001 loss=hinge", "dual"]  # fmt: skip


def test_a_class_names_its_node_and_ambiguous_names_are_whole() -> None:
    a = config(encoder={"_target_": "x.Tiny", "layers": 2}, head={"layers": 1})
    b = config(encoder={"_target_": "x.Tiny", "layers": 3}, head={"layers": 2})
    assert group_names([a, b]) == ["cross encoder.layers=2 head.layers=1", "cross encoder.layers=3 head.layers=2"]
    c = config(encoder={"_target_": "x.Hub", "name": "mbert"})
    assert group_names([a, c])[1] == "cross encoder=Hub layers=-"


def test_a_setting_that_refers_to_another_is_named_once() -> None:
    """As in `provenance.json`, where references are resolved: what is copied differs wherever its original does."""

    def sampled(negatives: int, length: int) -> dict[str, Any]:
        batches = {"query_length": length}
        architecture = {"query_length": length}
        return config(sampling={"negatives": negatives}, architecture=architecture, batches=batches)

    assert group_names([sampled(1, 8), sampled(3, 8)]) == ["cross negatives=1", "cross negatives=3"]
    names = group_names([sampled(1, 8), sampled(1, 9), sampled(3, 8)])
    assert [name.split()[1:] for name in names] == [
        ["negatives=1", "query_length=8"],
        ["negatives=1", "query_length=9"],
        ["negatives=3", "query_length=8"],
    ]
