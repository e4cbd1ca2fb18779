"""Options, each made from one documented field of a settings class.

The command line (`voxgrad.cli.shared_options`), the body of a request, the signature of `Voice.say`, the controls of
the page and the tables in the documentation read the field's type, range, default and docstring here.
"""

import inspect
import re
import types
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from pydoc import locate
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from voxgrad.presets import validated

Result = TypeVar("Result")
Body = TypeVar("Body", bound=BaseModel)
_END_OF_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")


@dataclass(frozen=True)
class Option:
    """A field of a settings class."""

    name: str
    """Of the field."""
    kind: Any
    """Its type, without None."""
    field: FieldInfo
    """As pydantic has it."""

    @property
    def default(self) -> Any:
        """The default value; None if it depends on something else."""
        return None if self.field.default_factory is not None else self.field.default

    @property
    def optional(self) -> bool:
        """Whether None is a value."""
        return type(None) in get_args(self.field.annotation)

    @property
    def extra(self) -> dict[str, Any]:
        """Keys of some fields: ``unit``, ``metavar``, ``option``, ``envvar``, ``enum``, ``flags``, ``excludes``."""
        extra = self.field.json_schema_extra
        return extra if isinstance(extra, dict) else {}

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The lowest and the highest value; None: there is none."""
        limits = {key: getattr(bound, key) for bound in self.field.metadata for key in _BOUNDS if hasattr(bound, key)}
        lowest = limits["gt"] + 1 if self.kind is int and "gt" in limits else limits.get("ge")
        highest = limits["lt"] - 1 if self.kind is int and "lt" in limits else limits.get("le")
        return lowest, highest

    @property
    def choices(self) -> tuple[Any, ...]:
        """The valid values; empty for numbers and texts."""
        return tuple(self.extra.get("enum", get_args(self.kind) if get_origin(self.kind) is Literal else ()))

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return str(self.extra.get("option", f"--{self.name.replace('_', '-')}"))

    @property
    def switches(self) -> list[str]:
        """Of a bool, the options that turn it on and, where that is the default, off."""
        return [self.flag, f"--no-{self.flag[2:]}"] if self.default else [self.flag]

    @property
    def metavar(self) -> str:
        """The placeholder of the value."""
        unit = self.extra.get("unit")
        return str(self.extra.get("metavar", unit.upper() if unit else "N" if self.kind is int else "X"))

    @property
    def description(self) -> str:
        """The docstring, on one line."""
        return " ".join((self.field.description or "").replace("``", "").split())

    @property
    def help(self) -> str:
        """Its first sentence."""
        return _END_OF_SENTENCE.split(self.description)[0]


_BOUNDS: Final = ("ge", "le", "gt", "lt")


def options_of(spec: type[BaseModel], without: Collection[str] = ()) -> Iterator[Option]:
    """The options of a settings class; settings within settings are none.

    >>> from voxgrad.settings import DeliverySpec
    >>> [option.flag for option in options_of(DeliverySpec, without={"rate", "loudness", "peak", "stereo"})]
    ['--pitch', '--volume', '--sentence-silence', '--edge-silence', '--for', '--bits', '--bit-rate']
    """
    for name, field in spec.model_fields.items():
        kind = field.annotation
        if get_origin(kind) in {Union, types.UnionType}:
            kind = next(option for option in get_args(kind) if option is not type(None))
        if name not in without and not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            yield Option(name, kind, field)


def spec_named(path: str) -> type[BaseModel]:
    """A settings class by its dotted path, so that it is imported only when it is used."""
    spec = locate(path)
    if not (isinstance(spec, type) and issubclass(spec, BaseModel)):
        raise TypeError(f"{path} is no settings class")
    return spec


def request_body(base: type[Body], *specs: type[BaseModel], without: Collection[str] = ()) -> type[Body]:
    """The body of a request: the fields of ``base``, then those of settings, where ``null`` means the default."""
    fields: dict[str, Any] = {
        option.name: (Annotated[option.kind | None, _in_body(option), *option.field.metadata], None)
        for spec in specs
        for option in options_of(spec, without)
    }
    return create_model(base.__name__, __base__=base, __doc__=base.__doc__, __module__=base.__module__, **fields)


def _in_body(option: Option) -> Any:
    """What a JSON Schema says of an option."""
    told = {"default": option.default} | ({"enum": [*option.choices, None]} if "enum" in option.extra else {})
    return Field(description=option.description, json_schema_extra=told)


def given(spec: type[BaseModel], body: BaseModel) -> dict[str, Any]:
    """The fields of some settings in a body from `request_body`, without those left to the default."""
    values = {name: getattr(body, name, None) for name in spec.model_fields}
    return {name: value for name, value in values.items() if value is not None}


def takes_options(**specs: type[BaseModel]) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Let a function take the fields of settings classes as keyword arguments; it gets the validated settings.

    The signature and the docstring that users see have a line for every field. The classes are named by the function's
    parameters.
    """
    owners = {option.name: (role, option) for role, spec in specs.items() for option in options_of(spec)}

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @wraps(function)
        def call(*arguments: Any, **values: Any) -> Result:
            settings: dict[str, dict[str, Any]] = {role: {} for role in specs}
            for name in owners.keys() & values.keys():
                role, option = owners[name]
                value = values.pop(name)
                if value is not None or option.optional:
                    settings[role][name] = value
            made = {role: validated(spec, settings[role], function.__name__) for role, spec in specs.items()}
            return function(*arguments, **values, **made)

        signature = inspect.signature(function)
        shown = [parameter for name, parameter in signature.parameters.items() if name not in specs]
        shown += [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=option.field.annotation,
            )
            for name, (_, option) in owners.items()
        ]
        call.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
        call.__doc__ = inspect.cleandoc(function.__doc__ or "")
        for role, spec in specs.items():
            lines = [f"    {option.name}: {option.description}" for option in options_of(spec)]
            call.__doc__ = re.sub(rf"(?m)^ *{role}: .*$", "\n".join(lines), call.__doc__)
        return call

    return decorate


