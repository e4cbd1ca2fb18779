"""Sentences without audio: their file, and what durations and pitch learn from them."""

from dataclasses import replace

import pytest
import torch

from tests.training.test_frame_losses import CPU, ROWS, SPEC, replace_stage, with_pitch
from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import MelSpec, StageSpec, TrainSpec
from voxgrad.training.dataset import collate
from voxgrad.training.losses import prosody_losses
from voxgrad.training.optim import ProcessGroup
from voxgrad.training.prosody import Prosody, Sentence, prosody_digest, write_prosody
from voxgrad.training.task import GradTTSTask

JOINT = StageSpec(train=("encoder", "durations", "decoder"), steps=40, batch_size=8, crop=16, learning_rate=5e-3)


def sentences(count=16, speaker="ann"):
    """Tokens that last as long as their numbers say, with a pitch that falls."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for _ in range(count):
        tokens = torch.randint(1, 8, (6,), generator=generator)
        log_f0 = torch.linspace(5.2, 4.6, int(tokens.sum()))
        made.append(Sentence(speaker, tokens.tolist(), tokens, log_f0 * (torch.arange(len(log_f0)) % 4 > 0)))
    return made


@pytest.fixture
def path(tmp_path):
    write_prosody(tmp_path / "prosody.safetensors", sentences(), MelSpec())
    return tmp_path / "prosody.safetensors"


def test_a_file_gives_back_its_sentences(path):
    prosody = Prosody.read(path, MelSpec(), ROWS)
    for clip, sentence in zip(prosody.clips, sentences(), strict=True):
        assert clip.tokens == tuple(sentence.tokens)
        assert clip.speaker == "ann"
        assert prosody.durations[clip.id].equal(sentence.durations)
        torch.testing.assert_close(prosody.pitch[clip.id], sentence.log_f0, atol=2e-3, rtol=0)
        assert prosody.mel(clip).shape == (MelSpec().n_mels, int(sentence.durations.sum()))


def test_what_is_no_file_of_prosody_is_refused(path, tmp_path):
    with pytest.raises(BadInputError, match="speakers that neither base nor datasets have: ann"):
        Prosody.read(path, MelSpec(), {"bob": 0})
    with pytest.raises(BadInputError, match="is of mel"):
        Prosody.read(path, MelSpec(hop_length=200), ROWS)
    wrong = [replace(sentence, durations=sentence.durations + 1) for sentence in sentences()]
    write_prosody(tmp_path / "wrong", wrong, MelSpec())
    with pytest.raises(BadInputError, match="are not those of its frames"):
        Prosody.read(tmp_path / "wrong", MelSpec(), ROWS)
    path.write_bytes(path.read_bytes()[:100])
    for broken in (path, tmp_path / "absent", tmp_path):
        with pytest.raises(BadInputError, match="cannot be read"):
            Prosody.read(broken, MelSpec(), ROWS)
    with pytest.raises(BadInputError, match="cannot be read"):
        prosody_digest(tmp_path / "absent")


def test_durations_and_pitch_are_learnt_without_audio(corpus, path, tmp_path):
    prosody = Prosody.read(path, MelSpec(), ROWS)
    found = {}
    for name in (None, prosody):
        torch.manual_seed(0)
        model = GradTTS(SPEC)
        settings = TrainSpec(stages=(JOINT,), validate_every=40, checkpoint_every=40, ema_decay=0.5)
        folder = tmp_path / ("without" if name is None else "with")
        measured = with_pitch(corpus)
        GradTTSTask(model, measured, measured, ROWS, settings, folder, CPU, ignore, prosody=name).train()
        found[name is not None] = losses_of(model.eval(), prosody)
    assert found[True].keys() == {"duration", "pitch"}
    assert all(found[True][name] < 0.7 * found[False][name] for name in ("duration", "pitch"))


@torch.no_grad()
def losses_of(model, prosody, stage=JOINT):
    batch = collate(prosody, prosody.clips, ROWS)
    losses = prosody_losses(model, batch, stage, prosody.stacked(prosody.clips), ProcessGroup())
    return {name: float(value) for name, value in losses.named().items()}


def test_a_stage_learns_only_its_parts_of_them(path):
    model, prosody = GradTTS(SPEC).eval(), Prosody.read(path, MelSpec(), ROWS)
    for stage, expected in (
        (replace_stage(JOINT, train=("encoder", "durations")), {"duration"}),
        (replace_stage(JOINT, pitch=False), {"duration"}),
        (replace_stage(JOINT, train=("encoder", "decoder")), {"pitch"}),
    ):
        assert losses_of(model, prosody, stage).keys() == expected
