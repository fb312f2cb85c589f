import json
import os
import platform
import socket
import subprocess
import sys

import pytest

from mastra_core import Telemetry
from mastra_core.errors import ConfigError
from mastra_core.telemetry import is_recording, start_span
from mastra_core.telemetry.otel_environment import read_sampling
from tests.ports import wait_for_port

APP = """
import asyncio, io, json, sys
from mastra_core import MemoryEngine, Telemetry, Workflow, create_logger, step
from mastra_core.telemetry import is_recording, start_span

telemetry = Telemetry(service_name="shop", export={"type": "otlp", "endpoint": sys.argv[1]})
telemetry.start()
telemetry.start()
assert is_recording()
stream = io.StringIO()
logger = create_logger("shop", format="json", stream=stream)

@step
async def one(n: int) -> int:
    logger.info("inside")
    return n + 1

@step
async def two(n: int) -> int:
    raise LookupError("no such row")

async def main():
    engine = MemoryEngine()
    for workflow in (Workflow("fine").then(one), Workflow("flow").then(one).then(two)):
        run = await engine.create(workflow)
        await engine.start(run, 1)
        await run.wait()

with start_span("request", {"a": "b"}):
    asyncio.run(main())
logger.info("outside")
telemetry.stop()
assert not is_recording()
print(stream.getvalue())
"""


def test_no_span_without_telemetry():
    with start_span("nothing") as current:
        assert current is None
    assert not is_recording()


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"sampling": {"type": "sometimes"}}, "always_on"),
        ({"sampling": {}}, "always_on"),
        ({"sampling": "always_on"}, 'sampling={"type": ...}'),
        ({"sampling": {"type": "ratio", "ratio": 0.1}}, "probability"),
        ({"sampling": {"type": "ratio", "probability": 2}}, "0 to 1"),
        ({"sampling": {"type": "ratio", "probability": "half"}}, "0 to 1"),
        ({"export": {"type": "smtp"}}, "otlp, console"),
        ({"export": "otlp"}, 'export={"type": ...}'),
    ],
)
def test_unknown_setting(settings, hint):
    with pytest.raises(ConfigError) as caught:
        Telemetry(**settings)
    assert hint in caught.value.hint


@pytest.mark.parametrize("how", ["enabled", "OTEL_SDK_DISABLED"])
def test_disabled_telemetry_loads_nothing(how):
    script = f"""
import os, sys
from mastra_core import Telemetry
from mastra_core.telemetry import is_recording
os.environ["OTEL_SDK_DISABLED"] = "{"true" if how == "OTEL_SDK_DISABLED" else ""}"
telemetry = Telemetry(enabled={how != "enabled"})
telemetry.start()
telemetry.stop()
assert not is_recording()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_missing_sdk_is_named():
    script = """
import sys
sys.modules["opentelemetry.sdk"] = None
from mastra_core import Telemetry
from mastra_core.errors import ConfigError
try:
    Telemetry().start()
except ConfigError as error:
    assert "mastra-core[telemetry]" in error.hint, error
    assert "opentelemetry.sdk" in error.message, error
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.fixture
def receiver():
    """A real OTLP receiver that ends when the span of the flow arrives; gives port and process."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("oteltap is built for x86_64 Linux")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "oteltap", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--await-span", "^request$"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for_port(port, process)
        yield port, process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_spans_are_exported(receiver):
    port, process = receiver
    app = subprocess.run(
        [sys.executable, "-c", APP, f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert app.returncode == 0, app.stderr
    heard, _ = process.communicate(timeout=30)
    assert process.returncode == 0, heard
    spans = [json.loads(line) for line in heard.splitlines() if line.startswith('{"')]
    by_name = {}
    for item in spans:
        by_name.setdefault(item["name"], []).append(item)
    assert {name: len(items) for name, items in by_name.items()} == {
        "request": 1,
        "invoke_workflow fine": 1,
        "invoke_workflow flow": 1,
        "workflow_step one": 2,
        "workflow_step two": 1,
    }
    assert len({item["traceId"] for item in spans}) == 1
    ids = {item["spanId"]: item["name"] for item in spans}
    parents = {item["name"]: ids.get(item.get("parentSpanId")) for item in spans}
    assert parents["workflow_step two"] == "invoke_workflow flow"
    assert parents["invoke_workflow flow"] == "request"
    assert by_name["workflow_step two"][0]["status"]["code"] in (2, "STATUS_CODE_ERROR")
    assert "mastra.step.id" in json.dumps(by_name["workflow_step one"])
    lines = [json.loads(line) for line in app.stdout.splitlines() if line]
    inside = [line for line in lines if line["msg"] == "inside"]
    assert [line["trace_id"] for line in inside] == [spans[0]["traceId"]] * 2
    assert {line["span_id"] for line in inside} <= set(ids)
    assert "trace_id" not in next(line for line in lines if line["msg"] == "outside")


def run_script(script, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LISTENER = """
from mastra_core import Telemetry, telemetry
from mastra_core.telemetry import is_recording, add_listener, annotate, remove_listener, start_span

class Listener:
    def __init__(self):
        self.seen = []
    def on_start(self, span):
        self.seen.append(("start", span.name))
    def on_annotate(self, span, attributes):
        self.seen.append(("annotate", dict(attributes)))
    def on_end(self, span):
        self.seen.append(("end", span.name))

