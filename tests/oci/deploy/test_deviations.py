"""A push succeeds at registries that deviate from the specification."""

import hashlib
import random

import pytest
import stamina

from mastra_core import Secret
from mastra_core.errors import ApiError
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer_oci.api.docker_auth import Login
from mastra_deployer_oci.api.documents import MANIFEST_TYPE, Document
from mastra_deployer_oci.api.reference import Reference
from mastra_deployer_oci.api.repository import open_repository
from mastra_deployer_oci.deploy.blob import Blob
from mastra_deployer_oci.deploy.push import push_blobs
from mastra_deployer_oci.deploy.upload_method import Whole, choose_first_method
from tests.oci.deviating_registry import (
    report_all,
    report_first_chunk,
    report_last_chunk,
    report_nothing,
    serve_registry,
)
from tests.scripted_server import serve

MIB = 1 << 20
CHUNK = 8 * MIB
SMALL = b"small" * 1000
LARGE = random.Random(7).randbytes(2 * CHUNK + MIB)  # three chunks


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    with skip_waits(), stamina.set_testing(True, attempts=5, cap=True):
        yield


class Recorder(SilentReport):
    """Keeps what is reported."""

    def __init__(self):
        self.lines = []

    def step(self, text):
        self.lines.append(text)

    def advance(self, done, total, unit="B"):
        self.lines.append((done, total))


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push(server, *contents, login=None, mount="", report=None):
    """Push blobs, and return the number of bytes sent."""
    blobs = [
        Blob(name="app", digest=digest_of(each), size=len(each), content=each, mount=mount)
        for each in contents
    ]
    scopes = ["repository:team/app:pull,push", *([f"repository:{mount}:pull"] if mount else [])]
    image = Reference.parse(f"{server.host}/team/app")
    with open_repository(image, login, scopes=scopes) as repository:
        return push_blobs(repository, blobs, report or SilentReport())


def test_a_registry_that_keeps_to_the_specification_gets_chunks():
    with serve_registry() as server:
        assert push(server, LARGE, SMALL) == len(LARGE) + len(SMALL)
    assert server.list_sizes("PATCH") == [CHUNK, CHUNK, MIB]
    assert server.list_sizes("PUT") == [len(SMALL)]
    assert sorted(server.blobs.values()) == sorted([LARGE, SMALL])


