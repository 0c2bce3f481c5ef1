"""Prometheus metrics: counts and times, without names of people or rooms."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


class Measures:
    """One worker's metrics, in a registry of its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.queued = Gauge("otterbot_queued", "Pictures and turns that wait", registry=registry)
        self.running = Gauge("otterbot_running", "Pictures and turns that run", registry=registry)
        self.paused = Gauge("otterbot_paused", "1 while the worker is paused", registry=registry)
        self.streams = Gauge("otterbot_event_streams", "Open event streams", registry=registry)
        self.disk_free = Gauge("otterbot_archive_free_bytes", "Free space where the archive lies", registry=registry)
        self.card_free = Gauge("otterbot_gpu_free_bytes", "Free memory of the card, last measured", registry=registry)
        self.submitted = Counter("otterbot_jobs_submitted", "Jobs accepted", ["kind"], registry=registry)
        self.finished = Counter(
            "otterbot_rows_finished", "Pictures and turns that ended", ["kind", "state"], registry=registry
        )
        self.gpu_deaths = Counter("otterbot_gpu_process_deaths", "Deaths during a picture", registry=registry)
        self.picture_seconds = Histogram(
            "otterbot_picture_seconds", "Claim to archived picture", ["model"], buckets=SECONDS, registry=registry
        )
        self.pipeline_seconds = Histogram(
            "otterbot_pipeline_seconds", "The pipeline alone", ["model"], buckets=SECONDS, registry=registry
        )
        self.turn_seconds = Histogram("otterbot_turn_seconds", "A chat turn", buckets=SECONDS, registry=registry)
        self.requests = Counter(
            "otterbot_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
