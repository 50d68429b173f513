"""Mixed precision where the hardware has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def _cpu_has_bfloat16() -> bool:
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.12 does not tell
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def precision_for(setting: str | int | None) -> str | int | None:
    """Lightning's precision for a setting: `mixed` is what the hardware computes in fastest.

    On a GPU bfloat16 or else half precision; on a CPU bfloat16 where it has instructions for that, 32 bits where it
    would emulate them, which is many times slower. All else is Lightning's own and comes back as it is.

    >>> precision_for("bf16-mixed")
    'bf16-mixed'
    """
    if setting != "mixed":
        return setting
    if not torch.cuda.is_available():
        return "bf16-mixed" if _cpu_has_bfloat16() else "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
