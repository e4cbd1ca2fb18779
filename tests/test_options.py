"""A field of a settings class is an option everywhere: the command line, requests, Python, the documentation."""

import inspect
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel, Field, ValidationError
from typer.main import get_command

from voxgrad.cli.main import failed, main
from voxgrad.cli.shared_options import Command, Session, command
from voxgrad.errors import BadInputError
from voxgrad.options import TABLES, given, options_of, request_body, spec_named, table, takes_options, with_table
from voxgrad.settings import ConversionSpec, DeliverySpec, SynthesisSpec
from voxgrad.voice.voice import Voice

DOCS = Path(__file__).parent.parent / "docs"


class WarmSpec(SynthesisSpec):
    warmth: float = Field(default=0, ge=0, le=1)
    """Strength of the low frequencies: 0 changes nothing. More is warmer."""


def run(*arguments: str) -> SynthesisSpec:
    """What a command gets of its options."""
    got = []

    @command(synthesis=f"{__name__}.WarmSpec")
    def speak(session: Session, *, synthesis: WarmSpec, speaker: str | None = None) -> None:
        del session, speaker
        got.append(synthesis)

    one = typer.Typer(rich_markup_mode=None)
    one.command(cls=Command)(speak)

    @one.callback()
    def shared(
        context: typer.Context,
        *,
        home: str | None = None,
        quiet: bool = False,
        verbose: bool = False,
        json: bool = False,
    ) -> None:
        del home, quiet, verbose, json
        context.obj = Session()

    get_command(one)(["speak", *arguments], standalone_mode=False)
    return got[0]


def test_a_new_field_is_an_option_of_a_command(capsys):
    assert run().warmth == 0
    assert run("--warmth", "0.5", "--best").model_fields_set == {"warmth", "quality"}
    with pytest.raises(IndexError):
        run("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "--warmth X" in shown
    assert "Strength of the low frequencies: 0 changes nothing." in shown
    assert "More is warmer" not in shown
    assert "0<=x<=1" in shown


@pytest.mark.parametrize("value", ["2", "nan", "-1", "much"])
def test_a_value_outside_the_range_of_its_field_is_refused(value: str):
    with pytest.raises((typer.TyperException, BadInputError)) as caught:
        run("--warmth", value)
    assert "warmth" in failed(caught.value).message
    assert failed(caught.value).exit_code == 2


@pytest.mark.parametrize("asked", [("--steps", "3", "--draft"), ("--draft", "--best")])
def test_steps_draft_and_best_exclude_each_other(asked: tuple[str, ...]):
    with pytest.raises(BadInputError, match="cannot be used together"):
        run(*asked)


def test_a_new_field_is_in_the_body_of_a_request():
    class Own(BaseModel):
        input: str

    body = request_body(Own, WarmSpec, without={"speaker"})
    asked = body(input="Hi.", warmth=0.5, speed=None)
    assert given(WarmSpec, asked) == {"warmth": 0.5}
    assert "speaker" not in body.model_fields
    for value in (2, float("nan")):
        with pytest.raises(ValidationError, match="warmth"):
            body(input="Hi.", warmth=value)


def test_a_new_field_is_an_argument_in_python():
    @takes_options(synthesis=WarmSpec)
    def say(text: str, *, synthesis: WarmSpec) -> WarmSpec:
        """Speak.

        Args:
            text: English.
            synthesis: its fields.
        """
        del text
        return synthesis

    assert say("Hi.", warmth=0.5, sampler=None) == WarmSpec(warmth=0.5)
    assert inspect.signature(say).parameters["warmth"].default == 0
    assert "    warmth: Strength of the low frequencies: 0 changes nothing. More is warmer.\n" in f"{say.__doc__}\n"
    with pytest.raises(BadInputError, match="say, warmth"):
        say("Hi.", warmth=2)
    with pytest.raises(TypeError, match="warmht"):
        say("Hi.", warmht=1)


def test_a_new_field_is_a_row_of_the_table():
    row = "| `--warmth X` | 0 to 1 | 0 | Strength of the low frequencies: 0 changes nothing. More is warmer. |"
    assert row in table(WarmSpec).splitlines()


@pytest.mark.parametrize(
    ("command", "specs"),
    [
        ("say", (SynthesisSpec, DeliverySpec)),
        ("convert", (SynthesisSpec, ConversionSpec)),
        ("evaluate", (SynthesisSpec,)),
    ],
)
def test_every_field_is_an_option_of_the_commands_that_speak(command: str, specs, capsys):
    assert main([command, "-h"]) == 0
    shown = capsys.readouterr().out.split()
    flags = {one.flag for spec in specs for one in options_of(spec, {"quality"})}
    assert flags <= set(shown)
    assert {"--draft", "--best"} <= set(shown)


def test_every_field_is_an_argument_of_say():
    names = {*SynthesisSpec.model_fields, *DeliverySpec.model_fields}
    assert names < inspect.signature(Voice.say).parameters.keys()


@pytest.mark.parametrize("path", sorted({path for paths in TABLES.values() for path in paths}))
def test_every_option_is_described_and_every_number_has_a_lowest_value(path: str):
    for option in options_of(spec_named(path)):
        assert option.help.endswith(".")
        assert len(option.help) < 130
        assert option.kind not in {int, float} or option.bounds[0] is not None


@pytest.mark.parametrize("name", TABLES)
def test_the_documentation_has_the_options_as_they_are(name: str):
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert with_table(page, name) == page, "run: python -m voxgrad.options"
