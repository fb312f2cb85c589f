"""The store of variables for commands, over a platform's HTTP API."""

import contextlib
import datetime as dt

import pytest

from mastra_core import Secret
from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment, DeployRequest
from mastra_deployer.kit import connect, env_store, find_object, find_unfinished, require_deployed
from tests.scripted_server import serve


class Variables:
    def __init__(self, client):
        self.client = client

    def list(self):
        return dict.fromkeys(
            (find_object(self.client, "/env") or {}).get("names", ()), "production"
        )

    def set(self, values):
        self.client.put("/env", json={name: value.reveal() for name, value in values.items()})

    def unset(self, names):
        for name in names:
            self.client.delete(f"/env/{name}", extensions={"mastra_accept": (404,)})


@pytest.fixture
def platform():
    with serve() as server:
        yield server


@pytest.fixture
def opened():
    return []


@pytest.fixture
def store(platform, opened):
    @contextlib.contextmanager
    def open_api():
        with connect(platform.url) as client:
            opened.append(client)
            yield client

    return env_store(open_api, Variables, create=lambda client: client.put("/app"))


def test_each_call_opens_a_client_and_closes_it(store, platform, opened):
    platform.answers = [(200, {}, {"names": ["KEY"]})]
    assert store.list() == {"KEY": "production"}
    store.set({"KEY": Secret("value-1")})
    store.unset(["KEY", "OTHER"])
    calls = [f"{method} {path}" for method, path, _ in platform.seen]
    assert calls == ["GET /env", "PUT /app", "PUT /env", "DELETE /env/KEY", "DELETE /env/OTHER"]
    assert len(opened) == 3 and all(client.is_closed for client in opened)


def test_a_change_has_a_time_only_where_the_platform_dates_its_variables(platform):
    class DatedVariables(Variables):
        def get_change_time(self):
            found = find_object(self.client, "/env") or {}
            return dt.datetime.fromtimestamp(found["changed"], dt.UTC) if found else None

    def open_api():
        return connect(platform.url)

    platform.answers = [(200, {}, {"changed": 1_800_000_000})]
    changed = env_store(open_api, DatedVariables).get_change_time()
    assert changed == dt.datetime(2027, 1, 15, 8, tzinfo=dt.UTC)
    platform.answers = [(404, {}, {})]
    assert env_store(open_api, DatedVariables).get_change_time() is None
    assert env_store(open_api, Variables).get_change_time() is None


def test_variables_of_an_app_that_does_not_exist_are_empty(store, platform):
    platform.answers = [(404, {}, {})]
    assert store.list() == {}


def test_what_a_deploy_creates_is_required(platform):
    platform.answers = [(404, {}, {}), (200, {}, {"id": 1})]
    with connect(platform.url) as client:
        with pytest.raises(DeployError, match="no app 'shop'") as raised:
            require_deployed(find_object(client, "/apps/shop"), "Acme has no app 'shop'.")
        assert "Deploy first" in raised.value.hint
        found = require_deployed(find_object(client, "/apps/shop"), "Acme has no app 'shop'.")
    assert found == {"id": 1}


def deployment(item):
    stage, state, fingerprint = item
    return Deployment(
        target="t", id="i", url="", environment=stage, created=dt.datetime.now(dt.UTC), state=state,
        fingerprint=fingerprint,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("items", "index"),
    [
        ([("preview", "building", "f"), ("production", "building", "f")], 1),
        ([("production", "ready", "f")], None),
        ([("production", "failed", "f"), ("production", "building", "f")], None),
        ([("production", "building", "other"), ("production", "building", "f")], None),
        ([], None),
    ],
)
def test_an_unfinished_deployment_is_found_by_its_fingerprint(items, index):
    request = DeployRequest(environment="production", fingerprint="f")
    found = find_unfinished(iter(items), request, deployment)
    assert found == (None if index is None else items[index])


def test_a_deployment_without_a_fingerprint_is_never_resumed():
    request = DeployRequest(environment="production")
    assert find_unfinished([("production", "building", "")], request, deployment) is None
