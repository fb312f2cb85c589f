"""Lines of a streamed response."""

import httpx
import pytest

from mastra_core.errors import ApiError
from mastra_deployer.kit import connect, iter_lines
from tests.scripted_server import serve


def read(chunks, **options):
    """Return the lines of a response that arrives in the given chunks."""
    request = httpx.Request("GET", "http://acme.example/log")
    return list(iter_lines(httpx.Response(200, content=iter(chunks), request=request), **options))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_do_not_depend_on_the_chunks(size):
    content = "one\r\ntwo \u2028 grün\n\nfour\xff".encode() + b"\xff"
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    assert read(chunks) == ["one", "two \u2028 grün", "", "four\xff\ufffd"]


def test_a_line_of_a_real_stream_is_limited():
    with (
        serve(lambda _: (200, {}, b"x" * 2000 + b"\nlast")) as platform,
        connect(platform.url) as client,
        client.stream("GET", "/log") as response,
        pytest.raises(ApiError, match="a line of more than 1,000 bytes"),
    ):
        list(iter_lines(response, limit=1000))


def test_a_line_may_have_exactly_the_limit():
    assert read([b"12345\n12345"], limit=5) == ["12345", "12345"]
    for chunks in ([b"123456\n"], [b"123", b"456"]):
        with pytest.raises(ApiError):
            read(chunks, limit=5)


def test_a_long_line_in_small_chunks_is_read_in_linear_time():
    (line,) = read(b"x" for _ in range(1 << 19))
    assert len(line) == 1 << 19
