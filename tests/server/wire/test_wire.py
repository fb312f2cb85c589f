"""What Mastra's own client sees of this server is what it sees of the original."""

import json

import pytest

from tests.node import modules
from tests.repository import ROOT
from tests.server.wire.application import application
from tests.server.wire.compare import differences
from tests.server.wire.deliberate_differences import DELIBERATE, LEFT_OUT, explained, left_out
from tests.server.wire.driver import CLIENT, RECORDED, drive

CALLS = json.loads(RECORDED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def got(serve):
    with serve(application(server={"mcp": True})) as server:
        return drive(modules(CLIENT), server.url)


@pytest.fixture(scope="module")
def found(got):
    """Where each call differs."""
    return {name: differences(CALLS[name], seen) for name, seen in got["calls"].items()}


def test_every_call_was_recorded(got):
    assert got["calls"].keys() == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_call(found, name):
    strange = {path: text for path, text in found[name].items() if not explained(name, path)}
    assert strange == {}, f"{name} differs"


@pytest.mark.parametrize("index", range(len(DELIBERATE)), ids=lambda index: DELIBERATE[index][2])
def test_difference_still_occurs(found, index):
    assert any(index in explained(name, path) for name in found for path in found[name])


def test_every_other_method_of_the_client_is_left_out_for_a_reason(got):
    strange = {name: status for name, status in got["rest"].items() if status not in left_out(name)}
    assert strange == {}


def test_the_page_tells_the_differences():
    page = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
    told = {row.split("|")[2].strip() for row in page.splitlines() if row.startswith("| ")}
    meant = [why for *_, why in DELIBERATE]
    meant += [why for status, _, why in LEFT_OUT if status >= 404]
    assert [why for why in meant if why not in told] == []