console = {"export": {"type": "console"}}
listener = Listener()
"""


def test_listener_receives_spans_without_export():
    assert not run_script(f"""{LISTENER}
add_listener(listener)
with start_span("work") as current:
    annotate(current, input=1)
remove_listener(listener)
assert not is_recording()
with start_span("more") as current:
    assert current is None
assert listener.seen == [("start", "work"), ("annotate", {{"input": 1}}), ("end", "work")], listener.seen
add_listener(listener)
with start_span("again"):
    pass
assert listener.seen[-1] == ("end", "again")
""")


def test_several_applications_in_one_process():
    told = run_script(f"""{LISTENER}
first, second = Telemetry(**console), Telemetry(**console)
first.start(); second.start(); second.start()
first.stop()
with start_span("between"):
    pass
add_listener(listener)
second.stop(); second.stop()
with start_span("kept"):
    pass
remove_listener(listener)
first.start()
with start_span("again"):
    pass
first.stop()
assert not is_recording()
assert listener.seen == [("start", "kept"), ("end", "kept")]
""")
    assert [told.count(f'"name": "{name}"') for name in ("between", "kept", "again")] == [1, 0, 1]


def test_existing_provider_is_used():
    told = run_script(f"""{LISTENER}
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
started = Telemetry(**console)
started.start()
add_listener(listener)
with trace.get_tracer("theirs").start_as_current_span("theirs"):
    with start_span("ours"):
        pass
started.stop()
assert trace.get_current_span().get_span_context().is_valid is False
assert [name for _, name in listener.seen] == ["theirs", "ours", "ours", "theirs"]
""")
    assert told.count('"name": ') == 2


def test_console_exporter_needs_no_network():
    script = """
from mastra_core import Telemetry
from mastra_core.telemetry import start_span
telemetry = Telemetry(
    export={"type": "console"}, sampling={"type": "parent_based", "probability": 1}
)
telemetry.start()
with start_span("work") as current:
    current.set_attribute("a", 1)
telemetry.stop()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert '"name": "work"' in done.stdout


WRAPPING = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

class Wrapping(trace.TracerProvider):  # as logfire's
    def __init__(self):
        self.provider = TracerProvider()
    def add_span_processor(self, processor):
        self.provider.add_span_processor(processor)
    def get_tracer(self, *names, **options):
        return self.provider.get_tracer(*names, **options)

class Closed(trace.TracerProvider):  # as ddtrace's
    def __init__(self):
        self.names = []
    def get_tracer(self, *names, **options):
        self.names += names[:1]
        return trace.NoOpTracer()

TRACEPARENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
"""


def test_provider_that_wraps_another_is_used():
    told = run_script(f"""{LISTENER}{WRAPPING}
from mastra_core.telemetry import extract_parent
trace.set_tracer_provider(Wrapping())
started = Telemetry(**console)
started.start()
add_listener(listener)
with start_span("ours", context=extract_parent(TRACEPARENT)):
    pass
started.stop()
assert listener.seen == [("start", "ours"), ("end", "ours")]
""")
    assert told.count('"name": "ours"') == 1


def test_provider_without_processors_is_named():
    assert not run_script(f"""{LISTENER}{WRAPPING}
import logging
from mastra_core.telemetry import extract_parent
records = []
class Handler(logging.Handler):
    def emit(self, record):
        records.append(record.getMessage())
logging.getLogger("mastra").addHandler(Handler())
provider = Closed()
trace.set_tracer_provider(provider)
started = Telemetry(**console)
started.start()
add_listener(listener)
with start_span("theirs", context=extract_parent(TRACEPARENT)):
    pass
started.stop()
assert provider.names == ["mastra"], "the spans go to the provider"
assert len(records) == 2, records
assert all("__main__.Closed alone" in text and "traces=True" in text for text in records)
assert listener.seen == []
""")


@pytest.mark.parametrize(
    ("variables", "exported"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, 2),
        ({"OTEL_TRACES_EXPORTER": "none"}, 0),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": "always_off"}, 0),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": "parentbased_always_on"}, 1),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0),
        (
            {
                "OTEL_TRACES_EXPORTER": "console",
                "OTEL_TRACES_SAMPLER": "traceidratio",
                "OTEL_TRACES_SAMPLER_ARG": "0",
            },
            0,
        ),
    ],
    ids=["console", "none", "always_off", "parent", "parent off", "ratio"],
)
def test_variables_of_opentelemetry(variables, exported):
    """The settings in the code are an OTLP exporter that keeps every span."""
    told = run_script(
        f"""{LISTENER}{WRAPPING}
from mastra_core.telemetry import extract_parent
started = Telemetry(export={{"type": "otlp", "endpoint": "http://127.0.0.1:9"}})
started.start()
assert is_recording() or not {exported}
with start_span("own"):
    pass
with start_span("caller's", context=extract_parent(TRACEPARENT)):
    pass
started.stop()
""",
        **variables,
    )
    assert told.count('"name": ') == exported


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
    ],
)
def test_unsupported_variable_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        Telemetry(export={"type": "otlp", "endpoint": "http://127.0.0.1:9"}).start()
    assert raised.value.hint
    assert "gRPC" in raised.value.message if value == "grpc" else variable in raised.value.message


@pytest.mark.parametrize("value", ["2", "-1", "x", "nan"])
def test_sampling_probability_of_a_variable(monkeypatch, value):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", value)
    with pytest.raises(ConfigError, match="not a probability"):
        read_sampling({"type": "always_on"})
