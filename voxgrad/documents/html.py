"""HTML and Markdown as SSML: what a reader would read aloud of a page.

HTML is read by the standard library's tolerant parser, Markdown (CommonMark, with tables) by markdown-it-py.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from voxgrad.unicode import clean

HEADING_PAUSE: Final = '<break strength="x-strong"/><break strength="strong"/>'
"""After a heading: three times the silence between sentences."""
_HEADINGS: Final = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS: Final = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "li", "main", "ol", "p", "section", "summary",
    "table", "tbody", "tfoot", "thead", "tr", "ul", *_HEADINGS,
))  # fmt: skip
_SILENT: Final = frozenset((
    "audio", "button", "canvas", "datalist", "embed", "head", "iframe", "map", "math", "nav", "noscript",
    "object", "pre", "rp", "rt", "script", "select", "style", "svg", "template", "textarea", "title", "video",
))  # fmt: skip
_VOID: Final = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
))  # fmt: skip
_NOTES: Final = re.compile(
    r"\b(?:footnotes?|endnotes?|rearnotes?|noteref|backlink|doc-footnote|doc-endnotes?|doc-noteref|doc-backlink|toc"
    r"|pagebreak|doc-pagebreak|doc-toc)\b"
)
_NOTE_CLASSES: Final = frozenset(
    ("footnotes", "footnote", "footnote-ref", "footnote-back", "endnotes", "noteref")
)
_NOTE_SIGN: Final = re.compile(r"\s*[\[(]?(?:\d{1,4}|[*†‡§¶]{1,3}|[a-z])[\])]?\s*")
_NO_XML: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EMPHASES: Final = {"em": "moderate", "strong": "strong"}


@dataclass(frozen=True)
class Part:
    """A piece of a document.

    Attributes:
        anchor: the id that it begins at; empty for the document's beginning.
        ssml: elements that stand in ``speak``.
        heading: the text of its first heading, or empty.
    """

    anchor: str
    ssml: str
    heading: str


@dataclass(frozen=True)
class Converted:
    """A document as SSML, and what of it is left out."""

    parts: tuple[Part, ...]
    warnings: tuple[str, ...]

    @property
    def ssml(self) -> str:
        """All of it as one document."""
        return f"<speak>{''.join(part.ssml for part in self.parts)}</speak>"


def html_to_ssml(html: str, *, emphasis: bool = True, anchors: Collection[str] = ()) -> Converted:
    """What is read of a page.

    Headings are followed by a longer pause, code blocks are left out, tables are read row by row with the heads of
    their columns; footnotes and the links to them are left out.

    Args:
        html: the page.
        emphasis: ``em`` and ``strong`` are emphasised.
        anchors: ids at which a new part begins.
    """
    closed = frozenset(re.findall(r"</([a-z]+)", html.lower()))
    reader = _Reader(emphasis=emphasis, anchors=anchors, closed=closed)
    reader.feed(html)
    reader.close()
    return Converted(tuple(reader.finished()), tuple(reader.warnings))


def markdown_to_ssml(markdown: str) -> Converted:
    """What is read of a text in Markdown; see `html_to_ssml`."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only Markdown needs it

    text = re.sub(r"\A---\n.*?\n(?:---|\.\.\.)\n", "", clean(markdown), count=1, flags=re.DOTALL)
    return html_to_ssml(MarkdownIt("commonmark").enable("table").enable("strikethrough").render(text))


