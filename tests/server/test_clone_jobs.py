"""What a client is shown of a voice in the making."""

from dataclasses import asdict
from pathlib import Path

from voxgrad.events import Advanced, Began, Ended, Event, Said
from voxgrad.server.clone import CloneJob, CloneRequest

REQUEST = CloneRequest(home="", folder="", name="alice", speaker="alice", consent="hers")


def test_what_is_shown_is_what_is_done_now():
    job = CloneJob(Path("session"), REQUEST)

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
