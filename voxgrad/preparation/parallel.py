"""Recordings are prepared in parallel: in processes of this machine, or on a Dask cluster."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from joblib import Parallel, delayed, parallel_config

from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.preparation.recording import RecordingOutcome, RecordingSettings, prepare_recording
from voxgrad.transcripts.formats import Entry

LOCAL = "local"
_DASK = "dask://"
_WORTH_A_PROCESS = 64
_SECONDS_TO_CONNECT = "10s"


def check_engine(engine: str) -> None:
    """See that an engine can be used.

    Raises:
        BadInputError: it is neither ``local`` nor ``dask://HOST:PORT``, or Dask is not installed.
    """
    if engine == LOCAL:
        return
    host, _, port = engine.removeprefix(_DASK).rpartition(":")
    if not engine.startswith(_DASK) or not host or not port.isdigit():
        raise BadInputError(f"there is no engine {engine}", "Choose local or dask://HOST:PORT.")
    if find_spec("distributed") is None:
        raise BadInputError("Dask is not installed", "Install it: pip install 'voxgrad[dask]'.")


def prepare_recordings(
    entries: Sequence[Entry], keys: Sequence[str], how: RecordingSettings, *, engine: str, jobs: int | None
) -> Iterator[RecordingOutcome]:
    """What becomes of every recording, in their order.

    Args:
        entries: the recordings.
        keys: of their outcomes.
        how: what the outcomes depend on.
        engine: ``local`` or ``dask://HOST:PORT``. The cluster's workers must see the files under the same paths.
        jobs: processes; None: one for every processor where that pays.

    Raises:
        EnvironmentFailureError: the cluster does not answer.
    """
    if engine == LOCAL:
        count = os.cpu_count() if len(entries) >= _WORTH_A_PROCESS else 1
        jobs = count if jobs is None else jobs
    with _on(engine):
        calls = (
            delayed(prepare_recording)(entry, key, how) for entry, key in zip(entries, keys, strict=True)
        )
        yield from Parallel(n_jobs=-1 if jobs is None else jobs, return_as="generator")(calls)


@contextmanager
def _on(engine: str) -> Iterator[None]:
    if engine == LOCAL:
        yield
        return
    distributed = import_module("distributed")  # an optional extra, typed only where it is installed

    address = f"tcp://{engine.removeprefix(_DASK)}"
    try:
        client = distributed.Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=True)
    except (OSError, TimeoutError) as error:
        raise EnvironmentFailureError(
            f"no Dask scheduler answers at {engine}", "Start one with `dask scheduler`, or check the address."
        ) from error
    with client, parallel_config(backend="dask"):
        yield
