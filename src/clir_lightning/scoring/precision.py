"""Mixed precision where the hardware has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from clir_lightning.errors import ConfigError

# What the encoder's products are computed in, by Lightning's names; `None` for 32 bits. Weights have 32 bits always.
PRECISIONS: dict[str, torch.dtype | None] = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
SHORT = {"None": "32-true", "32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}  # Lightning's other names


def _cpu_has_bfloat16() -> bool:
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.12 does not tell
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def precision_for(setting: str | int | None, *, gpu: bool, name: str = "trainer.precision") -> str:
    """One of `PRECISIONS` for a setting: `auto` is what the hardware computes fastest in.

    The device alone decides it, never a measurement: a training that is repeated gives the same numbers. On a GPU
    bfloat16 or else half precision; on a CPU bfloat16 where it has instructions for that, 32 bits where it
    would emulate them, which is many times slower. Half precision is for GPUs: on a CPU it becomes bfloat16, as in
    Lightning.

    Args:
        setting: one of `PRECISIONS`, a short name of one, or `auto`; `None` for 32 bits.
        gpu: whether it is computed on a GPU.
        name: the setting's name.

    Raises `ConfigError` for all else, `bf16-true` and `16-true` among it: small steps would leave most weights in half
    precision where they are.

    >>> precision_for("bf16", gpu=True), precision_for("16-mixed", gpu=False), precision_for(None, gpu=True)
    ('bf16-mixed', 'bf16-mixed', '32-true')
    """
    precision = SHORT.get(str(setting), str(setting))
    if precision not in (*PRECISIONS, "auto"):
        why = "weights have 32 bits, since small steps would not move them in half precision"
        raise ConfigError(f"{name} is {setting!r}; allowed: {', '.join(PRECISIONS)}, auto; {why}")

    # What this machine is fast in; a GPU that emulates bfloat16 is not.
    if precision == "auto" and gpu:
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if precision == "auto":
        return "bf16-mixed" if _cpu_has_bfloat16() else "32-true"
    return "bf16-mixed" if precision == "16-mixed" and not gpu else precision
