"""`voxgrad g2p` and `voxgrad lexicon`: how words are read, and a person's own pronunciations of them."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.prepare import Frontend
from voxgrad.cli.shared_options import Language, Pronunciations, Session, Strict, Voice, command
from voxgrad.cli.terminal import table
from voxgrad.errors import BadInputError
from voxgrad.files import atomic_write, explain_os_errors
from voxgrad.unicode import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from voxgrad.text.symbols import Encoded


@command()
def g2p(
    session: Session,
    *,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Text; - reads standard input.")],
    language: Language = "en",
    text_frontend: Annotated[Frontend, typer.Option(help="Text front end.")] = "voxgrad",
    lexicon: Pronunciations = None,
    strict: Strict = False,
) -> None:
    """Show how a text is read: its phones, and where they come from."""
    from voxgrad.cli.say_input import input_lines
    from voxgrad.settings import TextSpec
    from voxgrad.text.characters import unread
    from voxgrad.text.languages import known_language
    from voxgrad.text.lexicon import Lexicon, refuse_unknown
    from voxgrad.text.symbols import ENGLISH
    from voxgrad.text.tokens import as_written, encode
    from voxgrad.text.unread_remarks import unread_remarks

    known = Lexicon.gather(session.store.home, lexicon)
    written = clean("".join(input_lines()) if text == "-" else text)
    code = known_language(language)
    spec = TextSpec(language=code, frontend=text_frontend, add_blank=False)
    encoded = encode(written, spec, known)
    remarks = list(unread_remarks(written))
    spoken = "" if code == ENGLISH else f"--language {code} "
    then = f"say {spoken}{'-f -' if text == '-' else shlex.quote(text)} -o hello.wav"
    if encoded.unknown:
        then = f"lexicon add {shlex.quote(encoded.unknown[0])} PRONUNCIATION"
    if strict:
        refuse_unknown(encoded.unknown)
        if remarks:
            raise BadInputError(remarks[0], "Leave it out, or write it in Latin letters.")
    origins = as_written(written, [word.word for word in encoded.words])
    session.answer(
        {
            "normalised": encoded.normalised,
            "frontend": text_frontend,
            "language": code,
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
            "dropped": list(dict.fromkeys(part.text for part in unread(written))),
        },
        _page(encoded, origins, remarks),
        then,
    )


def _page(encoded: "Encoded", origins: "Sequence[str]", not_read: "Sequence[str]") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    shown = table("written", "read", "phones", "source")
    for word, origin in zip(encoded.words, origins, strict=True):
        source = f"{word.source}: {word.sense}" if word.sense else word.source
        cells = (origin, word.word, " ".join(word.phones), source)
        shown.add_row(*map(Text, cells), style="yellow" if word.source == "network" else "")
    remarks = [f"\n{remark}" for remark in not_read]
    if encoded.unknown:
        remarks.insert(0, f"\nin no dictionary: {', '.join(encoded.unknown)}")
    return Group(shown, *map(Text, remarks))


@command()
def add_word(
    session: Session,
    *,
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="A word, such as Siobhan, or es:Xàtiva of another language.")
    ],
    pronunciation: Annotated[
        str,
        typer.Argument(
            metavar="PRONUNCIATION",
            help='What it sounds like ("shi VAWN", with the stressed syllable in capitals), phones ("SH IH0 V AO1 N") '
            'or IPA ("/ʃɪˈvɔːn/").',
        ),
    ],
) -> None:
    """Add a word, or change how it is pronounced."""
    from voxgrad.text.lexicon import language_and_word, read_phones, with_entry, written_phones

    phones = read_phones(pronunciation, language_and_word(word)[0])
    written = written_phones(word, phones)
    remark = "" if pronunciation.split() == written.split() else " ".join(pronunciation.replace("#", " ").split())
    path = _edit(session, lambda content: with_entry(content, word, phones, remark))
    told = {"word": word.lower(), "phones": list(phones), "file": str(path)}
    session.answer(told, f"{word}  {written}", f"lexicon test {shlex.quote(word)} -o word.wav")


@command()
def remove_word(
    session: Session, *, word: Annotated[str, typer.Argument(metavar="WORD", help="A word of the lexicon.")]
) -> None:
    """Remove a word."""
    from voxgrad.text.lexicon import LEXICON, without_entry

    def change(content: str) -> str:
        after = without_entry(content, word)
        if after == content:
            raise BadInputError(f"{word} is not in {LEXICON}", "`voxgrad lexicon list` shows all words.")
        return after

    _edit(session, change)
    session.answer({"removed": word.lower()}, f"{word} is removed", "lexicon list")


@command()
def list_words(session: Session) -> None:
    """List your words."""
    from rich.text import Text

    from voxgrad.text.lexicon import Lexicon, written_phones

    known = Lexicon.gather(session.store.home)
    shown = table("", "")
    for word, phones in known.entries:
        shown.add_row(Text(word), Text(written_phones(word, phones)))
    listed = [{"word": word, "phones": list(phones)} for word, phones in known.entries]
    then = (
        f"lexicon test {shlex.quote(known.entries[-1][0])} -o word.wav" if known else "lexicon add WORD PRONUNCIATION"
    )
    session.answer({"words": listed}, shown if known else "No words yet", then)


@command()
def try_word(
    session: Session,
    *,
    word: Annotated[str, typer.Argument(metavar="WORD", help="A word, or a sentence that contains it.")],
    pronunciation: Annotated[
        str | None,
        typer.Argument(
            metavar="PRONUNCIATION", help="Try this pronunciation without adding it (default: the current one)."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Speak it to an audio file.")
    ] = None,
    voice: Voice = None,
) -> None:
    """Show how a word is pronounced, and speak it."""
    import voxgrad
    from voxgrad.audio.writers import check_writable_audio
    from voxgrad.settings import TextSpec
    from voxgrad.text.lexicon import Lexicon, language_and_word, read_phones, written_phones
    from voxgrad.text.tokens import encode

    language, text = language_and_word(word)
    if pronunciation is not None:
        text = f"{{{written_phones(word, read_phones(pronunciation, language))}}}"
    spec = TextSpec(language=language, add_blank=False)
    encoded = encode(text, spec, Lexicon.gather(session.store.home))
    if output is not None:
        check_writable_audio(output)
        voxgrad.load(voice, home=session.home).say(text, language=language).save(output)
    lines = [f"{entry.word}  {written_phones(word, entry.phones)}  ({entry.source})" for entry in encoded.words]
    session.answer(
        {
            "words": [
                {"word": entry.word, "phones": list(entry.phones), "source": entry.source} for entry in encoded.words
            ],
            "file": None if output is None else str(output),
        },
        "\n".join(lines),
        f"lexicon add {shlex.quote(word)} {'PRONUNCIATION' if pronunciation is None else shlex.quote(pronunciation)}",
    )


def _edit(session: Session, change: Callable[[str], str]) -> Path:
    """Replace the store's lexicon as a whole; it stays as it was where that fails."""
    from voxgrad.text.lexicon import LEXICON, Lexicon

    path = session.store.home / LEXICON
    before = ""
    if path.exists():
        Lexicon.read(path)  # a broken one is not made worse
        before = path.read_text(encoding="utf-8-sig")
    after = change(before)
    with explain_os_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(after, encoding="utf-8")
    return path
