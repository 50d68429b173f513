"""The form of a name under which it is stored and looked up: one for all its spellings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from clir_lightning.errors import ConfigError
from clir_lightning.languages import has_dotless_i, primary

# What is typed in several ways and means one thing: hyphens and dashes, apostrophes, quotation marks, and the dot
# between the parts of a foreign name in Chinese.
_PUNCTUATION = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("‘’‛ʼʹ′`´", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("•‧・∙⋅", "·"),
    }
)
_HAN = r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}])")
# Characters that only steer how others are shown, such as a soft hyphen or a joiner.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)


def normal(text: str, language: str) -> str:
    """The text as names are compared in this language: spellings that mean the same name become equal.

    Full-width and other compatibility forms become plain (NFKC), letters lose their case, with dotted and dotless i
    kept apart where the language does, dashes, quotation marks and name dots become one of a kind, characters that are
    not seen go, and blanks are squeezed. Chinese becomes simplified, and loses blanks between its characters.

    Raises `ConfigError` for Chinese without opencc.

    >>> normal("哈薩克語", "zh"), normal("ＡＢＣ　股份", "zh"), normal("约翰・史密斯", "zh")
    ('哈萨克语', 'abc 股份', '约翰·史密斯')
    >>> normal("  ҚАЗАҚ   тілі ", "kk"), normal("Алматы – Астана", "kk")
    ('қазақ тілі', 'алматы - астана')
    >>> normal("ISPARTA İzmir", "tr"), normal("ISPARTA İzmir", "kk")
    ('ısparta izmir', 'isparta izmir')
    """
    # Most names are in one alphabet and in few characters: what cannot change them is left out.
    if text.isascii() and not has_dotless_i(language):
        return " ".join(text.casefold().replace("`", "'").split())
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))

    # Python's own folding makes an i with a second dot of İ, which no one writes.
    if has_dotless_i(language):
        text = text.replace("I", "ı")
    text = text.replace("İ", "i").casefold().replace("i\u0307", "i")
    text = " ".join(unicodedata.normalize("NFKC", text.translate(_PUNCTUATION)).split())

    if primary(language) == "zh":
        text = _BETWEEN_HAN.sub("", _simplified()(text))
    return text


@cache
def _simplified() -> Callable[[str], str]:
    """Traditional characters to simplified ones, by words where a character has several."""
    try:
        from opencc import OpenCC
    except ImportError:
        raise ConfigError(
            "names in Chinese need opencc for traditional characters: pip install 'clir-lightning[graph]'"
        ) from None
    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert
