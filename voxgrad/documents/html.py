"""HTML and Markdown as SSML: what a reader would read aloud of a page.

HTML is read by the standard library's tolerant parser, Markdown (CommonMark, with tables) by markdown-it-py.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote

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
_MARKDOWN_REFERENCE: Final = re.compile(r"\[\^([^\]\s]+)\]")
_MARKDOWN_NOTE: Final = re.compile(
    rf"^ {{0,3}}{_MARKDOWN_REFERENCE.pattern}:.*(?:\n(?![ \t]*$| {{0,3}}\[\^).+)*"
    r"(?:(?:\n[ \t]*)+\n(?: {4}|\t).*(?:\n(?![ \t]*$).+)*)*",
    re.MULTILINE,
)
"""``[^1]: A note.``, its later paragraphs indented, as Pandoc and GitHub extend CommonMark."""
_OPTIONAL_END: Final = frozenset(("dd", "dt", "li", "p", "td", "th", "tr"))
_NO_TEXT: Final = re.compile(r"\s*|\d+\. |[\x01-\x06<].*", re.DOTALL)
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
    """A document as SSML, and what of it is left out.

    Attributes:
        parts: in order.
        warnings: what is left out, in sentences.
        notes: targets of the note references, as ``notes.xhtml#n1``.
    """

    parts: tuple[Part, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def ssml(self) -> str:
        """All of it as one document."""
        return f"<speak>{''.join(part.ssml for part in self.parts)}</speak>"


def html_to_ssml(
    html: str, *, emphasis: bool = True, anchors: Collection[str] = (), notes: Collection[str] | None = None
) -> Converted:
    """What is read of a page.

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
    found = Converted(tuple(reader.finished()), tuple(reader.warnings), tuple(reader.references))
    own = [unquote(target[1:]) for target in found.notes if target.startswith("#") and target != "#"]
    if notes is None and own:
        return html_to_ssml(html, emphasis=emphasis, anchors=anchors, notes=own)
    return found


def _closed(html: str) -> frozenset[str]:
    """Elements that an end tag ends, everywhere where HTML lets it be left out: what is skipped ends there."""
    tags = Counter(re.findall(r"<(/?[a-z]+[1-6]?)\b[^<>]*(?<!/)>", html.lower()))
    ended = {tag[1:]: count for tag, count in tags.items() if tag.startswith("/")}
    return frozenset(tag for tag, count in ended.items() if tag not in _OPTIONAL_END or count >= tags[tag])


