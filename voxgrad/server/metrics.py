"""What the server counts, in Prometheus' text format."""

from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2)


class Metrics:
    """Of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        self.requests = counter("voxgrad_requests", "Requests by route and status.", ["route", "status"])
        self.audio_seconds = counter("voxgrad_audio_seconds", "Seconds of audio that were spoken.")
        self.work_seconds = counter(
            "voxgrad_synthesis_seconds",
            "Seconds from giving a passage to a worker until it was spoken, waiting excluded.",
        )
        self.real_time_factor = gauge("voxgrad_real_time_factor", "Real-time factor of the last passage.")
        self.first_audio = Histogram(
            "voxgrad_first_audio_seconds",
            "Seconds from a request to its first audio.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.active = gauge("voxgrad_requests_active", "Speech requests in progress or waiting.")
        self.waiting = gauge("voxgrad_queue_passages", "Passages and checks that wait for a worker.")
        self.refused = counter("voxgrad_requests_refused", "Requests refused because the queue was full.")
        self.cancelled = counter("voxgrad_requests_cancelled", "Requests whose client disconnected before the end.")
        self.workers_lost = counter("voxgrad_workers_lost", "Worker processes that ended unexpectedly.")
