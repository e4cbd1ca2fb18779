"""Recording a voice over the page's routes: consent, takes with their checks, files, the clone, its card."""

import io
import json
import time
import zipfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxgrad.audio.io import read_audio
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Ended, Event, Said
from voxgrad.preparation.phones import frequencies, phones_of
from voxgrad.preparation.recording_session import RecordingSession, default_prompts
from voxgrad.preparation.take_checks import check_take
from voxgrad.presets import load_prepare_preset
from voxgrad.server.clone import CloneJob, CloneRequest
from voxgrad.store.maintenance import restore

LJ = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "lj"
CONSENT = {"speaker": "Ann Lee", "statement": "Bob may clone my voice.", "agreed": True}


def wav(samples: np.ndarray, rate: int = 48000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "PCM_16", format="WAV")
    return file.getvalue()


@pytest.fixture
def session(served):
    """A function that begins a session, and a client that goes on with it."""
    client = served.client()
    begun = []

    def begin(**fields):
        body = {"name": "ann", **CONSENT, **fields}
        answer = client.post("/api/recordings", json=body)
        if answer.status_code == 201:
            begun.append(answer.json()["id"])
        return answer

    begin.client = client
    yield begin
    for one in begun:
        client.delete(f"/api/recordings/{one}")
    client.close()


@pytest.mark.parametrize(
    ("language", "least"), [("en", 10), ("es", 6), ("fr", 3), ("it", 2), ("pt", 5), ("de", 4), ("nl", 3), ("pl", 6)]
)
def test_the_prompts_have_all_phones_and_the_rare_ones_early(language, least):
    prompts, phones = default_prompts(language), set(frequencies(language))
    assert len(prompts) == len(set(prompts)) == 50
    assert all(6 <= len(text.split()) <= 14 for text in prompts)
    counts = Counter(phone for text in prompts for phone in phones_of(text, language))
    assert min(counts[phone] for phone in phones) >= least, counts
    assert {phone for text in prompts[:5] for phone in phones_of(text, language)} >= phones


def test_a_session_keeps_its_language_and_earlier_ones_are_english(tmp_path):
    begun = {"name": "a", "speaker": "A", "statement": "Yes."}
    session = RecordingSession.create(tmp_path / "s", language="pt-BR", prompts=["Que saudade!"], **begun)
    session.take(1).write_bytes(wav(np.zeros(480)))
    opened = RecordingSession.open(tmp_path / "s")
    assert opened.record.language == "pt"
    assert {phone for phone, count in opened.coverage().items() if count} == set(phones_of("Que saudade!", "pt"))
    content = json.loads((tmp_path / "s" / "session.json").read_text())
    del content["language"]
    (tmp_path / "s" / "session.json").write_text(json.dumps(content))
    assert RecordingSession.open(tmp_path / "s").record.language == "en"
    for wrong, word in (({"language": "xx"}, "language"), ({"language": "de", "prompts": ["…"]}, "words")):
        with pytest.raises(BadInputError, match=word):
            RecordingSession.create(tmp_path / "other", **begun, **wrong)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"agreed": False}, "agreed"),
        ({"agreed": None}, "agreed"),
        ({"speaker": " "}, "speaker"),
        ({"statement": ""}, "empty"),
        ({"name": "../up"}, "name"),
        ({"name": ""}, "name"),
        ({"prompts": []}, "prompts"),
        ({"prompts": ["…"]}, "words"),
        ({"prompts": ["x" * 1001]}, "prompts"),
        ({"kind": "video"}, "kind"),
        ({"language": "es"}, "Spanish"),
        ({"language": "xx"}, "language"),
    ],
)
def test_nobody_is_recorded_without_consent_or_with_a_bad_name(session, served, fields, word):
    before = list(served.home.glob("recordings/*/session.json"))
    answer = session(**fields)
    assert answer.status_code == 400
    assert word in answer.json()["error"]["message"]
    assert list(served.home.glob("recordings/*/session.json")) == before


