import shutil
from pathlib import Path

import pytest

from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError
from voxgrad.store import Artifact, DamagedArtifact, Store, fingerprint, plain_name
from voxgrad.store.artifact import ArtifactLocation
from voxgrad.store.maintenance import collect, in_trash


def reloaded(artifact: Artifact) -> Artifact:
    slot = ArtifactLocation(artifact.kind, artifact.name, artifact.version, artifact.directory, artifact.embedded)
    return Artifact.load(slot)


def test_a_file_that_has_changed_is_missing_or_was_never_there_is_refused_by_name(publish, overwrite):
    voice = publish()
    for content in (b"weightz", b"weights and more"):
        overwrite(voice.directory / "model.bin", content)
        assert reloaded(voice).has_all_files() == (len(content) == 7)
        with pytest.raises(IntegrityError, match=r"model\.bin of voice alice@v1 has changed") as caught:
            reloaded(voice).path("model.bin")
        assert caught.value.exit_code == 3
    assert reloaded(voice).path("pictures/loss.png").exists()
    (voice.directory / "model.bin").unlink()
    with pytest.raises(IntegrityError, match=r"model\.bin of voice alice@v1 is missing"):
        reloaded(voice).path("model.bin")
    with pytest.raises(IntegrityError, match=r"no file '\.\./v1/manifest\.json'"):
        voice.path("../v1/manifest.json")


def test_a_file_is_verified_only_once(publish, overwrite):
    voice = publish()
    assert voice.path("model.bin").read_bytes() == b"weights"
    overwrite(voice.directory / "model.bin", b"changed")
    assert voice.path("model.bin").read_bytes() == b"changed"


def test_an_artifact_under_another_name_is_refused(publish, store: Store):
    voice = publish()
    shutil.copytree(voice.directory, voice.directory.parent.parent / "bob" / "v1")
    with pytest.raises(IntegrityError, match="of voice bob@v1 contains voice alice@v1"):
        store.find("bob")
    with pytest.raises(IntegrityError, match="names no base"):
        voice.parent("base")


def test_listing_is_sorted_and_shows_the_damaged(publish, store: Store, overwrite):
    for name, kind in (("bob", "voice"), ("alice", "voice"), ("lj", "dataset"), ("alice", "voice"), ("lj", "base")):
        publish(name, kind=kind)
    broken = store.home / "artifacts" / "voice" / "alice" / "v1"
    overwrite(broken / "manifest.json", b"{}")
    (store.home / "artifacts" / "voice" / "alice" / "v7").mkdir()
    (store.home / "artifacts" / "voice" / ".DS_Store").touch()
    (store.home / "artifacts" / "voice" / "Not A Name" / "v1").mkdir(parents=True)
    seen = [(one.kind, one.ref, isinstance(one, DamagedArtifact)) for one in store.scan()]
    assert seen == [
        ("base", "lj@v1", False),
        ("dataset", "lj@v1", False),
        ("voice", "alice@v1", True),
        ("voice", "alice@v2", False),
        ("voice", "alice@v7", True),
        ("voice", "bob@v1", False),
    ]
    assert [one.ref for one in store.list("voice")] == ["alice@v2", "bob@v1"]
    assert [one.error.exit_code for one in store.scan() if isinstance(one, DamagedArtifact)] == [3, 3]
    with pytest.raises(IntegrityError):
        store.find("alice@v1")
    # Falling back to an older version would answer with something that nobody asked for.
    with pytest.raises(IntegrityError):
        store.find("alice")


def test_every_form_of_reference(publish, store: Store):
    first, second, other = publish(), publish(content=b"better"), publish("lj", kind="dataset")
    for ref in ("alice@v1", "voice/alice@v1", f"@sha256:{first.digest}", f"@sha256:{first.digest[:12]}"):
        assert store.find(ref) == first
    for ref in ("alice", "alice@latest", "alice@v2", "voice/alice", "voice/alice@latest"):
        assert store.find(ref) == store.find(ref, "voice") == second
    assert store.find(None) == other
    assert store.find(None, "voice") == second


@pytest.mark.parametrize(
    ("ref", "kind", "message"),
    [
        ("alise", "voice", "no voice 'alise'.*Did you mean alice.*voxgrad ls voice"),
        ("Alice", None, "no artifact 'Alice'.*Did you mean alice"),
        ("zzz", None, "no artifact 'zzz'.*List all"),
        ("alice@v9", None, "no v9 of voice alice.*Choose one of v1"),
        ("alice@v0", None, "not a reference"),
        ("alice@best", None, "not a reference"),
        ("", None, "not a reference"),
        ("a/b/c", None, "not a reference"),
        ("..", None, r"no artifact '\.\.'"),
        ("voices/alice", None, "not a kind of artifact.*Did you mean voice"),
        ("dataset/alice", "voice", "is not a voice"),
        ("alice", "dataset", "no dataset 'alice'"),
        ("alice", "dragon", "not a kind"),
        (None, "vocoder", "no vocoder yet.*voxgrad vocoder train"),
        ("x", "vocoder", "no vocoder 'x', nor any other.*voxgrad import"),
        ("both", None, "Several artifacts.*dataset/both or voice/both"),
        ("@sha256:0123456789", None, "No artifact has a digest"),
        ("@sha256:01", None, "not a reference"),
    ],
)
def test_a_reference_that_answers_nothing_says_how_to_mend_it(publish, store: Store, ref, kind, message):
    publish()
    publish("both")
    publish("both", kind="dataset")
    with pytest.raises(BadInputError, match=message) as caught:
        store.find(ref, kind)
    assert caught.value.exit_code == 2


