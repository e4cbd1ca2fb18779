"""HTML, pages and chapters of EPUB, to SSML; notes and page numbers are left out.

It is read by the standard library's tolerant parser.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote

from voxgrad.documents.inline_marks import LINK, PICTURE, RAISED, resolve_marks
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
    "audio", "button", "canvas", "datalist", "embed", "head", "iframe", "map", "math", "nav", "noscript", "note",
    "noteref", "object", "pagenum", "pre", "rp", "rt", "script", "select", "style", "svg", "template", "textarea",
    "title", "video",
))  # fmt: skip
"""Elements of HTML, and of DTBook, which EPUB 2 may hold."""
_VOID: Final = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
))  # fmt: skip
_NOTES: Final = re.compile(
    r"\b(?:footnotes?|endnotes?|rearnotes?|noteref|backlink|doc-footnote|doc-endnotes?|doc-noteref|doc-backlink|toc"
    r"|pagebreak|doc-pagebreak|doc-toc)\b"
)
_NOTE_CLASS: Final = re.compile(
    r"(?i)(?<![\w-])(?:(?:_id|mso)?(?:foot|end)[-_]?notes?(?:[-_]?(?:ref(?:erence)?|back|text|anchor|link|body|mark))?"
    r"|note[-_]?ref|fn[-_]?(?:anchor|ref)|page[-_]?(?:num(?:ber)?|no)|pgnum|x-ebookmaker-pageno)\d*(?![\w-])"
)
"""Classes of notes, references to them and page numbers, as Pandoc, Word, InDesign and Project Gutenberg name them."""
_NOTE_BODIES: Final = frozenset(("aside", "blockquote", "dd", "div", "dt", "li", "p", "td", "tr"))
_OPTIONAL_END: Final = frozenset(("dd", "dt", "li", "p", "td", "th", "tr"))
_NO_TEXT: Final = re.compile(r"\s*|\d+\. |[\x01-\x06<].*", re.DOTALL)
_NO_XML: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENGLISH: Final = "en"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_]\w{1,8})*")
_EMPHASES: Final = {"em": "moderate", "strong": "strong"}


@dataclass(frozen=True)
class Part:
    """A piece of a document."""

    anchor: str
    """The id that it begins at; empty for the document's beginning."""
    ssml: str
    """Elements that stand in ``speak``."""
    heading: str
    """The text of its first heading, or empty."""


@dataclass(frozen=True)
class Converted:
    """A document as SSML, and what of it is left out."""

    parts: tuple[Part, ...]
    warnings: tuple[str, ...]
    """What is left out, in sentences."""
    notes: tuple[str, ...] = ()
    """Targets of the note references, as ``notes.xhtml#n1``."""
    language: str = ""
    """Of all of it; empty for English, and where nothing is said of it."""

    @property
    def ssml(self) -> str:
        """All of it as one document."""
        return f"<speak{_in_language(self.language)}>{''.join(part.ssml for part in self.parts)}</speak>"


def html_to_ssml(
    html: str, *, emphasis: bool = True, anchors: Collection[str] = (), notes: Collection[str] | None = None
) -> Converted:
    """Convert a page to SSML.

    Headings are followed by a longer pause, code blocks are left out, tables are read row by row with the heads of
    their columns; page numbers, notes and the references to them are left out.

    Args:
        html: the page.
        emphasis: ``em`` and ``strong`` are emphasised.
        anchors: ids at which a new part begins.
        notes: ids of notes; None: those that the page itself refers to.
    """
    reader = _Reader(emphasis=emphasis, anchors=anchors, notes=notes or (), closed=_closed(html))
    reader.feed(html)
    reader.close()
    parts = tuple(reader.finished())
    converted = Converted(parts, tuple(reader.warnings), tuple(reader.references), reader.language)
    own = [unquote(target[1:]) for target in converted.notes if target.startswith("#") and target != "#"]
    if notes is None and own:
        return html_to_ssml(html, emphasis=emphasis, anchors=anchors, notes=own)
    return converted


def _closed(html: str) -> frozenset[str]:
    """Elements that an end tag ends, everywhere where HTML lets it be left out: what is skipped ends there."""
    tags = Counter(re.findall(r"<(/?[a-z]+[1-6]?)\b[^<>]*(?<!/)>", html.lower()))
    ended = {tag[1:]: count for tag, count in tags.items() if tag.startswith("/")}
    return frozenset(tag for tag, count in ended.items() if tag not in _OPTIONAL_END or count >= tags[tag])


def escaped(text: str) -> str:
    """A text as XML holds it.

    >>> escaped("a < b & c")
    'a &lt; b &amp; c'
    """
    return escape(_NO_XML.sub(" ", text), quote=False)


def _primary(language: str) -> str:
    """The code of a language without that of a country."""
    return re.split("[-_]", language.lower())[0]


