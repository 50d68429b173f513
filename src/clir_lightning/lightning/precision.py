"""Mixed precision where the hardware has it."""

from __future__ import annotations

import torch


def precision_for(setting: str | int | None) -> str | int | None:
    """Lightning's precision for a setting: `mixed` is bfloat16 or else half precision on a GPU, 32 bits without one.

    All else is Lightning's own and comes back as it is. A CPU emulates bfloat16, more slowly than it computes in 32.

    >>> precision_for("bf16-mixed")
    'bf16-mixed'
    """
    if setting != "mixed":
        return setting
    if not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
