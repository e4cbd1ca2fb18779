"""Preset files and ``--set key=value``: YAML in, validated settings out."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from voxgrad import settings
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.settings import PrepareSpec, Preset

_HERE = Path(__file__).parent
_INSTALLED, _SOURCE = _HERE / "_presets", _HERE.parent / "presets"
_COMPARE = "Compare it with an included preset."
_SORTS = {"vocoder": "VocoderPreset", "prepare": "PrepareSpec"}
"""Settings by the first word of a preset's name; all others train a Grad-TTS."""
T = TypeVar("T", bound=BaseModel)


def preset_names(sort: str = "Preset") -> list[str]:
    """The presets of one sort that ship with the package, by the name of their settings."""
    stems = sorted(path.stem for path in _directory().glob("*.yaml"))
    return [stem for stem in stems if _SORTS.get(stem.partition("-")[0], "Preset") == sort]


def load_preset(name: str, overrides: Iterable[str] = ()) -> "Preset":
    """Reads a preset by name, or by the path of a YAML file, and applies ``key=value`` overrides.

    Keys are dotted paths such as ``seed``, ``model.dec_dim`` or ``stages.0.steps``.

    Raises:
        BadInputError: unknown preset or key (the nearest is named), or a value that does not fit.
    """
    return load_settings(settings.Preset, name, overrides)


def load_prepare_preset(name: str, overrides: Iterable[str] = ()) -> "PrepareSpec":
    """The same for `prepare`."""
    return load_settings(settings.PrepareSpec, name, overrides)


def load_settings(spec: type[T], name: str, overrides: Iterable[str] = ()) -> T:
    """The same for a preset of any sort."""
    import yaml  # noqa: PLC0415 - as in `_put`: those who only speak read no preset

    shipped = {stem: _directory() / f"{stem}.yaml" for stem in preset_names(spec.__name__)}
    path = Path(name) if name.endswith((".yaml", ".yml")) else shipped.get(name)
    if path is None or not path.is_file():
        raise BadInputError(f"there is no preset {name}", _nearest(name, sorted(shipped)))
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path.name} is not YAML", _COMPARE) from error
    if not isinstance(content, dict):
        raise BadInputError(f"{path.name} contains no settings", _COMPARE)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise BadInputError(f"{override!r} is not key=value", "Write for example --set seed=1.")
        _put(content, key, value)
    return validated(spec, content, path.name)


def validated(spec: type[T], content: dict[str, Any], source: str) -> T:
    """Builds ``spec``; pydantic's report becomes one line that names the nearest key.

    Raises:
        BadInputError: with the dotted key, what is wrong and, for an unknown key, the nearest known one.
    """
    try:
        return spec.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            hint = _nearest(str(first["loc"][-1]), _fields(spec, first["loc"][:-1]))
            raise BadInputError(f"{source} has no setting {key}", hint) from error
        problem = first["msg"].removeprefix("Value error, ")
        place = f"{source}, {key}" if key else source
        message = f"{place}: {problem[:1].lower()}{problem[1:]}"
        raise BadInputError(message, "Give a valid value.") from error


def _directory() -> Path:
    return _INSTALLED if _INSTALLED.is_dir() else _SOURCE


def _put(content: dict[str, Any], key: str, value: str) -> None:
    import yaml  # noqa: PLC0415

    *parents, last = key.split(".")
    place: Any = content
    for part in parents:
        slot = _slot(place, part, key)
        if isinstance(place, dict):
            place.setdefault(slot, {})
        place = place[slot]
    try:
        parsed = yaml.safe_load(value)
        if isinstance(parsed, str):
            parsed = float(parsed)  # YAML reads 1e-3 as a string
    except (yaml.YAMLError, ValueError):
        parsed = value
    place[_slot(place, last, key)] = parsed


def _slot(place: Any, part: str, key: str) -> str | int:
    """What ``part`` of a dotted key is called where it leads."""
    if isinstance(place, dict):
        return part
    if not isinstance(place, list):
        raise BadInputError(f"{key} is not a valid name of a setting", "Shorten the key.")
    if not (part.isascii() and part.isdigit() and int(part) < len(place)):
        raise BadInputError(f"{key}: there is no entry {part}", f"Give a number from 0 to {len(place) - 1}.")
    return int(part)


def _fields(spec: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, int):
            continue
        kind = spec.model_fields[part].annotation
        while get_args(kind):
            kind = get_args(kind)[0]
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        spec = kind
    return list(spec.model_fields)


def _nearest(word: str, known: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    close = get_close_matches(word, known, 1, 0.5)
    return f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(known)}."
