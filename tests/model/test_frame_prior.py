"""The frame-level mean, the pitch that it follows, and the score network around it."""

import math

import pytest
import torch

from voxgrad.acoustic_model import AcousticModel
from voxgrad.audio.mel import mel_filters
from voxgrad.device import computes_bfloat16, rounded_copy
from voxgrad.model.convnext import ConvNeXtBlock
from voxgrad.model.diffusion import Condition
from voxgrad.model.frame_prior import (
    PITCH_BINS,
    PITCH_CEILING,
    PITCH_FLOOR,
    Pitch,
    frame_positions,
    gather_tokens,
    harmonic_table,
)
from voxgrad.model.gradtts import QUESTION_END, GradTTS, frame_prosody
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, SynthesisSpec, TextSpec

SPEC = ModelSpec(
    n_spks=3,
    n_enc_channels=32,
    filter_channels=48,
    filter_channels_dp=24,
    n_enc_layers=1,
    condition_encoder=True,
    decoder="convnext",
    frame_channels=24,
    pitch_blocks=1,
    frame_blocks=2,
    score_channels=32,
    score_blocks=2,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = GradTTS(SPEC).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # gates that begin at zero would hide a path
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def test_every_frame_knows_where_in_its_token_it_lies():
    token, position = frame_positions(torch.tensor([[2, 0, 1]]), 4)
    assert token.tolist() == [[0, 0, 2, 2]]
    assert position[0, :3, 0].tolist() == [0.25, 0.75, 0.5]
    assert torch.allclose(position[..., 0] + position[..., 1], torch.ones(1, 4))
    assert position[0, 0, 2].item() == pytest.approx(math.log(2) / 3)


def test_tokens_are_repeated_for_their_frames():
    values = torch.arange(6.0).view(1, 2, 3)
    assert gather_tokens(values, torch.tensor([[0, 0, 2]])).tolist() == [[[0, 3], [0, 3], [2, 5]]]


def test_harmonics_stand_where_the_pitch_puts_them():
    mel = MelSpec()
    filters = mel_filters(mel, torch.device("cpu"), torch.float32)
    table = harmonic_table(mel, filters)
    f0 = torch.linspace(math.log(PITCH_FLOOR), math.log(PITCH_CEILING), PITCH_BINS).exp()
    row = table[int((f0 - 300).abs().argmin())]
    centre = (filters * torch.arange(filters.shape[1])).sum(1) / filters.sum(1) * mel.sample_rate / mel.n_fft
    near = [int((centre - f).abs().argmin()) for f in (300, 450, 600, 750, 900)]
    assert all(row[near[i]] > row[near[i + 1]] + 0.5 for i in (0, 2))
    assert all(row[near[i]] > row[near[i - 1]] + 0.5 for i in (2, 4))


def test_the_mean_follows_the_pitch_only_where_it_is_voiced(model):
    prior, rows = model.frame_prior, torch.tensor([0])
    inputs = torch.randn(1, 12, prior.mean_input.in_features - 82)
    mu_y = torch.zeros(1, 80, 12)
    means = {
        (f0, voiced): prior.mean(
            inputs, mu_y, Pitch(torch.full((1, 12), f0), torch.full((1, 12), voiced)), rows, None
        ).mu
        for f0 in (4.8, 5.3)
        for voiced in (0.0, 1.0)
    }
    assert torch.equal(means[4.8, 0.0], means[5.3, 0.0])
    assert not torch.allclose(means[4.8, 1.0], means[5.3, 1.0], atol=1e-3)


def test_a_network_that_knows_nothing_gives_the_score_of_a_gaussian():
    torch.manual_seed(0)
    score = GradTTS(SPEC).decoder.estimator  # its last layer begins at zero
    mu, r_t = torch.randn(2, 80, 8), torch.randn(2, 80, 8)
    t = torch.tensor([0.3, 0.8])
    integral = score.schedule.integral(t)[:, None, None]
    variance = torch.exp(-integral) * SPEC.sigma_data**2 - torch.expm1(-integral)
    condition = Condition(mu, speaker=torch.zeros(2, SPEC.spk_emb_dim), features=torch.zeros(2, 8, SPEC.frame_channels))
    found = score(mu + r_t, t, condition)
    assert torch.allclose(found, -r_t / variance, atol=1e-4)


def test_its_loss_is_one_of_a_gaussian_of_its_own_deviation():
    torch.manual_seed(0)
    model = GradTTS(SPEC)
    mu, shape = torch.randn(64, 80, 16), (64, 80, 16)
    condition = Condition(
        mu, speaker=torch.zeros(64, SPEC.spk_emb_dim), features=torch.zeros(64, 16, SPEC.frame_channels)
    )
    x_0 = mu + SPEC.sigma_data * torch.randn(shape)
    loss = model.decoder.loss(x_0, condition, torch.rand(64), torch.randn(shape))
    assert loss.item() == pytest.approx(1.0, abs=0.03)


def test_a_range_of_zero_is_monotone(model):
    tokens, lengths = torch.randint(1, 148, (1, 20)), torch.tensor([20])
    prior = model.encode(tokens, lengths, torch.tensor([1]))
    durations = torch.full((1, 20), 2)
    asked = [
        model.condition(prior, durations, 40, None, None, torch.tensor([1]), pitch_range).mu
        for pitch_range in (0.0, 1.0, 1.0)
    ]
    assert torch.equal(asked[1], asked[2])
    assert not torch.equal(asked[0], asked[1])


def test_a_rise_ends_where_questions_do_and_nothing_else_moves(model):
    tokens, lengths, rows = torch.randint(1, 148, (1, 20)), torch.tensor([20]), torch.tensor([1])
    prior, durations = model.encode(tokens, lengths, rows), torch.full((1, 20), 4)
    seen = []
    mean = model.frame_prior.mean

    def told(inputs, mu_y, pitch, *rest):
        seen.append(pitch.log_f0)
        return mean(inputs, mu_y, pitch, *rest)

    model.frame_prior.mean = told
    rise = torch.cat((torch.zeros(15), torch.ones(5)))
    for asked in (None, frame_prosody(torch.zeros(20), rise, durations, 80)):
        model.condition(prior, durations, 80, None, None, rows, prosody=asked)
    del model.frame_prior.mean
    center, deviation = model.frame_prior.pitch_statistics[1]
    assert torch.equal(seen[0][:, :56], seen[1][:, :56])
    assert torch.allclose(seen[1][:, 64:], center + QUESTION_END * deviation, atol=1e-5)


def test_the_depthwise_convolution_is_that_of_its_layer():
    block = ConvNeXtBlock(8)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    expected = block.depthwise(x.transpose(1, 2)).transpose(1, 2)
    assert torch.allclose(block._convolved(x), expected, atol=1e-6)


BFLOAT16 = pytest.mark.skipif(
    not computes_bfloat16(torch.device("cpu")), reason="the processor does not compute in bfloat16"
)


@BFLOAT16
def test_rounded_weights_are_those_of_autocast(model):
    rounded = rounded_copy(model)
    tokens, lengths, rows = torch.arange(1, 31)[None], torch.tensor([30]), torch.tensor([1])
    settings = SynthesisSpec(precision="bfloat16")
    mels = [
        one.synthesize(tokens, lengths, settings, torch.Generator().manual_seed(0), rows).mel
        for one in (model, rounded)
    ]
    # The fused activation rounds once less.
    assert (mels[0] - mels[1]).abs().max() < 0.05
    assert mels[0].std() > 0.05
    assert rounded.frame_prior.mean_input.weight.dtype == torch.bfloat16
    assert rounded.frame_prior.mean_norm.weight is model.frame_prior.mean_norm.weight


@BFLOAT16
def test_only_a_model_of_frames_speaks_by_rounded_weights(model):
    spec = AcousticSpec(model=SPEC, mel=MelSpec(), text=TextSpec(), speakers={"a": 0, "b": 1, "c": 2}, voice="a")
    acoustic = AcousticModel(model, spec)
    assert acoustic.speaking("float32") is model
    assert acoustic.speaking("bfloat16") is acoustic.speaking("bfloat16") is not model
    official = GradTTS(ModelSpec(n_enc_layers=1, dec_dim=16))
    assert AcousticModel(official, spec).speaking("bfloat16") is official
