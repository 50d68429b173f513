"""Whether a tag may be released: `python .github/check_release.py v0.2.0` prints its notes, or what disagrees."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def section(changelog: str, version: str) -> str:
    """What a changelog says of a version; empty where it has no dated section for it.

    >>> section("## [Unreleased]\\n\\n## [0.2.0] - 2026-11-27\\n\\n- New.\\n\\n## [0.1.0] - 2026-01-01\\n", "0.2.0")
    '- New.'
    """
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n"
    found = re.search(heading + r"(.*?)(?=^## |^\[Unreleased\]: |\Z)", changelog, flags=re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def disagreements(tag: str, root: Path = ROOT) -> list[str]:
    """What keeps a tag from being released, a line each."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    cited = re.search(r"^version: (\S+)$", (root / "CITATION.cff").read_text(encoding="utf-8"), flags=re.MULTILINE)
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")

    # Each is told on its own: a release that fails for three causes should fail once.
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, the version in pyproject.toml {version}: it takes the tag v{version}")
    if cited is None or cited[1] != version:
        found.append(f"CITATION.cff has version {cited[1] if cited else 'none'}, pyproject.toml {version}")
    if not section(changelog, version):
        found.append(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD' with something in it")
    return found


def main() -> None:
    """Print the release's notes, or what is wrong and status 1."""
    if len(sys.argv) != 2:
        sys.exit("usage: python .github/check_release.py vX.Y.Z")
    tag = sys.argv[1]
    wrong = disagreements(tag)
    if wrong:
        sys.exit("\n".join(wrong))
    print(section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), tag.removeprefix("v")))


if __name__ == "__main__":
    main()
