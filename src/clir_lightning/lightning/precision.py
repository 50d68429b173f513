"""Mixed precision where the hardware has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from clir_lightning.errors import ConfigError

# Lightning's names, and the short ones that it reads as the first of these three.
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "mixed")
SHORT = ("32", "bf16", "16")


def _cpu_has_bfloat16() -> bool:
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.12 does not tell
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def precision_for(setting: str | int | None, *, gpu: bool | None = None) -> str | int | None:
    """Lightning's precision for a setting: `mixed` is what the hardware computes in fastest.

    On a GPU bfloat16 or else half precision; on a CPU bfloat16 where it has instructions for that, 32 bits where it
    would emulate them, which is many times slower. All else is Lightning's own and comes back as it is. Weights have 32
    bits always: in half precision most of them would stand still under small steps, so `ConfigError` for `bf16-true`
    and `16-true`.

    Args:
        setting: as in `trainer.precision`.
        gpu: whether it is computed on a GPU; `None` for: where there is one.

    >>> precision_for("bf16-mixed")
    'bf16-mixed'
    """
    if setting is not None and str(setting) not in (*PRECISIONS, *SHORT):
        why = "weights have 32 bits, since small steps would not move them in half precision"
        raise ConfigError(f"trainer.precision is {setting!r}; allowed: {', '.join(PRECISIONS)}; {why}")
    if setting != "mixed":
        return setting
    if not (torch.cuda.is_available() if gpu is None else gpu):
        return "bf16-mixed" if _cpu_has_bfloat16() else "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
