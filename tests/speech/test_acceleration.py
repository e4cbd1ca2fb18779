import numpy as np
import pytest
from torch import nn

import voxgrad
from voxgrad.cli.say_input import chosen_steps
from voxgrad.errors import BadInputError
from voxgrad.events import Said
from voxgrad.settings import ModelSpec, SynthesisSpec
from voxgrad.speech.acceleration import MOST_STEPS, fit_steps_to_rtf
from voxgrad.speech.synthesizer import Synthesizer
from voxgrad.text.lexicon import NONE


def test_a_generous_limit_allows_many_steps_and_a_tight_one_a_draft(furnished):
    speaker, told = Synthesizer.load(furnished.find("robot", "voice"), None, NONE), []
    settings = SynthesisSpec(speed=0.5)
    many = fit_steps_to_rtf(speaker, settings, 1e6, told.append)
    assert many == settings.model_copy(update={"steps": MOST_STEPS})
    assert told[0].level == "info"
    few = fit_steps_to_rtf(speaker, settings, 1e-6, told.append)
    assert few.steps == speaker.spec.model.steps("draft")
    assert isinstance(told[-1], Said)
    assert told[-1].level == "warning"


def test_what_was_timed_speaks_without_being_loaded_again(furnished, command, monkeypatch):
    loads, load = [], Synthesizer.load
    monkeypatch.setattr(Synthesizer, "load", lambda *parts: loads.append(parts) or load(*parts))
    said = ("say", "Hello there.", "--voice", "robot", "--vocoder", "quick", "-o", "a.wav")
    assert command(*said, "--max-rtf", "0.001").code == 0
    assert len(loads) == 1


def test_effort_is_one_of_four():
    nothing = {"draft": False, "best": False, "max_rtf": None}
    assert chosen_steps(None, **nothing) == {}
    assert chosen_steps(None, **{**nothing, "best": True}) == {"quality": "best"}
    with pytest.raises(BadInputError, match="--steps and --draft exclude"):
        chosen_steps(3, **{**nothing, "draft": True})
    with pytest.raises(BadInputError, match="no number above 0"):
        chosen_steps(None, **{**nothing, "max_rtf": float("nan")})


@pytest.mark.parametrize(("decoder", "steps"), [("unet", (4, 6, 25)), ("convnext", (1, 2, 6))])
def test_a_quality_comes_to_the_steps_that_the_network_needs(decoder, steps):
    model = ModelSpec(decoder=decoder)
    settled = [SynthesisSpec(quality=quality).settled(model) for quality in ("draft", "default", "best")]
    assert tuple(one.steps for one in settled) == steps
    assert SynthesisSpec(quality="draft", steps=9).settled(model).steps == 9


SETTINGS = SynthesisSpec(steps=2, precision="float32")


def compile_by(monkeypatch, call):
    monkeypatch.setattr(
        nn.Module, "compile", lambda module, **_: setattr(module, "_compiled_call_impl", call(module))
    )


def no_compiler(module):
    def fail(*_, **__):
        raise RuntimeError("No working C++ compiler found\nin a long list")

    return fail


def test_where_nothing_can_compile_it_is_spoken_without_and_one_line_says_why(robots, monkeypatch):
    plain = voxgrad.load("robot", vocoder="quick", home=robots).say("Hello.", steps=2)
    compile_by(monkeypatch, no_compiler)
    with pytest.warns(
        UserWarning, match=r"speaking without it \(RuntimeError: No working C\+\+ compiler found\)$"
    ):
        speaker = voxgrad.load("robot", vocoder="quick", home=robots, compile=True)
    said = speaker.say("Hello.", steps=2)
    assert np.array_equal(said.samples, plain.samples)
    assert said.recipe == plain.recipe
    assert not said.recipe.compiled


def test_the_command_says_it_and_replay_compiles_again(furnished, command, monkeypatch):
    compiled = []
    compile_by(monkeypatch, lambda module: compiled.append(module) or module.forward)
    said = ("say", "Hello.", "--voice", "robot", "--vocoder", "quick", "--steps", "1", "--compile")
    assert command(*said, "-o", "a.wav").code == 0
    assert command("replay", "a.wav").out.endswith("the same samples\n")
    assert command(*said, "-d", "several").code == 0
    assert len(compiled) == 3


@pytest.mark.slow  # compiling takes minutes
def test_what_is_compiled_is_the_same_function(robots):
    mels = []
    for compile_ in (False, True):
        speaker = voxgrad.load("robot", vocoder="quick", home=robots, compile=compile_)
        assert speaker.compiled is compile_
        mels.append([piece.mel for piece in speaker.stream(["Hello.", "Two dogs ran home."], SETTINGS)])
    for plain, compiled in zip(*mels, strict=True):
        assert np.abs(plain - compiled).max() < 1e-4
