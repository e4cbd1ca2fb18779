"""Vocoders in directories, which of them speaks, and what is refused before it does."""

import json

import pytest
import torch
from pydantic import ValidationError

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Said
from voxgrad.settings import ISTFTSpec, MelSpec, SourceFilterSpec
from voxgrad.store import Store, fingerprint
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.vocoder.hifigan import HiFiGAN, HiFiGANSpec
from voxgrad.vocoder.istft import ISTFTVocoder
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import load, load_vocoder, save
from voxgrad.vocoder.source_filter import SourceFilterVocoder

SPEC = HiFiGANSpec(
    upsample_initial_channel=16, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), resblock="2"
)


@pytest.fixture
def hifigan():
    torch.manual_seed(0)
    return HiFiGAN.build(SPEC, MelSpec())


ISTFT = ISTFTSpec(channels=16, hidden=16, blocks=1, iterations=1, final_iterations=1)
SOURCE_FILTER = SourceFilterSpec(channels=16, blocks=1, pitch_channels=16, pitch_blocks=1)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [(HiFiGAN, SPEC), (ISTFTVocoder, ISTFT), (SourceFilterVocoder, SOURCE_FILTER), (GriffinLim, GriffinLimSpec())],
)
def test_each_kind_comes_back_as_it_was(tmp_path, kind, spec):
    torch.manual_seed(0)
    vocoder = kind.build(spec, MelSpec())
    save(vocoder, tmp_path)
    assert (tmp_path / "weights.safetensors").exists() == (vocoder.network is not None)
    loaded = load(tmp_path)
    assert isinstance(loaded, kind)
    assert (loaded.name, loaded.spec, loaded.mel) == (kind.name, spec, MelSpec())
    mel = torch.randn(1, 80, 12) - 4
    torch.testing.assert_close(loaded(mel), vocoder(mel), rtol=0, atol=0)


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ValidationError, match="odd"):
        ISTFTSpec(kernel=4)
    for kind, spec in ((ISTFTVocoder, ISTFT), (SourceFilterVocoder, SOURCE_FILTER)):
        with pytest.raises(BadInputError, match="does not divide"):
            kind.build(spec, MelSpec(hop_length=300))


def test_half_precision_halves_the_file_and_nearly_keeps_the_sound(tmp_path, hifigan):
    sizes = []
    for name, dtype in (("whole", None), ("half", torch.float16)):
        directory = tmp_path / name
        directory.mkdir()
        save(hifigan, directory, dtype)
        sizes.append((directory / "weights.safetensors").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]
    mel = torch.randn(1, 80, 5)
    torch.testing.assert_close(load(tmp_path / "half")(mel), hifigan(mel), atol=1e-3, rtol=0)


def test_a_directory_without_a_vocoder_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="contains no vocoder"):
        load(tmp_path)
    with pytest.raises(BadInputError, match="contains no vocoder"):
        load(tmp_path / "missing")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"type": "wavenet", "spec": {}, "mel": {}}', '{"type": "griffinlim", "spec": {}}']
)
def test_a_description_that_cannot_be_read_is_refused(tmp_path, content):
    (tmp_path / "vocoder.json").write_text(content)
    with pytest.raises(IntegrityError, match="a vocoder that this version does not know"):
        load(tmp_path)


def test_an_unknown_setting_is_named(tmp_path, hifigan):
    save(hifigan, tmp_path)
    record = json.loads((tmp_path / "vocoder.json").read_text())
    record["spec"]["activation"] = "snake"
    (tmp_path / "vocoder.json").write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match="activation"):
        load(tmp_path)


def test_missing_damaged_and_foreign_weights_are_refused(tmp_path, hifigan):
    save(hifigan, tmp_path)
    weights = tmp_path / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(IntegrityError):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(IntegrityError):
        load(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    save(HiFiGAN.build(HiFiGANSpec(upsample_initial_channel=32), MelSpec()), other)
    (other / "weights.safetensors").replace(weights)
    with pytest.raises(BadInputError, match="resblocks"):
        load(tmp_path)


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
        "the vocoder mine@v1 does not fit the mel of voice alice@v1: "
        "sample_rate 24000 instead of 22050, f_max 12000 instead of 8000"
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
