"""`voxgrad g2p`: how a text is read, word by word."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.prepare import Frontend
from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError
from voxgrad.unicode import clean

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
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Reject words that are in no dictionary, and what cannot be read."),
    ] = False,
) -> None:
    """Show the phones of a text, and the source of each pronunciation."""
    from voxgrad.cli.standard_streams import input_lines
    from voxgrad.cli.terminal import answer
    from voxgrad.settings import TextSpec
    from voxgrad.store import Store
    from voxgrad.text.characters import unread
    from voxgrad.text.lexicon import Lexicon, refuse_unknown
    from voxgrad.text.tokens import as_written, encode
    from voxgrad.text.unread import unread_remarks

    session: Session = context.obj
    known = Lexicon.gather(Store.open(session.home).home, lexicon)
    written = clean("".join(input_lines()) if text == "-" else text)
    spec = TextSpec(frontend=text_frontend, add_blank=False)
    encoded = encode(written, spec, known)
    remarks = list(unread_remarks(written))
    if strict:
        refuse_unknown(encoded.unknown)
        if remarks:
            raise BadInputError(remarks[0], "Leave it out, or write it in English.")
    origins = as_written(written, [word.word for word in encoded.words])
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
            "dropped": list(dict.fromkeys(one.text for one in unread(written))),
        },
        _page(encoded, origins, remarks),
    )


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
    remarks = [f"\n{remark}" for remark in not_read]
    if encoded.unknown:
        remarks.insert(0, f"\nin no dictionary: {', '.join(encoded.unknown)}")
    return Group(table, *(Text(remark) for remark in remarks))


def _source(word: "Word") -> str:
    """Such as ``homograph: verb``."""
    return f"{word.source}: {word.sense}" if word.sense else word.source