DEVIATIONS = {
    "Range stays at the first chunk, with 201 (ECR)": {
        "report_range": report_first_chunk,
        "chunk_status": 201,
    },
    "Range counts the last chunk alone (Aliyun, Zot)": {"report_range": report_last_chunk},
    "no Range (Gitea)": {"report_range": report_nothing},
    "204 for a chunk (Pulp)": {"chunk_status": 204},
    "Range with a unit (Quay)": {
        "report_range": lambda upload: f"bytes=0-{max(len(upload.content) - 1, 0)}"
    },
    "no Location for a chunk": {"chunk_location": False},
    "a query that must not change (distribution, GitLab)": {
        "upload_query": "_state=a%2Fb+c%3D%3D&flag&_nouploadcache=false"
    },
    "a session cookie, which is refused in writes (Harbor)": {"sets_cookie": True},
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_each_byte_is_sent_once(name):
    with serve_registry(**DEVIATIONS[name]) as server:
        assert push(server, LARGE) == len(LARGE)
    assert list(server.blobs.values()) == [LARGE]
    assert server.list_sizes("PATCH") == [CHUNK, CHUNK, MIB]


@pytest.mark.parametrize(
    "refusal",
    [(1, 405, "not allowed"), (2, 400, "chunks are unsupported"), (2, 416, "no"), (1, 501, "no")],
)
def test_a_registry_that_refuses_chunks_gets_whole_blobs(refusal):
    """Google Artifact Registry, and GitHub above 4 MiB."""
    with serve_registry(chunk_refusal=refusal) as server:
        push(server, LARGE)
    assert list(server.blobs.values()) == [LARGE]
    assert server.list_sizes("PUT") == [len(LARGE)]


def test_a_registry_that_loses_chunks_gets_whole_blobs():
    with serve_registry(keeps_chunks=False) as server:
        push(server, LARGE)
    assert list(server.blobs.values()) == [LARGE]


def test_a_registry_that_refuses_whole_blobs_gets_chunks():
    """Older versions of Artifactory."""
    with serve_registry(whole_refusal=(400, "use PATCH")) as server:
        push(server, SMALL, LARGE)
    assert sorted(server.blobs.values()) == sorted([LARGE, SMALL])


@pytest.mark.parametrize(
    ("methods", "limit", "status", "message"),
    [
        ("PATCH", 4 * MIB, 416, "the request body is too large"),  # GitHub
        (("PATCH", "PUT"), MIB, 413, "Request Entity Too Large"),  # nginx, as it is installed
    ],
)
def test_requests_become_as_small_as_the_registry_accepts(methods, limit, status, message):
    with serve_registry(size_limit=(limit, methods, status, message)) as server:
        push(server, LARGE)
        accepted = server.list_sizes("PATCH")[-len(LARGE) // limit :]
        assert max(accepted) <= limit
        server.requests.clear()
        push(server, LARGE[1:], LARGE[: 5 * MIB])
    assert len(server.blobs) == 3


def test_a_whole_blob_that_is_too_large_is_sent_in_chunks():
    """Azure refuses large blobs in one request, and accepts them in chunks."""
    with serve_registry(size_limit=(4 * MIB, "PUT", 413, "Request Entity Too Large")) as server:
        push(server, LARGE[: 5 * MIB])
        push(server, LARGE)
    assert sorted(map(len, server.blobs.values())) == [5 * MIB, len(LARGE)]


def test_a_limit_below_the_smallest_chunk_names_the_cure():
    limit = (1000, ("PATCH", "PUT"), 413, "Request Entity Too Large")
    with serve_registry(size_limit=limit) as server, pytest.raises(ApiError) as raised:
        push(server, LARGE)
    assert "client_max_body_size" in raised.value.hint
    assert sum(server.list_sizes("PATCH")) < 16 * MIB


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ({"oci-chunk-min-length": str(10 * MIB)}, 10 * MIB),  # GitLab with S3
        ({"oci-chunk-max-length": str(5 * MIB)}, 5 * MIB),  # Cloudflare
    ],
)
def test_the_stated_sizes_of_chunks_are_kept(headers, size):
    with serve_registry(upload_headers=headers) as server:
        push(server, LARGE)
    sizes = server.list_sizes("PATCH")
    assert set(sizes[:-1]) == {size}
    assert sum(sizes) == len(LARGE)


def test_the_first_method_is_the_one_that_the_documentation_asks_for():
    for host in ("europe-docker.pkg.dev", "gcr.io", "eu.gcr.io", "ghcr.io"):
        assert choose_first_method(host).whole is Whole.ALL
    for host in ("registry.example", "ghcr.io.example", "notghcr.io", "127.0.0.1:5000"):
        assert choose_first_method(host).whole is Whole.SMALL


@pytest.mark.parametrize("report_range", [report_first_chunk, report_last_chunk, report_nothing])
def test_a_lost_answer_at_a_registry_with_wrong_ranges_begins_again(report_range):
    with serve_registry(report_range=report_range, lost_answers=1) as server:
        push(server, LARGE)
    assert list(server.blobs.values()) == [LARGE]


def test_a_whole_blob_that_arrives_partly_is_sent_in_a_new_upload():
    with serve_registry(broken_wholes=2) as server:
        assert push(server, SMALL) == 3 * len(SMALL)
    assert list(server.blobs.values()) == [SMALL]


@pytest.mark.parametrize("report_range", [report_all, lambda upload: "0-0"])
def test_a_server_error_for_a_whole_blob_repeats_it_in_the_same_upload(report_range):
    """The second registry hides what it has, so a third request is in a new upload."""
    with serve_registry(report_range=report_range, server_errors=1) as server:
        push(server, SMALL)
    assert list(server.blobs.values()) == [SMALL]
    is_honest = report_range is report_all
    assert server.list_sizes("PUT") == [len(SMALL)] * (2 if is_honest else 3)


