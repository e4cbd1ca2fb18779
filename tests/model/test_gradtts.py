"""The network as its users meet it: padding, batches, speakers, durations, learning."""

import pytest
import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.model.diffusion import Condition, ReverseDiffusion, length_mask, official_extent
from voxgrad.model.gradtts import GradTTS, Prior, predicted_durations
from voxgrad.samplers import euler, time_grid
from voxgrad.settings import ModelSpec, SynthesisSpec
from voxgrad.store import Store

TINY = {"n_enc_channels": 32, "filter_channels": 48, "filter_channels_dp": 24, "n_enc_layers": 2, "dec_dim": 16}


def perturbed(spec: ModelSpec) -> GradTTS:
    """A model whose zero-initialised gates are open, so that every path counts."""
    torch.manual_seed(0)
    model = GradTTS(spec).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def model():
    return perturbed(ModelSpec(**TINY))


def test_without_an_extent_padding_does_matter(model):
    """What the extent is for: the official network's statistics look at padding."""
    lengths = torch.tensor([48, 20])
    mu, start = torch.randn(2, 80, 48), torch.randn(2, 80, 48)
    mask = length_mask(lengths, 48)
    with torch.inference_mode():
        held, official = (
            euler(ReverseDiffusion(model.decoder, Condition(mu * mask, mask, extent)), start, time_grid(2))
            for extent in (official_extent(lengths, 48), None)
        )
    assert (held[0] - official[0]).abs().max() < 1e-4
    assert (held[1] - official[1]).abs().max() > 1e-3


def test_no_mask_means_everything_is_real(model):
    mu, x = torch.randn(2, 80, 16), torch.randn(2, 80, 16)
    t = torch.tensor([0.2, 0.8])
    with torch.inference_mode():
        plain = model.decoder.estimator(x, mu, t)
        masked = model.decoder.estimator(x, mu, t, torch.ones(2, 1, 16), torch.ones(2, 1, 16))
    assert (plain - masked).abs().max() < 1e-5


def synthesize(model, seed=0, speakers=None, **changes):
    tokens = torch.arange(1, 22)[None]
    settings = SynthesisSpec(**{"steps": 3, **changes})
    generator = torch.Generator().manual_seed(seed)
    return model.synthesize(tokens, torch.tensor([21]), settings, generator, speakers)


def test_synthesis_depends_on_seed_temperature_and_speed(model):
    first = synthesize(model)
    assert torch.equal(first.mel, synthesize(model).mel)
    assert not torch.equal(first.mel, synthesize(model, seed=1).mel)
    assert torch.equal(synthesize(model, temperature=0.0).mel, synthesize(model, seed=1, temperature=0.0).mel)
    slow, fast = synthesize(model, speed=0.5), synthesize(model, speed=1.0)
    assert slow.lengths.item() > 1.3 * fast.lengths.item()
    assert first.mel.shape[2] == first.lengths.item() == first.durations.sum()


@pytest.mark.parametrize(("sampler", "speakers"), [("unipc", 1), ("ml", 1), ("euler", 3), ("sde", 3)])
def test_a_batch_gives_every_utterance_what_it_gets_alone(sampler, speakers, tmp_path):
    # Samplers that predict the mel multiply a score out of nothing by 1/a_1 = 150: only trained ones bear that.
    trained = sampler in {"unipc", "ml"}
    model = (
        load_acoustic_model(Store.open(tmp_path).find("base/english")).model
        if trained
        else perturbed(ModelSpec(**TINY, n_spks=speakers))
    )
    if trained:
        model.frame_prior.detail_gains[:] = torch.linspace(0.8, 2.0, 80)
    settings = SynthesisSpec(sampler=sampler, steps=3, precision="float32")
    tokens = torch.randint(1, 148, (3, 30), generator=torch.Generator().manual_seed(0))
    lengths, rows = torch.tensor([30, 17, 9]), torch.tensor([0, 1, 2]) % speakers

    def generators(*seeds):
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    together = model.synthesize(tokens, lengths, settings, generators(5, 6, 7), rows, 1.2)
    for row, length in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        alone = model.synthesize(tokens[one, :length], lengths[one], settings, generators(5 + row), rows[one], 1.2)
        frames = int(alone.lengths)
        assert together.lengths[row] == frames
        assert torch.equal(together.durations[row, :length], alone.durations[0])
        error = (together.mel[row, :, :frames] - alone.mel[0]).abs().max()
        assert error < 1e-4 * alone.mel.abs().max()
        assert together.mel[row, :, frames:].abs().sum() == 0


def test_half_precision_says_nearly_the_same(model):
    full, half = (synthesize(model, precision=name, sampler="euler").mel for name in ("float32", "bfloat16"))
    assert full.dtype == half.dtype == torch.float32
    assert 0 < (full - half).abs().mean() < 0.02 * full.abs().mean()


def test_the_start_can_leave_mu(model):
    around_mu, around_zero = (synthesize(model, temperature=0.0, start=start) for start in ("mu", "zero"))
    assert torch.equal(around_mu.mu_y, around_zero.mu_y)
    assert not torch.equal(around_mu.mel, around_zero.mel)


def test_speakers_change_the_voice_and_must_be_named():
    model = perturbed(ModelSpec(**TINY, n_spks=4))
    one, two = (synthesize(model, speakers=torch.tensor([row])) for row in (0, 1))
    assert not torch.equal(one.mel, two.mel)
    assert torch.equal(one.mu_y, two.mu_y)  # the official text encoder never hears of the speaker
    with pytest.raises(ValueError, match="speaker ids"):
        synthesize(model)


def test_a_conditioned_encoder_hears_of_the_speaker():
    model = perturbed(ModelSpec(**TINY, n_spks=4, condition_encoder=True))
    tokens, lengths = torch.arange(1, 22)[None], torch.tensor([21])
    with torch.inference_mode():
        one, two = (model.encode(tokens, lengths, torch.tensor([row])) for row in (0, 1))
    assert not torch.equal(one.mu_x, two.mu_x)


def test_rounded_durations_keep_the_length_and_official_ones_lengthen():
    logw = torch.log(torch.tensor([[1.3, 2.4, 1.2, 5.6, 1.5, 1.0]]))
    prior = Prior(torch.zeros(1, 80, 6), logw, torch.ones(1, 1, 6), torch.zeros(1, 8, 6))
    assert predicted_durations(prior, 1.0, "rounded").sum() == 13
    assert predicted_durations(prior, 1.0, "official").tolist() == [[2, 3, 2, 6, 2, 1]]
    masked = Prior(prior.mu_x, prior.logw, length_mask(torch.tensor([4]), 6), prior.hidden)
    assert predicted_durations(masked, 1.0, "rounded")[0, 4:].sum() == 0
    assert predicted_durations(masked, 1.0, "official")[0, 4:].sum() == 0


def test_the_diffusion_ends_at_the_prior_and_begins_at_the_mel(model):
    decoder = model.decoder
    y, mu, noise = (torch.randn(1, 80, 12) for _ in range(3))
    near, far = (decoder.diffuse(y, mu, torch.tensor([t]), noise) for t in (0.0, 1.0))
    assert torch.equal(near, y)
    assert (far - (mu + noise)).abs().max() < 0.1
