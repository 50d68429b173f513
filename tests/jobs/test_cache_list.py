"""`clir cache list`: a table that is read at 80 columns and in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from clir_lightning.errors import ConfigError
from clir_lightning.jobs.cache_list import main
from data.store.test_inventory import key, made


def shown(cache: Path, capsys: pytest.CaptureFixture[str], **settings: object) -> list[str]:
    main(OmegaConf.create({"cache": str(cache), "kind": None, "rows": 40, **settings}))
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    made(tmp_path / "tokens" / ("ab" * 16), 2_500_000, days=3.2, of="sib: 21,000 documents in kk; xlm-roberta-base")
    made(tmp_path / "knowledge" / f"links-{'cd' * 16}", 1_200, days=40, of="90 queries in zh; wikidata")
    made(tmp_path / "scores" / key(7), 900)
    (tmp_path / "mine").mkdir()
    return tmp_path


def test_a_line_for_each_the_largest_first_and_the_total(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = shown(cache, capsys)
    assert head == f"cache: {cache}"
    assert lines == [
        "kind       name            of                             size  last used  state",
        "tokens     abababab        sib: 21,000 documents in     2.5 MB        3 d",
        "                           kk; xlm-roberta-base",
        "knowledge  links-cdcdcdcd  90 queries in zh; wikidata   1.2 kB       40 d",
        "scores     00000000                                      900 B        now",
        "total                      3 entries                    2.5 MB",
        "1 other file or folder there, not clir's, which is never touched",
    ]


def test_some_kinds_and_some_rows(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(cache, capsys, kind=["tokens", "scores"], rows=1)
    assert [line.split()[0] for line in lines[2:6]] == ["tokens", "xlm-roberta-base", "…", "total"]
    assert "1 smaller (rows=null)" in lines[4]
    assert shown(cache, capsys, kind="vectors")[1] == "nothing of this kind is kept there"
    assert shown(cache / "none", capsys)[1:] == ["nothing is kept there"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "token"}, "kind is 'token'; allowed: collections, tokens, .*; did you mean 'tokens'"),
        ({"rows": 0}, "rows is 0; allowed: 1 or more"),
        ({"cache": None}, "cache is empty; give a folder, or set CLIR_CACHE"),
    ],
)
def test_settings_that_cannot_be(
    cache: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        main(OmegaConf.create({"cache": str(cache), "kind": None, "rows": 40, **settings}))
