"""Which vocoder speaks, and what is refused before it does."""

import json

import pytest

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Said
from voxgrad.settings import MelSpec
from voxgrad.store import Store, fingerprint
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import load_vocoder, save

OTHER = MelSpec(sample_rate=24000, f_max=12000)


@pytest.fixture
def store(tmp_path):
    """A store whose package comes with one vocoder."""
    publish(Store(tmp_path / "maker"), "kathleen", MelSpec())
    return Store(tmp_path / "home", tmp_path / "maker" / "artifacts")


def publish(store, name, mel):
    with store.stage("vocoder", name) as staged:
        save(GriffinLim(GriffinLimSpec(n_iter=2), mel), staged.directory)
        return staged.publish(fingerprint=fingerprint("test", 1, {"name": name}, {}, {}), settings={})


def chosen(store, ref, mel, notices=()):
    said = []
    found = choose_vocoder(store, ref, mel, said.append)
    assert said == list(notices)
    return None if found is None else found.ref


def test_the_one_of_the_package_is_the_default(store):
    assert chosen(store, None, MelSpec()) == "kathleen@v1"
    assert choose_vocoder(store, None, MelSpec(), print).embedded


def test_what_the_user_made_comes_before_it(store):
    publish(store, "mine", MelSpec())
    assert chosen(store, None, MelSpec()) == "mine@v1"
    publish(store, "mine", MelSpec())
    assert chosen(store, None, MelSpec()) == "mine@v2"


def test_only_what_fits_is_a_default(store):
    publish(store, "mine", OTHER)
    assert chosen(store, None, MelSpec()) == "kathleen@v1"
    assert chosen(store, None, OTHER) == "mine@v1"


def test_where_nothing_fits_griffin_lim_speaks_and_that_is_told(store):
    notice = Said("no vocoder fits these mel settings: using Griffin-Lim, which sounds buzzy")
    assert chosen(store, None, OTHER, [notice]) is None
    assert chosen(Store(store.home), None, MelSpec(), [notice]) is None
    assert load_vocoder(None, OTHER, "voice alice@v1").mel == OTHER


def test_what_is_named_is_taken(store):
    publish(store, "mine", OTHER)
    assert chosen(store, "kathleen", MelSpec()) == "kathleen@v1"
    assert chosen(store, "vocoder/mine@v1", MelSpec()) == "mine@v1"
    assert chosen(store, "griffinlim", MelSpec()) is None
    with pytest.raises(BadInputError, match="nobody"):
        chosen(store, "nobody", MelSpec())


def test_another_mel_is_refused_and_both_sides_are_named(store):
    mine = publish(store, "mine", OTHER)
    with pytest.raises(BadInputError) as caught:
        load_vocoder(mine, MelSpec(), "voice alice@v1")
    assert caught.value.message == (
        "the vocoder mine@v1 expects another mel than that of voice alice@v1: "
        "sample_rate 24000 against 22050, f_max 12000 against 8000"
    )


def test_a_flipped_bit_is_refused(store):
    artifact = store.find("kathleen", "vocoder")
    path = artifact.directory / "vocoder.json"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    for use in (mel_of, lambda one: load_vocoder(one, MelSpec(), "voice alice@v1")):
        with pytest.raises(IntegrityError, match="has changed since it was published"):
            use(artifact)
    with pytest.raises(IntegrityError, match="has changed since it was published"):
        choose_vocoder(store, None, MelSpec(), print)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", json.dumps({"mel": {"hop": 3}}), json.dumps({"mel": 3}), '{"mel": {"n_fft": 8}}']
)
def test_what_says_nothing_of_its_mel_is_refused(store, content):
    with store.stage("vocoder", "dumb") as staged:
        (staged.directory / "vocoder.json").write_text(content)
        dumb = staged.publish(fingerprint=fingerprint("test", 1, {}, {}, {}), settings={})
    with pytest.raises(IntegrityError, match="vocoder dumb@v1"):
        mel_of(dumb)
