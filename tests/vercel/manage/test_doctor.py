"""What `mastra doctor vercel` finds before a deploy."""

import pytest

from mastra_core import Secret
from mastra_deployer_vercel import VercelDeployer
from mastra_deployer_vercel.api import open_api
from mastra_deployer_vercel.manage.doctor import diagnose
from mastra_deployer_vercel.resources.project import get_or_create_project
from tests.scripted_server import serve


@pytest.fixture
def check(vercel):
    """Return the messages of the problems: `check(custom_environment="staging")`."""

    def list_messages(**options):
        settings = VercelDeployer(
            project_name="shop", team_id="team_acme", bypass=Secret("b" * 32), api_url=vercel.url,
            **options,
        )  # fmt: skip
        return [item.message for item in diagnose(settings, {"VERCEL_TOKEN": Secret(vercel.token)})]

    return list_messages


def test_a_missing_custom_environment_is_found(vercel, check):
    settings = VercelDeployer(project_name="shop", team_id="team_acme", api_url=vercel.url)
    assert check(custom_environment="staging") == [], "the project is created by the deploy"
    with open_api(settings, {"VERCEL_TOKEN": Secret(vercel.token)}) as client:
        get_or_create_project(client, settings)
        (message,) = check(custom_environment="staging")
        assert "'shop' has no custom environment 'staging'" in message
        path = "/v9/projects/shop/custom-environments"
        client.post(path, json={"slug": "staging"})
    assert check(custom_environment="staging") == []


def test_a_team_selects_no_other_path():
    with serve(lambda _: (200, {}, {"user": {}})) as server:
        settings = VercelDeployer(project_name="shop", team_id="../user", api_url=server.url)
        list(diagnose(settings, {"VERCEL_TOKEN": Secret("vercel-token-1")}))
        assert server.seen[0][1].startswith("/v2/teams/..%2Fuser?")
