"""Weights in half precision: half as large, the same otherwise, made once, refused where they would not fit."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.steps.weights import halve_weights
from voxgrad.voice.load import load_voice

WEIGHTS = "weights.safetensors"


def test_a_voice_is_half_as_large_and_all_else_stays(furnished):
    voice = furnished.find("robot", "voice")
    half = halve_weights(furnished, voice, ignore)
    assert half.ref == f"robot@v{voice.version + 1}"
    sizes = [one.path(WEIGHTS).stat().st_size for one in (half, voice)]
    assert sizes[0] < 0.6 * sizes[1]
    assert all(one.dtype != torch.float32 for one in load_file(half.path(WEIGHTS)).values())
    before, after = voice.manifest, half.manifest
    assert after.settings == {**before.settings, "half_precision": True}
    assert (after.consent, after.licence, after.metrics) == (before.consent, before.licence, before.metrics)
    assert after.parents == {**before.parents, "source": voice.as_parent()}
    others = {one.path: one.sha256 for one in before.files if one.path != WEIGHTS}
    assert {one.path: one.sha256 for one in after.files if one.path != WEIGHTS} == others


def test_it_speaks_almost_the_same(furnished):
    voice = furnished.find("robot", "voice")
    half = halve_weights(furnished, voice, ignore)
    mels = []
    for ref in (voice.ref, half.ref):
        speaking = load_voice(furnished, f"voice/{ref}", "griffinlim", engine="torch")
        mels.append(next(speaking.stream(["Hello there."])).mel)
    assert mels[0].shape == mels[1].shape
    assert 0 < float(np.abs(mels[0] - mels[1]).mean()) < 0.05


def test_the_same_work_is_done_once_and_what_is_half_stays(furnished):
    voice = furnished.find("robot", "voice")
    half = halve_weights(furnished, voice, ignore)
    assert halve_weights(furnished, voice, ignore).digest == half.digest
    said = []
    assert halve_weights(furnished, half, said.append).digest == half.digest
    assert "already in half precision" in said[0].text


def test_what_has_no_weights_is_refused(furnished):
    with pytest.raises(BadInputError, match="has no weights"):
        halve_weights(furnished, furnished.find("robot", "dataset"), ignore)


def test_what_half_precision_cannot_hold_is_refused_and_nothing_left(furnished, tmp_path):
    voice = furnished.find("robot", "voice")
    weights = load_file(voice.path(WEIGHTS))
    name = next(name for name, one in weights.items() if one.dtype == torch.float32)
    with furnished.stage("voice", "loud") as staged:
        save_file({**weights, name: torch.full_like(weights[name], 1e6)}, staged.directory / WEIGHTS)
        loud = staged.publish(fingerprint="0" * 64, settings=voice.manifest.settings)
    with pytest.raises(BadInputError, match="too large for half precision"):
        halve_weights(furnished, loud, ignore)
    assert [one.ref for one in furnished.list("voice") if one.name == "loud"] == ["loud@v1"]


def test_export_halves_and_packs(furnished, command, tmp_path):
    done = command("export", "voice/robot", "--half", "-o", tmp_path / "robot.voxgrad", "-q")
    assert done.code == 0, done.err
    assert furnished.find("robot", "voice").manifest.settings["half_precision"] is True
    assert (tmp_path / "robot.voxgrad").stat().st_size > 1000
    refused = command("export", "voice/robot", "--half", "--format", "safetensors")
    assert refused.code == 2
    assert "--half works only for archives" in refused.err
