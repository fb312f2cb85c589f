"""The client of Vercel's API against a server that lies: types, pages, lines, redirects."""

import contextlib
import itertools
import json

import pytest

from mastra_core import Secret
from mastra_core.errors import ApiError, DeployError
from mastra_deployer.kit import iter_pages
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer_vercel import VercelDeployer
from mastra_deployer_vercel.api import open_api
from mastra_deployer_vercel.manage.deployments import list_deployments
from mastra_deployer_vercel.manage.doctor import diagnose
from mastra_deployer_vercel.manage.logs import read_logs
from mastra_deployer_vercel.resources.variables import Variables
from tests.deployer.attacks import hostile_server
from tests.scripted_server import serve

CREDENTIALS = {"VERCEL_TOKEN": Secret("vercel-token-1")}
PROJECT = {"id": "prj_1", "accountId": "team_1", "targets": {"production": {"id": "dpl_1"}}}
DEPLOYMENT = {"uid": "dpl_1", "id": "dpl_1", "url": "shop.vercel.app", "created": 1700000000000}
DEPLOYMENT |= {"projectId": "prj_1"}


@pytest.fixture
def vercel():
    with serve() as server, skip_waits():
        yield server


def build_settings(server):
    return VercelDeployer(project_name="shop", api_url=server.url)


def list_all(server):
    return list_deployments(build_settings(server), CREDENTIALS, 20)


def read_log(server, *, follow=False, count=None):
    settings = build_settings(server)
    with open_api(settings, CREDENTIALS) as client:
        lines = read_logs(client, settings, "dpl_1", None, follow=follow)
        return [line.text for line in itertools.islice(lines, count)]


def list_names(server):
    with open_api(build_settings(server), CREDENTIALS) as client:
        return dict(Variables(client, build_settings(server), "production").list())


def diagnose_all(server):
    return list(diagnose(build_settings(server), CREDENTIALS))


CALLS = [list_all, read_log, list_names, diagnose_all]


def answer_honestly(request):
    contents = {"/v9/projects": PROJECT, "/v6/deployments": {"deployments": [DEPLOYMENT]}}
    contents |= {"/v13/deployments": DEPLOYMENT, "/v10/projects": {"envs": []}}
    path = "/".join(request.path.split("?")[0].split("/")[:3])
    return 200, {}, contents.get(path, {"events": []})


@pytest.mark.parametrize("call", CALLS)
def test_honest_answers_are_read(vercel, call):
    vercel.answer = answer_honestly
    call(vercel)
    assert {seen[2] for seen in vercel.seen} == {"Bearer vercel-token-1"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", [*hostile_server.UNREADABLE, hostile_server.nested_gzip_bomb])
def test_an_unreadable_answer_is_an_api_error(vercel, call, answer):
    vercel.answer = answer
    with pytest.raises(ApiError) as raised:
        call(vercel)
    assert raised.value.hint


WRONG = [
    [],
    None,
    "text",
    {},
    {"id": None, "deployments": 7, "envs": 7, "events": 7, "plan": []},
    {"id": "prj_1", "deployments": [7], "envs": [None], "events": ["x"], "accountId": 1},
    {"id": "prj_1", "deployments": [{"uid": "a", "createdAt": 10**30}], "envs": [{"key": 1}]},
    {"id": "prj_1", "deployments": [{"uid": "a", "createdAt": "x"}], "envs": [{"target": 7}]},
    {
        "id": "x",
        "accountId": 1,
        "events": [{"timestamp": "never"}],
        "targets": [],
        "deployments": {},
    },
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("content", WRONG)
def test_wrong_types_are_deploy_errors_or_ignored(vercel, call, content):
    vercel.answer = lambda request: (200, {}, content)
    with contextlib.suppress(DeployError):
        call(vercel)


@pytest.mark.parametrize("call", CALLS)
def test_a_redirect_is_not_followed(vercel, call):
    with serve() as other:
        vercel.answer = lambda request: (307, {"location": f"{other.url}{request.path}"}, {})
        with contextlib.suppress(DeployError):
            call(vercel)
        assert other.seen == []


def test_a_log_without_an_end_ends(vercel, monkeypatch):
    monkeypatch.setitem(iter_pages.__kwdefaults__, "max_pages", 20)
    numbers = itertools.count()

    def answer(request):
        if "observability" in request.path:
            return 200, {}, {"events": [], "pagination": {"nextCursor": f"c{next(numbers)}"}}
        return answer_honestly(request)

    vercel.answer = answer
    with pytest.raises(ApiError, match="more than 20 pages"):
        read_log(vercel)
    numbers = itertools.repeat(1)
    with pytest.raises(ApiError, match="twice"):
        read_log(vercel)


def stream(content):
    return lambda request: (
        (200, {}, content) if "runtime-logs" in request.path else answer_honestly(request)
    )


def test_an_honest_stream_is_followed_over_reconnects(vercel):
    rows = [
        {"rowId": str(n), "message": f"line {n}", "timestampInMs": 32503680000000} for n in (1, 2)
    ]
    vercel.answer = stream("\n".join(map(json.dumps, [*rows, {"source": "delimiter"}])).encode())
    assert read_log(vercel, follow=True, count=2) == ["line 1", "line 2"]


@pytest.mark.parametrize(
    "content", [b"not json\n", b"[]\n", b"7\n", b'{"timestampInMs": "x", "message": "a"}\n']
)
def test_a_stream_of_other_content_is_an_api_error(vercel, content):
    vercel.answer = stream(content)
    with pytest.raises(ApiError):
        read_log(vercel, follow=True, count=1)


def test_a_line_without_an_end_is_an_api_error(vercel):
    vercel.answer = lambda request: (
        hostile_server.endless_body(request)
        if "runtime-logs" in request.path
        else answer_honestly(request)
    )
    with pytest.raises(ApiError, match="a line of more than"):
        read_log(vercel, follow=True, count=1)
