"""Markdown (CommonMark, with tables) to SSML, by markdown-it-py."""

import re
from typing import Final

from voxgrad.documents.html import Converted, html_to_ssml
from voxgrad.unicode import clean

_MARKDOWN_REFERENCE: Final = re.compile(r"\[\^([^\]\s]+)\]")
_MARKDOWN_NOTE: Final = re.compile(
    rf"^ {{0,3}}{_MARKDOWN_REFERENCE.pattern}:.*(?:\n(?![ \t]*$| {{0,3}}\[\^).+)*"
    r"(?:(?:\n[ \t]*)+\n(?: {4}|\t).*(?:\n(?![ \t]*$).+)*)*",
    re.MULTILINE,
)
"""``[^1]: A note.``, its later paragraphs indented, as Pandoc and GitHub extend CommonMark."""


def markdown_to_ssml(markdown: str) -> Converted:
    """Convert Markdown to SSML; see `html_to_ssml`."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only Markdown needs it

    text = re.sub(r"\A---\n.*?\n(?:---|\.\.\.)\n", "", clean(markdown), count=1, flags=re.DOTALL)
    labels = {note[1] for note in _MARKDOWN_NOTE.finditer(text)}
    text = _MARKDOWN_REFERENCE.sub(lambda match: "" if match[1] in labels else match[0], _MARKDOWN_NOTE.sub("", text))
    return html_to_ssml(MarkdownIt("commonmark").enable("table").enable("strikethrough").render(text))