def test_takes_are_kept_as_they_come_and_listed_for_prepare(session, served, recordings):
    texts = ["The sun is warm.", "A bird sang at dawn.", "Rain | fell all day."]
    begun = session(prompts=texts).json()
    path = f"/api/recordings/{begun['id']}"
    robot = (recordings / "wavs" / "r00.wav").read_bytes()
    answer = session.client.put(f"{path}/takes/1?keep=1", content=robot)
    assert answer.status_code == 201, answer.text
    shown = session.client.get(path).json()
    assert [one["seconds"] is None for one in shown["texts"]] == [False, True, True]
    assert shown["coverage"]["S"] == 1
    assert shown["coverage"]["ZH"] == 0
    folder = served.home / "recordings" / begun["id"]
    assert (folder / "metadata.csv").read_text() == "001|The sun is warm.\n"
    assert session.client.get(f"{path}/takes/1").content == robot
    assert session.client.get(f"{path}/takes/2").status_code == 404
    assert not list(folder.glob("*.incoming*"))
    assert session.client.delete(f"{path}/takes/1").json()["takes"] == 0
    assert (folder / "metadata.csv").read_text() == ""


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 415, "unsupported_media_type"),
        (b"RIFF", 415, "unsupported_media_type"),
        (b"OggS" + bytes(100), 415, "unsupported_media_type"),
        (b"RIFF\x00\x00\x00\x00WAVE", 200, "unreadable"),
        (b"RIFF\xff\xff\xff\x7fWAVEfmt " + bytes(5000), 200, "unreadable"),
        (wav(np.zeros(48000)), 200, "silent"),
        (wav(np.zeros(0)), 200, "unreadable"),
        (wav(np.sin(np.arange(96000) / 10) * 0.3), 200, "cut_start"),
        (bytes(33 << 20), 413, "too_large"),
    ],
    ids=range(9),
)
def test_a_take_that_is_none(session, content, status, code):
    begun = session(prompts=["The sun is warm."]).json()
    answer = session.client.put(f"/api/recordings/{begun['id']}/takes/1", content=content)
    assert answer.status_code == status
    told = answer.json()
    codes = [one["code"] for one in told["report"]["problems"]] if status == 200 else [told["error"]["code"]]
    assert code in codes
    assert session.client.get(f"/api/recordings/{begun['id']}").json()["takes"] == 0


@pytest.mark.parametrize("number", ["0", "2", "99999999999999999999", "-1", "x", "1.5"])
def test_there_is_no_such_prompt(session, number):
    begun = session(prompts=["The sun is warm."]).json()
    for method in ("PUT", "GET", "DELETE"):
        answer = session.client.request(method, f"/api/recordings/{begun['id']}/takes/{number}", content=b"x")
        assert answer.status_code in {400, 404}


