"""EPUB 2 and 3 (W3C EPUB 3.3; OPF 2.0.1): chapters in reading order, their titles, title, authors and cover.

A book is an untrusted file: nothing of it is written to disk, every member has a limit that does not trust the
archive's own figures, XML is read without entities, and paths stay within the archive.
"""

import posixpath
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from zlib import error as ZlibError

from voxgrad.documents.html import PageParser, Part, html_to_ssml
from voxgrad.errors import BadInputError
from voxgrad.unicode import clean, composed

MOST_MEMBERS: Final = 20_000
MOST_OF_A_DOCUMENT: Final = 8 << 20
MOST_OF_A_COVER: Final = 20 << 20
MOST_OF_ALL: Final = 64 << 20
"""Bytes of all documents together: twenty Bibles."""
_MOST_RATIO: Final = 200
_SUSPICIOUS: Final = 1 << 20
_HINT: Final = "Save it again with an e-book program."
_ENCRYPTION: Final = "META-INF/encryption.xml"
_DECLARATIONS: Final = re.compile(r"^\s*<\?xml[^>]*\?>|<!DOCTYPE[^>\[]*>")
_ENCODING: Final = re.compile(rb"\s*<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)")
_TEXT_TYPES: Final = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml"))
_DAMAGE: Final = (zipfile.BadZipFile, zipfile.LargeZipFile, ZlibError, EOFError, NotImplementedError, UnicodeError)
_FONTS: Final = re.compile(r"\.(?:ttf|otf|woff2?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Chapter:
    """A chapter; its title is from the navigation, else its first heading, else a number."""

    title: str
    ssml: str
    """Elements that stand in ``speak``."""


@dataclass(frozen=True)
class Book:
    """A book."""

    title: str
    """Its file's name where it has none."""
    authors: tuple[str, ...]
    language: str
    """A tag such as ``en``, or empty."""
    chapters: tuple[Chapter, ...]
    """In reading order; those without a word are left out."""
    cover: bytes | None
    warnings: tuple[str, ...]
    """What is left out of the chapters."""
    missing: tuple[str, ...] = ()
    """Chapters that cannot be read, each with the reason, in sentences."""


def open_book(path: Path) -> Book:
    """Read an EPUB. A chapter that cannot be read is left out and reported.

    Raises:
        BadInputError: it is not an EPUB, is protected, too large, or too damaged to read any chapter.
    """
    try:
        if _members(path) > MOST_MEMBERS:
            raise BadInputError(f"{path} holds more than {MOST_MEMBERS} files", _HINT)
        with zipfile.ZipFile(path) as archive:
            return _Reader(path, archive).book()
    except _DAMAGE as error:
        raise BadInputError(f"{path} is damaged or not an EPUB ({error})", _HINT) from error
    except (OSError, RuntimeError) as error:  # zipfile asks for passwords with a RuntimeError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInputError(f"{path} cannot be read ({reason})", "Give an EPUB file.") from error


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
            size = member.file_size
            if size > _SUSPICIOUS and size > _MOST_RATIO * max(member.compress_size, 1):
                raise self._refusal(f"holds {member.filename[:80]!r}, which unpacks to {size >> 20} MB")

    def book(self) -> Book:
        self._check_protection()
        root = self._xml("META-INF/container.xml").find(".//{*}rootfile")
        if root is None or not root.get("full-path"):
            raise self._refusal("names no package document")
        package_path = self._inside("", root.get("full-path"))
        package = self._xml(package_path)
        items = self._items(package, posixpath.dirname(package_path))
        spine = [
            items[entry.get("idref")]
            for entry in package.iterfind(".//{*}itemref")
            if entry.get("linear") != "no" and entry.get("idref") in items
        ]
        documents = [item for item in spine if item.kind in _TEXT_TYPES and "nav" not in item.properties]
        chapters = self._chapters(documents, self._titles(package, items))
        if not chapters:
            why = f": {self._missing[0]}" if self._missing else ""
            raise self._refusal(f"has no text in its reading order{why}")
        cover = self._cover(package, items)
        return Book(
            title=next(_dublin_core(package, "title"), self._file.stem),
            authors=tuple(_dublin_core(package, "creator")),
            language=next(_dublin_core(package, "language"), ""),
            chapters=tuple(chapters),
            cover=cover,
            warnings=tuple(self._warnings),
            missing=tuple(self._missing),
        )

    def _items(self, package: Any, folder: str) -> dict[str, _Item]:
        return {
            entry.get("id", ""): _Item(
                self._inside(folder, entry.get("href")),
                entry.get("media-type", ""),
                frozenset(entry.get("properties", "").split()),
            )
            for entry in package.iterfind(".//{*}item")
            if entry.get("href") and not urlsplit(entry.get("href")).scheme
        }

    def _titles(self, package: Any, items: dict[str, _Item]) -> dict[str, dict[str, str]]:
        """Titles by document and by the id within it; an empty id is the document's beginning."""
        navigation = next((item for item in items.values() if "nav" in item.properties), None)
        spine = package.find(".//{*}spine")
        ncx = items.get("" if spine is None else spine.get("toc", "")) or next(
            (item for item in items.values() if item.kind == "application/x-dtbncx+xml"), None
        )
        contents = navigation or ncx
        if contents is None:
            return {}
        try:
            if navigation is None:
                links = list(_ncx_links(self._xml(contents.path)))
            else:
                links = _nav_links(self._text(contents.path))
        except _UNREADABLE as error:
            self._warnings[f"the table of contents cannot be read ({self._reason(error)})"] = None
            return {}
        titles: dict[str, dict[str, str]] = {}
        for target, title in links:
            if title and (place := self._place(contents.path, target)) is not None:
                titles.setdefault(place[0], {}).setdefault(place[1], title)
        return titles

    def _chapters(self, documents: list[_Item], titles: dict[str, dict[str, str]]) -> list[Chapter]:
        texts = {item.path: text for item in documents if (text := self._document(item, titles)) is not None}
        anchors = {path: [anchor for anchor in titles.get(path, {}) if anchor] for path in texts}
        converted = {
            path: html_to_ssml(text, emphasis=False, anchors=anchors[path], notes=()) for path, text in texts.items()
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
                _add(chapters, part, title, has_titles=bool(titles))
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

    def _cover(self, package: Any, items: dict[str, _Item]) -> bytes | None:
        named = package.find(".//{*}meta[@name='cover']")
        candidates = [item for item in items.values() if "cover-image" in item.properties]
        if named is not None and named.get("content") in items:
            candidates.append(items[named.get("content")])
        for item in candidates:
            if item.kind.startswith("image/") and item.path in self._members:
                try:
                    return self._bytes(item.path, MOST_OF_A_COVER)
                except _UNREADABLE as error:
                    self._warnings[f"the cover cannot be read ({self._reason(error)})"] = None
        return None

    def _check_protection(self) -> None:
        if _ENCRYPTION not in self._members:
            return
        protected = self._xml(_ENCRYPTION).iterfind(".//{*}CipherReference")
        if not all(_FONTS.search(file.get("URI", "")) for file in protected):
            raise BadInputError(f"{self._file} is copy-protected", "Use a copy without protection.")

    def _bytes(self, name: str, limit: int) -> bytes:
        if name not in self._members:
            raise self._refusal(f"lacks {name[:80]!r}", _MemberError)
        with self._archive.open(self._members[name]) as member:
            content = member.read(limit + 1)
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
        declared = _ENCODING.match(content)
        encoding = declared[1].decode().lower() if declared else "utf-8"
        try:
            text = content.decode("utf-8" if encoding == "utf-16" else encoding, "replace")
        except LookupError:
            text = content.decode("utf-8", "replace")
        return text.lstrip("\ufeff")

    def _xml(self, name: str) -> Any:
        # Only here: no other format needs it.
        from defusedxml.common import DefusedXmlException  # noqa: PLC0415
        from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415

        try:
            return fromstring(_DECLARATIONS.sub("", self._text(name)))
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


def _add(chapters: list[Chapter], part: Part, title: str, *, has_titles: bool) -> None:
    """A part as a chapter, or as more of the chapter before it where the navigation does not name it."""
    if has_titles and not title and chapters:
        last = chapters[-1]
        chapters[-1] = Chapter(last.title, last.ssml + part.ssml)
    else:
        chapters.append(Chapter(title or part.heading[:200] or f"Part {len(chapters) + 1}", part.ssml))


def _plain(text: str) -> str:
    return " ".join(clean(text).split())


def _dublin_core(package: Any, name: str) -> Iterator[str]:
    for element in package.iterfind(f".//{{*}}{name}"):
        if "purl.org/dc" in element.tag and (text := _plain("".join(element.itertext()))):
            yield text


def _ncx_links(ncx: Any) -> Iterator[tuple[str, str]]:
    """Targets and titles of an NCX, the table of contents of an EPUB 2."""
    for point in ncx.iterfind(".//{*}navPoint"):
        label, content = point.find("{*}navLabel"), point.find("{*}content")
        if label is not None and content is not None:
            yield content.get("src", ""), _plain("".join(label.itertext()))


def _nav_links(document: str) -> list[tuple[str, str]]:
    """Targets and titles of a navigation document (EPUB 3)."""
    reader = _Navigation()
    reader.feed(document)
    reader.close()
    links = [link for link in reader.links if link.in_contents] or reader.links
    return [(link.target, _plain("".join(link.words))) for link in links]


@dataclass
class _Link:
    target: str
    in_contents: bool
    words: list[str]


class _Navigation(PageParser):
    """The links of a navigation document, and which of them stand in what is called the table of contents."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[_Link] = []
        self._in_contents = self._in_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "nav":
            kinds = attributes.get("epub:type", "").split()
            self._in_contents = "toc" in kinds or attributes.get("role") == "doc-toc"
        elif tag == "a" and "href" in attributes:
            self.links.append(_Link(attributes["href"], self._in_contents, []))
            self._in_link = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "nav":
            self._in_contents = False
        elif tag == "a":
            self._in_link = False

    def handle_data(self, data: str) -> None:
        if self._in_link:
            self.links[-1].words.append(data)
