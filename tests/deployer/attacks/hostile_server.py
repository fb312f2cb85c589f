"""Answers of servers that lie, drip or never end; each is an ``answer`` of the scripted server."""

import contextlib
import gzip
import itertools
import time

HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = b"content-length: 1000000000\r\n\r\n"
CLOSED = (0, {}, b"")


def send_endlessly(request, head, part, pause=0.0):
    """Send a head, then a part again and again until the client goes away."""
    request.wfile.flush()
    with contextlib.suppress(OSError):
        request.connection.sendall(head)
        for _ in itertools.count():
            request.connection.sendall(part)
            time.sleep(pause)
    return CLOSED


def endless_body(request):
    return send_endlessly(request, HEAD + LONG, b"x" * 65536)


def endless_error(request):
    return send_endlessly(request, b"HTTP/1.1 418 Teapot\r\n" + LONG, b"x" * 65536)


def dripping_body(request):
    return send_endlessly(request, HEAD + LONG, b"x", 0.02)


def dripping_headers(request):
    return send_endlessly(request, HEAD + b"x-drip: ", b"x", 0.02)


def dripping_chunk_size(request):
    head = HEAD + b"transfer-encoding: chunked\r\n\r\n1;"
    return send_endlessly(request, head, b"x", 0.02)


def compress_zeros(size):
    """Return a small gzip file of many zeros."""
    return gzip.compress(bytes(size), 1)


BOMB = compress_zeros(20_000_000)


def gzip_bomb(request):
    return 200, {"content-encoding": "gzip"}, BOMB


def nested_gzip_bomb(request):
    return 200, {"content-encoding": "gzip, gzip"}, gzip.compress(BOMB)


def damaged_gzip(request):
    return 200, {"content-encoding": "gzip"}, b"this is no gzip file"


def redirect_loop(request):
    return 302, {"location": request.path}, b""


def redirect_to_metadata(request):
    return 302, {"location": "http://169.254.169.254/latest/meta-data/"}, b""


def redirect_to_file(request):
    return 302, {"location": "file:///etc/passwd"}, b""


def deep_json(request):
    return 200, {}, b"[" * 45_000 + b"]" * 45_000


def huge_number(request):
    return 200, {}, b"1" * 50_000


def invalid_utf8(request):
    return 200, {}, b'{"name": "\xff\xfe"}'


def page_of_a_gateway(request):
    return 200, {"content-type": "text/html"}, b"<html>log in</html>"


ENDLESS = (endless_body, gzip_bomb)
DRIPPING = (dripping_body, dripping_headers, dripping_chunk_size)
UNREADABLE = (deep_json, huge_number, invalid_utf8, page_of_a_gateway)
