"""What stands around the package says the same everywhere: versions, Pythons, extras, targets, files."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from benchmarks.extras import MODULES

import clir_lightning as clir
from clir_lightning.cli import main
from program import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CONTAINERS = ROOT / "containers"


def script(name: str) -> ModuleType:
    """A program of `.github/` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".github" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_version_may_be_tagged() -> None:
    assert script("check_release").disagreements(f"v{PROJECT['version']}") == []


def test_the_program_tells_the_installed_version(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"clir {metadata.version('clir-lightning')}\n"
    assert clir.__version__ == metadata.version("clir-lightning")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("pyproject.toml", 'version = "', 'version = "9.', "it takes the tag v9."),
        ("CITATION.cff", "\nversion: ", "\nversion: 9.", "CITATION.cff has version 9."),
        ("CITATION.cff", "\nversion: ", "\nedition: ", "CITATION.cff has version none"),
        ("CHANGELOG.md", "\n## [", "\n## [9.", "CHANGELOG.md has no section"),
        ("CHANGELOG.md", "] - 20", "], 20", "CHANGELOG.md has no section"),
    ],
)
def test_what_disagrees_is_not_released(file: str, old: str, new: str, told: str, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new), encoding="utf-8")
    assert told in "\n".join(script("check_release").disagreements(f"v{PROJECT['version']}", tmp_path))


def test_a_release_is_told_by_its_section_of_the_changelog() -> None:
    program = ROOT / ".github" / "check_release.py"
    done = subprocess.run((sys.executable, str(program), "v99.0.0"), capture_output=True, text=True)
    assert done.returncode == 1
    assert "the tag is v99.0.0, the version" in done.stderr
    command = (sys.executable, str(program), f"v{PROJECT['version']}")
    notes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "### Added" in notes
    assert "\n## " not in notes
    assert "\n[Unreleased]: " not in notes


def test_the_changelog_is_by_version_and_kind() -> None:
    versions = re.findall(r"^## (.*)$", CHANGELOG, flags=re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    kinds = set(re.findall(r"^### (.*)$", CHANGELOG, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for version in versions:
        assert f"\n{version.partition(' ')[0]}: https://" in CHANGELOG


def test_every_python_is_tested() -> None:
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    (tested,) = (read(path)["jobs"]["test"]["strategy"]["matrix"] for path in WORKFLOWS if path.stem == "test")
    assert tested["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"with Python {', '.join(named[:-1])} or {named[-1]}" in page


def test_every_extra_is_weighed_and_in_the_docs() -> None:
    extras = set(PROJECT["optional-dependencies"])
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|.*\| [\d,]+ \| [\d,]+ MB \|$", page, flags=re.MULTILINE)) == extras
    assert set(MODULES) == extras


def test_workflows_call_targets_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert set(phony.split()) == targets
    pages = [*WORKFLOWS, ROOT / ".ci" / "run", ROOT / "CONTRIBUTING.md", ROOT / ".github" / "pull_request_template.md"]
    called = {
        target for page in pages for target in re.findall(r"\bmake ([a-z-]+)\b", page.read_text(encoding="utf-8"))
    }
    assert {"test", "slow", "oldest", "docs", "release"} <= called <= targets


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_little_and_not_for_ever(workflow: Path) -> None:
    """Rights are given by job; actions are pinned to a version; no job hangs for six hours."""
    content = read(workflow)
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 90
    used = re.findall(r"uses: (\S+)", workflow.read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", action) for action in used)


def test_packages_are_compiled_when_they_are_installed() -> None:
    """Where Python may write no bytecode, each process would compile them anew."""
    for target in (".venv/.installed", "oldest"):
        command = ["make", "--dry-run", "--always-make", target]
        printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        by_uv = [line for line in printed.splitlines() if "/uv pip install" in line]
        assert len(by_uv) == 2
        assert all("--compile-bytecode" in line for line in by_uv)


def test_hooks_are_tools_of_the_environment() -> None:
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program, *arguments = hook["entry"].split()
        assert Path(program).parent == Path(".venv/bin")
        assert Path(sys.executable).with_name(Path(program).name).exists()
        assert all((ROOT / argument).is_file() for argument in arguments if argument.endswith(".py"))


def test_the_yaml_hook_finds_what_is_wrong(tmp_path: Path) -> None:
    check = script("check_yaml")
    assert check.faults("a: 1\nb:\n  - {c: 1, d: 2, c: 3}\n") == ["line 3: c is there twice"]
    assert check.faults("a: !!python/name:x.y ''\n--- \n")[0].startswith("expected a single document")
    assert "line 2, column 1" in check.faults("a: [1\n")[0]
    assert check.faults("") == []
    files = [*(ROOT / "conf").rglob("*.yaml"), *ROOT.glob("*.y*ml"), *(ROOT / ".github").rglob("*.yml")]
    assert {path: found for path in files if (found := check.faults(path.read_text(encoding="utf-8")))} == {}


def test_both_containers_get_the_same_files() -> None:
    docker = (CONTAINERS / "Dockerfile").read_text(encoding="utf-8")
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", docker, flags=re.MULTILINE)]
    files = {name for names in copied for name in names}
    apptainer = (CONTAINERS / "clir.def").read_text(encoding="utf-8")
    section = apptainer.partition("%files\n")[2].partition("\n\n")[0]
    assert {line.split()[0] for line in section.splitlines()} == files
    ignored = (CONTAINERS / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    assert set(re.findall(r"^!(.*)$", ignored, flags=re.MULTILINE)) == files
    assert all((ROOT / name).exists() for name in files)

    # What they are asked to install.
    (extras,) = set(re.findall(r"EXTRAS=(\S+)", docker + apptainer))
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_installation_of_containers_rejects_what_it_does_not_know(tmp_path: Path) -> None:
    command = ("sh", str(CONTAINERS / "install.sh"), str(tmp_path / "new"), "rocm", "")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "TORCH is rocm; allowed: cpu, cuda\n"
    assert not (tmp_path / "new").exists()
