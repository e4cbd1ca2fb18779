"""Recordings of a person → a voice: `prepare` and `finetune` in one."""

from dataclasses import replace
from pathlib import Path

from voxgrad.events import Emit
from voxgrad.presets import load_prepare_preset
from voxgrad.settings import Preset, TextSpec
from voxgrad.steps.prepare import Options, own_base, prepare
from voxgrad.steps.train import finetune
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.training.run import NO_OPTIONS, RunOptions


def clone(
    store: Store,
    folder: Path,
    *,
    name: str,
    language: str,
    preset: Preset,
    options: Options,
    emit: Emit,
    run: RunOptions = NO_OPTIONS,
) -> tuple[Artifact, Artifact]:
    """Makes a dataset of a folder of recordings and a voice from the newest base, both called ``name``, or finds those
    that the same recordings and settings made before.

    Raises:
        VoxgradError: see `prepare` and `finetune`.
    """
    dataset = prepare(
        store,
        folder,
        name=name,
        preset=load_prepare_preset("prepare"),
        text=TextSpec(language=language),
        options=replace(options, base=own_base(store)),
        emit=emit,
    )
    base = store.find(None, "base")
    return dataset, finetune(store, dataset, base, name=name, speaker=None, preset=preset, emit=emit, options=run)
