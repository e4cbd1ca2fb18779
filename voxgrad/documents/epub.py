"""EPUB 2 and 3 (W3C EPUB 3.3; OPF 2.0.1): chapters in reading order, their titles, title, authors and cover.

A book is an untrusted file: nothing of it is written to disk, every member has a limit that does not trust the
archive's own figures, XML is read without entities, and paths stay within the archive.
"""

import posixpath
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from zlib import error as ZlibError

from voxgrad.documents.html import PageParser, Part, html_to_ssml
from voxgrad.errors import BadInputError
from voxgrad.unicode import clean, composed


def nav_links(document: str) -> Iterator[tuple[str, str]]:
    """Targets and titles of a navigation document."""
    reader = _Navigation()
    reader.feed(document)
    reader.close()
    yield from reader.links


def local_name(element: Any) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


@dataclass
class _Link:
    target: str
    words: list[str] = field(default_factory=list)


class _Navigation(PageParser):
    """The links of the table of contents in a navigation document; of all of it where none is called so."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._found: list[tuple[bool, _Link]] = []
        self._contents = False
        self._link: _Link | None = None

    @property
    def links(self) -> list[tuple[str, str]]:
        """Targets and titles."""
        marked = [link for inside, link in self._found if inside] or [link for _, link in self._found]
        return [(link.target, " ".join(clean("".join(link.words)).split())) for link in marked]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "nav":
            self._contents = (
                "toc" in attributes.get("epub:type", "").split() or attributes.get("role") == "doc-toc"
            )
        elif tag == "a" and "href" in attributes:
            self._link = _Link(attributes["href"])
            self._found.append((self._contents, self._link))

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if tag == "nav":
            self._contents = False
        elif tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._link is not None:
            self._link.words.append(data)


def ncx_links(ncx: Any) -> Iterator[tuple[str, str]]:
    """Targets and titles of an NCX (EPUB 2)."""
    for point in ncx.iter():
        if local_name(point) == "navPoint":
            label = next((one for one in point if local_name(one) == "navLabel"), None)
            content = next((one for one in point if local_name(one) == "content"), None)
            if label is not None and content is not None:
                yield content.get("src", ""), " ".join(clean("".join(label.itertext())).split())


MOST_MEMBERS: Final = 20_000
MOST_OF_A_DOCUMENT: Final = 8 << 20
MOST_OF_A_COVER: Final = 20 << 20
MOST_OF_ALL: Final = 64 << 20
"""Bytes of all documents together: twenty Bibles."""
_MOST_RATIO: Final = 200
_SUSPICIOUS: Final = 1 << 20
_HINT: Final = "Save it again with an e-book program."
_DOCTYPE: Final = re.compile(r"<!DOCTYPE[^>\[]*>")
_TEXT_TYPES: Final = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml"))
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    ZlibError,
    EOFError,
    NotImplementedError,
    UnicodeError,
)
_FONTS: Final = re.compile(r"\.(?:ttf|otf|woff2?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Chapter:
    """A chapter.

    Attributes:
        title: as the navigation has it, else its first heading, else a number.
        ssml: elements that stand in ``speak``.
    """

    title: str
    ssml: str


@dataclass(frozen=True)
class Book:
    """A book.

    Attributes:
        title: of the book; its file's name where it has none.
        authors: in order.
        language: a tag such as ``en``, or empty.
        chapters: in reading order; those without a word are left out.
        cover: a picture's bytes, or None.
        warnings: what is left out of the chapters.
        missing: chapters that cannot be read, each with the reason, in sentences.
    """

    title: str
    authors: tuple[str, ...]
    language: str
    chapters: tuple[Chapter, ...]
    cover: bytes | None
    warnings: tuple[str, ...]
    missing: tuple[str, ...] = ()


def open_book(path: Path) -> Book:
    """Read an EPUB. A chapter that cannot be read is left out, and told of.

    Raises:
        BadInputError: it is no EPUB, is protected, larger than a book, or so damaged that no chapter can be read.
    """
    try:
        if _members(path) > MOST_MEMBERS:
            raise BadInputError(f"{path} holds more than {MOST_MEMBERS} files", _HINT)
        with zipfile.ZipFile(path) as archive:
            return _Reader(path, archive).book()
    except _DAMAGE as error:
        raise BadInputError(f"{path} is no EPUB, or is damaged ({error})", _HINT) from error
    except (OSError, RuntimeError) as error:  # zipfile asks for passwords with a RuntimeError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInputError(f"{path} cannot be read ({reason})", "Name an EPUB.") from error


def _members(path: Path) -> int:
    """How many an archive says that it holds, before all of them are listed (APPNOTE.TXT 6.3.10, section 4.3.16)."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - (1 << 16) - 22, 0))
        end = file.read()
    at = end.rfind(b"PK\x05\x06")
    return int.from_bytes(end[at + 10 : at + 12], "little") if at >= 0 else 0