def markdown_to_ssml(markdown: str) -> Converted:
    """What is read of a text in Markdown; see `html_to_ssml`."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only Markdown needs it

    text = re.sub(r"\A---\n.*?\n(?:---|\.\.\.)\n", "", clean(markdown), count=1, flags=re.DOTALL)
    labels = {note[1] for note in _MARKDOWN_NOTE.finditer(text)}
    text = _MARKDOWN_REFERENCE.sub(
        lambda found: "" if found[1] in labels else found[0], _MARKDOWN_NOTE.sub("", text)
    )
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

    def __init__(
        self, *, emphasis: bool, anchors: Collection[str], notes: Collection[str], closed: Collection[str]
    ) -> None:
        super().__init__(convert_charrefs=True)
        self.warnings: dict[str, None] = {}
        self.references: dict[str, None] = {}
        self._emphasis, self._anchors, self._closed = emphasis, set(anchors), closed
        self._notes = set(notes)
        self._parts: list[tuple[str, list[str], list[str]]] = [("", [], [])]
        self._paragraph: list[str] = []
        self._open: list[str] = []
        self._skipped: tuple[str, int] | None = None
        self._heading = False
        self._lists: list[int | None] = []
        self._tables: list[_Table] = []
        self._linked = False
        self._in_note = self._after_note = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        if self._skipped is not None:
            if tag == self._skipped[0]:
                self._skipped = (tag, self._skipped[1] + 1)
            return
        attributes = {name: value or "" for name, value in attrs}
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
            self._paragraph.append(RAISED[1])
        elif tag == "a":
            self._end_link()
        elif tag == "q":
            self._write("”")
        elif tag in _EMPHASES and tag in self._open:
            while self._open[-1] != tag:
                self._close_emphasis()
            self._close_emphasis()

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._skipped is None and data:
            self._write(clean(data))

    def finished(self) -> list[Part]:
        """All parts, those without a word left out."""
        self._end_paragraph()
        return [
            Part(anchor, "".join(written), " ".join(" ".join(heading).split()))
            for anchor, written, heading in self._parts
            if any(one.startswith("<p>") for one in written) or anchor
        ]

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
            self._open.append(tag)
            self._paragraph.append(f'<emphasis level="{_EMPHASES[tag]}">')

    def _close_emphasis(self) -> None:
        self._open.pop()
        self._paragraph.append("</emphasis>")

    def _write(self, text: str) -> None:
        self._paragraph.append(escaped(text))

    def _end_link(self) -> None:
        if self._linked:
            self._paragraph.append(LINK[2])
        self._linked = False

    def _is_blank(self) -> bool:
        """Whether a paragraph has only begun."""
        return all(_NO_TEXT.fullmatch(piece) for piece in self._paragraph)

    def _taken(self) -> str:
        """What is read of what was written since the paragraph began."""
        written, notes = resolve_marks("".join(self._paragraph), is_heading=self._heading)
        self.references.update(dict.fromkeys(notes))
        return written.strip()

    def _leave_note_out(self) -> None:
        """A heading that only notes follow is left out with the first of them."""
        written = self._parts[-1][1]
        if not self._after_note and written and written[-1].endswith(f"</p>{HEADING_PAUSE}"):
            written.pop()
        self._after_note = True

    def _end_paragraph(self) -> None:
        self._end_link()
        while self._open:
            self._close_emphasis()
        written, heading = self._taken(), self._heading
        self._paragraph, self._heading = [], False
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
        self._end_link()
        while self._open:
            self._close_emphasis()
        table = self._tables[-1]
        table.cells.append(self._taken())
        table.is_head &= table.cell == "th"
        table.cell, self._paragraph = "", []

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


RAISED: Final = ("\x01", "\x02")
"""Around the content of ``sup``."""
LINK: Final = ("\x03", "\x04", "\x05")
"""Before the target of ``a``, between target and content, and after the content."""
PICTURE: Final = ("\x06", "\x07")
"""Around the alternative text of ``img``."""
_DROPPED: Final = "\x08"
"""In place of a note reference, until the brackets around it are removed too."""

_MARKED: Final = re.compile(r"[\x01-\x08\[⁰¹²³⁴-⁹]")
_CONTROLS: Final = dict.fromkeys(range(1, 9))
_MARKUP: Final = re.compile(r"<[^>]*>|<[^>]*$|\x03[^\x04]*(?:\x04|$)|[\x01-\x07]")
_TAG: Final = re.compile(r"<[^>]*>")
_SUPERSCRIPT: Final = re.compile(r"⁻?[⁰¹²³⁴-⁹]+")
_SUPERSCRIPT_DIGITS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PICTURE: Final = re.compile(r"\x06([^\x06\x07]*)\x07(\s*)")
_TARGET: Final = re.compile(r"\x03([^\x04]*)\x04")
_CANDIDATE: Final = re.compile(
    r"\x01(?P<raised>[^\x01\x02]*)\x02|\x03(?P<target>[^\x04]*)\x04(?P<linked>[^\x03\x05]*)\x05"
)
_AROUND: Final = re.compile(r"(?<!\s)\s*[\[(]\s*\x08[\s,;\x08]*[\])]|\x08(?:[\s,;]*\x08)*")
_BRACKETED: Final = re.compile(
    r"\s?\[(?:(?i:pg|page)\.?\s(?i:\d{1,4}|[ivxlcdm]{1,8})|\d{1,3}|[ivx]{2,5})\]"
    r"|(?<=[\w.,;:!?\"'”’)])\[[A-Z*†‡§]\](?!\w)"
)
"""Page numbers and note references in plain brackets: ``[Pg 19]``, ``[5]``, ``[iv]``; ``[A]`` after a word only."""

_SYMBOLS: Final = re.compile(r"[*∗⁎†‡§¶‖]{1,4}")
_ONE: Final = rf"(?:\d{{1,4}}|{_SYMBOLS.pattern}|#|[ivxl]{{1,6}}|[A-Za-z])"
_SIGN: Final = re.compile(
    rf"[\[(]?\s*{_ONE}(?:\s*[,;–-]\s*{_ONE})*\s*[\])]?[.:]?|[\[(]?[↩↑⏎^][\ufe0e\ufe0f]?[\])]?"
)
"""What a link from a text to a note, or back, is made of."""
_REFERENCE: Final = re.compile(r"[\w*∗⁎†‡§¶‖]")
_IN_SQUARES: Final = re.compile(r"\[[^\[\]]{1,60}\]")
_NUMBERS: Final = re.compile(r"\(?\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\)?")
_LETTERS: Final = re.compile(r"[a-c]|[ivx]{2,5}")
_BETWEEN: Final = re.compile(r"[\s,;–-]*")
_AFTER_WORD: Final = re.compile(r"[^\W\d_]{3}$|[.,;:!?”’]$")
_ATTACHED: Final = re.compile(r"(?:[^\W\d_]|[.,;:!?)\]”’»…*%\x08]|(?<=\S)[\"']|\x08[,;]\s)$")
_CITED: Final = re.compile(r"(?i)\b(?:pp?|figs?|nos?|vols?|ch|chaps?|secs?|eqs?|art|ll?|refs?)\.$")
"""Before a number that is read: ``p.12``."""

_POWER: Final = re.compile(r"[-−–]?\d{1,3}|[nkx]")
_FRACTION: Final = re.compile(r"\s*[/⁄]\s*\d")
_YEAR: Final = re.compile(r"(?<![\d.,])(?:1[4-9]|20)\d\d$")
_LAST_WORD: Final = re.compile(r"(?P<number>\d\s?)?(?P<letters>[^\W\d_]+)$")
_IN_BRACKETS: Final = re.compile(r"\(([^()]{1,40})\)$")
_FORMULA: Final = re.compile(r"[\w\s.,^]*[-+−–*/=×·±][-\w\s.,^+−–*/=×·±]*|[A-Za-z]{1,2}|\d+")
_ISOTOPE: Final = re.compile(r"(?!(?:Am|As|At|He|I|In|No)\b)[A-Z][a-z]?(?![A-Za-z])")
_UNITS: Final = re.compile(
    r"km|cm|mm|dm|nm|[µμ]m|ft|yds?|mi|ha|kg|sec|min|mol|rad|deg|sin|cos|tan|cot|log|exp"
)
_SHORT_WORDS: Final = re.compile(
    r"(?i)a[dhmnst]|b[cey]|ce|do|eu|go|h[aei]|i[dfnst]|la|m[ey]|no|o[fhnrx]|p[am]|so|t[ov]|u[knps]|we|ii|iv|vi|x[ivx]"
    r"|[djs]r|st"
)
"""Of two letters. A number after them is a note reference; other two letters are variables, as in ``mc``."""
_TRADE_MARKS: Final = frozenset(("TM", "SM", "®", "©", "™"))
_WINDOW: Final = 100  # characters
_LONGEST_CAP: Final = 3
_QUOTES: Final = "“‘\"'"


def resolve_marks(paragraph: str, *, is_heading: bool = False) -> tuple[str, list[str]]:
    r"""A paragraph without what is not read in it.

    Args:
        paragraph: escaped text with elements of SSML, and with candidates between control characters.
        is_heading: a number at its beginning belongs to it, and may be a link to the table of contents.

    Returns:
        The paragraph without control characters, and the targets of its note references.

    >>> resolve_marks("The claim\x011\x02 that E = mc\x012\x02 is old.")
    ('The claim that E = mc^2 is old.', [])
    """
    if _MARKED.search(paragraph) is None:
        return paragraph, []
    text = _SUPERSCRIPT.sub(lambda found: f"\x01{found[0].translate(_SUPERSCRIPT_DIGITS)}\x02", paragraph)
    text = _PICTURE.sub(_pictured, text)
    notes: list[str] = []
    text = "".join(_resolved(text, "", notes, is_heading=is_heading))
    text = _BRACKETED.sub("", _AROUND.sub("", text))
    return _TARGET.sub("", text).translate(_CONTROLS), notes


def _plain(text: str) -> str:
    return _MARKUP.sub("", text)


def _after(match: re.Match[str]) -> str:
    return _plain(match.string[match.end() : match.end() + _WINDOW])


def _pictured(match: re.Match[str]) -> str:
    """The alternative text of a drop cap, or of letters within a word; of any other picture the space after it."""
    before, after = _plain(match.string[max(match.start() - _WINDOW, 0) : match.start()]), _after(match)
    written, space = match[1].strip(), match[2]
    letters = written.lstrip(_QUOTES)
    begins, follows = not before.strip().strip(_QUOTES), before[-1:].isalpha()
    if not letters.isalpha() or len(letters) > _LONGEST_CAP:
        return space
    if len(letters) > 1:
        return written if not space and after[:1].islower() and (begins or follows) else space
    if not space and (after[:1].isalpha() or follows):
        return written
    if begins and (after[:1].isalpha() or after[:1] in {"'", "’"}):
        return f"{written}{space}" if letters in "AIO" else written
    return space


def _resolved(text: str, tail: str, notes: list[str], *, is_heading: bool) -> Iterator[str]:
    """The pieces of a text whose candidates are decided one by one, by what is read before them: ``tail`` at first."""
    position = 0
    for match in _CANDIDATE.finditer(text):
        between = text[position : match.start()]
        before, plain = _plain(f"{tail}{between}"), _plain(match[0]).strip()
        if match["raised"] is None:
            is_note = _is_linked_note(match, plain, before, is_heading=is_heading)
        else:
            is_note = _is_raised_note(match, plain, before)
        if is_note:
            # What leads back to the text, or stands in a row of links, refers to no note.
            if before[-1:].strip() and _REFERENCE.search(plain):
                notes += _TARGET.findall(match[0])
            kept = _DROPPED + "".join(_TAG.findall(_TARGET.sub("", match[0])))
        elif match["raised"] is None:
            kept = "".join(_resolved(match["linked"], before, notes, is_heading=is_heading))
        else:
            kept = _raised(match, plain, before)
        yield between
        yield kept
        tail, position = f"{tail}{between}{kept}"[-_WINDOW:], match.end()
    yield text[position:]


def _is_linked_note(match: re.Match[str], plain: str, before: str, *, is_heading: bool) -> bool:
    """Whether a link is a note reference: raised, a symbol, in square brackets, or a number stuck to a word."""
    if _SIGN.fullmatch(plain) is None:
        return False
    if RAISED[0] in match["linked"] or _IN_SQUARES.fullmatch(plain) or not plain.strip("[]()").isalnum():
        return True
    after = _after(match)
    if not before.strip():  # the number of a note, which leads back to the text
        is_number = plain.strip("(.:)").isdecimal() and "#" in match["target"]
        return is_number and not is_heading and after[:1].isspace() and bool(after.strip())
    if before[-1] in "([":
        return after[:1] in {")", "]"}
    within_word = match.string[match.end() : match.end() + 1].isalnum()
    return bool(_ATTACHED.search(before)) and not _CITED.search(before) and not within_word


def _is_raised_note(match: re.Match[str], plain: str, before: str) -> bool:
    if _IN_SQUARES.fullmatch(plain) or _SYMBOLS.fullmatch(plain):
        return True
    if LINK[0] in match["raised"]:
        return _SIGN.fullmatch(plain) is not None
    if _NUMBERS.fullmatch(plain):
        return not _is_read(plain, before, _after(match))
    return _LETTERS.fullmatch(plain) is not None and _AFTER_WORD.search(before) is not None


def _is_read(number: str, before: str, after: str) -> bool:
    """Whether a raised number is a power, part of a fraction, or that of an isotope."""
    if not number.isdecimal() or _FRACTION.match(after):
        return number.isdecimal()
    if not before or before[-1].isspace():
        return _ISOTOPE.match(after) is not None
    if before[-1].isdecimal():
        return _YEAR.search(before) is None
    if (bracket := _IN_BRACKETS.search(before)) is not None:
        return _FORMULA.fullmatch(bracket[1]) is not None
    word = _LAST_WORD.search(before)
    return word is not None and _is_power(number, word["letters"], has_factor=word["number"] is not None)


def _is_power(number: str, letters: str, *, has_factor: bool) -> bool:
    """Whether a raised number after letters is their power: they are a variable, a unit or a function."""
    if len(letters) == 1:
        return number != "1" or letters not in "AIa"
    is_variable = len(letters) == 2 and _SHORT_WORDS.fullmatch(letters) is None
    return number != "1" and (has_factor or is_variable or _UNITS.fullmatch(letters) is not None)


def _raised(match: re.Match[str], plain: str, before: str) -> str:
    """How a superscript that is no note reference is written."""
    content = match["raised"]
    if plain in _TRADE_MARKS or (before.endswith(_DROPPED) and _BETWEEN.fullmatch(plain)):
        return ""
    if before[-1:].isdecimal() and _FRACTION.match(_after(match)):
        return f" {content}"
    is_base = before[-1:] == ")" or before[-1:].isalnum()
    if is_base and _POWER.fullmatch(plain) and (not plain.isalpha() or not before[-2:].isalpha()):
        return "^" + content.replace("−", "-").replace("–", "-")
    return content
