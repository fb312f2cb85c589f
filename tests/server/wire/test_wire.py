"""Test that Mastra's client receives from this server what it receives from the original."""

import json

import pytest

from tests.node import install_front_ends
from tests.repository import ROOT
from tests.server.wire import routes
from tests.server.wire.application import create_application
from tests.server.wire.compare import find_differences
from tests.server.wire.deliberate_differences import (
    DELIBERATE,
    LEFT_OUT,
    find_explanations,
    get_expected_statuses,
)
from tests.server.wire.driver import RECORDED, run_client

CALLS = json.loads(RECORDED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results(serve):
    with serve(create_application(server={"mcp": True})) as server:
        return run_client(install_front_ends(), server.url)


@pytest.fixture(scope="module")
def all_differences(results):
    """Return the differences of each call."""
    return {name: find_differences(CALLS[name], seen) for name, seen in results["calls"].items()}


def test_every_call_was_recorded(results):
    assert results["calls"].keys() == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_call(results, all_differences, name):
    strange = {
        path: text
        for path, text in all_differences[name].items()
        if not find_explanations(name, path)
    }
    assert strange == {}, results["errors"].get(name)


@pytest.mark.parametrize("index", range(len(DELIBERATE)), ids=lambda index: DELIBERATE[index][2])
def test_difference_still_occurs(all_differences, index):
    assert any(
        index in find_explanations(name, path)
        for name in all_differences
        for path in all_differences[name]
    )


def test_every_other_client_method_is_explained(results):
    strange = {
        name: status
        for name, status in results["rest"].items()
        if status not in get_expected_statuses(name)
    }
    assert strange == {}


def test_only_unsupported_operations_and_failing_models_are_repeated(results):
    """The client repeats a request after a 5xx, and the same requests to the original."""
    unsupported = {name for name, status in results["rest"].items() if status == 501}
    assert results["repeated"].keys() - unsupported == {
        "Agent.generate: a model that fails",
    }  # fmt: skip


def test_differences_are_documented():
    page = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
    told = {row.split("|")[2].strip() for row in page.splitlines() if row.startswith("| ")}
    meant = [why for *_, why in DELIBERATE]
    meant += [why for status, _, why in LEFT_OUT if status not in (200, 400)]
    assert [why for why in meant if why not in told] == []


def test_routes_are_documented():
    """The section is written by ``python -m tests.server.wire.routes``."""
    page = routes.PAGE.read_text(encoding="utf-8")
    recorded = json.loads(routes.RECORDED.read_text(encoding="utf-8"))
    assert routes.render_page(recorded) == page
    assert routes.build_section(recorded) in page
    assert len(recorded) > 400
