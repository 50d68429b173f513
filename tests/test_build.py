"""Settings of a node changed by name: what its target takes, at any depth, and nothing else."""

from __future__ import annotations

import pytest
from omegaconf import DictConfig, OmegaConf

from clir_lightning.build import changed, portable
from clir_lightning.errors import ConfigError

CLIRMATRIX = "clir_lightning.data.read_clirmatrix"
SEVERAL = "clir_lightning.data.join_collections"


@pytest.fixture
def several() -> DictConfig:
    parts = {name: {"_target_": CLIRMATRIX, "path": name, "query_language": "zh"} for name in "ab"}
    return OmegaConf.create({"_target_": SEVERAL, "collections": parts, "train": "train"})


def test_a_setting_deep_within_is_changed_and_the_others_stay(several: DictConfig) -> None:
    found = changed(several, OmegaConf.create({"collections": {"b": {"path": "moved", "variant": "full"}}}), "data")
    assert found.collections.a == several.collections.a
    assert found.collections.b == {**several.collections.b, "path": "moved", "variant": "full"}
    assert several.collections.b.path == "b"


def test_a_further_collection_may_be_added_whole(several: DictConfig) -> None:
    third = {"c": {"_target_": CLIRMATRIX, "path": "c"}}
    assert set(changed(several, OmegaConf.create({"collections": third}), "data").collections) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trian": "x"}, "setting is 'data.trian'; allowed: data.collections, data.train, data.cache; did you mean"),
        (
            {"collections": {"z": {"path": "x"}}},
            "'data.collections.z'; allowed: data.collections.a, data.coll",
        ),
        ({"collections": {"a": {"pth": "x"}}}, "'data.collections.a.pth'; allowed: data.collections.a.path, "),
        ({"_target_": CLIRMATRIX, "pth": "x"}, "setting is 'data.pth'; allowed: data.path, "),
        ({"_target_": "os.system", "command": "true"}, "_target_ 'os.system' is not allowed"),
    ],
)
def test_a_setting_that_the_target_does_not_take_is_rejected(
    given: dict[str, object], message: str, several: DictConfig
) -> None:
    with pytest.raises(ConfigError, match=message):
        changed(several, OmegaConf.create(given), "data")


def test_another_target_takes_the_place_of_the_whole(several: DictConfig) -> None:
    given = OmegaConf.create({"_target_": CLIRMATRIX, "path": "x"})
    assert changed(several, given, "data") == given


def test_settings_without_a_target_need_one() -> None:
    with pytest.raises(ConfigError, match=r"data.path is given, and nothing says of which data; add data=…"):
        changed(None, OmegaConf.create({"path": "x"}), "data")


def test_only_the_cache_of_the_environment_stays_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE", "0.5")
    reference = "${oc.env:CLIR_CACHE,'~/.cache'}"
    written = {"rate": "${oc.env:RATE}", "again": "${rate}", "deep": [{"cache": "x"}], "data": {"cache": reference}}
    found = portable(OmegaConf.create(written))
    assert found == {"rate": "0.5", "again": "0.5", "deep": [{"cache": "x"}], "data": {"cache": reference}}
