"""Prometheus metrics: counts and times, without names of people or rooms."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
WAITS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400)
"""Of the queue: a worker that is paused keeps its rows for hours."""
ANSWERS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
TOKENS = (1, 2, 5, 10, 20, 40, 80, 160)


class Measures:
    """One worker's metrics, in a registry of its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.queued = Gauge("otterbot_queued", "Pictures and turns that wait", registry=registry)
        self.running = Gauge("otterbot_running", "Pictures and turns that run", registry=registry)
        self.paused = Gauge("otterbot_paused", "1 while the worker is paused", registry=registry)
        self.streams = Gauge("otterbot_event_streams", "Open event streams", registry=registry)
        self.disk_free = Gauge("otterbot_archive_free_bytes", "Free space where the archive lies", registry=registry)
        self.submitted = Counter("otterbot_jobs_submitted", "Jobs accepted", ["kind"], registry=registry)
        self.waits = Histogram(
            "otterbot_wait_seconds", "From submission to the first claim", ["kind"], buckets=WAITS, registry=registry
        )
        self.finished = Counter(
            "otterbot_rows_finished", "Pictures and turns that ended", ["kind", "state"], registry=registry
        )
        self._pictures(registry)
        self._card(registry)
        self._chats(registry)
        self.requests = Counter(
            "otterbot_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "otterbot_http_request_seconds",
            "From a request's headers to its answer; event streams do not count",
            ["method", "route"],
            buckets=ANSWERS,
            registry=registry,
        )

    def _pictures(self, registry: CollectorRegistry) -> None:
        self.picture_seconds = Histogram(
            "otterbot_picture_seconds", "Claim to archived picture", ["model"], buckets=SECONDS, registry=registry
        )
        self.pipeline_seconds = Histogram(
            "otterbot_pipeline_seconds", "The pipeline alone", ["model"], buckets=SECONDS, registry=registry
        )
        self.megapixel_steps = Counter(
            "otterbot_megapixel_steps", "Work of the pictures that came", ["model"], registry=registry
        )
        self.load_seconds = Histogram(
            "otterbot_model_load_seconds", "Loads of image models", ["model"], buckets=SECONDS, registry=registry
        )

    def _card(self, registry: CollectorRegistry) -> None:
        self.card_free = Gauge("otterbot_gpu_free_bytes", "Free memory of the card, last measured", registry=registry)
        self.resident = Gauge(
            "otterbot_model_resident", "1 for the image model that is loaded", ["model"], registry=registry
        )
        self.swap_seconds = Histogram(
            "otterbot_lease_swap_seconds",
            "Until the other side had left the card; `to` is who gets it",
            ["to"],
            buckets=SECONDS,
            registry=registry,
        )
        self.out_of_memory = Counter(
            "otterbot_out_of_memory", "Placements of a model that did not fit", ["model", "plan"], registry=registry
        )
        self.gpu_deaths = Counter("otterbot_gpu_process_deaths", "Deaths during a picture", registry=registry)

    def _chats(self, registry: CollectorRegistry) -> None:
        self.turn_seconds = Histogram("otterbot_turn_seconds", "A chat turn", buckets=SECONDS, registry=registry)
        self.tokens = Counter("otterbot_chat_tokens", "Tokens of answers", ["model"], registry=registry)
        self.token_speed = Histogram(
            "otterbot_chat_tokens_per_second",
            "Of an answer, from its first word on",
            ["model"],
            buckets=TOKENS,
            registry=registry,
        )

    def swapped(self, to: str, seconds: float) -> None:
        """One side has left the card for the other (``lease.Swapped``)."""
        self.swap_seconds.labels(to).observe(seconds)

    def show_resident(self, model: str | None) -> None:
        """The image model that is loaded now, or none."""
        self.resident.clear()
        if model is not None:
            self.resident.labels(model).set(1)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
