"""The losses of the question "why Gaussian?": what each pulls mu to, what they weigh, and what is refused."""

import pytest
import torch
from pydantic import ValidationError

from tests.training.conftest import SPEC
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import LossWeights, StageSpec, TrainSpec
from voxgrad.training.dataset import Batch, generator_for
from voxgrad.training.losses import Losses, encoder_loss, full_losses
from voxgrad.training.optim import ProcessGroup

ENCODER = StageSpec(train=("encoder", "durations"), alignment="every_step", steps=1)
JOINT = StageSpec(train=("encoder", "durations", "decoder"), alignment="every_step", crop=16, steps=1)
DURATIONS = torch.full((2, 5), 6)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = GradTTS(SPEC)
    with torch.no_grad():
        for parameter in model.parameters():  # gates that begin at zero would hide a gradient
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return Batch(
        tokens=torch.randint(1, 140, (2, 5), generator=generator),
        token_lengths=torch.tensor([5, 5]),
        y=torch.randn(2, 80, 32, generator=generator),
        frame_lengths=torch.tensor([30, 30]),
        speakers=torch.zeros(2, dtype=torch.long),
    )


def gradient(model, batch, stage, loss, durations, weights=None):
    torch.manual_seed(0)  # of dropout
    model.zero_grad()
    losses, _ = full_losses(model, batch, stage, loss, durations, generator_for(0), ProcessGroup())
    losses.total(LossWeights() if weights is None else weights).backward()
    return losses, model.encoder.proj_m.weight.grad


@pytest.mark.parametrize(
    ("kind", "drawn_to"), [("gaussian", 7.0), ("l2", 7.0), ("l1", 1.0)], ids=["gaussian", "l2", "l1"]
)
def test_what_each_loss_draws_mu_to(kind, drawn_to):
    y = torch.tensor([[[1.0, 0.0, 1.0, 1.0, 32.0, 99.0]]])  # mean 7, median 1; the last frame is padding
    mask = torch.tensor([[[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]]])
    candidates = torch.arange(0.0, 40.0, 0.5)
    values = [float(encoder_loss(kind, torch.full_like(y, float(mu)), y, mask)) for mu in candidates]
    assert float(candidates[values.index(min(values))]) == drawn_to


def test_l2_is_the_gaussian_loss_with_twice_the_weight(model, batch):
    _, gaussian = gradient(model, batch, ENCODER, "gaussian", DURATIONS)
    expected = gaussian.clone()
    _, l2 = gradient(model, batch, ENCODER, "l2", DURATIONS, LossWeights(prior=0.5))
    assert torch.allclose(l2, expected, atol=1e-6)
    _, l1 = gradient(model, batch, ENCODER, "l1", DURATIONS)
    assert not torch.allclose(l1, expected, atol=1e-6)


def test_without_a_loss_of_its_own_the_encoder_learns_from_the_decoder(model, batch):
    losses, learnt = gradient(model, batch, JOINT, "none", DURATIONS)
    assert losses.prior is None
    assert learnt.abs().sum() > 0
    losses, learnt = gradient(model, batch, ENCODER, "none", DURATIONS)
    assert list(losses.named()) == ["duration"]
    assert learnt is None  # which is why such a stage is refused


def test_weights_weigh(model):
    one, two, three = (torch.tensor(value) for value in (1.0, 10.0, 100.0))
    weights = LossWeights(prior=2.0, duration=3.0, diffusion=0.5)
    assert float(Losses(one, two, three).total(weights)) == 2 + 30 + 50
    assert float(Losses(diffusion=three).total(weights)) == 50
    assert float(Losses(one, two, three).total(LossWeights())) == 111


def test_the_losses_tell_which_durations_they_were_computed_under(model, batch):
    _, given = full_losses(model, batch, ENCODER, "gaussian", DURATIONS, generator_for(0), ProcessGroup())
    assert torch.equal(given, DURATIONS)
    _, found = full_losses(model, batch, ENCODER, "gaussian", None, generator_for(0), ProcessGroup())
    assert found.sum(1).tolist() == [30, 30]


def test_only_durations_of_text_grids_name_a_folder():
    assert TrainSpec(stages=(ENCODER,)).grids is None
    assert str(TrainSpec(stages=(ENCODER,), durations="textgrid:a/b:c").grids) == "a/b:c"
    with pytest.raises(ValidationError):
        TrainSpec(stages=(ENCODER,), durations="a/b")
