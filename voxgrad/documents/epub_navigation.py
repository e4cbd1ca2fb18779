"""The table of contents of an EPUB: a navigation document (EPUB 3) or an NCX (EPUB 2)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from voxgrad.documents.html import PageParser


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
        return [(link.target, " ".join("".join(link.words).split())) for link in marked]

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
                yield content.get("src", ""), " ".join("".join(label.itertext()).split())
