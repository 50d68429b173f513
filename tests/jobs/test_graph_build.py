"""`clir graph build`: a dump and files of labels as one folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from knowledge.dumps import item, statement, texts, write
from program import clir


def test_a_dump_and_a_file_of_labels_become_one_graph(tmp_path: Path) -> None:
    dump = [
        item("Q35493", labels=texts(zh_hans="阿拉木图", kk="Алматы"), claims={"P17": [statement("Q232")]}),
        {"type": "property", "id": "P17", "labels": texts(en="country")},
        item("Q1", labels=texts(en="universe")),
    ]
    write(tmp_path / "dump.json", dump)
    own = {"label_zh": "哈萨克斯坦", "label_kk": "Қазақстан", "description_zh": "国家", "description_kk": "ел"}
    row = {"q_item_qid": "Q232", "q_item_info": own, "adj_item_info": {name: [] for name in own}}
    with gzip.open(tmp_path / "entities.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")

    build = ("graph", "build", "dump=dump.json", "entities=[entities.jsonl.gz]", "path=graph", "workers=1")
    said = clir(*build, cwd=tmp_path).stdout
    rows = {cells[1].strip(): cells[2].strip() for line in said.splitlines() if len(cells := line.split("│")) == 4}
    assert (rows["entities"], rows["triples"], rows["terms"]) == ("2", "1", "6")
    assert (rows["items with a label"], rows["items without a label in these languages"]) == ("1", "1")
    assert clir(*build, cwd=tmp_path).stdout.splitlines()[-3:] == said.splitlines()[-3:]

    # Another's folder stays as it is.
    refused = clir("graph", "build", "dump=dump.json", "path=graph", cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert "clir graph build: graph: holds a graph of dump.json and entities.jsonl.gz" in refused.stderr
