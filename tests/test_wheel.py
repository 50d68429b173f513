"""Wheel and sdist install elsewhere, with licence and configuration in them, and work from another folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from pathlib import Path

import pytest

from program import ROOT, SHORT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built of it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, cwd=ROOT)
    return folder


def install(archive: Path, folder: Path) -> Path:
    """The Python of a new environment with an archive in it, whose dependencies this environment lends."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "new", cwd=folder)
    python = folder / "new" / "bin" / "python"
    site = packages(python)

    # The package itself must come from the archive.
    lent = folder / "lent"
    lent.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "clir_lightning" not in path.name:
            (lent / path.name).symlink_to(path)
    (site / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")

    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, "--no-build-isolation", archive, cwd=folder)
    where = run(python, "-c", "import clir_lightning; print(clir_lightning.__file__)", cwd=folder)
    assert Path(where.strip()).is_relative_to(site)
    return python


def packages(python: Path) -> Path:
    """The folder of an environment's packages."""
    (site,) = (python.parent.parent / "lib").glob("python*/site-packages")
    return site


def yaml_files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*.yaml")}


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["whl", "tar.gz"])
def test_it_carries_licence_configuration_and_what_an_index_shows(ending: str, built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob(f"*.{ending}")
    python = install(archive, tmp_path)
    site = packages(python)
    (info,) = site.glob("clir_lightning-*.dist-info")
    assert (info / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert run(python.with_name("clir"), "--version", cwd=tmp_path) == f"clir {PROJECT['version']}\n"

    # Every file of the configuration, and nothing else's packages.
    assert yaml_files(site / "clir_lightning" / "conf") == yaml_files(ROOT / "conf")
    assert (site / "clir_lightning" / "py.typed").is_file()
    own = {"clir_lightning", "hydra_plugins", info.name}
    assert own <= {path.name for path in site.iterdir()} <= own | {"lent.pth", "__pycache__"}

    metadata = (info / "METADATA").read_text(encoding="utf-8")
    assert "License-Expression: Apache-2.0\nLicense-File: LICENSE\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    for name, address in PROJECT["urls"].items():
        assert f"Project-URL: {name}, {address}\n" in metadata

    # The README, each of whose links leads somewhere from an index's page too.
    text = metadata.partition("\n\n")[2]
    assert text.splitlines()[0] == (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0]
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 20
    files = {target for target in targets if target.startswith(PROJECT["urls"]["Homepage"] + "/blob/main/")}
    picture = "https://raw.githubusercontent.com/clir-lightning/clir-lightning/main/docs/figures/report.png"
    assert all((ROOT / re.split("/main/|#", target)[1]).exists() for target in (picture, *files))
    assert picture in targets
    assert all(target.startswith("https://") for target in targets)


@pytest.mark.slow
def test_the_wheel_works_in_a_new_environment(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.whl")
    clir = install(archive, tmp_path).with_name("clir")
    assert "clir VERB" in run(clir, "--help", cwd=tmp_path)
    run(clir, "train", *SHORT, "candidates.test_queries=3", "hydra.run.dir=out", cwd=tmp_path)
    assert (tmp_path / "out" / "metrics.json").is_file()


@pytest.mark.slow
def test_the_sdist_carries_the_furniture(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"LICENSE", "CITATION.cff", "CHANGELOG.md", "README.md", "pyproject.toml", "conf/train.yaml"} <= names
    assert not any(name.startswith(("tests", ".venv", "docs", "notebooks")) for name in names)
