"""`voxgrad g2p`: how a text is read, word by word."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.prepare import Frontend
from voxgrad.cli.shared_options import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from voxgrad.text.tokens import Encoded, Word


def g2p(
    context: typer.Context,
    *,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="English text; - reads standard input.")],
    text_frontend: Annotated[Frontend, typer.Option(help="Text front end.")] = "voxgrad",
    lexicon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A lexicon: lines of `word  PHONES`.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Reject words that are in no dictionary.")] = False,
) -> None:
    """Show the phones of a text, and the source of each pronunciation."""
    from voxgrad.cli.terminal import answer
    from voxgrad.settings import TextSpec
    from voxgrad.store import Store
    from voxgrad.text.characters import dropped
    from voxgrad.text.lexicon import Lexicon, refuse_unknown
    from voxgrad.text.tokens import as_written, encode

    session: Session = context.obj
    known = Lexicon.gather(Store.open(session.home).home, lexicon)
    written = _standard_input() if text == "-" else text
    spec = TextSpec(frontend=text_frontend, add_blank=False)
    encoded = encode(written, spec, known)
    if strict:
        refuse_unknown(encoded.unknown)
    origins = as_written(written, [word.word for word in encoded.words])
    not_read = dropped(written)
    answer(
        session,
        {
            "normalised": encoded.normalised,
            "frontend": text_frontend,
            "words": [
                {
                    "written": origin,
                    "word": word.word,
                    "phones": list(word.phones),
                    "source": word.source,
                    "sense": word.sense,
                }
                for word, origin in zip(encoded.words, origins, strict=True)
            ],
            "tokens": list(encoded.tokens),
            "unknown": list(encoded.unknown),
            "dropped": list(not_read),
        },
        _page(encoded, origins, not_read),
    )


def _standard_input() -> str:
    from voxgrad.errors import BadInputError

    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise BadInputError("standard input is not UTF-8 text", "Save it as UTF-8.") from error


def _page(encoded: "Encoded", origins: "Sequence[str]", not_read: "Sequence[str]") -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("written", "read", "phones", "source"):
        table.add_column(heading, overflow="fold")
    for word, origin in zip(encoded.words, origins, strict=True):
        style = "yellow" if word.source == "network" else ""
        table.add_row(
            Text(origin), Text(word.word), Text(" ".join(word.phones)), Text(_source(word)), style=style
        )
    remarks = []
    if encoded.unknown:
        remarks.append(f"\nin no dictionary: {', '.join(encoded.unknown)}")
    if not_read:
        remarks.append(f"\nnot read: {' '.join(not_read)}")
    return Group(table, *(Text(remark) for remark in remarks))


def _source(word: "Word") -> str:
    """Such as ``homograph: verb``."""
    return f"{word.source}: {word.sense}" if word.sense else word.source
