"""What Prometheus reads."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cliper.serving.http.shop import Shop

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts of one server. Labels are routes as they are written, never what a request sent."""

    def __init__(self, shop: Shop) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "cliper_http_requests",
            "Answered requests.",
            ["route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "cliper_http_request_seconds",
            "From the request's head to the end of its answer.",
            ["route"],
            buckets=BOUNDS,
            registry=self._registry,
        )
        self.working = Gauge(
            "cliper_http_requests_working", "Requests worked on now.", registry=self._registry
        )
        self._registry.register(_Model(shop))

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)


class _Model(Collector):
    """The model that is served at the moment of asking."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What a registry calls."""
        served = self.shop.now
        model = GaugeMetricFamily("cliper_model", "The model that is served.", labels=["model"])
        model.add_metric([served.name], 1)
        yield model
        items, users = served.recommender.shelf.count, len(served.recommender.users)
        yield GaugeMetricFamily("cliper_items", "Items that can be recommended.", items)
        yield GaugeMetricFamily("cliper_users", "Users of the training.", users)