def _in_language(language: str) -> str:
    """The attribute that marks a language; nothing for none."""
    return f' xml:lang="{escaped(language)}"' if _LANGUAGE.fullmatch(language) else ""


@dataclass
class _Table:
    """The rows of a table while they come."""

    heads: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    is_head: bool = True
    cell: str = ""


class PageParser(HTMLParser):
    """The standard library's parser; unlike that, it accepts an invalid marked section."""

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # noqa: FBT001, FBT002 - as it is called
        """``<![…>`` is a comment, as in HTML 5."""
        return self.parse_bogus_comment(i, report)


class _Reader(PageParser):
    """Writes flat SSML: paragraphs, with emphasis and pauses in them."""

    def __init__(
        self, *, emphasis: bool, anchors: Collection[str], notes: Collection[str], closed: Collection[str]
    ) -> None:
        super().__init__(convert_charrefs=True)
        self.warnings: dict[str, None] = {}
        self.references: dict[str, None] = {}
        self._emphasis, self._closed = emphasis, closed
        self._anchors, self._notes = set(anchors), set(notes)
        self._parts: list[tuple[str, list[str], list[str]]] = [("", [], [])]
        self._paragraph: list[str] = []
        self._open: list[str] = []
        self._skipped: tuple[str, int] | None = None
        self._heading = False
        self.language = ""
        self._languages: list[tuple[str, str]] = []  # of open elements, from the first on that names one
        self._marked = ""  # the language that is open in the paragraph
        self._lists: list[int | None] = []
        self._tables: list[_Table] = []
        self._linked = False
        self._in_note = self._after_note = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if self._skipped is not None:
            if tag == self._skipped[0]:
                self._skipped = (tag, self._skipped[1] + 1)
            return
        attributes = {name: value or "" for name, value in attrs}
        self._begin_language(tag, attributes.get("lang") or attributes.get("xml:lang", ""))
        name = attributes.get("id") or (attributes.get("name", "") if tag == "a" else "")
        if name in self._anchors:
            self._begin_part(name)
        if self._is_silent(tag, attributes) or (name in self._notes and self._is_note(tag)):
            if tag == "pre":
                self._end_paragraph()
                self.warnings["code blocks are left out"] = None
            if tag not in _VOID:
                self._skipped = (tag, 1)
            return
        if tag in _BLOCKS:
            self._begin_block(tag, attributes)
        else:
            self._begin_inline(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped is not None:
            name, depth = self._skipped
            if tag == name:
                self._skipped = (name, depth - 1) if depth > 1 else None
                if self._skipped is None:
                    self._leave_language(tag)
            return
        self._leave_language(tag)
        if tag in _BLOCKS:
            self._end_block(tag)
        elif tag in {"td", "th"}:
            self._end_cell()
        elif tag == "sup":
            self._paragraph.append(RAISED[1])
        elif tag == "a":
            self._end_link()
        elif tag == "q":
            self._write("”")
        elif tag in self._open:
            self._end_emphasis(tag)

    def handle_data(self, data: str) -> None:
        if self._skipped is None and data:
            self._write(clean(data))

    def finished(self) -> list[Part]:
        """All parts, those without a word left out."""
        self._end_paragraph()
        return [
            Part(anchor, "".join(written), " ".join(" ".join(heading).split()))
            for anchor, written, heading in self._parts
            if any(element.startswith("<p>") for element in written) or anchor
        ]

    def _begin_language(self, tag: str, language: str) -> None:
        """An element, and its language; those without one have that of the element around them."""
        if tag in {"html", "body"}:
            self.language = self.language or ("" if _primary(language) == _ENGLISH else language)
            return
        if (
            self._languages
            and self._languages[-1][0] in _OPTIONAL_END
            and (self._languages[-1][0] == tag or (self._languages[-1][0] == "p" and tag in _BLOCKS))
        ):
            self._languages.pop()
        if (language or self._languages) and tag not in _VOID:
            self._languages.append((tag, language or self._spoken_here))

    def _leave_language(self, tag: str) -> None:
        at = next((at for at in reversed(range(len(self._languages))) if self._languages[at][0] == tag), None)
        if at is not None:
            del self._languages[at:]

    @property
    def _spoken_here(self) -> str:
        """The language of what is read, where that is not the page's."""
        language = self._languages[-1][1] if self._languages else self.language
        same = _primary(language) == (_primary(self.language) or _ENGLISH)
        return "" if same or _LANGUAGE.fullmatch(language) is None else language

    def _end_language(self) -> None:
        if self._marked:
            self._paragraph.append("</lang>")
        self._marked = ""

    def _is_silent(self, tag: str, attributes: dict[str, str]) -> bool:
        kinds = f"{attributes.get('epub:type', '')} {attributes.get('role', '')}"
        hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
        unseen = re.search(r"display\s*:\s*none", attributes.get("style", "")) is not None
        is_note = (_NOTES.search(kinds) or _NOTE_CLASS.search(attributes.get("class", ""))) is not None
        is_silent = tag in _SILENT or hidden or unseen or (is_note and tag not in {"body", "html"})
        # What no tag ends would take all that follows with it.
        return is_silent and (tag in self._closed or tag in _VOID or tag in {"script", "style"})

    def _is_note(self, tag: str) -> bool:
        """Whether an element with the id of a note is all of it; what begins a paragraph makes a note of that."""
        if tag in _NOTE_BODIES:
            self._end_paragraph()
        if tag in _NOTE_BODIES and tag in self._closed:
            self._leave_note_out()
            return True
        begins = tag in _NOTE_BODIES or (tag not in _BLOCKS and self._is_blank())
        self._in_note = self._in_note or begins
        return False

    def _begin_part(self, anchor: str) -> None:
        heading = self._heading and self._is_blank()  # an anchor at the beginning of a heading
        self._end_paragraph()
        self._heading = heading
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

    def _begin_inline(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "br":
            self._write(" ")
            if self._paragraph:
                self._paragraph.append('<break strength="weak"/>')
        elif tag in {"td", "th"} and self._tables:
            self._end_cell()
            self._tables[-1].cell = tag
        elif tag == "sup":
            self._paragraph.append(RAISED[0])
        elif tag == "a" and "href" in attributes:
            self._end_link()
            self._paragraph.append(f"{LINK[0]}{escaped(attributes['href'])}{LINK[1]}")
            self._linked = True
        elif tag == "img":
            self._paragraph.append(f"{PICTURE[0]}{escaped(attributes.get('alt', ''))}{PICTURE[1]}")
        elif tag == "q":
            self._write("“")
        elif tag in _EMPHASES and self._emphasis and tag not in self._open:
            self._end_language()
            self._open.append(tag)
            self._paragraph.append(f'<emphasis level="{_EMPHASES[tag]}">')

    def _end_emphasis(self, tag: str | None = None) -> None:
        """End an emphasis with all that is within it; None: all that are open."""
        self._end_language()
        while self._open:
            self._paragraph.append("</emphasis>")
            if self._open.pop() == tag:
                return

    def _write(self, text: str) -> None:
        here = self._spoken_here
        if text.strip() and here != self._marked:
            self._end_language()
            if here:
                self._paragraph.append(f"<lang{_in_language(here)}>")
            self._marked = here
        self._paragraph.append(escaped(text))

    def _end_link(self) -> None:
        if self._linked:
            self._paragraph.append(LINK[2])
        self._linked = False

    def _is_blank(self) -> bool:
        """Whether a paragraph has only begun."""
        return all(_NO_TEXT.fullmatch(piece) for piece in self._paragraph)

    def _taken(self) -> str:
        """What is read of what was written since the paragraph began, which ends here."""
        self._end_link()
        self._end_emphasis()
        written, notes = resolve_marks("".join(self._paragraph), is_heading=self._heading)
        self.references.update(dict.fromkeys(notes))
        self._paragraph = []
        return written.strip()

    def _leave_note_out(self) -> None:
        """A heading that only notes follow is left out with the first of them."""
        written = self._parts[-1][1]
        if not self._after_note and written and written[-1].endswith(f"</p>{HEADING_PAUSE}"):
            written.pop()
        self._after_note = True

    def _end_paragraph(self) -> None:
        written, heading = self._taken(), self._heading
        self._heading = False
        if not re.sub(r"<[^>]*>|^\d+\.$", "", written).strip():
            return
        if self._tables and self._tables[-1].cell and not heading:  # a paragraph within a cell
            self._paragraph = [written, " "]
            return
        in_note, self._in_note = self._in_note, False
        if in_note and not heading:
            self._leave_note_out()
            return
        self._after_note = False
        self._parts[-1][1].append(f"<p>{written}</p>{HEADING_PAUSE if heading else ''}")
        if heading:
            self._parts[-1][2].append(unescape(re.sub(r"<[^>]*>", "", written)))

    def _end_cell(self) -> None:
        """What was written since the cell began; nothing where none is open."""
        if not self._tables or not self._tables[-1].cell:
            return
        table = self._tables[-1]
        table.cells.append(self._taken())
        table.is_head &= table.cell == "th"
        table.cell = ""

    def _end_row(self) -> None:
        """A row as a paragraph: the head of each column before what stands in it; heads alone are read once."""
        self._end_cell()
        table = self._tables[-1]
        cells, is_head = table.cells, table.is_head
        table.cells, table.is_head = [], True
        if not any(cells) or self._in_note:
            self._in_note = False
            return
        if is_head and len(cells) > 1:
            table.heads = cells
            return
        heads = table.heads if len(table.heads) == len(cells) else [""] * len(cells)
        pairs = [f"{head}: {cell}" if head else cell for head, cell in zip(heads, cells, strict=True) if cell]
        self._parts[-1][1].append(f"<p>{'; '.join(pairs)}.</p>")
