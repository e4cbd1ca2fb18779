"""The vocoders that come with the package: whole, small, honest, and near to recordings."""

from pathlib import Path

import pytest
import torch

from voxgrad.audio.io import Waveform, read_audio
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import median_f0
from voxgrad.events import ignore
from voxgrad.settings import MelSpec
from voxgrad.store import Store
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import load_vocoder
from voxgrad.vocoder.source_filter import SourceFilterVocoder

MEL = MelSpec()
LJ = Path(__file__).parents[3] / "shared" / "data" / "lj"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store.open(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def artifact(store):
    return store.find("kathleen", "vocoder")


def test_the_feed_forward_one_speaks_by_default(store):
    found = choose_vocoder(store, None, MEL, ignore)
    assert found is not None
    assert found.embedded
    assert isinstance(load_vocoder(found, MEL, "nobody's"), SourceFilterVocoder)


def recordings():
    paths = sorted(LJ.rglob("*.wav"))[:3]
    if not paths:
        pytest.skip("no recordings in ../shared/data/lj")
    for path in paths:
        samples = torch.from_numpy(read_audio(path).samples)
        yield samples[: len(samples) // MEL.hop_length * MEL.hop_length]


@pytest.mark.parametrize(("name", "licence"), [("kathleen", "CC0-1.0"), ("english", "CC-BY-4.0")])
def test_they_are_small_and_say_where_they_come_from(store, name, licence):
    artifact = store.find(name, "vocoder")
    assert artifact.size <= 8_000_000
    assert artifact.manifest.licence == licence
    assert {"steps", "seconds", "clips", "judged"} <= artifact.manifest.metrics.keys()
    assert artifact.manifest.metrics["judged"]
    assert "Kathleen" in artifact.manifest.settings["data"]


def test_the_feed_forward_one_speaks_a_stranger_at_their_pitch(store):
    vocoder = load_vocoder(store.find("english", "vocoder"), MEL, "nobody's")
    for samples in recordings():
        mel = log_mel(samples, MEL)[None]
        made = vocoder(mel)
        assert float((log_mel(made, MEL) - mel).abs().mean()) < 0.25
        heard, meant = (median_f0(Waveform(one.numpy(), MEL.sample_rate)) for one in (made[0], samples))
        assert heard == pytest.approx(meant, rel=0.03)


@pytest.mark.slow
def test_it_comes_nearer_to_a_stranger_than_griffin_lim(artifact):
    ours, theirs = load_vocoder(artifact, MEL, "nobody's"), GriffinLim(GriffinLimSpec(n_iter=60), MEL)
    for samples in recordings():
        mel = log_mel(samples, MEL)[None]
        near, far = (float((log_mel(one(mel), MEL) - mel).abs().mean()) for one in (ours, theirs))
        assert near < 0.8 * far