def escaped(text: str) -> str:
    """A text as XML holds it.

    >>> escaped("a < b & c")
    'a &lt; b &amp; c'
    """
    return _NO_XML.sub(" ", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass
class _Table:
    """The rows of a table while they come."""

    heads: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    is_head: bool = True
    cell: str = ""


class PageParser(HTMLParser):
    """The standard library's parser, which reads any markup but the beginning of a marked section that is none."""

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # noqa: FBT001, FBT002 - as it is called
        """``<![…>`` is a comment, as in HTML 5."""
        return self.parse_bogus_comment(i, report)


class _Reader(PageParser):
    """Writes flat SSML: paragraphs, with emphasis and pauses in them."""

    def __init__(self, *, emphasis: bool, anchors: Collection[str], closed: Collection[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.warnings: dict[str, None] = {}
        self._emphasis, self._anchors, self._closed = emphasis, set(anchors), closed
        self._parts: list[tuple[str, list[str], list[str]]] = [("", [], [])]
        self._paragraph: list[str] = []
        self._open: list[str] = []
        self._skipped: tuple[str, int] | None = None
        self._heading = False
        self._lists: list[int | None] = []
        self._tables: list[_Table] = []
        self._raised: list[str] | None = None
        self._linked = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        if self._skipped is not None:
            if tag == self._skipped[0]:
                self._skipped = (tag, self._skipped[1] + 1)
            return
        attributes = {name: value or "" for name, value in attrs}
        if attributes.get("id") in self._anchors:
            self._begin_part(attributes["id"])
        if self._is_silent(tag, attributes):
            if tag == "pre":
                self._end_paragraph()
                self.warnings["code blocks are left out"] = None
            if tag not in _VOID:
                self._skipped = (tag, 1)
            return
        if tag in _BLOCKS:
            self._begin_block(tag, attributes)
        else:
            self._begin_inline(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        if self._skipped is None:
            self.handle_starttag(tag, attrs)
            if self._skipped is None:
                self.handle_endtag(tag)
            else:
                self._skipped = None

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if self._skipped is not None:
            name, depth = self._skipped
            if tag == name:
                self._skipped = (name, depth - 1) if depth > 1 else None
            return
        if tag in _BLOCKS:
            self._end_block(tag)
        elif tag in {"td", "th"}:
            self._end_cell()
        elif tag == "sup":
            self._end_raised()
        elif tag == "q":
            self._write("”")
        elif tag in _EMPHASES and tag in self._open:
            while self._open[-1] != tag:
                self._close_emphasis()
            self._close_emphasis()

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._skipped is None and data:
            if self._raised is not None:
                self._raised.append(clean(data))
            else:
                self._write(clean(data))

    def finished(self) -> list[Part]:
        """All parts, those without a word left out."""
        self._end_raised()
        self._end_paragraph()
        return [
            Part(anchor, "".join(written), " ".join("".join(heading).split()))
            for anchor, written, heading in self._parts
            if any(one.startswith("<p>") for one in written) or anchor
        ]

    def _is_silent(self, tag: str, attributes: dict[str, str]) -> bool:
        kinds = f"{attributes.get('epub:type', '')} {attributes.get('role', '')}"
        hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
        unseen = re.search(r"display\s*:\s*none", attributes.get("style", "")) is not None
        is_note = _NOTES.search(kinds) is not None
        is_note = is_note or not _NOTE_CLASSES.isdisjoint(attributes.get("class", "").split())
        is_silent = tag in _SILENT or hidden or unseen or (is_note and tag not in {"body", "html"})
        # What no tag ends would take all that follows with it.
        return is_silent and (tag in self._closed or tag in _VOID or tag in {"script", "style"})

    def _begin_part(self, anchor: str) -> None:
        self._end_paragraph()
        self._parts.append((anchor, [], []))

    def _begin_block(self, tag: str, attributes: dict[str, str]) -> None:
        self._end_paragraph()
        if tag in _HEADINGS:
            self._heading = True
        elif tag == "hr":
            self._parts[-1][1].append(HEADING_PAUSE)
        elif tag in {"ol", "ul"}:
            start = attributes.get("start", "1")
            self._lists.append(int(start) if tag == "ol" and re.fullmatch(r"\d{1,6}", start) else None)
        elif tag == "li" and self._lists and self._lists[-1] is not None:
            self._paragraph.append(f"{self._lists[-1]}. ")
            self._lists[-1] += 1
        elif tag == "table":
            self._tables.append(_Table())
        elif tag == "tr" and self._tables:
            self._end_row()

    def _end_block(self, tag: str) -> None:
        if tag in {"tr", "table"} and self._tables:
            self._end_row()
        if tag == "table" and self._tables:
            self._tables.pop()
        self._end_paragraph()
        if tag in {"ol", "ul"} and self._lists:
            self._lists.pop()

    def _begin_inline(self, tag: str) -> None:
        if tag == "br":
            self._write(" ")
            if self._paragraph:
                self._paragraph.append('<break strength="weak"/>')
        elif tag in {"td", "th"} and self._tables:
            self._end_cell()
            self._tables[-1].cell = tag
        elif tag == "sup":
            self._end_raised()
            self._raised, self._linked = [], False
        elif tag == "a" and self._raised is not None:
            self._linked = True
        elif tag == "q":
            self._write("“")
        elif tag in _EMPHASES and self._emphasis and tag not in self._open:
            self._open.append(tag)
            self._paragraph.append(f'<emphasis level="{_EMPHASES[tag]}">')

    def _close_emphasis(self) -> None:
        self._open.pop()
        self._paragraph.append("</emphasis>")

    def _write(self, text: str) -> None:
        self._paragraph.append(escaped(text))
        if self._heading:
            self._parts[-1][2].append(text)

    def _end_raised(self) -> None:
        """What was in ``sup``: the sign of a footnote is left out, a number is a power."""
        if self._raised is None:
            return
        text, self._raised = "".join(self._raised), None
        if self._linked and _NOTE_SIGN.fullmatch(text):
            return
        self._write(f"^{text}" if re.fullmatch(r"-?\d{1,3}", text) else text)

    def _end_paragraph(self) -> None:
        self._end_raised()
        while self._open:
            self._close_emphasis()
        written = "".join(self._paragraph).strip()
        self._paragraph = []
        if not re.sub(r"<[^>]*>|^\d+\.$", "", written).strip():
            self._heading = False
            return
        if self._tables and self._tables[-1].cell and not self._heading:  # a paragraph within a cell
            self._paragraph = [written, " "]
            return
        self._parts[-1][1].append(f"<p>{written}</p>{HEADING_PAUSE if self._heading else ''}")
        if self._heading and len(self._parts[-1][2]) == 0:
            self._parts[-1][2].append(re.sub(r"<[^>]*>", "", written))
        if self._heading:
            self._parts[-1][2].append(" ")
        self._heading = False

    def _end_cell(self) -> None:
        """What was written since the cell began; nothing where none is open."""
        if not self._tables or not self._tables[-1].cell:
            return
        self._end_raised()
        while self._open:
            self._close_emphasis()
        table = self._tables[-1]
        table.cells.append("".join(self._paragraph).strip())
        table.is_head &= table.cell == "th"
        table.cell, self._paragraph = "", []

    def _end_row(self) -> None:
        """A row as a paragraph: the head of each column before what stands in it; heads alone are read once."""
        self._end_cell()
        table = self._tables[-1]
        cells, is_head = table.cells, table.is_head
        table.cells, table.is_head = [], True
        if not any(cells):
            return
        if is_head and len(cells) > 1:
            table.heads = cells
            return
        heads = table.heads if len(table.heads) == len(cells) else [""] * len(cells)
        pairs = [f"{head}: {cell}" if head else cell for head, cell in zip(heads, cells, strict=True) if cell]
        self._parts[-1][1].append(f"<p>{'; '.join(pairs)}.</p>")
