"""Our layers beside OpenVINO's on one CPU thread: `python benchmarks/backends.py --width 768`.

Two layers of BERT with random weights on rows of equal length, as suits OpenVINO best: no row is padded. Ours in 32
bits and bfloat16; OpenVINO in bfloat16 and in int8 as NNCF quantises transformers. In turns; the best time and the
lower quartile, which a busy machine disturbs least. Needs `pip install openvino nncf`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import nncf
import numpy as np
import openvino
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from clir_lightning.models.fused import FusedStack
from clir_lightning.models.unpadded import Layout

ROWS, LENGTH, LAYERS = 8, 128, 2


class States(nn.Module):
    """The last states alone, as OpenVINO converts them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """`[N, T, H]`."""
        states: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states


def ours(model: Any, ids: Tensor, dtype: torch.dtype) -> Callable[[], object]:
    """The fused layers on these rows."""
    stack = FusedStack(model, dtype)
    layout = Layout.of(SimpleNamespace(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=None))
    positions = torch.arange(LENGTH).repeat(ROWS)
    return lambda: stack(ids.flatten(), positions, None, layout)


def compiled(model: Any, feed: dict[str, Any], precision: str) -> Callable[[], object]:
    """OpenVINO's model on these rows, on one thread."""
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer(feed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--turns", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)

    # The model and its rows [N, T].
    width = arguments.width
    config = BertConfig(
        vocab_size=1000,
        hidden_size=width,
        num_hidden_layers=LAYERS,
        num_attention_heads=12,
        intermediate_size=4 * width,
    )
    model: Any = BertModel(config, add_pooling_layer=False)
    model.eval()
    ids = torch.randint(5, 999, (ROWS, LENGTH))
    feed = {"input_ids": ids.numpy(), "attention_mask": np.ones((ROWS, LENGTH), np.int64)}

    # OpenVINO's, and NNCF's int8 weights and activations with smoothing.
    example = {name: torch.from_numpy(values) for name, values in feed.items()}
    graph = openvino.convert_model(States(model), example_input=example)
    seen = nncf.Dataset([{name: values[:1] for name, values in feed.items()}] * 3)
    quantised = nncf.quantize(graph, seen, model_type=nncf.ModelType.TRANSFORMER, subset_size=3)
    runs = {
        "ours, float32": ours(model, ids, torch.float32),
        "ours, bfloat16": ours(model, ids, torch.bfloat16),
        "OpenVINO, bfloat16": compiled(graph, feed, "bf16"),
        "OpenVINO, int8": compiled(quantised, feed, "bf16"),
    }

    # In turns, the first of them to warm up.
    times: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for _ in range(arguments.turns + 1):
            for name, run in runs.items():
                begin = time.process_time()
                run()
                times[name].append(1e3 * (time.process_time() - begin) / LAYERS)
    for name, taken in times.items():
        taken = sorted(taken[1:])
        print(f"{name:20} {taken[0]:6.1f} ms a layer at best, lower quartile {taken[len(taken) // 4]:.1f}")


if __name__ == "__main__":
    main()
