"""What commands share: the session with store and answer, and options made from the fields of settings classes."""

import inspect
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_origin

import typer
from typer import TyperException
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from voxgrad.errors import BadInputError
from voxgrad.events import Said

if TYPE_CHECKING:
    from rich.console import RenderableType

    from voxgrad.cli.terminal import Renderer
    from voxgrad.options import Option
    from voxgrad.store import Store

_LONGEST_METAVAR = 60
_TITLES = {"kept": "Recording", "synthesis": "Voice", "delivery": "Audio", "training": "Training"}
"""Of groups of options in a command's help, by the parameters of settings classes."""
_EVERYWHERE = "All commands"
SHARED = frozenset({"home", "quiet", "verbose", "json"})
RANK = int(os.environ.get("RANK", "0"))
"""Of the processes of one training, which ``torchrun`` numbers; only the first, 0, tells what goes well."""

_TEXT = re.compile(r"-+\W?\d|.*\s", re.DOTALL)
"""What no option is called: it begins with a number, or has a space."""


@dataclass(frozen=True)
class Session:
    """The shared options, and what a command does with them."""

    home: Path | None = None
    """None: wherever the store is by default."""
    quiet: bool = False
    """Show warnings only."""
    verbose: bool = False
    """Show details too."""
    json: bool = False
    """Answer with one JSON object on standard output."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The command's options that were given, as they are written, by their parameters."""
    started: float = field(default_factory=time.monotonic)
    """When the command began."""

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise BadInputError("--quiet and --verbose cannot be used together", "Give one of them.")

    @cached_property
    def store(self) -> "Store":
        """The store, opened."""
        from voxgrad.store import Store

        return Store.open(self.home)

    def progress(self) -> "Renderer":
        """A context in which events are shown on standard error."""
        from voxgrad.cli.terminal import Renderer

        return Renderer(self)

    def warn(self, warnings: Sequence[str]) -> None:
        """Show warnings."""
        with self.progress() as progress:
            for warning in warnings:
                progress.emit(Said(warning, "warning"))

    def answer(self, data: dict[str, Any], human: "RenderableType", then: str | None = None) -> None:
        """Give a command's result: ``data`` as one JSON object with --json, else ``human``; and what to type next."""
        from voxgrad.cli.terminal import answer

        if not RANK:
            answer(data if self.json else human)
        if then is not None:
            self.then(then)

    def then(self, command: str) -> None:
        """Show what to type next, on standard error."""
        if not self.json:
            home = "" if self.home is None else f" --home {shlex.quote(str(self.home))}"
            self.tell(f"  next: voxgrad {command}{home}")

    def tell(self, text: str) -> None:
        """Show a message on standard error before the progress display is loaded."""
        if not self.quiet and not RANK:
            sys.stderr.write(f"{text}\n")

    def loading(self) -> None:
        """Show that a library is being loaded, which takes seconds, or longer on a slow disk."""
        if "torch" not in sys.modules:
            self.tell("loading PyTorch …")

    def joined(self, after: "Session") -> "Session":
        """With the options that came after the command's name."""
        switches = {name: getattr(self, name) or getattr(after, name) for name in ("quiet", "verbose", "json")}
        return replace(after, home=self.home if after.home is None else after.home, **switches)

    @classmethod
    def glimpsed(cls, arguments: Sequence[str]) -> Self:
        """What a failure needs to know where the arguments may not have been understood."""
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        return cls(verbose=not {"-v", "--verbose"}.isdisjoint(options), json="--json" in options)


Voice = Annotated[
    str | None, typer.Option(metavar="REF", help="Voice or base (default: the newest voice, or else base).")
]
Like = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|DIR", help="Speak in the voice of these recordings, which the preset instant clones once."
    ),
]
NoConsentNeeded = Annotated[
    str | None,
    typer.Option(metavar="WHY", help="With --like: why the voice may be cloned, such as 'my own voice'."),
]
Vocoder = Annotated[
    str | None, typer.Option(metavar="REF", help="Vocoder, or griffinlim (default: the newest that fits).")
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**63 - 1, metavar="N", help="Random seed: another seed gives another reading.")
]
Language = Annotated[
    str, typer.Option(metavar="CODE", help="Language of the text: en, or with voxgrad[languages] es, fr, it, …")
]
Pronunciations = Annotated[
    Path | None,
    typer.Option("--lexicon", metavar="FILE", help="Your own pronunciations: a file with lines of `word  PHONES`."),
]
Timings = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the times of words and phones to a .json, .TextGrid, .srt or .vtt; a format alone, such as srt, "
        "names the file after the audio.",
    ),
]
PresetName = Annotated[str, typer.Option(metavar="P", help="Name of a preset, or a YAML file.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Reject words that are in no dictionary, and what cannot be read.")
]
NoMetadata = Annotated[bool, typer.Option("--no-metadata", help="Write no metadata but the words `synthetic speech`.")]


def command(*, without: Collection[str] = (), **specs: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command: it gets the session, and an option for every field of settings classes.

    The classes are named by their dotted paths, by the function's parameters, and imported when the command runs or
    shows its help, not before. The function gets the validated settings; `model_fields_set` tells which of their fields
    were given. A field with the name of another parameter of the function, or of ``without``, becomes no option.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        _, *parameters = inspect.signature(function).parameters.values()

        @wraps(function)
        def run(context: typer.Context, **values: Any) -> None:
            function(context.obj, **values, **context.meta[__name__])

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        own = [inspect.Parameter("context", kind, annotation=typer.Context)]
        own += [parameter for parameter in parameters if parameter.name not in specs]
        run.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in own}
        run.specs, run.order = specs, [parameter.name for parameter in parameters]  # type: ignore[attr-defined]
        run.without = without  # type: ignore[attr-defined]
        return run

    return decorate


