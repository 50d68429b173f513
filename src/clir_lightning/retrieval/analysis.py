"""From text to index terms: which analyser a language gets is a table, printed and never guessed.

On 545 KazQAD questions over 1,197 passages, MRR@10 of BM25: words .623, XLM-R pieces .690, 4-grams .719, 5-letter
prefixes .733, prefixes and 4-grams .742. So prefixes are the choice for languages that add ending to ending. The others
that Lucene has no analyser for get 4-grams, pieces of words that need neither spaces nor a stemmer (McNamee and
Mayfield, 2004).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from clir_lightning.errors import ConfigError, one_of
from clir_lightning.languages import lowered, primary

CJK = (
    r"\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)


@cache
def _word() -> re.Pattern[str]:
    """Letters, digits and combining marks, without which a word of Devanagari or Thai would fall apart.

    Marks of the first 65,536 characters alone: `re` looks those up in a table, and tries larger sets one by one.
    """
    marks = "".join(char for char in map(chr, range(0x10000)) if unicodedata.category(char)[0] == "M")
    return re.compile(rf"\w+(?:[{re.escape(marks)}]+\w*)*")


@cache
def _cjk() -> re.Pattern[str]:
    return re.compile(f"([{CJK}]+)")


def words(text: str, language: str = "") -> list[str]:
    """Lower-cased words.

    >>> words("Қазақ тілі (Қазақстан)")
    ['қазақ', 'тілі', 'қазақстан']
    """
    return _word().findall(lowered(text, language))


def prefixes(text: str, language: str = "", length: int = 5) -> list[str]:
    """The first letters of each lower-cased word: a stemmer for languages that add ending to ending.

    >>> prefixes("Қазақстандағы қалалар")
    ['қазақ', 'қалал']
    """
    return [word[:length] for word in words(text, language)]


def ngrams(text: str, language: str = "", length: int = 4) -> list[str]:
    """All runs of `length` letters within lower-cased words; a shorter word stays whole.

    >>> ngrams("қалалар тіл")
    ['қала', 'алал', 'лала', 'алар', 'тіл']
    """
    found = []
    for word in words(text, language):
        found += [word[i : i + length] for i in range(max(1, len(word) - length + 1))]
    return found


def cjk_bigrams(text: str, language: str = "") -> list[str]:
    """Pairs of neighbouring Chinese, Japanese or Korean characters, a lone one as it is; other words whole.

    >>> cjk_bigrams("阿拉木图2024 市")
    ['阿拉', '拉木', '木图', '2024', '市']
    """
    found = []
    for place, run in enumerate(_cjk().split(lowered(unicodedata.normalize("NFKC", text), language))):
        if place % 2 == 0:  # between two runs of such characters
            found += _word().findall(run)
        else:
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    return found


def prefixes_and_ngrams(text: str, language: str = "") -> list[str]:
    """Both kinds of pieces of each word.

    >>> prefixes_and_ngrams("қалалар")
    ['қалал', 'қала', 'алал', 'лала', 'алар']
    """
    return prefixes(text, language) + ngrams(text, language)


# A name → what it does and the function of text and language; Lucene's own analysers are not functions of ours.
ANALYSERS: Mapping[str, tuple[str, Callable[[str, str], list[str]] | None]] = {
    "words": ("lower-cased words", words),
    "prefix5": ("5-letter prefixes of lower-cased words", prefixes),
    "ngram4": ("runs of 4 letters within lower-cased words", ngrams),
    "prefix5+ngram4": ("5-letter prefixes and runs of 4 letters", prefixes_and_ngrams),
    "cjk": ("pairs of Chinese, Japanese or Korean characters, other words whole", cjk_bigrams),
    "lucene": ("Lucene's own analyser of the language", None),
}
# What each language gets: in Lucene, and without it. Lucene's own analyser stands only where it has one; for any other
# language its program would take English with Porter's stemmer unasked. All 139 languages of CLIRMatrix are here.
_GROUPS = {
    # Ending is added to ending: Turkic, Uralic, Mongolian, Dravidian, the Caucasus, Basque, Quechua.
    ("prefix5", "prefix5"): "az azb ba crh cv et eu gag hy ka kk kn ky mhr ml mn mrj qu sah ta tk tt ug uz xmf",
    ("lucene", "prefix5"): "bn de es fa fi fr hi hu id it nl no pl pt ru sv te tr uk",
    ("lucene", "words"): "ar da en",
    ("lucene", "cjk"): "ja ko zh",
    ("lucene", "ngram4"): "th",
    ("cjk", "cjk"): "cdo wuu yue",
    ("words", "words"): "vi",  # syllables stand apart and have no endings
    # Endings, prefixes or changes within the word; also no spaces at all (my).
    ("ngram4", "ngram4"): """
        af als am an arz ast bar be bg bpy br bs bug ca ce ceb ckb cs cy diq el eml eo fo fy ga gd gl gu he hr hsb ht ia
        ilo io is jv ku la lb li lmo lt lv mai mg min mk mr ms my mzn nap nds ne new nn oc or os pa pms pnb ps ro sa scn
        sco sd sh si sk sl sq sr su sw szl tg tl ur vec vo wa war yi yo
    """,
}
LANGUAGES = {language: pair for pair, group in _GROUPS.items() for language in group.split()}
LUCENE = sorted(language for language, (inside, _) in LANGUAGES.items() if inside == "lucene")


@dataclass(frozen=True, slots=True)
class Analyser:
    """An analyser chosen for a language. `tokens` is `None` where Lucene analyses the text itself."""

    name: str
    language: str

    @property
    def tokens(self) -> Callable[[str], list[str]] | None:
        """The function from text to terms."""
        function = ANALYSERS[self.name][1]
        return None if function is None else lambda text: function(text, self.language)

    def __str__(self) -> str:
        return f"{self.language}: {self.name} ({ANALYSERS[self.name][0]})"


def choose(name: str, language: str, *, lucene: bool) -> Analyser:
    """The analyser of that name, or for `auto` the one that the table has for the language, whatever its script.

    Raises `ConfigError` for a language that the table lacks, and for Lucene's own analyser where it has none.

    >>> print(choose("auto", "kk", lucene=True))
    kk: prefix5 (5-letter prefixes of lower-cased words)
    >>> choose("auto", "zh", lucene=True).name, choose("auto", "zh", lucene=False).name
    ('lucene', 'cjk')
    """
    choices = [choice for choice in ANALYSERS if lucene or choice != "lucene"]
    if name == "auto":
        if primary(language) not in LANGUAGES:
            raise ConfigError(
                f"retriever.analyser=auto knows no analyser for language {language!r}; "
                f"set retriever.analyser to one of {', '.join(choices)}"
            )
        name = LANGUAGES[primary(language)][0 if lucene else 1]
    one_of(name, ["auto", *choices], "retriever.analyser")
    if name == "lucene" and primary(language) not in LUCENE:
        others = ", ".join(choice for choice in choices if choice != "lucene")
        raise ConfigError(
            f"Lucene has no analyser for language {language!r} (it has {', '.join(LUCENE)}); "
            f"set retriever.analyser to one of {others}"
        )
    return Analyser(name, language)
