"""Compilation itself takes minutes, so that only the long form of the tests does it."""

import os

import numpy as np
import pytest
from torch import nn

import voxgrad
from voxgrad.settings import SynthesisSpec

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
        UserWarning, match=r"spoken without \(RuntimeError: No working C\+\+ compiler found\)$"
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


@pytest.mark.skipif("VOXGRAD_LONG" not in os.environ, reason="compiling takes minutes: make test-long")
def test_what_is_compiled_is_the_same_function(robots):
    mels = []
    for compile_ in (False, True):
        speaker = voxgrad.load("robot", vocoder="quick", home=robots, compile=compile_)
        assert speaker.compiled is compile_
        mels.append([piece.mel for piece in speaker.stream(["Hello.", "Two dogs ran home."], SETTINGS)])
    for plain, compiled in zip(*mels, strict=True):
        assert np.abs(plain - compiled).max() < 1e-4
