"""EPUBs: reading order, titles, notes, cover; and books that nobody should have to open."""

import re
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.documents.books import CONTAINER, cover, page, write_epub
from voxgrad.documents.epub import open_book
from voxgrad.errors import BadInputError

KINDS = yaml.safe_load(Path(__file__).with_name("book_kinds.yaml").read_text(encoding="utf-8"))
PAGES = {
    "cover.xhtml": '<img src="cover.png"/>',
    "one.xhtml": '<h1>First</h1><p>It was cold.<a epub:type="noteref" href="#n">1</a></p>'
    '<aside epub:type="footnote" id="n">A note.</aside>',
    "more.xhtml": "<p>Still the first.</p>",
    "rest.xhtml": '<h1 id="two">Second</h1><p>Warm.</p><h1 id="three">Third</h1><p>Dry.</p>',
}
TITLES = [("one.xhtml", "Chapter One"), ("rest.xhtml", "Chapter Two"), ("rest.xhtml#three", "Chapter Three")]


@pytest.mark.parametrize("ncx", [False, True])
def test_a_book_is_read_in_order_with_its_titles(ncx, tmp_path):
    book = open_book(write_epub(tmp_path / "b.epub", PAGES, TITLES, ncx=ncx))
    assert (book.title, book.authors, book.language) == ("A Book & More", ("Ann Author",), "en")
    assert [chapter.title for chapter in book.chapters] == ["Chapter One", "Chapter Two", "Chapter Three"]
    assert "Still the first." in book.chapters[0].ssml
    assert "note" not in book.chapters[0].ssml
    assert "Warm." in book.chapters[1].ssml
    assert "Dry." not in book.chapters[1].ssml
    assert book.cover == cover()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ncx", [False, True])
def test_notes_and_page_numbers_are_not_read(kind, ncx, tmp_path):
    pages, expected = KINDS[kind]["pages"], KINDS[kind]["read"]
    book = open_book(write_epub(tmp_path / "b.epub", pages, [(name, f"Title of {name}") for name in pages], ncx=ncx))
    read = [text for chapter in book.chapters for text in re.findall("(?s)<p>(.*?)</p>", chapter.ssml)]
    assert [" ".join(text.split()) for text in read] == expected
    assert [chapter.title for chapter in book.chapters] == [
        f"Title of {name}" for name in pages if name not in {"notes.html", "s1.html", "e.html"}
    ]


