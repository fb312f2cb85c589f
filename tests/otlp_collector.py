"""A real OTLP receiver over HTTP, which decodes OpenTelemetry's own messages and can be faulty."""

import contextlib
import gzip
import http.server
import threading
import time
import zlib

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DECODERS = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}


class Collector:
    """Receives requests on loopback.

    :param status: the status of each answer.
    :param delay: seconds before each answer.
    :param answer: the body of each answer.
    :param content_type: the type of that body.
    :param retry_after: the header of this name in each answer.
    """

    def __init__(
        self,
        status=200,
        delay=0.0,
        answer=b"",
        content_type="application/x-protobuf",
        retry_after=None,
    ):
        self.status, self.delay = status, delay
        self.answer, self.content_type = answer, content_type
        self.retry_after = retry_after
        self.requests = []  # path, headers and message of each
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._build_handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self):
        """All spans so far, as pairs of the resource's attributes and the span."""
        return [
            (read_attributes(resource.resource), span)
            for _, _, message in list(self.requests)
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def _build_handler(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                decode = DECODERS[self.headers["content-encoding"]]
                message = ExportTraceServiceRequest.FromString(decode(body))
                collector.requests.append((self.path, dict(self.headers), message))
                time.sleep(collector.delay)
                self.send_response(collector.status)
                self.send_header("content-length", str(len(collector.answer)))
                self.send_header("content-type", collector.content_type)
                if collector.retry_after is not None:
                    self.send_header("retry-after", collector.retry_after)
                self.end_headers()
                self.wfile.write(collector.answer)

            def log_message(self, *_):
                pass

        return Handler

    def start(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def run_collector(**settings):
    """Run a collector."""
    collector = Collector(**settings)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


def read_attributes(holder):
    """Return the attributes of a resource, a span, an event or a link as a dictionary."""
    return {item.key: read_value(item.value) for item in holder.attributes}


def read_value(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [read_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None