@pytest.mark.skipif(not LJ.is_dir(), reason="needs ../shared/data/lj")
def test_every_fault_of_a_take_is_named(tmp_path):
    preset = load_prepare_preset("prepare")
    lines = [line.split("|") for line in (LJ / "metadata.csv").read_text().splitlines()]
    text, wrong = lines[7][1], lines[3][1]
    others = [line[1] for line in lines if line[1] not in {text, wrong}]
    sound = read_audio(LJ / "wavs" / f"{lines[7][0]}.wav").samples
    rate, noise = 22050, np.random.default_rng(1).normal(size=len(sound) + 2 * 22050).astype(np.float32)
    padded = np.pad(sound, rate) + 1e-4 * noise

    def codes(samples: np.ndarray, said: str = text) -> list[str]:
        path = tmp_path / "take.wav"
        path.write_bytes(wav(samples, rate))
        return [one.code for one in check_take(path, said, others, preset).problems]

    assert codes(padded) == []
    assert "clipped" in codes(np.clip(8 * padded, -0.9, 0.9))
    assert "quiet" in codes(padded * 0.004)
    assert "noisy" in codes(padded + 0.03 * noise)
    middle = np.flatnonzero(np.abs(padded) > 0.1)
    assert "cut_start" in codes(padded[middle[0] + rate // 4 :])
    assert "cut_end" in codes(padded[: middle[-1] - rate // 4])
    assert codes(padded, " ".join([text] * 4)) == ["short"]
    assert codes(padded, "The end.") == ["long"]
    assert codes(padded, wrong) in (["text"], ["short"], ["long"])
    words = text.split()
    assert codes(padded, " ".join([*words[:3], "marvellous", *words[3:]])) == ["left_out"]
    assert codes(np.concatenate([padded[: len(padded) // 2], padded[len(padded) // 3 :]])) == ["repeated"]


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def test_files_and_zips_are_taken_by_their_names_alone(session, served, recordings):
    begun = session(kind="files").json()
    path = f"/api/recordings/{begun['id']}/files"
    sound = (recordings / "wavs" / "r00.wav").read_bytes()
    for name in ("a.wav", "../../b.wav", "C:\\Users\\c.wav", "metadata.csv"):
        assert session.client.put(path, params={"name": name}, content=sound).status_code == 201
    archive = packed({"set/wavs/d.wav": sound, "set/.hidden": b"x", "set/run.sh": b"x", "__MACOSX/e.wav": b"x"})
    answer = session.client.put(path, params={"name": "all.zip"}, content=archive)
    assert answer.json()["files"] == ["a.wav", "b.wav", "c.wav", "d.wav", "metadata.csv"]
    folder = served.home / "recordings" / begun["id"]
    assert {one.name for one in folder.iterdir()} == {"session.json", "metadata.csv", "wavs"}
    assert not (served.home / "b.wav").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("", b"x"),
        ("a.exe", b"x"),
        (".wav", b"x"),
        ("a\x00.wav", b"x"),
        ("session.json", b"x"),
        ("é.wav", b"x"),
        ("x" * 200 + ".wav", b"x"),
        ("all.zip", b"no zip"),
        ("all.zip", packed({"a": b"x"})),
        ("all.zip", packed({"a/x.wav": b"1", "b/x.wav": b"2"})),
        ("all.zip", packed({"a.wav": b"1" * 1000})[:-40]),
    ],
    ids=range(11),
)
def test_a_file_that_is_none(session, served, name, content):
    begun = session(kind="files").json()
    answer = session.client.put(f"/api/recordings/{begun['id']}/files", params={"name": name}, content=content)
    assert answer.status_code == 400
    folder = served.home / "recordings" / begun["id"]
    assert {one.name for one in folder.rglob("*")} == {"session.json", "wavs"}


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path):
    from voxgrad.server import uploads
    from voxgrad.server.settings import Limits

    session = RecordingSession.create(tmp_path / "s", name="a", speaker="A", statement="Yes.", prompts=(), kind="files")
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in range(4):
            opened.writestr(f"{number}.wav", bytes(1 << 20))
    for limits in (Limits(upload_bytes=3 << 20), Limits(upload_files=3)):
        with pytest.raises(BadInputError, match="zip"):
            uploads._unpack(session.directory, archive, limits)
    assert uploads.listed(session.directory) == []
    uploads._unpack(session.directory, archive, Limits())
    assert len(uploads.listed(session.directory)) == 4


def recorded(session, recordings: Path, name: str) -> str:
    """The path of a session whose prompts are all recorded."""
    lines = (recordings / "metadata.csv").read_text().splitlines()
    begun = session(prompts=[line.split("|")[1] for line in lines], name=name).json()
    path, client = f"/api/recordings/{begun['id']}", session.client
    assert "nothing is recorded" in client.post(f"{path}/clone", json={}).json()["error"]["message"]
    assert client.get(f"{path}/clone").status_code == 404
    for number, line in enumerate(lines, 1):
        sound = (recordings / "wavs" / f"{line.split('|')[0]}.wav").read_bytes()
        assert client.put(f"{path}/takes/{number}?keep=1", content=sound).status_code == 201
    return path


@pytest.mark.slow
def test_a_voice_is_made_compared_renamed_deleted_and_brought_back(session, served, recordings):
    path, client = recorded(session, recordings, "ann"), session.client
    assert client.post(f"{path}/clone", json={"preset": "base/../x"}).status_code == 400
    assert client.post(f"{path}/clone", json={"preset": "tiny"}).status_code == 202
    assert client.post(f"{path}/clone", json={"preset": "tiny"}).status_code == 409
    assert client.delete(path).status_code == 409
    assert served.say("Hello there.").status_code == 200  # meanwhile
    job = finished(client, path)
    assert job["state"] == "done", job
    assert job["curve"]
    voices = {one["id"]: one for one in client.get("/v1/audio/voices").json()["voices"]}
    assert voices["ann"]["consent"] == "Ann Lee: Bob may clone my voice."
    assert "ann@v1" in client.get("/api/voices/ann/card").json()["page"]
    assert client.get("/api/voices/ann/card").json()["verdicts"]
    assert served.say("Hello there.", voice="ann").status_code == 200
    archive = client.get("/api/voices/ann/export")
    assert "ann-v1.voxgrad" in archive.headers["content-disposition"]
    assert zipfile.ZipFile(io.BytesIO(archive.content)).testzip() is None
    assert client.post("/api/voices/ann/rename", json={"name": "robot"}).status_code == 400
    assert client.post("/api/voices/ann/rename", json={"name": "../x"}).status_code == 400
    assert client.post("/api/voices/ann/rename", json={"name": "anna"}).json()["ref"] == "anna@v1"
    assert served.say("Hello there.", voice="ann").status_code == 404
    assert client.get("/api/voices/anna/card").status_code == 404
    assert client.post("/api/voices/anna/card", json={}).status_code == 201
    assert "anna@v1" in client.get("/api/voices/anna/card").text
    assert "voice" not in client.delete("/api/voices/anna").json()["removed"]
    assert client.delete("/api/voices/anna").status_code == 404
    assert client.delete("/api/voices/english").status_code == 404
    refs = [one["ref"] for one in client.get("/api/trash").json()["voices"]]
    assert refs == ["anna@v1", "ann@v1"]
    assert client.post("/api/trash/restore", json={"ref": "anna@v1"}).status_code == 200
    assert client.post("/api/trash/restore", json={"ref": "anna@v1"}).status_code == 400
    assert "anna@v1" in client.get("/api/voices/anna/card").text
    assert served.say("Hello there.", voice="anna").status_code == 200
    assert [one for one in served.home.iterdir() if one.name.startswith("tmp") and one.name != "tmp"] == []


def test_a_renamed_voice_is_the_same_and_can_be_taken_back(furnished):
    from voxgrad.server.voices_api import _check_removable, _renamed

    before = furnished.find("robot", "voice")
    with pytest.raises(BadInputError, match="already"):
        _renamed(furnished, before, "robot")
    after = _renamed(furnished, before, "other")
    assert (after.ref, after.manifest.settings) == ("other@v1", before.manifest.settings)
    assert [one.sha256 for one in after.manifest.files] == [one.sha256 for one in before.manifest.files]
    assert [one.name for one in furnished.list("voice")] == ["other"]
    assert "robot@v1" in {one.ref for one in restore(furnished, "voice/robot")}
    with pytest.raises(BadInputError, match="needed by"):
        _check_removable(furnished, furnished.find("robots", "base"))


def finished(client, path: str, seconds: float = 120) -> dict:
    deadline = time.monotonic() + seconds
    while (job := client.get(f"{path}/clone").json())["state"] == "running":
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
    return job


@pytest.mark.slow
def test_a_clone_that_is_cancelled_goes_on_where_it_stopped(session, served, recordings):
    path, client = recorded(session, recordings, "later"), session.client
    client.post(f"{path}/clone", json={"preset": "tiny"})
    while client.get(f"{path}/clone").json()["task"] != "train":
        time.sleep(0.05)
    time.sleep(1)
    assert client.delete(f"{path}/clone").status_code == 202
    assert finished(client, path)["state"] == "stopped"
    assert client.delete(f"{path}/clone").status_code == 400
    record = json.loads((served.home / "recordings" / Path(path).name / "clone.json").read_text())
    assert record["state"] == "stopped"
    client.post(f"{path}/clone", json={"preset": "tiny"})
    job = finished(client, path)
    assert job["state"] == "done"


def test_what_is_shown_is_what_is_done_now():
    request = CloneRequest(home="", folder="", name="alice", speaker="alice", consent="hers")
    job = CloneJob(Path("session"), request)

    def shown(event: Event) -> tuple[object, ...]:
        job.take({"event": type(event).__name__.lower(), **asdict(event)})
        content = job.shown()
        return content["task"], content["done"], content["total"], content["seconds_left"] is None

    assert job.shown()["task"] == "load"
    assert shown(Said("31 texts")) == ("", 0, None, True)
    assert shown(Began("train", 8, "steps")) == ("train", 0, 8, True)
    assert shown(Advanced("train", 0, "validating")) == ("train", 0, 8, True)
    assert shown(Began("align", 100, "%")) == ("align", 0, 100, True)
    assert shown(Advanced("align", 0)) == ("align", 0, 100, True)
    assert shown(Advanced("align", 50)) == ("align", 50, 100, False)
    assert shown(Ended("align")) == ("train", 0, 8, True)
    assert shown(Advanced("train", 8)) == ("train", 8, 8, False)
    # Nothing is left of it, and nobody knows for how long: not "0:00 left" of what is over.
    assert shown(Ended("train")) == ("", 0, None, True)
