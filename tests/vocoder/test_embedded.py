"""The vocoder that comes with the package: whole, small, honest, and the same sound streamed."""

import shutil
from pathlib import Path

import pytest
import torch

from voxgrad.audio.io import read_audio
from voxgrad.audio.mel import log_mel
from voxgrad.errors import IntegrityError
from voxgrad.events import ignore
from voxgrad.settings import MelSpec
from voxgrad.store import Store
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.griffin_lim import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.istft_vocoder import ISTFTVocoder
from voxgrad.vocoder.load import load_vocoder

MEL = MelSpec()
LJ = Path(__file__).parents[3] / "shared" / "data" / "lj"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    found = choose_vocoder(Store.open(tmp_path_factory.mktemp("home")), None, MEL, ignore)
    assert found is not None
    assert found.embedded
    return found


def recordings():
    paths = sorted(LJ.rglob("*.wav"))[:3]
    if not paths:
        pytest.skip("no recordings in ../shared/data/lj")
    for path in paths:
        samples = torch.from_numpy(read_audio(path).samples)
        yield samples[: len(samples) // MEL.hop_length * MEL.hop_length]


def test_it_is_small_and_says_where_it_comes_from(artifact):
    assert artifact.size <= 8_000_000
    assert artifact.manifest.licence == "CC0-1.0"
    assert {"steps", "seconds", "clips", "held_out", "judged"} <= artifact.manifest.metrics.keys()
    assert artifact.manifest.metrics["judged"]
    assert "Kathleen" in artifact.manifest.settings["data"]


def test_a_flipped_bit_is_refused(artifact, tmp_path):
    place = tmp_path / "embedded" / "vocoder" / "kathleen" / artifact.directory.name
    shutil.copytree(artifact.directory, place)
    weights = place / "weights.safetensors"
    weights.chmod(0o600)
    content = bytearray(weights.read_bytes())
    content[-1000] ^= 1
    weights.write_bytes(content)
    flipped = choose_vocoder(Store(tmp_path / "home", tmp_path / "embedded"), None, MEL, ignore)
    with pytest.raises(IntegrityError) as refused:
        load_vocoder(flipped, MEL, "nobody's")
    assert refused.value.exit_code == 3


def test_it_comes_nearer_to_a_stranger_than_griffin_lim(artifact):
    ours, theirs = load_vocoder(artifact, MEL, "nobody's"), GriffinLim(GriffinLimSpec(n_iter=60), MEL)
    for samples in recordings():
        mel = log_mel(samples, MEL)[None]
        near, far = (float((log_mel(one(mel), MEL) - mel).abs().mean()) for one in (ours, theirs))
        assert near < 0.8 * far


def test_streamed_it_is_the_same_sound(artifact):
    vocoder = load_vocoder(artifact, MEL, "nobody's")
    assert isinstance(vocoder, ISTFTVocoder)
    for samples in recordings():
        mel = log_mel(samples, MEL)[None]
        streamed = torch.cat(list(vocoder.stream(mel.split(40, -1))), -1)
        torch.testing.assert_close(streamed, vocoder(mel), rtol=0, atol=1e-4)
