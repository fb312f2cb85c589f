"""The store of variables at Vercel: environments, and when a variable was last set."""

import datetime as dt

import pytest

from mastra_core import Secret
from mastra_core.errors import DeployError
from mastra_deployer_vercel.api import open_api
from mastra_deployer_vercel.hooks import mastra_env
from mastra_deployer_vercel.resources.variables import Variables
from mastra_deployer_vercel.settings import VercelDeployer
from tests.scripted_server import serve


@pytest.fixture
def open_store(vercel):
    """Return a store: `open_store("preview", custom_environment="staging")`."""

    def open_env(stage, **settings):
        settings = VercelDeployer(project_name="shop", api_url=vercel.url, **settings)
        return mastra_env(settings, {"VERCEL_TOKEN": Secret(vercel.token)}, stage)

    return open_env


@pytest.fixture
def staging(vercel, open_store):
    """The project with a custom environment; yield the id of the environment."""
    open_store("production").set({"OTHER": Secret("x")})
    with open_api(
        VercelDeployer(project_name="shop", api_url=vercel.url),
        {"VERCEL_TOKEN": Secret(vercel.token)},
    ) as client:
        path = "/v9/projects/shop/custom-environments"
        return client.post(path, json={"slug": "staging"}).json()["id"]


def list_stored(vercel):
    """The environments of each variable of the project, by its name."""
    project = vercel.find_project()
    slugs = {key: item.slug for key, item in project.environments.items()}
    return {
        item.key: [*item.target, *(slugs[each] for each in item.environments)]
        for item in project.env.values()
    }


def test_the_change_time_is_that_of_the_newest_variable_of_the_stage(open_store):
    production, preview = open_store("production"), open_store("preview")
    assert production.get_change_time() is None
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    production.set({"GREETING": Secret("hullo-4711")})
    assert before < production.get_change_time() < before + dt.timedelta(minutes=1)
    assert preview.get_change_time() is None


def test_a_custom_environment_is_named_by_its_slug(vercel, open_store, staging):
    store = open_store("preview", custom_environment="staging")
    store.set({"GREETING": Secret("hullo-4711")})
    assert list_stored(vercel)["GREETING"] == ["staging"]
    assert store.list() == {"GREETING": "staging"}
    assert store.get_change_time() is not None
    assert open_store("preview").list() == {}
    store.unset(["GREETING"])
    assert "GREETING" not in list_stored(vercel)


def test_a_missing_custom_environment_is_reported(open_store, staging):
    store = open_store("preview", custom_environment="stagging")
    with pytest.raises(DeployError, match="'shop' has no custom environment 'stagging'") as raised:
        store.set({"GREETING": Secret("hullo-4711")})
    assert "'staging'" in raised.value.hint


# The environment of the preview, the environments of a variable, and those after its removal.
SHARED = [
    ("staging", ["production", "staging"], ["production"]),
    ("", ["preview", "staging"], ["staging"]),
    ("", ["production", "preview"], ["production"]),
    ("staging", ["staging"], None),
]


@pytest.mark.parametrize(("custom", "before", "after"), SHARED)
def test_a_shared_variable_stays_in_the_other_environments(
    vercel, open_store, staging, custom, before, after
):
    open_store("production").set({"KEY": Secret("x")})
    variable = next(item for item in vercel.find_project().env.values() if item.key == "KEY")
    variable.target = [each for each in before if each != "staging"]
    variable.environments = [staging] if "staging" in before else []
    open_store("preview", custom_environment=custom).unset(["KEY"])
    assert list_stored(vercel).get("KEY") == after


def test_a_single_target_may_be_a_text():
    item = {"id": "env_1", "key": "KEY", "target": "preview", "type": "encrypted"}
    with serve(lambda _: (200, {}, {"envs": [item]})) as server:
        settings = VercelDeployer(project_name="shop", api_url=server.url)
        with open_api(settings, {"VERCEL_TOKEN": Secret("vercel-token-1")}) as client:
            Variables(client, settings, "preview").unset(["KEY"])
        assert [method for method, *_ in server.seen] == ["GET", "DELETE"]
