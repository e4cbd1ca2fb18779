"""The `voxgrad` command: the options that all commands share, its streams, and the one place where failures end."""

import gc as garbage
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, TextIO, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

import voxgrad
from voxgrad.cli.convert import convert, info, replay, vocode
from voxgrad.cli.demo import demo
from voxgrad.cli.import_export import export, import_artifact
from voxgrad.cli.lexicon import add_word, g2p, list_words, remove_word, try_word
from voxgrad.cli.prepare import align, prepare
from voxgrad.cli.say import say, serve
from voxgrad.cli.shared_options import RANK, Command, Group, Session
from voxgrad.cli.store import gc, ls, restore, rm, show, verify
from voxgrad.cli.terminal import filled
from voxgrad.cli.train import card, evaluate, finetune, pretrain, runs, train_vocoder
from voxgrad.errors import ExitCode, VoxgradError, as_voxgrad_error
from voxgrad.threads import set_threads


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM; handled like an interruption."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as it is shown."""

    message: str
    """Without a final full stop."""
    hint: str
    exit_code: int

    @property
    def line(self) -> str:
        """All of it on one line, without control characters that a quoted file may contain."""
        stop = "" if self.message.endswith(("?", "!")) else "."
        words = " ".join(f"error: {self.message}{stop} {self.hint}".split())
        return "".join(sign if sign.isprintable() else "�" for sign in words)


def failed(error: BaseException) -> Failure:
    """What to show of ``error``."""
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = "voxgrad" if context is None else context.command_path
        return Failure(error.format_message().rstrip("."), f"Run '{command} -h' for help.", error.exit_code)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        ended = ("terminated", 143) if isinstance(error, Terminated) else ("interrupted", 130)
        return Failure(ended[0], "Run the same command again to continue.", ended[1])
    if (known := as_voxgrad_error(error)) is not None:
        return Failure(known.message, known.hint, int(known.exit_code))
    said = f": {error}" if str(error) else ""
    return Failure(
        f"internal error: {type(error).__name__}{said}", "Run again with -v and report it.", int(ExitCode.BUG)
    )


def report(error: BaseException, session: Session) -> int:
    """Show a failure once; returns the exit code."""
    traceback.clear_frames(error.__traceback__)  # what the command held, for where memory is short
    failure = failed(error)
    if session.verbose and not isinstance(error, VoxgradError | typer.TyperException | KeyboardInterrupt):
        traceback.print_exception(error)
    if RANK and failure.exit_code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
        return failure.exit_code  # the first process tells of it
    line = f"process {RANK}: {failure.line}" if RANK else failure.line
    sys.stderr.write(f"{filled(line, sys.stderr)}\n")
    if session.json:
        sys.stdout.write(f"{json.dumps({'error': asdict(failure)})}\n")
    return failure.exit_code


_STYLE: dict[str, Any] = {
    "rich_markup_mode": None,  # plain help comes in half the time
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class Commands(TyperGroup):
    """All commands, listed in sections, which are Typer's panels."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a list of commands below the title of each section."""
        del ctx
        commands: Mapping[str, Any] = self.commands
        for title in _SECTIONS:
            listed = [(name, command) for name, command in commands.items() if command.rich_help_panel == title]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(66)) for name, command in listed])


app = typer.Typer(name="voxgrad", cls=Commands, **_STYLE)
_COMPLETE = "_VOXGRAD_COMPLETE"
"""The environment variable by which a shell asks for completions, with the words so far in others."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"voxgrad {voxgrad.__version__}")
        raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    *,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the store (default: $VOXGRAD_HOME, or else the user's data folder)."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show details.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Clone a voice from a folder of recordings: prepare, finetune, say."""
    del version  # its callback has answered
    context.obj = Session(home=home, quiet=quiet, verbose=verbose, json=json)


_SECTIONS: dict[str, tuple[Callable[..., None], ...]] = {
    "Make a voice": (prepare, finetune, evaluate, card, demo),
    "Speak": (say, convert, serve, info, replay),
    "Text": (g2p,),
    "Store": (ls, show, export, import_artifact, verify, rm, restore, gc),
    "Training": (runs, align, pretrain, vocode),
}
_GROUPS: dict[str, tuple[str, str, dict[str, Callable[..., None]]]] = {
    "vocoder": ("Training", "Train a vocoder.", {"train": train_vocoder}),
    "lexicon": (
        "Text",
        "Manage your own pronunciations of words.",
        {"add": add_word, "remove": remove_word, "list": list_words, "test": try_word},
    ),
}
for _section, _functions in _SECTIONS.items():
    for _function in _functions:
        _name = _function.__name__.removesuffix("_artifact")
        app.command(_name, cls=Command, rich_help_panel=_section)(_function)
for _name, (_section, _help, _commands) in _GROUPS.items():
    _group = typer.Typer(cls=Group, help=_help, add_completion=False, **_STYLE)
    for _word, _function in _commands.items():
        _group.command(_word, cls=Command)(_function)
    app.add_typer(_group, name=_name, rich_help_panel=_section)


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code, and lets no exception out."""
    set_threads()
    words = list(arguments) if arguments else ["--help"]
    command = get_command(app)
    try:
        if _COMPLETE in os.environ:
            command.main(list(words), prog_name="voxgrad", complete_var=_COMPLETE)
        with command.make_context("voxgrad", list(words)) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as request:
        return request.exit_code
    except BrokenPipeError:
        silence(sys.stdout)  # who read the answer has read enough
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the one place where all failures end)
        return report(error, Session.glimpsed(words))
    return 0


class UnfailingStream:
    """Standard error as a log: what cannot be written to it is lost, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write as far as possible."""
        try:
            return self._stream.write(text)
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush as far as possible."""
        try:
            self._stream.flush()
        except OSError:
            silence(self._stream)


def silence(stream: TextIO) -> None:
    """Discard what is written to a stream from now on. Otherwise Python would complain again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def secure_standard_streams() -> None:
    """Open the null device for every stream that is closed, and let a standard error that refuses stop nothing.

    Were their numbers left free, the next files to be opened would take them, and what a library writes to standard
    output would land in a file of ours.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - as long as the process lives
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    # A name of a file, or a word, that the terminal's encoding cannot write is written by its numbers.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    sys.stderr = cast("TextIO", UnfailingStream(sys.stderr))


def run() -> NoReturn:
    """The console entry point."""

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise Terminated

    secure_standard_streams()
    signal.signal(signal.SIGTERM, terminate)
    # What imports make stays, and to look through it for garbage every 700 objects takes a twentieth of a second.
    garbage.set_threshold(50_000, 20, 20)
    sys.exit(main(sys.argv[1:]))
