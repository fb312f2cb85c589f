"""Test the id of each request."""

import os
import re

import pytest

from mastra_server.middleware.request_id import _SUPPLIED_IDS

PATH = "/health"


def get_id(server, **headers):
    return server.http.get(PATH, headers=headers).headers["x-request-id"]


def test_every_request_has_an_id_of_its_own(server):
    ids = [get_id(server) for _ in range(10)] + [_SUPPLIED_IDS.take().decode() for _ in range(1000)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


@pytest.mark.parametrize("given", ["a", "A.b_c:d-9", "x" * 128])
def test_a_valid_id_of_the_caller_is_kept(server, given):
    assert get_id(server, **{"x-request-id": given}) == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<a>"])
def test_another_id_of_the_caller_is_replaced(server, given):
    assert re.fullmatch("[0-9a-f]{32}", get_id(server, **{"x-request-id": given}))


FORK = """
import os
from mastra_server.middleware.request_id import _SUPPLIED_IDS as ids
ids.take()  # the supply is not empty
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, b"".join(ids.take() for _ in range(100)))
    os._exit(0)
os.wait()
text = os.read(reader, 100 * 32)
own = {ids.take() for _ in range(100)}
print(len(own | {text[start : start + 32] for start in range(0, len(text), 32)}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_processes_share_no_ids(python):
    assert python(FORK) == "200\n"
