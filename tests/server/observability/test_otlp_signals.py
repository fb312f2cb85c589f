"""Test that logs and metrics arrive at a collector over OTLP, if the variables ask for it."""

import asyncio
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from mastra_core import Mastra, Telemetry
from mastra_core.errors import ConfigError
from mastra_core.metrics import record
from mastra_core.metrics.definitions import ACTIVE_REQUESTS
from mastra_server import create_app

APP = """
    import logging, os
    os.environ["OTEL_LOGS_EXPORTER"] = os.environ["OTEL_METRICS_EXPORTER"] = "otlp"
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = "service.name=shop-by-variable,region=eu"
    os.environ["OTEL_BLRP_SCHEDULE_DELAY"] = "100"
    from mastra_core import Mastra, Secret, Telemetry, create_logger

    async def seller(text: str) -> str:
        logging.getLogger("app.orders").warning("sold %s", text, extra={"api_key": "sk-1", "n": 3})
        return text

    mastra = Mastra(
        agents={"seller": seller},
        logger=create_logger(format="json"),
        telemetry=Telemetry(
            service_name="shop",
            export={"type": "otlp", "endpoint": "ENDPOINT", "headers": {"x-api-key": Secret("k1")}},
        ),
    )
"""


class Collector(ThreadingHTTPServer):
    """A receiver of OTLP on loopback."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.logs, self.metrics, self.keys = [], [], set()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.keys.add((self.path, self.headers["x-api-key"]))
        if self.path == "/v1/logs":
            self.server.logs += ExportLogsServiceRequest.FromString(body).resource_logs
        if self.path == "/v1/metrics":
            self.server.metrics += ExportMetricsServiceRequest.FromString(body).resource_metrics
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_logs_and_metrics_arrive(process):
    collector = Collector()
    server, port = process(APP.replace("ENDPOINT", f"http://127.0.0.1:{collector.server_port}"))
    url = f"http://127.0.0.1:{port}/api/agents/seller/generate"
    headers = {"x-request-id": "req-9"}
    before = time.time_ns()
    answer = httpx.post(url, json={"messages": "tea"}, headers=headers, trust_env=False, timeout=30)
    after = time.time_ns()
    assert answer.status_code == 200, answer.text
    server.send_signal(signal.SIGTERM)
    assert server.wait(15) == 0, server.output
    collector.shutdown()
    collector.server_close()
    assert {(f"/v1/{each}", "k1") for each in ("logs", "metrics", "traces")} <= collector.keys
    record = check_logs(collector.logs)
    assert before <= record.time_unix_nano <= after
    check_metrics(collector.metrics)


@pytest.mark.parametrize("kind", [pytest.param("dead", marks=pytest.mark.full), "hanging"])
def test_a_bad_collector_delays_neither_requests_nor_the_end(process, kind):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "hanging":
            listener.listen(50)
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server, port = process(APP.replace("ENDPOINT", endpoint))
        url = f"http://127.0.0.1:{port}/api/agents/seller/generate"
        with httpx.Client(trust_env=False, timeout=30) as http:
            for _ in range(20):
                assert http.post(url, json={"messages": "tea"}).status_code == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(40) == 0  # while the collector is still silent
    server.reader.join(10)
    plain = [line for line in server.output if not line.startswith("{")]
    assert len(plain) <= 1, plain  # where relative paths start


def read_attributes(message):
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in message.attributes
    }


def check_logs(resources):
    attributes = read_attributes(resources[0].resource)
    assert (attributes["service.name"], attributes["region"]) == ("shop-by-variable", "eu")
    (record,) = [
        record
        for resource in resources
        for scope in resource.scope_logs
        for record in scope.log_records
        if record.body.string_value == "sold tea"
    ]
    attributes = read_attributes(record)
    assert (attributes["request_id"], attributes["agent"]) == ("req-9", "seller")
    assert (attributes["api_key"], attributes["n"]) == ("****", 3)
    assert (record.severity_text, record.severity_number) == ("WARN", 13)
    assert len(record.trace_id) == 16 and any(record.trace_id)
    return record


def check_metrics(resources):
    attributes = read_attributes(resources[-1].resource)
    assert (attributes["service.name"], attributes["region"]) == ("shop-by-variable", "eu")
    assert attributes["service.instance.id"]
    metrics = {
        metric.name: metric
        for resource in resources
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    (point,) = metrics["mastra.agent.run.duration"].histogram.data_points
    assert read_attributes(point) == {"gen_ai.agent.name": "seller", "mastra.outcome": "ok"}
    assert (point.count, metrics["mastra.agent.run.duration"].unit) == (1, "s")
    (point,) = metrics["http.server.request.duration"].histogram.data_points
    assert read_attributes(point)["http.route"] == "/api/agents/{agent_id}/generate"


@pytest.mark.parametrize("variable", ["OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER"])
def test_an_unknown_exporter_is_refused(variable, monkeypatch):
    monkeypatch.setenv(variable, "kafka")
    with pytest.raises(ConfigError, match=f"{variable} has the unknown value 'kafka'"):
        create_app(Mastra())


@pytest.mark.parametrize(
    "disabled", [{"OTEL_LOGS_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}]
)
def test_nothing_is_exported_where_it_is_off(disabled, monkeypatch):
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    for name, value in disabled.items():
        monkeypatch.setenv(name, value)
    app = create_app(Mastra())
    assert "otlp" not in app.state.logs.pipeline.transports
    assert not app.state.metrics.is_enabled


def test_an_application_may_be_served_again(monkeypatch, caplog):
    """Each start has one exporter; that of an earlier start is closed only once."""
    collector = Collector()
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    telemetry = Telemetry(
        export={"type": "otlp", "endpoint": endpoint, "headers": {"x-api-key": ""}}
    )

    async def main():
        app = create_app(Mastra(logger=False, telemetry=telemetry))
        for number in (1, 2):
            async with app.lifespan():
                record(ACTIVE_REQUESTS, number)

    asyncio.run(main())
    collector.shutdown()
    collector.server_close()
    assert not caplog.records
    metrics = [
        metric
        for each in collector.metrics
        for scope in each.scope_metrics
        for metric in scope.metrics
        if metric.name == ACTIVE_REQUESTS.name
    ]
    values = [point.as_int for metric in metrics for point in metric.sum.data_points]
    assert values == [1, 2]