def test_a_lost_answer_at_an_honest_registry_repeats_nothing():
    with serve_registry(lost_answers=1) as server:
        assert push(server, LARGE) == len(LARGE)
    assert list(server.blobs.values()) == [LARGE]
    assert server.list_sizes("PATCH") == [CHUNK, CHUNK, MIB]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_lost_answer_at_a_registry_that_does_not_tell_its_state(status):
    with serve_registry(state_status=status, lost_answers=1) as server:
        push(server, LARGE)
    assert list(server.blobs.values()) == [LARGE]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_refused_mount_becomes_an_upload(status):
    """Docker Hub and others answer so where the user may not read the other repository."""
    with serve_registry(mount_status=status) as server:
        assert push(server, SMALL, mount="library/base") == len(SMALL)
    assert list(server.blobs.values()) == [SMALL]


def test_an_accepted_mount_sends_nothing():
    report = Recorder()
    with serve_registry(mount_status=201) as server:
        assert push(server, SMALL, mount="library/base", report=report) == 0
    assert report.lines[-1] == (0, 0)


def test_a_token_server_that_refuses_the_scope_of_the_mount_gives_a_token_without_it():
    def give_token(request):
        return (401, {}, {}) if request.path.count("scope=") > 1 else (200, {}, {"token": "t"})

    with serve(give_token) as tokens:
        challenge = {"www-authenticate": f'Bearer realm="{tokens.url}/token"'}

        def answer(request):
            if request.headers.get("authorization") != "Bearer t":
                return 401, challenge, b""
            return (404, {}, b"") if request.command == "HEAD" else (201, {"location": "/x"}, b"")

        with serve(answer) as server:
            server.host = server.url.removeprefix("http://")
            login = Login(username="u", password=Secret("p-1"), source="a test", host=server.host)
            push(server, SMALL, mount="library/base", login=login)
    assert [path.count("scope=") for _, path, _ in tokens.seen] == [2, 1]


def test_no_request_carries_a_cookie():
    """Harbor, its base images included."""
    with serve_registry(sets_cookie=True) as server:
        push(server, LARGE, SMALL)
        with open_repository(Reference.parse(f"{server.host}/team/base"), None) as base:
            assert base.read_blob(digest_of(SMALL)) == SMALL
            base.list_tags()
    assert len(server.headers) > 8
    assert not [each for each in server.headers if "cookie" in map(str.lower, each)]


def test_an_upload_elsewhere_that_needs_a_login_names_that_host():
    def refuse(request):
        return 401, {"www-authenticate": "Basic"}, {}

    with serve(refuse) as other, serve_registry(upload_origin=other.url) as server:
        login = Login(username="u", password=Secret("p-1"), source="a test", host=server.host)
        with pytest.raises(ApiError) as raised:
            push(server, SMALL, login=login)
    assert f"at '{other.url}': 127.0.0.1 answered 401" in raised.value.message
    assert "Credentials are sent only to the registry itself" in raised.value.hint
    assert not [each for each in other.headers if "authorization" in map(str.lower, each)]


