"""Tables of words, and of patterns with what replaces them; what stands beside a match.

Patterns outside of tables that few texts need are strings: `re` compiles them at their first use, and keeps them.
"""

import re
from collections.abc import Callable
from functools import cached_property

Replacement = str | Callable[[re.Match[str]], str]
"""As `re.sub` takes it."""


def table(entries: str) -> dict[str, str]:
    """Entries between commas by their first words.

    >>> table("Ave avenue, N.Y. new york")
    {'Ave': 'avenue', 'N.Y.': 'new york'}
    """
    return {key: value.strip() for key, value in (entry.split(None, 1) for entry in entries.split(","))}


def word_set(words: str) -> frozenset[str]:
    """The words that spaces part."""
    return frozenset(words.split())


class Rules:
    r"""Substitutions in order, for texts in which a guard finds something.

    Most sentences need few of the front end's 300 patterns, and to compile all of them takes longer than to read one
    sentence. So a table is compiled when a text first passes its guard.

    >>> Rules(("o+", "0"), ("(0)k", r"\1 K"), guard="k")("book"), Rules(("o", "0"), guard="k")("boo")
    ('b0 K', 'boo')
    """

    def __init__(self, *rules: tuple[str, Replacement], guard: str = "") -> None:
        self._rules = rules
        self._guard = re.compile(guard)

    def __call__(self, text: str) -> str:
        """The text after all substitutions, or as it is where the guard finds nothing."""
        if self._guard.search(text) is not None:
            for pattern, replacement in self._compiled:
                text = pattern.sub(replacement, text)
        return text

    @cached_property
    def _compiled(self) -> tuple[tuple[re.Pattern[str], Replacement], ...]:
        return tuple((re.compile(pattern), replacement) for pattern, replacement in self._rules)


def text_before(match: re.Match[str], size: int) -> str:
    """At most ``size`` characters before a match."""
    return match.string[max(match.start() - size, 0) : match.start()]


def text_after(match: re.Match[str], size: int) -> str:
    """At most ``size`` characters after a match."""
    return match.string[match.end() : match.end() + size]


def comes_after(pattern: str, match: re.Match[str], size: int) -> bool:
    """Whether the ``size`` characters before a match end as the pattern says."""
    return re.search(pattern, text_before(match, size)) is not None
