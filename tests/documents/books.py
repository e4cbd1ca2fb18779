"""EPUBs of the tests' own making."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Not read</title></head><body>{body}</body></html>'
    )


def cover() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (60, 80), "navy").save(written, "PNG")
    return written.getvalue()


def write_epub(
    path: Path,
    pages: Mapping[str, str],
    titles: Sequence[tuple[str, str]] = (),
    *,
    ncx: bool = False,
    extra: Mapping[str, str | bytes] | None = None,
    language: str = "en",
) -> Path:
    """Write a book: pages by file name, in order; titles as pairs of target and title."""
    manifest = "".join(
        f'<item id="p{number}" href="{name}" media-type="application/xhtml+xml"/>' for number, name in enumerate(pages)
    )
    spine = "".join(f'<itemref idref="p{number}"/>' for number in range(len(pages)))
    if ncx:
        points = "".join(
            f'<navPoint id="n{number}"><navLabel><text>{title}</text></navLabel><content src="{target}"/></navPoint>'
            for number, (target, title) in enumerate(titles)
        )
        contents = ("toc.ncx", f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{points}</navMap></ncx>')
        manifest += '<item id="toc" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    else:
        links = "".join(f'<li><a href="{target}">{title}</a></li>' for target, title in titles)
        contents = ("nav.xhtml", page(f'<nav epub:type="toc"><ol>{links}</ol></nav>'))
        manifest += '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>A Book &amp; More</dc:title><dc:creator>Ann Author</dc:creator>"
        f"<dc:language>{language}</dc:language></metadata>"
        f'<manifest>{manifest}<item id="c" href="cover.png" media-type="image/png" properties="cover-image"/>'
        "</manifest>"
        f"<spine{' toc=' + chr(34) + 'toc' + chr(34) if ncx else ''}>{spine}</spine></package>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OPS/book.opf", package)
        archive.writestr("OPS/cover.png", cover())
        archive.writestr(f"OPS/{contents[0]}", contents[1])
        for name, body in pages.items():
            archive.writestr(f"OPS/{name}", page(body))
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path
