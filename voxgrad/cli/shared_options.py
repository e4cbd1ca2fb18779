"""Options that all commands share: the store, verbosity, JSON output."""

import os
import re
import sys
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from typer import TyperException
from typer.core import TyperCommand

from voxgrad.errors import BadInputError

RANK = int(os.environ.get("RANK", "0"))
"""Of the processes of one training, which ``torchrun`` numbers; only the first, 0, tells what goes well."""

_TEXT = re.compile(r"-+\W?\d|.*\s", re.DOTALL)
"""What no option is called: it begins with a number, or has a space."""
_SHARED = frozenset({"home", "quiet", "verbose", "json"})


@dataclass(frozen=True, slots=True)
class Session:
    """The shared options; commands find it in ``context.obj``."""

    home: Path | None = None
    """None: wherever the store is by default."""
    quiet: bool = False
    """Show warnings only."""
    verbose: bool = False
    """Show details too."""
    json: bool = False
    """Answer with one JSON object on standard output."""
    started: float = field(default_factory=time.monotonic)
    """When the command began."""

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise BadInputError("--quiet and --verbose exclude each other", "Give one of them.")

    def tell(self, text: str) -> None:
        """Say on standard error what is done, before anything is loaded that says it better."""
        if not self.quiet and not RANK:
            sys.stderr.write(f"{text}\n")

    def loading(self) -> None:
        """Say that a library is loaded that takes seconds, longer where the disk is slow."""
        self.tell("loading PyTorch …")

    def joined(self, after: "Session") -> "Session":
        """With the options that came after the command's name."""
        return Session(
            home=self.home if after.home is None else after.home,
            quiet=self.quiet or after.quiet,
            verbose=self.verbose or after.verbose,
            json=self.json or after.json,
        )

    @classmethod
    def glimpsed(cls, arguments: Sequence[str]) -> Self:
        """What a failure needs to know where the arguments may not have been understood."""
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        return cls(verbose=not {"-v", "--verbose"}.isdisjoint(options), json="--json" in options)


class Command(TyperCommand):
    """A command that takes the shared options after its name too, and joins both into one `Session`.

    A text that begins with a dash, such as ``-5 degrees``, is an argument where no option is called so.
    """

    # Typer keeps the type of its contexts to itself, hence Any.

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own parameters, then the shared ones."""
        shared = [parameter for parameter in ctx.find_root().command.params if parameter.name in _SHARED]
        return [*super().get_params(ctx), *shared]

    def make_parser(self, ctx: Any) -> Any:
        """A parser that takes for an argument what has a space or begins with a number, and is no option."""
        parser: Any = super().make_parser(ctx)
        process = parser._process_opts  # noqa: SLF001 - its public switch would take mistyped options too

        def process_or_take(argument: str, state: Any) -> None:
            before = {name: copy(value) for name, value in vars(state).items()}
            try:
                process(argument, state)
            except TyperException as error:  # of a class that typer keeps to itself
                if type(error).__name__ != "NoSuchOption" or _TEXT.match(argument) is None:
                    raise
                vars(state).update(before)
                state.largs.append(argument)

        parser._process_opts = process_or_take  # noqa: SLF001
        return parser

    def invoke(self, ctx: Any) -> Any:
        """Run the command with the joined session."""
        given = {name: ctx.params.pop(name) for name in _SHARED}
        ctx.obj = ctx.obj.joined(Session(**given))
        return super().invoke(ctx)
