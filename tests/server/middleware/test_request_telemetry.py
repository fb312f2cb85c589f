"""Test that spans are sent after the response, without a thread of the SDK."""

import json

COLLECT = """
import http.server, json, threading
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

received, statuses = [], [503]

class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        status = statuses.pop() if statuses else 200
        if status == 200:
            message = ExportTraceServiceRequest.FromString(body)
            received.append((self.path, self.headers["x-key"], message))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=collector.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{collector.server_port}"
"""

SERVE = """
from mastra_core import Telemetry
from tests.server.guarded_server import serve_guarded
from tests.server.sample_app import create_sample

class Unthreaded(Telemetry):
    def start(self):
        begin, threading.Thread.start = threading.Thread.start, None  # the SDK would start some
        try:
            super().start()
        finally:
            threading.Thread.start = begin

export = {"type": "otlp", "endpoint": url, "headers": {"x-key": "secret"}}

def build():
    return create_sample(telemetry=Unthreaded(service_name="shop", export=export))

with serve_guarded(build) as server:
    run = server.http.post("/api/agents/echo-agent/generate", json={"messages": "hello"})
    assert run.status_code == 200, run.text
    assert server.http.get("/api/agents").status_code == 200
    server.wait_for_ends()
    breaches = server.guard.breaches

batches = []
for path, key, message in received:
    assert (path, key) == ("/v1/traces", "secret")
    (resource,) = message.resource_spans
    names = {each.key: each.value.string_value for each in resource.resource.attributes}
    spans = [span.name for scope in resource.scope_spans for span in scope.spans]
    batches.append((names["service.name"], names["telemetry.sdk.language"], spans))
print(json.dumps({"batches": sorted(batches), "breaches": breaches}))
"""


def test_spans_are_sent_once_for_each_request(python):
    done = json.loads(python(COLLECT + SERVE))
    assert done["breaches"] == []
    assert [each[:2] for each in done["batches"]] == [["shop", "python"]] * 2
    names = [each[2] for each in done["batches"]]
    assert ["GET /api/agents"] in names
    assert any("invoke_agent Echo Agent" in each for each in names), names


LATE = """
import asyncio
from mastra_core import Telemetry, telemetry
from mastra_core.request_scope import enable_request_scope, enter_request

held = []
statuses.clear()
enable_request_scope(held.append)
Telemetry(export={"type": "otlp", "endpoint": url}).start()

async def close():
    with telemetry.start_span("close"):
        pass

async def main():
    with enter_request() as request:
        request.on_end(close)
        with telemetry.start_span("work"):
            pass
    await asyncio.wait_for(asyncio.gather(*held), 20)

asyncio.run(main())
for *_, message in received:
    (resource,) = message.resource_spans
    print(*[span.name for scope in resource.scope_spans for span in scope.spans])
"""


def test_a_span_at_the_end_of_a_request_is_sent_too(python):
    assert python(COLLECT + LATE).split() == ["work", "close"]


LOST = """
import asyncio
from mastra_core import Telemetry, telemetry
from mastra_core.request_scope import enable_request_scope, enter_request

held = []
enable_request_scope(held.append)
Telemetry(export={"type": "otlp", "endpoint": "http://127.0.0.1:9"}).start()

async def main():
    with enter_request():
        for _ in range(3000):
            with telemetry.start_span("work"):
                pass
    await asyncio.wait_for(asyncio.gather(*held), 20)

asyncio.run(main())
print(len(held))
"""


def test_an_unreachable_collector_fails_no_request(python):
    assert python(LOST).strip() == "1"
