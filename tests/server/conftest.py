"""A real server process, on a copy of the chain's home."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

for _package in ("starlette", "uvicorn", "prometheus_client", "wyoming", "av"):
    pytest.importorskip(_package, reason=f"{_package} is not installed: pip install 'voxgrad[serve]'")
httpx = pytest.importorskip("httpx")

_MAIN = "import sys; from voxgrad.cli.main import run; run()"


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    address: str
    home: Path
    process: subprocess.Popen
    wyoming: int | None

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


@contextmanager
def serving(home: Path, *options: object, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """Start `voxgrad serve`, and see that SIGTERM ends it in order."""
    command = [sys.executable, "-c", _MAIN, "--home", home, "--json", "serve", "--port", 0, *options]
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
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


Serve = Callable[..., "contextmanager"]


@pytest.fixture(scope="session")
def serve() -> Serve:
    return serving


@pytest.fixture(scope="session")
def served(chain, steps, tmp_path_factory) -> Iterator[Served]:
    """A server for all tests that leave it as it was."""
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(chain.home, home)
    with serving(home, "--workers", 2, "--wyoming", 0, "--queue", 40, *steps[2:]) as server:
        yield server
