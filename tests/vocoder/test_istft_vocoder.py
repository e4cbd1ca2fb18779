"""The package's own vocoder."""

import pytest
import torch
from formant_synthesis import speak_phones

from voxgrad.audio.mel import log_mel
from voxgrad.settings import ISTFTSpec, MelSpec
from voxgrad.vocoder.istft import ISTFTVocoder
from voxgrad.vocoder.phase import istft, reconstruct_phase, zero_phase_spectrum

CPU = torch.device("cpu")
MEL = MelSpec()
SPEC = ISTFTSpec(channels=16, hidden=24, blocks=2, kernel=3, iterations=2, final_iterations=1)


@pytest.fixture
def vocoder():
    torch.manual_seed(0)
    built = ISTFTVocoder.build(SPEC, MEL)
    with torch.no_grad():
        built.network.head.weight.normal_(std=0.02)
    return built


@pytest.fixture
def mel():
    speech = [speak_phones(["HH", "AH0", "L", "OW1"] * 4, seed, 100.0 + 90.0 * seed) for seed in (0, 1)]
    samples = torch.stack([torch.from_numpy(one.samples)[: 90 * MEL.hop_length] for one in speech])
    # No room is digitally silent; there, rounding alone would choose the phases.
    room = 1e-3 * torch.randn(samples.shape, generator=torch.Generator().manual_seed(1))
    return log_mel(samples + room, MEL)


def test_untrained_it_is_the_search_alone(mel):
    untrained = ISTFTVocoder.build(SPEC.model_copy(update={"final_iterations": 0}), MEL)
    alone = istft(reconstruct_phase(zero_phase_spectrum(mel, MEL), mel, MEL, SPEC.iterations).spectrum, MEL)
    torch.testing.assert_close(untrained(mel), alone, rtol=0, atol=1e-6)


def test_a_batch_is_its_utterances(vocoder, mel):
    sound = vocoder(mel)
    assert sound.shape == (2, 90 * MEL.hop_length)
    torch.testing.assert_close(sound[:1], vocoder(mel[:1]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("sizes", [[90], [1] * 90, [40, 40, 10], [0, 50, 0, 40], [7] * 12 + [6]])
def test_streamed_it_is_the_same_sound(vocoder, mel, sizes):
    pieces = list(vocoder.stream(mel.split(sizes, -1)))
    torch.testing.assert_close(torch.cat(pieces, -1), vocoder(mel), rtol=0, atol=1e-4)


def test_a_stream_speaks_before_it_has_heard_everything_and_keeps_a_bounded_piece(vocoder):
    heard = 0

    def listening():
        nonlocal heard
        for _ in range(40):
            heard += 10
            yield torch.zeros(1, 80, 10) - 5

    spoken = 0
    for piece in vocoder.stream(listening()):
        spoken += piece.shape[1] // MEL.hop_length
        assert heard - spoken <= vocoder.context
    assert spoken == 400


def test_nothing_beyond_the_context_is_heard(vocoder):
    mel = torch.zeros(1, 80, 4 * vocoder.context) - 5
    other = mel.clone()
    other[..., : vocoder.context] += 3
    difference = (vocoder(mel) - vocoder(other)).abs().reshape(-1, MEL.hop_length).amax(1)
    assert difference[: vocoder.context].max() > 1e-3
    assert difference[2 * vocoder.context :].max() < 1e-4


def test_in_half_precision_it_is_nearly_the_same_sound(vocoder, mel):
    with torch.autocast("cpu", torch.bfloat16):
        half = vocoder(mel)
    assert half.dtype == torch.float32
    distances = [float((log_mel(sound, MEL) - mel).abs().mean()) for sound in (half, vocoder(mel))]
    assert distances[0] == pytest.approx(distances[1], rel=0.01)


def test_a_stream_of_nothing_says_nothing(vocoder):
    assert list(vocoder.stream([])) == []


def test_training_reaches_every_parameter_but_not_the_search(vocoder, mel):
    vocoder.network.train()
    istft(vocoder.corrected(mel), MEL).square().mean().backward()
    for name, parameter in vocoder.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
