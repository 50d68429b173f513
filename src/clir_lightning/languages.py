"""What language codes say, and lower case as the languages have it."""

from __future__ import annotations

import unicodedata

DOTLESS = frozenset({"az", "crh", "gag", "tr", "tt"})  # their Latin alphabets have ı beside i
LATIN_DOTLESS = frozenset({"ba", "kk"})  # these have it in their Latin alphabet, which is not their usual one


def primary(language: str) -> str:
    """The language that a code names, without script or region; Simple English is English.

    >>> primary("zh-Hant"), primary("pt_BR"), primary("simple")
    ('zh', 'pt', 'en')
    """
    first = language.replace("_", "-").partition("-")[0]
    return "en" if first == "simple" else first


def has_dotless_i(language: str) -> bool:
    """Whether I is the capital of ı and İ that of i.

    >>> has_dotless_i("tr"), has_dotless_i("kk"), has_dotless_i("kk-Latn"), has_dotless_i("tt-Cyrl")
    (True, False, True, False)
    """
    first, *subtags = language.replace("_", "-").lower().split("-")
    if first in LATIN_DOTLESS:
        return "latn" in subtags
    return first in DOTLESS and not {"cyrl", "arab"} & set(subtags)


def lowered(text: str, language: str = "") -> str:
    """Composed (NFC) and lower-cased as the language does it.

    >>> lowered("ISPARTA İzmir", "tr"), lowered("ISPARTA İzmir", "en")
    ('ısparta izmir', 'isparta izmir')
    """
    text = unicodedata.normalize("NFC", text)
    if has_dotless_i(language):
        text = text.replace("İ", "i").replace("I", "ı")
    # Python's lower-case of İ is an i with a second dot, which no one writes.
    return text.lower().replace("i\u0307", "i")