def table(*specs: type[BaseModel], without: Collection[str] = ()) -> str:
    """A table of options for the documentation."""
    rows = [_row(option) for spec in specs for option in options_of(spec, without)]
    return "\n".join(("| option | values | default | meaning |", "| --- | --- | --- | --- |", *rows)) + "\n"


def _row(option: Option) -> str:
    flags = option.extra.get("flags")
    lowest, highest = option.bounds
    values = ", ".join(f"`{choice}`" for choice in option.choices)
    if lowest is not None:
        values = f"{lowest:g} to {highest:g}" if highest is not None else f"at least {lowest:g}"
    if "unit" in option.extra:
        values = f"{values} {option.extra['unit']}"
    if option.kind is bool:
        name = ", ".join(f"`{flag}`" for flag in option.switches)
    elif flags:
        name, values = ", ".join(f"`--{flag}`" for flag in flags), ""
    else:
        name = f"`{option.flag}{'' if option.choices else f' {option.metavar}'}`"
    default = "" if flags or option.default in (None, (), {}) else f"{option.default}"
    if option.kind is bool:
        default = "on" if option.default else "off"
    return f"| {name} | {values} | {default} | {option.description} |"


TABLES: Final = {
    "say": ("voxgrad.settings.SynthesisSpec", "voxgrad.settings.DeliverySpec"),
    "training": ("voxgrad.settings.TrainingOptions",),
    "convert": ("voxgrad.settings.ConversionSpec",),
    "serve": ("voxgrad.server.settings.ServerSettings",),
}
"""Settings by the page of the documentation that lists them."""
_MARKS: Final = "<!-- options: written by `python -m voxgrad.options` -->\n", "<!-- end of options -->\n"


def with_table(page: str, name: str) -> str:
    """A page of the documentation with an up-to-date table."""
    begin, end = _MARKS
    before, _, rest = page.partition(begin)
    return f"{before}{begin}{table(*map(spec_named, TABLES[name]))}{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    for name in TABLES:
        path = Path("docs") / f"{name}.md"
        path.write_text(with_table(path.read_text(encoding="utf-8"), name), encoding="utf-8")
