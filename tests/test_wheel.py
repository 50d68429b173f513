"""The wheel installs elsewhere with its configuration and trains from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from program import ROOT, SHORT


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_wheel_works_in_a_new_environment(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, cwd=ROOT)
    wheel = next(tmp_path.glob("*.whl"))
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "new", cwd=tmp_path)
    python = tmp_path / "new" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, wheel, cwd=tmp_path)
    # The dependencies are lent by this environment; the package itself must come from the wheel.
    site = next((tmp_path / "new" / "lib").glob("python*/site-packages"))
    lent = tmp_path / "lent"
    lent.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "clir_lightning" not in path.name:
            (lent / path.name).symlink_to(path)
    (site / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    clir = tmp_path / "new" / "bin" / "clir"
    assert "clir VERB" in run(clir, "--help", cwd=tmp_path)
    assert str(site) in run(python, "-c", "import clir_lightning; print(clir_lightning.__file__)", cwd=tmp_path)
    run(clir, "train", *SHORT, "candidates.test_queries=3", "hydra.run.dir=out", cwd=tmp_path)
    assert (tmp_path / "out" / "metrics.json").is_file()
