"""Each file on the command line is YAML, and no mapping in it names a key twice."""

from __future__ import annotations

import sys

import yaml


def faults(text: str) -> list[str]:
    """What is wrong with a text, a line each: a parser's complaint, or keys of one mapping that are there twice.

    >>> faults("a: 1\\nb: {c: 1, c: 2}\\na: 3\\n")
    ['line 3: a is there twice', 'line 2: c is there twice']
    """
    try:
        root = yaml.compose(text)
    except yaml.YAMLError as error:
        return [" ".join(str(error).split())]

    # Nodes and not values: tags that only a program knows, as in mkdocs.yml, are left alone.
    found = []
    left = [root] if root is not None else []
    while left:
        node = left.pop()
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, child in node.value:
                name = str(key.value)
                if name in seen:
                    found.append(f"line {key.start_mark.line + 1}: {name} is there twice")
                seen.add(name)
                left.append(child)
        elif isinstance(node, yaml.SequenceNode):
            left += node.value
    return found


def main() -> None:
    """Print the faults of all files; status 1 if there are any."""
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for fault in faults(file.read()):
                print(f"{path}: {fault}")
                failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
