"""Teaches a base languages beside English: more tokens and speakers, and what is published of the training.

The whole network learns; what is kept is the difference from the base, of `RANK` in every large matrix. So English, and
every voice that was made from the base, stay as they are.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.numpy import save_file
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError
from voxgrad.model.gradtts import GradTTS
from voxgrad.packing import DETAIL_GAINS, DIFFERENCE, EMBEDDING, WEIGHTS, Weights, difference
from voxgrad.settings import AcousticSpec
from voxgrad.store import Artifact
from voxgrad.text.ipa import IPA_IDS, IPA_VOCABULARY_SIZE, NEAREST
from voxgrad.text.languages import languages
from voxgrad.text.symbols import BLANK, ENGLISH, PHONE_IDS, VOCABULARY_SIZE
from voxgrad.training.dataset import Clip, Corpus, Dataset, joined
from voxgrad.training.losses import duration_scale
from voxgrad.training.task import write_voice
from voxgrad.weights import SOUND, InLanguage, acoustic_spec_of, weights_of

RANK: Final = 88
_MOST: Final = 4
"""Times that a clip occurs at most."""


def joined_languages(datasets: list[Dataset]) -> Dataset:
    """Datasets of languages as one, `balanced`.

    Raises:
        BadInputError: one is in English, or see `joined`.
    """
    for dataset in datasets:
        if dataset.text.language == ENGLISH:
            message = f"{dataset.artifact.ref} is in English, which the base speaks"
            raise BadInputError(message, "Prepare recordings of another language with `prepare --language`.")
    whole = joined(datasets)
    return replace(whole, corpus=balanced(whole.corpus))


def _code(clip: Clip) -> str:
    """The language of a clip of a joined corpus."""
    return clip.id.partition("-")[0]


def balanced(corpus: Corpus) -> Corpus:
    """A joined corpus whose small parts occur several times, so that each is heard about as often as the largest."""
    seconds = {name: sum(clip.seconds for clip in part.clips) for name, part in corpus.parts.items()}
    times = {name: min(max(1, round(max(seconds.values()) / of_part)), _MOST) for name, of_part in seconds.items()}
    return corpus.with_clips(clip for clip in corpus.clips for _ in range(times[clip.id.partition("/")[0]]))


def extended(acoustic: AcousticModel, corpus: Corpus) -> AcousticModel:
    """The model with the tokens of all languages and a row for every speaker that it does not know.

    New tokens begin as the nearest phones of English, new speakers as the mean of all.
    """
    spec, known = acoustic.spec, acoustic.model.state_dict()
    new = [speaker for speaker in corpus.speakers if speaker not in spec.speakers]
    rows = spec.model.n_spks
    speakers = {**spec.speakers, **{speaker: rows + index for index, speaker in enumerate(new)}}
    sizes = {"n_vocab": IPA_VOCABULARY_SIZE, "n_spks": rows + len(new)}
    model = GradTTS(spec.model.model_copy(update=sizes))
    weights = dict(known)
    weights["encoder.emb.weight"] = _embedded(known["encoder.emb.weight"])
    for name in (EMBEDDING, "frame_prior.pitch_statistics", DETAIL_GAINS):
        if name in known:
            mean = known[name].mean(0, keepdim=True)
            weights[name] = torch.cat([known[name], mean.expand(len(new), -1)])
    model.load_state_dict(weights)
    content = {**spec.model_dump(), "model": model.spec.model_dump(), "speakers": speakers}
    return AcousticModel(model, AcousticSpec.model_validate(content))


def _embedded(english: Tensor) -> Tensor:
    """The rows of all tokens, from those of English, (VOCABULARY_SIZE, channels); or as they are, if all are there."""
    if len(english) == IPA_VOCABULARY_SIZE:
        return english
    rows = english[BLANK].repeat(IPA_VOCABULARY_SIZE, 1)
    rows[:VOCABULARY_SIZE] = english[:VOCABULARY_SIZE]
    for phone, token in IPA_IDS.items():
        rows[token] = english[PHONE_IDS[NEAREST[phone]]]
    return rows


def write_language(
    acoustic: AcousticModel, directory: Path, *, base: Artifact, corpus: Corpus
) -> tuple[AcousticSpec, dict[str, Any]]:
    """Writes the difference that learning the languages of a corpus made to the weights of a base.

    Languages differ in how much too short durations are predicted, so that each has a scale.
    """
    device, scales = next(acoustic.model.parameters()).device, {}
    for code in sorted({_code(clip) for clip in corpus.clips}):
        spoken = corpus.with_clips(clip for clip in corpus.clips if _code(clip) == code)
        scales[code] = round(duration_scale(acoustic.model, spoken, acoustic.spec.speakers, device), 4)
    acoustic.write(directory)
    tensors = difference(Weights(directory / WEIGHTS), weights_of(base), RANK)
    save_file(tensors, directory / DIFFERENCE)
    (directory / WEIGHTS).unlink()
    return acoustic.spec, {"duration_scales": scales}


def write_without_language(
    acoustic: AcousticModel, directory: Path, *, base: Artifact, language: InLanguage
) -> tuple[AcousticSpec, dict[str, Any]]:
    """Writes the weights of a voice that learnt from another language than English, less those of the language.

    So it speaks every language of its base, as a voice that learnt from English does; what makes the sound stays.
    """
    english, taught = weights_of(base), weights_of(base, language)
    spec = acoustic_spec_of(base)
    state = {}
    for name, value in acoustic.model.state_dict().items():
        plain = torch.from_numpy(english.floats(name))
        rows = len(plain) if plain.ndim else None
        removed = rows is not None and not name.startswith(SOUND)
        added = torch.from_numpy(taught.floats(name))[:rows] - plain if removed else torch.zeros(())
        state[name] = value[:rows].cpu() - added if rows else value.cpu()
    model = GradTTS(spec.model)
    model.load_state_dict(state)
    speakers = {name: row for name, row in acoustic.spec.speakers.items() if row < spec.model.n_spks}
    content = {**acoustic.spec.model_dump(), "model": spec.model.model_dump(), "speakers": speakers}
    return write_voice(AcousticModel(model, AcousticSpec.model_validate(content)), directory)


def settings_of(datasets: list[Dataset]) -> dict[str, Any]:
    """What a manifest says of the languages of datasets: their codes, and who speaks most of each."""
    seconds: dict[str, Counter[str]] = {}
    for dataset in datasets:
        for clip in dataset.corpus.clips:
            seconds.setdefault(dataset.text.language, Counter())[clip.speaker] += round(clip.seconds * 1000)
    spoken = [code for code in languages() if code in seconds]
    return {"languages": spoken, "voices": {code: seconds[code].most_common(1)[0][0] for code in spoken}}
