"""The phones of a language: which there are, how often each is said, and those of a text; without stress."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from voxgrad.settings import TextSpec
from voxgrad.text.ipa import IPA_IDS, is_phone
from voxgrad.text.symbols import ENGLISH, PHONE_IDS
from voxgrad.text.tokens import encode_transcript

_STRESSES: Final = "ˈˌ012"


@cache
def frequencies(language: str = ENGLISH) -> dict[str, float]:
    """The phones of a language, and how often each is said of a thousand, the most frequent first; {}: not known.

    >>> list(frequencies("es"))[:3]
    ['e', 'a', 'o']
    """
    tables = yaml.safe_load(Path(__file__).with_name("phones.yaml").read_text(encoding="utf-8"))
    fields = tables.get(language, "").split()
    return dict(zip(fields[::2], map(float, fields[1::2]), strict=True))


def phones_of(text: str, language: str = ENGLISH) -> list[str]:
    """The phones of a text.

    >>> phones_of("Hello.")
    ['HH', 'AH', 'L', 'OW']

    Raises:
        BadInputError: it cannot be read.
    """
    labels = encode_transcript(text, TextSpec(language=language, add_blank=False)).phones
    return [label.strip(_STRESSES) for label in labels if is_phone(label)]


def counts(tokens: Iterable[int], language: str) -> dict[str, int]:
    """How often tokens stand for each phone of a language, the most frequent phone of the language first."""
    ids = PHONE_IDS if language == ENGLISH else IPA_IDS
    names = {token: label.strip(_STRESSES) for label, token in ids.items()}
    said = Counter(names.get(token) for token in tokens)
    return {phone: said[phone] for phone in frequencies(language)}
