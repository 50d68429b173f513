"""Languages and their variants: which of Wikidata's codes are one language, and which of them is asked first."""

from __future__ import annotations

from collections.abc import Sequence

from clir_lightning.errors import ConfigError

# From the script and spelling that most of a collection's texts have to the others; the first that an entity has is its
# label, the others become aliases.
VARIANTS = {
    "zh": ("zh-hans", "zh-cn", "zh", "zh-sg", "zh-my", "zh-hant", "zh-tw", "zh-hk", "zh-mo"),
    "kk": ("kk-cyrl", "kk", "kk-kz", "kk-latn", "kk-arab", "kk-tr", "kk-cn"),
}


def variants(language: str) -> tuple[str, ...]:
    """The codes of a language, the preferred first.

    >>> variants("kk")[:3], variants("en")
    (('kk-cyrl', 'kk', 'kk-kz'), ('en',))
    """
    return VARIANTS.get(language, (language,))


def check_languages(languages: Sequence[str]) -> tuple[str, ...]:
    """The languages of a graph; `ConfigError` for none, one twice, or what cannot be a language's code."""
    for language in languages:
        if not (language.replace("-", "").isalnum() and language.isascii() and language == language.lower()):
            raise ConfigError(f"languages has {language!r}; allowed: codes of Wikidata's labels such as zh and kk")
        if whole := next((name for name, codes in VARIANTS.items() if language in codes and language != name), None):
            raise ConfigError(
                f"languages has {language!r}, a variant; allowed: {whole!r}, which holds all its variants"
            )
    if not languages or len(set(languages)) < len(languages):
        raise ConfigError(f"languages is {list(languages)}; allowed: one or more, each once")
    return tuple(languages)


def site(language: str) -> str:
    """The Wikipedia of a language as site links name it.

    >>> site("kk"), site("be-tarask")
    ('kkwiki', 'be_taraskwiki')
    """
    return f"{language.replace('-', '_')}wiki"
