"""What is typed: switches and settings in any order, quotes that lack, and what is no setting at all."""

from __future__ import annotations

import shlex

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch.typed import Typed, parsed


def test_switches_may_stand_between_settings() -> None:
    typed = Typed.of("train", ["seed=1,2", "-m", "--config-dir", "own", "data=demo"])
    assert typed.switches == ["-m", "--config-dir", "own"]
    assert [each.input_line for each in typed.settings] == ["seed=1,2", "data=demo"]
    assert (typed.several, typed.folder, typed.shows, typed.elsewhere) == (True, "own", False, False)
    assert Typed.of("train", ["--cfg", "job"]).shows
    assert Typed.of("train", ["-cn", "mine"]).elsewhere


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name=a=b", "a=b"),
        ("name=日语", "日语"),
        ("name=a#b", "a#b"),
        ("name=it's", "it's"),
        ('name="a', "a"),
        ("data.path=~/x", "~/x"),
        ("runs=[a b,c=d]", ["a b", "c=d"]),
        ("runs=[a,b", ["a", "b"]),
        ("batches.query_prefix=query: {x}", "query: {x}"),
        ("name=$x!", "$x!"),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_a_shell_and_hydra_read(argument: str, value: object) -> None:
    with pytest.raises(ConfigError, match="cannot be read; put the text in quotes, and all in the shell's: ") as error:
        parsed(argument)
    (again,) = shlex.split(str(error.value).partition("shell's: ")[2])
    assert parsed(again).value() == value


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["seed"], "'seed' is no setting, which is name=value"),
        (["mbert"], "'mbert' is no setting, which is name=value; did you mean encoder=mbert?"),
        (["batches.size 16"], "'batches.size 16' is no setting, which is name=value; did you mean batches.size=16?"),
        (["=3"], "'=3' lacks the name of a setting; give name=value"),
        (["--batches.size=16"], "there is no switch --batches.size=16; a setting has no dashes: batches.size=16"),
        (["--fast"], "there is no switch --fast; settings are name=value, without dashes"),
        (["--cfg", "jb"], "--cfg/-c: invalid choice: 'jb' (choose from"),
    ],
)
def test_what_is_neither_setting_nor_switch(arguments: list[str], answer: str) -> None:
    with pytest.raises(ConfigError) as error:
        Typed.of("train", arguments)
    assert str(error.value).startswith(answer)


def test_what_hydra_reads_stays_as_it_is() -> None:
    for text in ("x=[a, b]", "x='a b'", "~x", "x=", "x=a b", "x=tag(log,interval(1,2))", "+d@d.c=e", "x={a:1}"):
        assert parsed(text).input_line == text
