"""The deployment that a rollback makes live."""

import pytest

from mastra_core.errors import DeployError
from mastra_deployer.kit import find_rollback_target

DEPLOYMENTS = {"d1": "first", "d2": "second", "d3": {}}


def test_an_id_goes_before_the_previous_deployment():
    assert find_rollback_target("d1", lambda: pytest.fail("asked"), DEPLOYMENTS.get) == "first"
    assert find_rollback_target("", lambda: "d2", DEPLOYMENTS.get) == "second"


@pytest.mark.parametrize(
    ("id", "previous", "message"),
    [
        ("", "", "no earlier deployment"),
        ("", None, "no earlier deployment"),
        ("d9", "d2", "no deployment 'd9'"),
        ("", "d9", "no deployment 'd9'"),
        ("d3", "", "no deployment 'd3'"),
    ],
)
def test_nothing_to_go_back_to(id, previous, message):
    with pytest.raises(DeployError, match=message) as raised:
        find_rollback_target(id, lambda: previous, DEPLOYMENTS.get)
    assert "mastra deployments" in raised.value.hint


def test_a_draft_is_promoted_and_not_rolled_back_to():
    drafts = {"a": False, "b": True}
    options = {"was_live": lambda item: not drafts[item]}
    assert find_rollback_target("a", lambda: "", str, **options) == "a"
    with pytest.raises(DeployError, match="'b' was never in production") as raised:
        find_rollback_target("b", lambda: "", str, **options)
    assert raised.value.hint == "Promote it: mastra promote b."