@dataclass(frozen=True)
class _Item:
    """An entry of the manifest."""

    path: str
    kind: str
    properties: frozenset[str]


class _MemberError(BadInputError):
    """One file of an archive cannot be read."""


_UNREADABLE: Final = (_MemberError, *_DAMAGE, RuntimeError)
"""What is wrong with one file of an archive; a RuntimeError asks for a password."""


class _Reader:
    """Reads one archive, and counts what it has read."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._file, self._archive, self._read_so_far = path, archive, 0
        self._members = {composed(name): name for name in archive.namelist()}
        self._warnings: dict[str, None] = {}
        self._missing: list[str] = []
        for member in archive.infolist():
            if member.file_size > _SUSPICIOUS and member.file_size > _MOST_RATIO * max(
                member.compress_size, 1
            ):
                raise self._refusal(
                    f"holds {member.filename[:80]!r}, which unpacks to {member.file_size >> 20} MB"
                )

    def book(self) -> Book:
        """All of the book."""
        self._check_protection()
        container = self._xml("META-INF/container.xml")
        roots = [one.get("full-path", "") for one in container.iter() if local_name(one) == "rootfile"]
        if not roots or not roots[0]:
            raise self._refusal("names no package document")
        package_path = self._inside("", roots[0])
        package = self._xml(package_path)
        items = self._items(package, package_path)
        spine = [
            items[one.get("idref", "")]
            for one in package.iter()
            if local_name(one) == "itemref" and one.get("linear") != "no" and one.get("idref") in items
        ]
        documents = [item for item in spine if item.kind in _TEXT_TYPES and "nav" not in item.properties]
        chapters = self._chapters(documents, self._titles(package, items))
        if not chapters:
            why = f": {self._missing[0]}" if self._missing else ""
            raise self._refusal(f"has no text in its reading order{why}")
        cover = self._cover(package, items)
        return Book(
            title=_first(package, "title") or self._file.stem,
            authors=tuple(_all(package, "creator")),
            language=_first(package, "language"),
            chapters=tuple(chapters),
            cover=cover,
            warnings=tuple(self._warnings),
            missing=tuple(self._missing),
        )

    def _items(self, package: Any, package_path: str) -> dict[str, _Item]:
        folder = posixpath.dirname(package_path)
        return {
            one.get("id", ""): _Item(
                self._inside(folder, one.get("href", "")),
                one.get("media-type", ""),
                frozenset(one.get("properties", "").split()),
            )
            for one in package.iter()
            if local_name(one) == "item" and one.get("href") and not urlsplit(one.get("href")).scheme
        }

    def _titles(self, package: Any, items: dict[str, _Item]) -> dict[str, dict[str, str]]:
        """Titles by document and by the id within it; an empty id is the document's beginning."""
        navigation = next((item for item in items.values() if "nav" in item.properties), None)
        named = next((one.get("toc") for one in package.iter() if local_name(one) == "spine"), None)
        ncx = items.get(named or "") or next(
            (item for item in items.values() if item.kind == "application/x-dtbncx+xml"), None
        )
        contents = navigation or ncx
        if contents is None:
            return {}
        try:
            found = (
                ncx_links(self._xml(contents.path))
                if navigation is None
                else nav_links(self._text(contents.path))
            )
        except _UNREADABLE as error:
            self._warnings[f"the table of contents cannot be read ({self._reason(error)})"] = None
            return {}
        titles: dict[str, dict[str, str]] = {}
        for target, title in found:
            if title and (place := self._place(contents.path, target)) is not None:
                titles.setdefault(place[0], {}).setdefault(place[1], title)
        return titles

    def _chapters(self, documents: list[_Item], titles: dict[str, dict[str, str]]) -> list[Chapter]:
        texts = {item.path: text for item in documents if (text := self._document(item, titles)) is not None}
        anchors = {path: [anchor for anchor in titles.get(path, {}) if anchor] for path in texts}
        converted = {
            path: html_to_ssml(text, emphasis=False, anchors=anchors[path], notes=())
            for path, text in texts.items()
        }
        notes: dict[str, list[str]] = defaultdict(list)
        for path, document in converted.items():
            for place in (self._place(path, target) for target in document.notes):
                if place is not None and place[0] in texts and place[1]:
                    notes[place[0]].append(place[1])
        for path, ids in notes.items():
            converted[path] = html_to_ssml(texts[path], emphasis=False, anchors=anchors[path], notes=ids)
        chapters: list[Chapter] = []
        for path, document in converted.items():
            self._warnings.update(dict.fromkeys(document.warnings))
            for part in document.parts:
                title = titles.get(path, {}).get(part.anchor, "")
                self._add(chapters, part, title, has_titles=bool(titles))
        return [chapter for chapter in chapters if "<p>" in chapter.ssml]

    def _document(self, item: _Item, titles: dict[str, dict[str, str]]) -> str | None:
        """The text of a document; None where it cannot be read."""
        try:
            return self._text(item.path)
        except _UNREADABLE as error:
            title = next(iter(titles.get(item.path, {}).values()), item.path)
            self._missing.append(f"chapter {title[:80]!r} cannot be read ({self._reason(error)})")
            return None

    def _place(self, base: str, target: str) -> tuple[str, str] | None:
        """The document and the id that a link within a book leads to; None where it leads out of it."""
        try:
            parts = urlsplit(target)
            path = self._inside(posixpath.dirname(base), parts.path) if parts.path else base
        except (ValueError, BadInputError):
            return None
        return None if parts.scheme else (path, unquote(parts.fragment))

    @staticmethod
    def _add(chapters: list[Chapter], part: Part, title: str, *, has_titles: bool) -> None:
        """A part as a chapter, or as more of the chapter before it where the navigation does not name it."""
        if has_titles and not title and chapters:
            last = chapters[-1]
            chapters[-1] = Chapter(last.title, last.ssml + part.ssml)
        else:
            chapters.append(Chapter(title or part.heading[:200] or f"Part {len(chapters) + 1}", part.ssml))

    def _cover(self, package: Any, items: dict[str, _Item]) -> bytes | None:
        named = next(
            (
                one.get("content")
                for one in package.iter()
                if local_name(one) == "meta" and one.get("name") == "cover"
            ),
            None,
        )
        candidates = (
            *(item for item in items.values() if "cover-image" in item.properties),
            items.get(named or ""),
        )
        for item in candidates:
            if item is not None and item.kind.startswith("image/") and self._has(item.path):
                try:
                    return self._bytes(item.path, MOST_OF_A_COVER)
                except _UNREADABLE as error:
                    self._warnings[f"the cover cannot be read ({self._reason(error)})"] = None
        return None

    def _check_protection(self) -> None:
        if not self._has("META-INF/encryption.xml"):
            return
        protected = (
            one.get("URI", "")
            for one in self._xml("META-INF/encryption.xml").iter()
            if local_name(one) == "CipherReference"
        )
        if any(not _FONTS.search(name) for name in protected):
            raise BadInputError(
                f"{self._file} is protected against copying", "Use a copy without protection."
            )

    def _has(self, name: str) -> bool:
        return name in self._members

    def _bytes(self, name: str, limit: int) -> bytes:
        try:
            with self._archive.open(self._members[name]) as member:
                content = member.read(limit + 1)
        except KeyError as error:
            raise self._refusal(f"lacks {name[:80]!r}", _MemberError) from error
        self._read_so_far += len(content)
        if self._read_so_far > MOST_OF_ALL:
            raise self._refusal(f"holds more than {MOST_OF_ALL >> 20} MB of text")
        if len(content) > limit:
            raise self._refusal(f"holds {name[:80]!r}, which is larger than {limit >> 20} MB", _MemberError)
        return content

    def _text(self, name: str) -> str:
        content = self._bytes(name, MOST_OF_A_DOCUMENT)
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16", "replace")
        declared = re.match(rb"\s*<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)", content)
        encoding = declared[1].decode() if declared else "utf-8"
        try:
            return content.decode(encoding if encoding.lower() != "utf-16" else "utf-8", "replace").lstrip(
                "\ufeff"
            )
        except LookupError:
            return content.decode("utf-8", "replace")

    def _xml(self, name: str) -> Any:
        # Only here: no other format needs it.
        from defusedxml.common import DefusedXmlException  # noqa: PLC0415
        from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415

        text = _DOCTYPE.sub("", re.sub(r"^\s*<\?xml[^>]*\?>", "", self._text(name)))
        try:
            return fromstring(text)
        except DefusedXmlException as error:
            raise self._refusal(f"declares entities in {name[:80]!r}", _MemberError) from error
        except (ParseError, ValueError) as error:
            raise self._refusal(f"has broken XML in {name[:80]!r} ({error})", _MemberError) from error

    def _inside(self, folder: str, href: str) -> str:
        """A path within the archive."""
        path = composed(posixpath.normpath(posixpath.join(folder, unquote(urlsplit(href).path))))
        if path.startswith(("/", "../")) or path == ".." or "\\" in path or "\0" in path:
            raise self._refusal(f"refers to {href[:80]!r}, which lies outside it")
        return path

    def _refusal(self, what: str, kind: type[BadInputError] = BadInputError) -> BadInputError:
        return kind(f"{self._file} {what}", _HINT)

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, BadInputError):
            return str(error)
        return f"the book{error.message.removeprefix(str(self._file))}"


def _all(package: Any, name: str) -> list[str]:
    """The Dublin Core elements of a name."""
    found = (one for one in package.iter() if local_name(one) == name and "purl.org/dc" in str(one.tag))
    return [text for one in found if (text := " ".join(clean("".join(one.itertext())).split()))]


def _first(package: Any, name: str) -> str:
    return next(iter(_all(package, name)), "")
