"""How many threads to compute with: what this process may use, less what others are using now.

Torch and numpy read their environment when they are loaded, so this module imports neither.
"""

import math
import os
import time
from pathlib import Path

_SAMPLES = 3
_APART = 0.004  # seconds
_CGROUP = Path("/sys/fs/cgroup")


def set_threads() -> None:
    """Set the number of threads for this process, unless ``OMP_NUM_THREADS`` already does. Call before torch loads.

    Threads that wait sleep instead of spinning: beside other work, a thread that spins for one which the system has
    put aside makes both several times slower.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(free_processors())


def free_processors() -> int:
    """Processors that this process may use and nobody else is using, at least one."""
    return max(1, usable_processors() - _others_running())


def usable_processors(cgroup: Path = _CGROUP) -> int:
    """Processors that affinity and the limits of a control group leave, at least one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([count, *_quotas(cgroup)]))


def _quotas(cgroup: Path) -> list[int]:
    """Whole processors that the group of this process, version 2 or 1, may use."""
    quotas = []
    for quota, period in (
        (cgroup / "cpu.max", None),
        (cgroup / "cpu/cpu.cfs_quota_us", cgroup / "cpu/cpu.cfs_period_us"),
    ):
        try:
            words = quota.read_text().split() + ([] if period is None else period.read_text().split())
            limit, per = float(words[0]), float(words[1])
        except (OSError, ValueError, IndexError):  # no such file, or "max"
            continue
        if limit > 0 and per > 0:
            quotas.append(math.ceil(limit / per))
    return quotas


def _others_running() -> int:
    """Tasks of others that are running or waiting for a processor, the fewest of some samples; 0 where unknown."""
    counts = []
    for sample in range(_SAMPLES):
        if sample:
            time.sleep(_APART)
        try:
            counts.append(int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) - 1)
        except (OSError, ValueError, IndexError):
            return 0
    return max(0, min(counts))