def test_an_empty_store_says_how_to_begin(store: Store):
    with pytest.raises(BadInputError, match="voxgrad prepare"):
        store.find("alice")
    assert (store.scan(), collect(store).size, in_trash(store)) == ((), 0, [])
    assert not store.home.exists()


def test_several_digests_with_one_beginning(publish, store: Store, monkeypatch):
    publish()
    copy = Store(store.home.parent / "other", embedded=store.home / "artifacts")
    shutil.copytree(store.home / "artifacts", copy.home / "artifacts")
    digest = store.find("alice").digest
    # The same artifact in two places is one artifact.
    assert copy.find(f"@sha256:{digest}").digest == digest
    monkeypatch.setattr(Store, "list", lambda *_: [first, second])
    first, second = publish(), publish(content=b"2")
    object.__setattr__(second, "digest", first.digest[:20] + "0" * 44)
    with pytest.raises(BadInputError, match="Give more"):
        store.find(f"@sha256:{first.digest[:20]}")


def test_what_came_with_the_package_is_found_after_the_users_own(publish, store: Store, tmp_path: Path):
    embedded = publish("lj", kind="base")
    mine = Store(tmp_path / "mine", embedded=store.home / "artifacts")
    assert mine.find("lj").embedded
    assert mine.find(None, "base").digest == embedded.digest
    own = publish("aaa", kind="base", where=mine)
    newer = publish("zzz", kind="base")
    assert newer.manifest.created >= own.manifest.created
    assert mine.find(None, "base") == own
    assert [(one.ref, one.embedded) for one in mine.list("base")] == [
        ("aaa@v1", False),
        ("lj@v1", True),
        ("zzz@v1", True),
    ]
    same_name = publish("lj", kind="base", where=mine)
    assert mine.find("lj") == same_name
    assert mine.find("lj@v1").digest == embedded.digest
    # A newer package may bring a higher number than the user's own.
    publish("lj", kind="base")
    publish("lj", kind="base")
    assert mine.find("lj") == same_name


def test_work_that_was_done_is_found_again(publish, store: Store):
    publish()
    again, _other = publish(), publish(content=b"other")
    work = again.manifest.fingerprint
    assert store.matching("voice", work) == again
    assert store.matching("dataset", work) is None
    assert store.matching("voice", fingerprint("test", 1, {}, {}, {})) is None
    (again.directory / "model.bin").unlink()
    found = store.matching("voice", work)
    assert found is not None
    assert found.version == 1


def test_opening_takes_the_argument_then_the_environment_then_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXGRAD_HOME", str(tmp_path / "environment"))
    assert Store.open(tmp_path / "argument").home == tmp_path / "argument"
    assert Store.open().home == tmp_path / "environment"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Store.open(Path("~/voices")).home == tmp_path / "voices"
    assert any(base.embedded for base in Store.open().list("base"))  # what comes with the package
    for unset in ("", None):
        monkeypatch.delenv("VOXGRAD_HOME") if unset is None else monkeypatch.setenv("VOXGRAD_HOME", unset)
        assert Store.open().home.name == "voxgrad"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"schema_version": "2.0"}', "Upgrade voxgrad"), (b"{", "damaged"), (b"[]", "damaged"), (b"", "damaged")],
)
def test_a_store_of_the_future_or_in_ruins_is_refused(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(IntegrityError, match=message):
        Store.open(tmp_path)
    with pytest.raises(BadInputError, match="not a directory"):
        Store.open(tmp_path / "store.json")


def test_a_manifest_that_may_not_be_read_is_the_machines_fault(publish, store: Store, monkeypatch):
    publish()

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(EnvironmentFailureError, match="no permission"):
        store.find("alice")


def test_a_name_is_proposed_for_any_text_and_a_run_has_a_directory_inside_the_store(store: Store):
    assert (plain_name("../../x"), plain_name("A" * 80)) == ("x", "a" * 64)
    assert store.run_directory("alice-1") == store.home / "runs" / "alice-1"
    with pytest.raises(BadInputError, match="run id"):
        store.run_directory("../alice")
