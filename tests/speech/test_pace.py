import pytest

from voxgrad.cli.say_input import chosen_steps
from voxgrad.errors import BadInputError
from voxgrad.events import Said
from voxgrad.settings import BEST_STEPS, DRAFT_STEPS, SynthesisSpec
from voxgrad.speech.performance import MOST_STEPS, fit_steps_to_rtf
from voxgrad.speech.synthesizer import Synthesizer
from voxgrad.text.lexicon import NONE


def test_a_generous_limit_allows_many_steps_and_a_tight_one_a_draft(furnished):
    speaker, told = Synthesizer.load(furnished.find("robot", "voice"), None, NONE), []
    settings = SynthesisSpec(speed=0.5)
    many = fit_steps_to_rtf(speaker, settings, 1e6, told.append)
    assert many == settings.model_copy(update={"steps": MOST_STEPS})
    assert told[0].level == "info"
    few = fit_steps_to_rtf(speaker, settings, 1e-6, told.append)
    assert few.steps == DRAFT_STEPS
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
    assert chosen_steps(None, **{**nothing, "best": True}) == {"steps": BEST_STEPS}
    with pytest.raises(BadInputError, match="--steps and --draft exclude"):
        chosen_steps(3, **{**nothing, "draft": True})
    with pytest.raises(BadInputError, match="no number above 0"):
        chosen_steps(None, **{**nothing, "max_rtf": float("nan")})
