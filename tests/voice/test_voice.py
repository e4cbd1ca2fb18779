"""The Python interface."""

import json
import subprocess
import sys
from itertools import islice, pairwise, repeat
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voxgrad
from voxgrad.audio.io import Waveform, to_pcm
from voxgrad.audio.praat import median_f0
from voxgrad.audio.writers import read_comment
from voxgrad.settings import DeliverySpec, ModelSpec, SynthesisSpec
from voxgrad.voice.cast import Cast
from voxgrad.voice.metadata import MARK, Recipe, Source, read_recipe
from voxgrad.voice.voice import SpeechJob, Voice

ROOT = Path(__file__).parents[2]
TEXT = "Rain fell all day. Two dogs ran home; the sun was warm.\n\nSnow covers the hill."


@pytest.fixture(scope="module")
def robot(robots) -> Voice:
    return voxgrad.load("robot", vocoder="quick", home=robots)


def test_a_voice_says_hello(robot):
    speech = robot.say("Hello there.", seed=1, steps=1)
    assert speech.samples.dtype == np.float32
    assert speech.rate == 22050
    assert speech.seconds == len(speech.samples) / 22050
    assert [word.word for word in speech.passages[0].words] == ["hello", "there"]
    untouched = robot.say("Hello there.", seed=1, steps=1, edge_silence=None)
    assert sum(untouched.durations[0]) * 256 == len(untouched.samples)
    assert speech.recipe.text == "Hello there."
    assert speech.recipe.seed == 1


def test_the_command_gives_the_same_samples(robot, furnished, command):
    assert command("say", TEXT, "--voice", "robot", "--vocoder", "quick", "--steps", "1", "-o", "a.wav").code == 0
    samples = robot.say(TEXT, steps=1).samples
    assert np.array_equal(soundfile.read("a.wav", dtype="int16")[0], to_pcm(samples))