def damaged(path: Path, member: str) -> Path:
    """A book with other bytes where a member's lie."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    content = bytearray(path.read_bytes())
    begin = info.header_offset + 30 + len(info.filename)
    content[begin : begin + info.compress_size] = b"\xff" * info.compress_size
    path.write_bytes(content)
    return path


def test_a_chapter_that_cannot_be_read_is_named_and_left_out(tmp_path):
    path = write_epub(tmp_path / "b.epub", {**PAGES, "last.xhtml": "<p>Last.</p>" * 50}, TITLES)
    book = open_book(damaged(path, "OPS/rest.xhtml"))
    assert [chapter.title for chapter in book.chapters] == ["Chapter One"]
    assert "Last." in book.chapters[0].ssml
    (why,) = book.missing
    assert re.match(r"chapter 'Chapter Two' cannot be read \(Error -3 while decompressing", why)
    assert str(tmp_path) not in why
    package = write_epub(tmp_path / "c.epub", {"a.xhtml": "<p>x</p>", "b.xhtml": "<p>y</p>"}).read_bytes()
    (tmp_path / "c.epub").write_bytes(package.replace(b"OPS/b.xhtml", b"OPS/z.xhtml"))
    book = open_book(tmp_path / "c.epub")
    assert book.missing == ("chapter 'OPS/b.xhtml' cannot be read (the book lacks 'OPS/b.xhtml')",)
    (tmp_path / "c.epub").write_bytes(package.replace(b".xhtml", b".xhtmm"))
    with pytest.raises(BadInputError, match=r"no text in its reading order: chapter .* lacks"):
        open_book(tmp_path / "c.epub")


@pytest.mark.parametrize(("ncx", "name"), [(False, "OPS/nav.xhtml"), (True, "OPS/toc.ncx")])
def test_a_book_without_its_table_of_contents_and_cover_is_read(ncx, name, tmp_path):
    path = write_epub(tmp_path / "b.epub", PAGES, TITLES, ncx=ncx)
    book = open_book(damaged(damaged(path, name), "OPS/cover.png"))
    assert [chapter.title for chapter in book.chapters] == ["First", "Part 2", "Second Third"]
    assert [warning.partition(" (")[0] for warning in book.warnings] == [
        "the table of contents cannot be read",
        "the cover cannot be read",
    ]
    assert book.cover is None


def test_without_navigation_headings_are_titles(tmp_path):
    book = open_book(write_epub(tmp_path / "b.epub", {"a.xhtml": "<h1>Eins</h1><p>x</p>", "b.xhtml": "<p>y</p>"}))
    assert [chapter.title for chapter in book.chapters] == ["Eins", "Part 2"]


def test_names_with_spaces_and_signs(tmp_path):
    pages = {"a b.xhtml": "<p>x</p>"}
    book = open_book(write_epub(tmp_path / "b.epub", pages, [("a%20b.xhtml", "Näme &amp; more")]))
    assert book.chapters[0].title == "Näme & more"


def test_names_of_members_may_be_decomposed_and_titles_have_nothing_invisible(tmp_path):
    pages = {"cafe\u0301.xhtml": "<p>x</p>", "b.xhtml": "<h1>La\u00adter</h1><p>y</p>"}
    written = write_epub(tmp_path / "b.epub", pages, [("caf\u00e9.xhtml", "So\u00adon"), ("b.xhtml", "")])
    book = open_book(written)
    assert [chapter.title for chapter in book.chapters] == ["Soon"]
    package = zipfile.ZipFile(written).read("OPS/book.opf").decode()
    assert "cafe\u0301.xhtml" in package
    members = {name: zipfile.ZipFile(written).read(name) for name in zipfile.ZipFile(written).namelist()}
    members["OPS/book.opf"] = package.replace("cafe\u0301", "caf\u00e9")
    assert open_book(raw(tmp_path / "c.epub", members)).chapters == book.chapters


def raw(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


ENCRYPTION = '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:CipherReference URI="{}"/></encryption>'


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({}, "lacks 'META-INF/container.xml'"),
        ({"META-INF/container.xml": "<x"}, "has broken XML"),
        ({"META-INF/container.xml": "<container/>"}, "names no package document"),
        ({"META-INF/container.xml": CONTAINER}, "lacks 'OPS/book.opf'"),
        ({"META-INF/container.xml": CONTAINER.replace("OPS/book.opf", "../../etc/passwd")}, "lies outside it"),
        ({"META-INF/container.xml": CONTAINER.replace("OPS/book.opf", "/etc/passwd")}, "lies outside it"),
        ({"META-INF/container.xml": CONTAINER, "OPS/book.opf": "<package/>"}, "has no text in its reading order"),
        ({"META-INF/container.xml": '<!DOCTYPE a [<!ENTITY b "c">]><container>&b;</container>'}, "declares entities"),
        ({"META-INF/encryption.xml": ENCRYPTION.format("OPS/a.xhtml")}, "is copy-protected"),
    ],
)
def test_what_is_no_book_is_refused(members, complaint, tmp_path):
    with pytest.raises(BadInputError, match=complaint):
        open_book(raw(tmp_path / "b.epub", members))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 truncated", b"%PDF-1.7"])
def test_what_is_no_archive_is_refused(content, tmp_path):
    path = tmp_path / "b.epub"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="is damaged or not an EPUB"):
        open_book(path)
    with pytest.raises(BadInputError, match="cannot be read"):
        open_book(tmp_path / "nowhere.epub")


def test_a_page_outside_the_archive_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="lies outside it"):
        open_book(write_epub(tmp_path / "b.epub", {"../../../etc/passwd": "<p>x</p>"}))


def bombs(folder: Path) -> dict[str, Path]:
    large = 64 << 20
    declared = raw(folder / "declared.epub", {"META-INF/container.xml": bytes(large)})
    honest = declared.read_bytes()
    # The size in both headers is a lie: the archive says 1 kB, and unpacks to 64 MB.
    lying = folder / "lying.epub"
    lying.write_bytes(honest.replace(large.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    many = write_epub(folder / "many.epub", {"a.xhtml": "<p>x</p>"})
    content = bytearray(many.read_bytes())
    at = content.rindex(b"PK\x05\x06") + 10
    content[at : at + 2] = (25_000).to_bytes(2, "little")
    many.write_bytes(content)
    beside = write_epub(folder / "beside.epub", {"a.xhtml": "<p>x</p>"}, extra={"OPS/big": bytes(large)})
    return {"declared": declared, "lying": lying, "many": many, "beside": beside}


def test_zip_bombs_are_refused_at_once(tmp_path):
    for name, path in bombs(tmp_path).items():
        tracemalloc.start()
        began = time.process_time()
        with pytest.raises(BadInputError):
            open_book(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert time.process_time() - began < 1.5, name  # of which tracing is half
        assert peak < 48 << 20, name


def test_documents_have_a_limit_together(tmp_path, monkeypatch):
    monkeypatch.setattr("voxgrad.documents.epub.MOST_OF_ALL", 20_000)
    noise = "".join(f"<p>{number * 7919 % 10_007}</p>" for number in range(1500))
    with pytest.raises(BadInputError, match="MB of text"):
        open_book(write_epub(tmp_path / "b.epub", {"a.xhtml": noise, "b.xhtml": noise}))


def test_pages_that_are_no_xml_are_read(tmp_path):
    book = open_book(write_epub(tmp_path / "b.epub", {"a.xhtml": "<p>one<br>two &nbsp;<p>three & four"}))
    assert "three &amp; four" in book.chapters[0].ssml
    assert "Not read" in page("")
    assert "Not read" not in book.chapters[0].ssml