def test_an_upload_that_continues_unencrypted_names_that_host_at_once():
    """A registry behind a proxy that does not say that the client used https."""
    with serve_registry(upload_origin="http://registry.example") as server:
        with pytest.raises(ApiError) as raised:
            push(server, SMALL)
        assert [method for method, _, _ in server.requests] == ["HEAD", "POST"]
    assert "at 'http://registry.example': " in raised.value.message
    assert "which is not encrypted" in raised.value.message
    assert "X-Forwarded-Proto" in raised.value.hint


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_token_that_expires_before_each_request_is_replaced(content):
    """GitLab and Docker Hub: a token may expire in the middle of a push."""
    tokens = iter(range(1000))
    valid_tokens, stored = set(), []

    def give_token(request):
        token = f"t{next(tokens)}"
        valid_tokens.add(f"Bearer {token}")
        return 200, {}, {"token": token}

    with serve(give_token) as token_server:
        challenge = {"www-authenticate": f'Bearer realm="{token_server.url}/token"'}

        def answer(request):
            authorization = request.headers.get("authorization")
            if authorization not in valid_tokens:
                return 401, challenge, b""
            valid_tokens.remove(authorization)
            stored.append(request.body)
            status = {"HEAD": 404, "PUT": 201}.get(request.command, 202)
            return status, {"location": "/upload", "range": f"0-{len(b''.join(stored)) - 1}"}, b""

        with serve(answer) as server:
            server.host = server.url.removeprefix("http://")
            login = Login(username="u", password=Secret("p-1"), source="a test", host=server.host)
            push(server, content, login=login)
    assert b"".join(stored) == content


def test_progress_counts_what_is_sent_only():
    report = Recorder()
    with serve_registry() as server:
        push(server, LARGE)
        push(server, LARGE, SMALL, SMALL, report=report)
        assert {line[1] for line in report.lines} == {len(SMALL)}
        assert report.lines[-1] == (len(SMALL), len(SMALL))
        report = Recorder()
        push(server, LARGE, SMALL, report=report)
    assert report.lines == ["The registry already has all layers (17.8 MB)"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_redirect_to_a_login_page_is_no_success(method):
    """A gateway before a registry answers so when its session has ended."""

    def answer(request):
        if request.command == method:
            return 302, {"location": "http://127.0.0.1:9/login"}, b""
        status = {"HEAD": 404, "PUT": 201}.get(request.command, 202)
        return status, {"location": "/upload"}, b""

    with serve(answer) as server:
        server.host = server.url.removeprefix("http://")
        with pytest.raises(ApiError, match=rf"{method} .*302, a redirect to '127.0.0.1'"):
            push(server, LARGE)
        image = Reference.parse(f"{server.host}/team/app")
        if method == "PUT":
            document = Document(content=b"{}", media_type=MANIFEST_TYPE)
            with pytest.raises(ApiError, match="redirect"), open_repository(image, None) as target:
                target.put_manifest("latest", document)


def test_an_upload_that_is_lost_begins_again():
    with serve_registry(lost_uploads=2) as server:
        push(server, LARGE)
    assert list(server.blobs.values()) == [LARGE]


def test_tags_of_an_empty_repository_may_be_null():
    """GitLab and Gitea."""
    with (
        serve_registry() as server,
        open_repository(Reference.parse(f"{server.host}/team/app"), None) as repository,
    ):
        assert repository.list_tags() == []


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_has_either_name(name):
    """Azure has the second one only."""
    with serve(lambda request: (200, {}, {name: "t", "expires_in": 60})) as tokens:
        challenge = {"www-authenticate": f'Bearer realm="{tokens.url}/token",service="r"'}

        def answer(request):
            is_allowed = request.headers.get("authorization") == "Bearer t"
            return (200, {}, {"tags": ["1"]}) if is_allowed else (401, challenge, {})

        with serve(answer) as server:
            host = server.url.removeprefix("http://")
            with open_repository(Reference.parse(f"{host}/team/app"), None) as repository:
                assert repository.list_tags() == ["1"]


@pytest.mark.slow
def test_a_deploy_to_a_registry_with_many_deviations(oci, bundle):
    deviations = {"report_range": report_first_chunk, "chunk_status": 201, "sets_cookie": True}
    with serve_registry(**deviations) as server:
        run = oci(server.host)
        run("deploy", "--prebuilt", bundle, "--prod").ok()
        sent = sum(size for _, path, size in server.requests if "/blobs/" in path)
        assert sent == sum(map(len, server.blobs.values())), "each byte was sent once"
        again = run("deploy", "--prebuilt", bundle, "--prod").ok()
        assert "The registry already has all layers (" in again.err
        assert " MB of " not in again.err