def test_the_seed_decides_in_every_passage(robot):
    first, again, other = (robot.say(TEXT, seed=seed, steps=1).samples for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert len(first) == len(other)
    half = len(first) // 2
    assert not np.array_equal(first[:half], other[:half])
    assert not np.array_equal(first[half:], other[half:])


def test_the_same_sentence_twice_has_other_noise(robot):
    one, two = (piece.mel for piece in robot.stream(["Hello there.", "Hello there."], SynthesisSpec(steps=1)))
    assert one.shape == two.shape
    assert not np.array_equal(one, two)


def test_a_passage_is_said_as_it_would_be_alone(robot):
    """What comes after it changes nothing, so that a stream can begin before the end is known."""
    alone = robot.say("Rain fell all day.", steps=1).samples
    together = robot.say("Rain fell all day. Two dogs ran home.", steps=1).samples
    assert np.array_equal(together[: len(alone)], alone)


def test_silences_follow_the_punctuation(robot):
    told = DeliverySpec(sentence_silence=0.5)
    pieces = list(robot.stream([TEXT], SynthesisSpec(steps=1), told))
    gaps = [after.timing.start - before.timing.stop for before, after in pairwise(pieces)]
    assert gaps == pytest.approx([0.5, 1.0], abs=1e-3)
    samples = np.concatenate([piece.samples for piece in pieces])
    for before, after in pairwise(pieces):
        start, stop = (round(time * robot.rate) for time in (before.timing.stop, after.timing.start))
        assert not samples[start + 1 : stop - 1].any()


def test_joints_do_not_click(robot):
    pieces = list(robot.stream([TEXT], SynthesisSpec(steps=1), DeliverySpec(sentence_silence=0)))
    assert len(pieces[-1].samples) == round(0.075 * robot.rate)  # the silence at the end
    for piece in pieces[:-1]:
        loudest = np.abs(piece.samples).max()
        assert abs(piece.samples[0]) < 1e-3 * loudest
        assert abs(piece.samples[-1]) < 1e-3 * loudest


@pytest.mark.parametrize("silence", [0.0, 0.35])
def test_no_joint_of_real_speech_steps_as_far_as_the_speech_does(silence, english):
    texts = ["The road ran along the river;", "it turned away from the water. Nobody used it."]
    pieces = list(english.stream(texts, SynthesisSpec(steps=2), DeliverySpec(sentence_silence=silence)))
    pieces = [piece for piece in pieces if piece.durations]
    assert len(pieces) == 3
    furthest = max(np.abs(np.diff(piece.samples)).max() for piece in pieces)
    near = english.rate // 100
    for before, after in pairwise(pieces):
        joint = np.concatenate([before.samples[-near:], after.samples[: near + 1]])
        assert np.abs(np.diff(joint)).max() < 0.1 * furthest


def test_texts_are_spoken_as_they_come(robot):
    pieces = robot.stream(repeat("Hello there."), SynthesisSpec(steps=1))
    assert len(list(islice(pieces, 3))) == 3


def test_volume_is_a_factor_and_never_clips(robot):
    plain = robot.say("Hello there.", steps=1).samples
    half = robot.say("Hello there.", steps=1, volume=0.5).samples
    assert np.allclose(half, plain / 2, atol=1e-5)
    assert np.abs(robot.say("Hello there.", steps=1, volume=10).samples).max() <= 1


def test_pitch_is_raised_by_semitones(english):
    plain, raised = (english.say("No more of this.", steps=1, sampler="euler", pitch=pitch) for pitch in (0, 4))
    assert len(raised.samples) == len(plain.samples)
    before, after = (median_f0(Waveform(one.samples, one.rate)) for one in (plain, raised))
    assert before is not None
    assert after == pytest.approx(before * 2 ** (4 / 12), rel=0.06)


def test_a_very_short_piece_bears_a_shift(robot):
    assert len(robot.say("A.", steps=1, speed=5, pitch=-3).samples) > 0


def test_a_survey_counts_and_finds_what_is_unknown(robot):
    summary = SpeechJob("Hello there. Zzyzxq it is. Zzyzxq again.", Cast(robot)).summarize()
    assert summary.passages == 3
    assert summary.tokens > 50
    assert summary.unknown == ("zzyzxq",)
    assert SpeechJob("...", Cast(robot)).summarize().passages == 0


def test_what_is_saved_says_what_it_is(robot, tmp_path):
    speech = robot.say("Hello “there”, café.", steps=1)
    speech.save(tmp_path / "a.flac")
    assert read_recipe(read_comment(tmp_path / "a.flac"), "a") == speech.recipe
    assert speech.recipe.consent == robot.artifact.manifest.consent == "Robot agreed — on 1 May."
    assert speech.recipe.remark.isascii()
    speech.save(str(tmp_path / "b.wav"), metadata=False)
    assert read_comment(tmp_path / "b.wav") == MARK


def test_a_recipe_of_a_newer_version_can_be_read():
    source = Source(kind="voice", ref="a@v1", digest="0" * 64)
    recipe = Recipe(
        voxgrad="9", text="x", seed=0, voice=source, vocoder=None, synthesis={}, delivery={}, lexicon=None,
        threads=1, consent=None, licence=None,
    )  # fmt: skip
    content = json.loads(recipe.remark.removeprefix(MARK)) | {"novelty": 1}
    assert read_recipe(f"{MARK} {json.dumps(content)}", "x") == recipe


def test_importing_voxgrad_is_light():
    code = "import sys, voxgrad; voxgrad.load; print({'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(("decoder", "steps"), [("unet", (4, 6, 25)), ("convnext", (1, 2, 6))])
def test_a_quality_comes_to_the_steps_that_the_network_needs(decoder, steps):
    model = ModelSpec(decoder=decoder)
    settled = [SynthesisSpec(quality=quality).resolve_defaults(model) for quality in ("draft", "default", "best")]
    assert tuple(one.steps for one in settled) == steps
    assert SynthesisSpec(quality="draft", steps=9).resolve_defaults(model).steps == 9
