"""One long recording and its text: the band search, and real speech given back."""

from pathlib import Path

import numpy as np
import pytest
import torch

from voxgrad.audio.clean import cutting_pauses, open_recording, pauses, pieces
from voxgrad.audio.io import Waveform, read_audio
from voxgrad.audio.mel import log_mel
from voxgrad.model import mas
from voxgrad.preparation.long_recordings import search_band
from voxgrad.settings import AudioSpec

DATA = Path(__file__).parents[3] / "shared" / "data"
LJ = DATA / "lj"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [7, 40, 200])
def test_a_band_of_all_tokens_gives_the_search_of_the_whole(seed: int, block: int):
    generator = torch.Generator().manual_seed(seed)
    value = torch.randn(100, 23, generator=generator)
    blocks = [(0, value[start : start + block].numpy()) for start in range(0, 100, block)]
    path = search_band(blocks, 23)
    durations = mas.search(value[None], torch.tensor([23]), torch.tensor([100]))[0]
    assert np.bincount(path, minlength=23).tolist() == durations.tolist()


def test_a_narrow_band_that_holds_the_path_finds_it():
    value = np.full((60, 30), -1.0, np.float32)
    for frame in range(60):
        value[frame, frame // 2] = 0.0
    lows = [0, 3, 8, 13, 18, 20]
    blocks = [(low, value[10 * index : 10 * index + 10, low : low + 10]) for index, low in enumerate(lows)]
    assert search_band(blocks, 30).tolist() == [frame // 2 for frame in range(60)]


def test_pauses_are_found_and_long_pieces_are_cut_at_them():
    generator = np.random.default_rng(0)
    loud, quiet = (generator.normal(0, level, 22050).astype(np.float32) for level in (0.1, 1e-4))
    sound = Waveform(np.concatenate([loud, quiet, loud, loud, quiet[:6600], loud]), 22050)
    found = pauses(sound)
    assert [round((start + stop) / 2, 1) for start, stop in found] == [1.5, 4.1]
    assert len(pieces(cutting_pauses(sound, AudioSpec()), sound.seconds)) == 2
    assert len(pieces(cutting_pauses(sound, AudioSpec(max_seconds=3.0)), sound.seconds)) == 3


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_a_pause_that_no_mark_tells_of_parts_no_more_words_than_it_does():
    """A pause of digital silence drew the words before the next comma into the first piece."""
    from voxgrad.acoustic_model import load_acoustic_model
    from voxgrad.preparation.long_recordings import match_script
    from voxgrad.store import Store
    from voxgrad.text.lexicon import NONE

    spec = AudioSpec(max_seconds=8)
    sound = open_recording(DATA / "libri" / "1926-143879-0000.flac", spec).waveform
    row = next(r for r in (DATA / "libri" / "metadata.csv").read_text(encoding="utf-8").split("\n") if "143879" in r)
    base = load_acoustic_model(Store.open().find("base/english"))
    mel = log_mel(torch.from_numpy(sound.samples), spec.mel)
    found = match_script(base, row.split("|")[1], mel, cutting_pauses(sound, spec), NONE)
    assert found[0] == "Chapter 31"


@pytest.mark.slow
@pytest.mark.skipif(not LJ.is_dir(), reason="../shared/data is not here")
def test_joined_clips_and_their_joined_text_are_given_back():
    from voxgrad.acoustic_model import load_acoustic_model
    from voxgrad.preparation.long_recordings import match_script
    from voxgrad.store import Store
    from voxgrad.text.lexicon import NONE
    from voxgrad.transcripts.find import find_transcripts

    entries = find_transcripts(LJ).entries[:8]
    gap = np.random.default_rng(0).normal(0, 1e-4, 16000).astype(np.float32)
    whole = np.concatenate([part for entry in entries for part in (read_audio(entry.recording).samples, gap)])
    sound, spec = Waveform(whole, 22050), AudioSpec()
    base = load_acoustic_model(Store.open().find("base/english"))
    mel = log_mel(torch.from_numpy(sound.samples), spec.mel)
    texts = [entry.text for entry in entries]
    found = match_script(base, " ".join(texts), mel, cutting_pauses(sound, spec), NONE)
    assert " ".join(filter(None, found)) == " ".join(texts)
    assert sum(text in found for text in texts) >= 0.9 * len(texts)
