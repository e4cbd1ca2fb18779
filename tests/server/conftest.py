"""A real server process, on a copy of the chain's home."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

for _package in ("starlette", "uvicorn", "prometheus_client", "wyoming", "av"):
    pytest.importorskip(_package, reason=f"{_package} is not installed: pip install 'voxgrad[serve]'")
httpx = pytest.importorskip("httpx")

from voxgrad.store import Store  # noqa: E402
from voxgrad.voice.load import load_voice  # noqa: E402

_MAIN = "import sys; from voxgrad.cli.main import run; run()"
QUEUE = 20


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    address: str
    home: Path
    process: subprocess.Popen
    wyoming: int | None

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def client(self, **options):
        return httpx.Client(base_url=self.address, timeout=60, trust_env=False, **options)

    def say(self, text: str, **fields):
        with self.client() as client:
            body = {"input": text, "voice": "robot", "response_format": "wav", **fields}
            return client.post("/v1/audio/speech", json=body)

    def metric(self, name: str) -> float:
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def workers(self) -> list[int]:
        """Process ids."""
        found = []
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                content = status.read_text()
                command = status.with_name("cmdline").read_bytes()
            except OSError:
                continue
            if f"PPid:\t{self.process.pid}\n" in content and b"spawn_main" in command:
                found.append(int(status.parent.name))
        return found

    @staticmethod
    def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@contextmanager
def serving(home: Path, *options: object) -> Iterator[Served]:
    """Start `voxgrad serve`, and see that SIGTERM ends it in order."""
    command = [sys.executable, "-c", _MAIN, "--home", home, "--json", "serve", "--port", 0, *options]
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        told = json.loads(line)
        yield Served(told["address"], home, process, told.get("wyoming"))
    finally:
        process.terminate()
        try:
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


@pytest.fixture(scope="session")
def serve() -> Callable[..., "contextmanager"]:
    return serving


@pytest.fixture(scope="session")
def served(chain, steps, tmp_path_factory) -> Iterator[Served]:
    """A server for all tests that leave it as it was."""
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(chain.home, home)
    with serving(home, "--workers", 1, "--wyoming", 0, "--queue", QUEUE, *steps[2:]) as server:
        yield server


@pytest.fixture(scope="session")
def robot(served):
    """The voice that answers, loaded in this process."""
    return load_voice(Store.open(served.home), "robot", engine="torch")
