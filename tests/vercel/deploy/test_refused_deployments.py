"""What Vercel refuses when it is asked for a deployment, with its reason and a cure."""

import dataclasses
import json

import pytest

from mastra_core.errors import ApiError
from mastra_deployer.testing.fault_injection import build_error
from tests.vercel.manage.test_promotion import VercelFixtures


def build_refusal(**error):
    fault = build_error(400, "")

    def refuse(exchange):
        path = exchange.path.partition("?")[0]
        if exchange.method == "POST" and path.endswith("/v13/deployments"):
            return dataclasses.replace(fault, body=json.dumps({"error": error}).encode())
        return None

    return refuse


class TestRefusedDeployments(VercelFixtures):
    @pytest.mark.parametrize(
        ("error", "hint"),
        [
            ({"code": "too_many_files"}, "tool.mastra.build"),
            ({"code": "other", "action": "Ask the owner of the team."}, "Ask the owner"),
            ({"code": "other"}, "Correct the settings"),
        ],
        ids=["known", "with an action", "unknown"],
    )
    def test_the_reason_and_the_cure_are_named(self, harness, error, hint):
        live = harness.deploy_sample()
        refuse = build_refusal(message="This is refused.", **error)
        refused = harness.deploy_with_faults(harness.bundle("next"), refuse)
        assert isinstance(refused, ApiError)
        expected = f"Vercel rejected the deployment: This is refused. ({error['code']})"
        assert (refused.message, refused.code) == (expected, error["code"])
        assert hint in refused.hint
        assert harness.get_live().id == live.id
