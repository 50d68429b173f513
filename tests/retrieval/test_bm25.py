"""What the bm25s package must not bring along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from program import HANG

SEARCH = """
import sys
from clir_lightning.retrieval.bm25 import LightBM25
from clir_lightning.types import Document, Query
found = LightBM25(analyser="words")({"a": Document("a", "тіл", "kk")}, {"q": Query("q", "тіл", "kk")}, depth=1)
assert found.ranking("q") == ["a"]
assert "bm25s" in sys.modules
import jax
"""


def test_a_search_by_bm25s_does_not_start_jax_which_would_take_the_gpus_memory(tmp_path: Path) -> None:
    """A package of that name tells when it is imported: by the last line of the program alone, which still can."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("print('started')\n")
    (tmp_path / "jax" / "lax.py").write_text("print('used')\ndef top_k(scores, k): ...\n")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", SEARCH]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout.split() == ["started"]
