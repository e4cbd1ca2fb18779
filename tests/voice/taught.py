"""A home with a base that was taught languages; for tests of voices and of the server."""

from pathlib import Path

import torch

from tests.voice.conftest import CONSENT, MODEL
from voxgrad.acoustic_model import AcousticModel
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, MelSpec, TextSpec
from voxgrad.store import Store
from voxgrad.text.ipa import language_blank
from voxgrad.training.dataset import Corpus
from voxgrad.training.languages import extended, write_language
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import save


def taught_store(home: Path) -> Store:
    """A base choir, a voice ann of it, and the languages es and de that it was taught, with the speaker sol."""
    store = Store(home)
    model = MODEL.model_copy(update={"n_spks": 2})
    torch.manual_seed(0)
    spec = AcousticSpec(
        model=model, mel=MelSpec(), text=TextSpec(), speakers={"ann": 0, "bob": 1}, voice="ann", duration_scale=3.0
    )
    acoustic = AcousticModel(GradTTS(model), spec)
    settings = {"acoustic": spec.model_dump()}
    with store.stage("base", "choir") as staged:
        acoustic.write(staged.directory)
        base = staged.publish(fingerprint="0" * 64, settings=settings, consent=CONSENT)
    with store.stage("voice", "ann") as staged:
        acoustic.write(staged.directory)
        staged.publish(fingerprint="1" * 64, settings=settings, parents={"base": base}, consent=CONSENT)
    corpus = Corpus((), home, ("sol",))
    taught = extended(acoustic, corpus)
    with torch.no_grad():
        taught.model.encoder.emb.weight[language_blank(0)] += 1
    with store.stage("language", "some") as staged:
        learnt, _ = write_language(taught, staged.directory, base=base, corpus=corpus)
        staged.publish(
            fingerprint="2" * 64,
            settings={"acoustic": learnt.model_dump(), "languages": ["es", "de"], "voices": {"es": "sol", "de": "bob"}},
            parents={"base": base},
            consent=CONSENT,
        )
    with store.stage("vocoder", "quick") as staged:
        save(GriffinLim(GriffinLimSpec(n_iter=1), MelSpec()), staged.directory)
        staged.publish(fingerprint="3" * 64, settings={})
    return store
