"""Language codes: ISO 639 as CLDR lists them, and the older codes under which some Wikipedias run."""

from __future__ import annotations

import difflib
from functools import cache

from babel import Locale
from babel.core import get_global

from clir_lightning.errors import ConfigError

WIKIPEDIA = {"als", "azb", "cdo", "diq", "eml", "mhr", "pnb", "simple"}  # in CLIRMatrix, not in CLDR


@cache
def _known() -> frozenset[str]:
    return frozenset(Locale("en").languages) | WIKIPEDIA


def check_language(code: str, setting: str) -> str:
    """Return `code` if its first part is a language; `ConfigError` with the likely one otherwise.

    >>> check_language("kk", "data.document_language"), check_language("zh-Hant", "data.query_language")
    ('kk', 'zh-Hant')
    >>> check_language("kaz", "data.document_language")
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: data.document_language is 'kaz', no ISO 639 code in use; did you mean 'kk'?
    """
    language = code.replace("_", "-").partition("-")[0]
    if language in _known():
        return code
    names = {name.lower(): known for known, name in Locale("en").languages.items()}
    near = get_global("language_aliases").get(language) or names.get(code.lower())
    near = near or next(iter(difflib.get_close_matches(language, _known(), n=1)), None)
    hint = f"; did you mean {near!r}?" if near else "; codes are like zh, kk, en"
    raise ConfigError(f"{setting} is {code!r}, no ISO 639 code in use{hint}")
