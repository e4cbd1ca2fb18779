"""What the server counts, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2)


class Metrics:
    """Of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "voxgrad_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self.audio_seconds = Counter(
            "voxgrad_audio_seconds", "Seconds of audio that were spoken.", registry=self.registry
        )
        self.work_seconds = Counter(
            "voxgrad_synthesis_seconds",
            "Seconds from giving a passage to a worker until it was spoken, waiting excluded.",
            registry=self.registry,
        )
        self.real_time_factor = Gauge(
            "voxgrad_real_time_factor",
            "Seconds of work for a second of audio, of the last passage.",
            registry=self.registry,
        )
        self.first_audio = Histogram(
            "voxgrad_first_audio_seconds",
            "Seconds from a request to its first audio.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.active = Gauge(
            "voxgrad_requests_active", "Speech requests in work or waiting.", registry=self.registry
        )
        self.waiting = Gauge(
            "voxgrad_queue_passages", "Passages and checks that wait for a worker.", registry=self.registry
        )
        self.refused = Counter(
            "voxgrad_requests_refused", "Requests refused because the queue was full.", registry=self.registry
        )
        self.cancelled = Counter(
            "voxgrad_requests_cancelled",
            "Requests whose client left before the end.",
            registry=self.registry,
        )
        self.workers_lost = Counter(
            "voxgrad_workers_lost", "Worker processes that ended unasked.", registry=self.registry
        )

    def text(self) -> bytes:
        """All of them, as ``/metrics`` answers."""
        return generate_latest(self.registry)
