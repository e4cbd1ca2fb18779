"""Makes the golden store of a release: one artifact of every kind by the real commands, and an archive of one.

Usage: make_golden.py FOLDER. It is made once for each schema, committed under ``golden/`` and never changed: what it
holds must open forever. Its digests are written down in test_golden.py.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch

from voxgrad.audio.formant_synthesis import speak_phones
from voxgrad.audio.io import write_audio
from voxgrad.cli.main import main
from voxgrad.settings import MelSpec, TextSpec
from voxgrad.store import Store
from voxgrad.text.tokens import encode
from voxgrad.vocoder.hifigan import Generator, HiFiGANSpec

TEXTS = {
    "r0": "The sun is warm.",
    "r1": "Bring me the cup.",
    "r2": "He closed the door.",
    "r3": "Snow is cold.",
}
MODEL = {
    "n_enc_channels": 16,
    "filter_channels": 16,
    "filter_channels_dp": 16,
    "n_enc_layers": 1,
    "dec_dim": 8,
}
FEW_STEPS = (
    *("--preset", "tiny", "--set", "precision=float32"),
    *("--set", "stages.0.steps=4", "--set", "stages.0.batch_size=2", "--set", "stages.0.warmup=0"),
    *("--set", "stages.1.steps=2", "--set", "stages.1.batch_size=2", "--set", "stages.1.crop=32"),
)
SMALL = tuple(word for key, value in MODEL.items() for word in ("--set", f"model.{key}={value}"))
GENERATOR = HiFiGANSpec(
    upsample_initial_channel=16, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),)
)


def record(folder: Path) -> None:
    for seed, (name, text) in enumerate(TEXTS.items()):
        phones = encode(text, TextSpec(add_blank=False)).phones
        (folder / "wavs").mkdir(parents=True, exist_ok=True)
        write_audio(folder / "wavs" / f"{name}.wav", speak_phones(phones, seed, 120.0))
    lines = (f"{name}|{text}\n" for name, text in TEXTS.items())
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")


def generator(folder: Path) -> None:
    torch.manual_seed(0)
    mel = MelSpec()
    torch.save({"generator": Generator(GENERATOR, mel.n_mels).state_dict()}, folder / "g_1")
    config = {
        **json.loads(GENERATOR.model_dump_json()),
        "sampling_rate": mel.sample_rate,
        "n_fft": mel.n_fft,
        "win_size": mel.win_length,
        "hop_size": mel.hop_length,
        "num_mels": mel.n_mels,
        "fmin": mel.f_min,
        "fmax": mel.f_max,
    }
    (folder / "config.json").write_text(json.dumps(config))


def make(folder: Path) -> None:
    home = folder / "home"
    with tempfile.TemporaryDirectory() as place:
        recordings = Path(place) / "robot"
        record(recordings)
        generator(Path(place))
        vocoder = ["import", f"{place}/g_1", "--kind", "vocoder", "--config", f"{place}/config.json"]
        for command in (
            ["prepare", str(recordings), "--base", "none", "--no-consent-needed", "a program speaks"],
            ["pretrain", "--data", "robot", "--name", "robots", *FEW_STEPS, *SMALL],
            ["finetune", "--data", "robot", "--base", "robots", *FEW_STEPS],
            [*vocoder, "--name", "hifi", "--licence", "CC0-1.0"],
            ["say", "Hello.", "-o", f"{place}/o.wav", "--voice", "voice/robot", "--vocoder", "hifi"],
            ["export", "speech/robot", "-o", str(folder / "speech.voxgrad")],
        ):
            assert main([*command, "--home", str(home), "-q"]) == 0, command
    for file in ("store.lock", "tmp", "runs"):
        shutil.rmtree(home / file) if (home / file).is_dir() else (home / file).unlink(missing_ok=True)
    for artifact in Store(home).list():
        print(f'    "{artifact}": "{artifact.digest}",')


if __name__ == "__main__":
    make(Path(sys.argv[1]))