# Typer keeps the type of its contexts to itself, hence Any.
def _shared_parameters(ctx: Any) -> list[Any]:
    return [parameter for parameter in ctx.find_root().command.params if parameter.name in SHARED]


def _join_session(ctx: Any, given: Mapping[str, str]) -> None:
    """Take the shared options out of the context, and put the session with them into it."""
    after = Session(**{name: ctx.params.pop(name) for name in SHARED}, given=given)
    ctx.obj = ctx.obj.joined(after)


class Group(TyperGroup):
    """A group of commands that takes the shared options too."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The shared options before the group's own."""
        return [*_shared_parameters(ctx), *super().get_params(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Run a command of the group."""
        _join_session(ctx, {})
        return super().invoke(ctx)


class Command(TyperCommand):
    """A command that takes the shared options after its name too, and those of its settings classes.

    A text that begins with a dash, such as ``-5 degrees``, is an argument where no option is called so.
    """

    @cached_property
    def _options(self) -> "dict[str, list[Option]]":
        specs: dict[str, str] = getattr(self.callback, "specs", {})
        if not specs:
            return {}
        from voxgrad.options import options_of, spec_named

        names = (*getattr(self.callback, "order", ()), *getattr(self.callback, "without", ()))
        return {role: list(options_of(spec_named(path), names)) for role, path in specs.items()}

    @cached_property
    def _parameters(self) -> dict[str, list[Any]]:
        return {role: _click_parameters(options) for role, options in self._options.items()}

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own parameters and settings in the order of its function, then the shared ones."""
        rest = {parameter.name: parameter for parameter in super().get_params(ctx)}
        ordered: list[Any] = []
        for name in getattr(self.callback, "order", ()):
            ordered += self._parameters.get(name, [rest.pop(name)] if name in rest else [])
        return [*ordered, *rest.values(), *_shared_parameters(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The command's own options, those of its settings classes, and the shared ones, each below a title."""
        roles = {parameter.name: role for role, listed in self._parameters.items() for parameter in listed}
        sections: dict[str, list[Any]] = {
            title: [] for title in ("Arguments", "Options", *_TITLES.values(), _EVERYWHERE)
        }
        for parameter in self.get_params(ctx):
            title = _TITLES.get(roles.get(parameter.name, ""), "Options")
            if parameter.param_type_name == "argument":
                title = "Arguments"
            elif parameter.name in SHARED | {"help"}:
                title = _EVERYWHERE
            if (record := parameter.get_help_record(ctx)) is not None:
                sections[title].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def make_parser(self, ctx: Any) -> Any:
        """A parser that takes a text with a space or a leading number for an argument, unless it is an option."""
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
        """Run the command with the joined session and its validated settings."""
        given = {
            parameter.name: parameter.opts[0]
            for parameter in self.get_params(ctx)
            if parameter.name in ctx.params and ctx.get_parameter_source(parameter.name).name != "DEFAULT"
        }
        _join_session(ctx, given)
        ctx.meta[__name__] = {}
        for role, options in self._options.items():
            from voxgrad.options import spec_named
            from voxgrad.presets import validated

            spec = spec_named(getattr(self.callback, "specs", {})[role])
            ctx.meta[__name__][role] = validated(spec, _values(ctx.params, options, given), str(self.name))
        return super().invoke(ctx)


def _click_parameters(options: "Sequence[Option]") -> list[Any]:
    """Options as typer would make them of a function's parameters."""

    def stub(**values: Any) -> None:
        del values

    stub.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter for option in options for parameter in _declared(option)]
    )
    app = typer.Typer(add_completion=False)
    app.command()(stub)
    return get_command(app).params


def _declared(option: "Option") -> Iterator[inspect.Parameter]:
    """A field as parameters of a command's function: one, or a flag for each of its values."""
    if flags := option.extra.get("flags"):
        for value, meaning in flags.items():
            yield _keyword(value, bool, False, typer.Option(f"--{value}", help=meaning))
        return
    shown: dict[str, Any] = {"help": option.help, "envvar": option.extra.get("envvar")}
    kind: Any = option.kind
    declaration = option.flag
    if kind is bool:
        declaration = "/".join(option.switches)
    elif kind in {int, float}:
        lowest, highest = option.bounds
        shown |= {"metavar": option.metavar, "min": lowest, "max": highest}
    elif option.choices:
        kind = Literal[option.choices]
        written = [str(choice) for choice in option.choices]
        if len("|".join(written)) > _LONGEST_METAVAR:
            shown |= {"metavar": option.metavar, "help": f"{option.help} One of {', '.join(written)}."}
    else:
        shown["metavar"] = option.metavar
        kind = list[str] if get_origin(kind) in {tuple, dict} else kind
    default = None if option.default in ((), {}) else option.default
    yield _keyword(
        option.name, kind if default is not None else kind | None, default, typer.Option(declaration, **shown)
    )


def _keyword(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _values(params: dict[str, Any], options: "Sequence[Option]", given: Mapping[str, str]) -> dict[str, Any]:
    """What was given of some settings; all of them are taken out of ``params``.

    Raises:
        BadInputError: two options that cannot be used together.
    """
    values = {}
    for option in options:
        flags = option.extra.get("flags")
        chosen = [name for name in flags or (option.name,) if name in given]
        excluded = option.extra.get("excludes")
        clashing = [excluded] * bool(chosen and excluded in given) + chosen * bool(flags)
        if len(clashing) > 1:
            raise BadInputError(f"--{' and --'.join(clashing)} cannot be used together", "Give one of them.")
        if chosen:
            values[option.name] = chosen[0] if flags else params[option.name]
    for option in options:
        for name in option.extra.get("flags", (option.name,)):
            del params[name]
    return values
