"""An id from a user is one segment of a path, also where HTTP clients change paths."""

import httpx
import pytest

from mastra_deployer.kit import quote_segment


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("dpl_8b4e.98-f~9", "dpl_8b4e.98-f~9"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("../x", "..%2Fx"),
        ("x?a=b#c", "x%3Fa%3Db%23c"),
        ("ü %2F", "%C3%BC%20%252F"),
    ],
)
def test_a_segment_stays_one_segment(text, quoted):
    assert quote_segment(text) == quoted
    address = httpx.URL("https://api.example").join(f"/sites/1/deploys/{quoted}")
    assert address.raw_path == f"/sites/1/deploys/{quoted}".encode()
