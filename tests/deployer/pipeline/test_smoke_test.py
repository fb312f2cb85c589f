"""The smoke test of a deployment, as far as it needs no command."""

import datetime as dt

import pytest

from mastra_core.errors import DeploymentFailed
from mastra_core.pipeline import Deployment, SilentReport
from mastra_deployer.pipeline.smoke_test import run_smoke_test


def test_an_address_that_cannot_be_requested_fails_the_deployment():
    deployment = Deployment(
        target="acme",
        id="1",
        url="http://127.0.0.1:1",
        environment="production",
        created=dt.datetime.now(dt.UTC),
    )
    with pytest.raises(DeploymentFailed, match="is not a valid address") as raised:
        run_smoke_test(deployment, "/a\nb", 400, SilentReport(), timeout=1)
    assert "--smoke" in raised.value.hint
    assert raised.value.deployment is deployment
