"""Our log-mel against that of HiFi-GAN on clips of LJSpeech.

Where a band is nearly silent, the rounding of a float32 Fourier transform shows in the fourth decimal of
its logarithm, and Intel's library rounds otherwise on each family of processors. The golden figures agree
with its common path. So the strict comparison runs in a process of its own that is kept on that path; on
this machine's own path the figures may differ as far as any two machines do.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from voxgrad.audio.io import read_audio
from voxgrad.audio.mel import log_mel
from voxgrad.settings import MelSpec

sys.path.insert(0, str(Path(__file__).parent))
from golden import FOLDERS, read

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "lj" / "wavs"

pytestmark = [
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason="there are no recordings in ../shared/data/lj"),
    pytest.mark.parametrize("folder", FOLDERS, ids=["committed", "given"][: len(FOLDERS)]),
]


def differences(folder):
    """The largest and the mean absolute difference of each clip."""
    found = {}
    for clip, expected in read(folder / "mel_lj.safetensors").items():
        mel = log_mel(torch.from_numpy(read_audio(RECORDINGS / f"{clip}.wav").samples), MelSpec())
        assert mel.shape == expected.shape
        difference = (mel - expected).abs()
        found[clip] = (difference.max().item(), difference.mean().item())
    return found


@pytest.mark.slow
def test_in_the_arithmetic_of_the_golden_figures(folder):
    if not torch.backends.mkl.is_available():
        pytest.skip("this torch has no MKL, so the arithmetic of the golden figures is out of reach")
    environment = os.environ | {"MKL_CBWR": "COMPATIBLE", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.run(
        [sys.executable, __file__, folder], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(process.stdout)
    assert len(found) >= 1
    for largest, mean in found.values():
        assert largest <= 1e-4
        assert mean <= 1e-5


def test_in_the_arithmetic_of_this_machine(folder):
    for largest, mean in differences(folder).values():
        assert largest <= 1e-3
        assert mean <= 1e-5


if __name__ == "__main__":
    print(json.dumps(differences(Path(sys.argv[1]))))
