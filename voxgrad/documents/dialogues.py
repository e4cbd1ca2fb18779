"""Dialogues, lines of ``name: what is said``, to SSML in which each name has its voice."""

import re
from collections.abc import Collection, Iterable
from itertools import repeat
from typing import Final

from voxgrad.documents.html import escaped

_TURN: Final = re.compile(r"\s*(?P<name>[^\s:][^:\n]{0,60}?)\s*:(?:\s+|$)(?P<said>.*)", re.DOTALL)


def is_dialogue(text: str, names: Collection[str]) -> bool:
    """Whether a line of a text begins with one of these names and a colon."""
    return any(_turn(line, names) is not None for line in text.splitlines())


def dialogue_to_ssml(text: str, names: Collection[str]) -> str:
    r"""Convert a dialogue to SSML: a paragraph for each turn, in the speaker's voice; names match in any case.

    A line without a name goes on with the turn before it; after an empty line it is the narrator's, who has no name.

    >>> dialogue_to_ssml("Bob: Hi.\nAnn: Bye & all.", ["bob", "ann"])
    '<speak><voice name="bob"><p>Hi.</p></voice><voice name="ann"><p>Bye &amp; all.</p></voice></speak>'
    """
    turns: list[tuple[str | None, list[str]]] = []
    speaker, is_new = None, True
    for line in text.splitlines():
        turn = _turn(line, names)
        if not line.strip():
            speaker, is_new = None, True
        elif turn is not None or is_new:
            speaker, said = (None, line) if turn is None else turn
            turns.append((speaker, [said]))
            is_new = False
        else:
            turns[-1][1].append(line)
    return turns_to_ssml((speaker, " ".join(lines)) for speaker, lines in turns)


def turns_to_ssml(turns: Iterable[tuple[str | None, str]], rates: Iterable[float] | None = None) -> str:
    """Turns as SSML: whose each is, None for the narrator, and what is said; with a rate for each, if there are any."""
    written = []
    for (speaker, said), rate in zip(turns, repeat(1.0) if rates is None else rates, strict=False):
        paragraph = f"<p>{escaped(said.strip())}</p>"
        if rate != 1:
            paragraph = f'<prosody rate="{rate:g}">{paragraph}</prosody>'
        if speaker is not None:
            name = escaped(speaker).replace('"', "&quot;")
            paragraph = f'<voice name="{name}">{paragraph}</voice>'
        written.append(paragraph)
    return f"<speak>{''.join(written)}</speak>"


def _turn(line: str, names: Collection[str]) -> tuple[str, str] | None:
    match = _TURN.match(line)
    if match is None:
        return None
    wanted = match["name"].casefold()
    name = next((name for name in names if name.casefold() == wanted), None)
    return None if name is None else (name, match["said"])
