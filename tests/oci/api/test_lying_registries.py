"""The registry's client against registries that lie: tokens, redirects, digests, sizes, pages."""

import base64
import hashlib
import json

import pytest
import stamina

from mastra_core import Secret
from mastra_core.errors import ApiError, AuthError, DeployError
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import iter_pages
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer_oci.api.docker_auth import Login
from mastra_deployer_oci.api.reference import Reference
from mastra_deployer_oci.api.repository import open_repository
from mastra_deployer_oci.deploy.base_image import load_base
from mastra_deployer_oci.deploy.blob import Blob
from mastra_deployer_oci.deploy.push import push_blobs
from tests.deployer.attacks import hostile_server
from tests.scripted_server import serve

PASSWORD = "registry-password-1"
BASIC = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def registry():
    with serve() as server, skip_waits():
        yield server


@pytest.fixture
def other():
    with serve() as server:
        yield server


def open_image(server, login=None):
    host = server.url.removeprefix("http://")
    return open_repository(Reference.parse(f"{host}/team/app:latest"), login)


def build_login(server):
    return Login(
        username="user",
        password=Secret(PASSWORD),
        source="a test",
        host=server.url.removeprefix("http://"),
    )


def list_secrets(server):
    """Everything that a server received in headers and bodies that has the password."""
    texts = [json.dumps(each) for each in server.headers]
    texts += [body.decode("latin-1") for body in server.bodies]
    return [text for text in texts if BASIC in text or PASSWORD in text]


def test_an_honest_challenge_gets_the_password(registry, other):
    challenge = {"www-authenticate": f'Bearer realm="{other.url}/token",service="r"'}
    registry.answers = [(401, challenge, {}), (200, {}, {"tags": ["1"]})]
    other.answers = [(200, {}, {"token": "granted"})]
    with open_image(registry, build_login(registry)) as image:
        assert image.list_tags() == ["1"]
    assert other.seen[0][2] == BASIC
    assert registry.seen[1][2] == "Bearer granted"


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_redirect_target_does_not_get_the_password_by_a_challenge(registry, other, scheme):
    content = b"layer"
    challenge = {"www-authenticate": f'{scheme} realm="{other.url}/token",service="r"'}
    other.answer = lambda request: (401, challenge, {})
    registry.answer = lambda request: (307, {"location": f"{other.url}/blob"}, b"")
    with pytest.raises(ApiError), open_image(registry, build_login(registry)) as image:
        image.read_blob(digest_of(content))
    assert [path for _, path, _ in other.seen] == ["/blob"]
    assert list_secrets(other) == []


def test_an_honest_redirect_to_the_storage_of_a_registry_is_followed(registry, other, tmp_path):
    content = b"layer" * 1000
    registry.answer = lambda request: (307, {"location": f"{other.url}/blob"}, b"")
    other.answer = lambda request: (200, {}, content)
    with open_image(registry, build_login(registry)) as image:
        assert image.read_blob(digest_of(content)) == content
        image.download(digest_of(content), len(content), tmp_path / "layer")
    assert (tmp_path / "layer").read_bytes() == content


@pytest.mark.parametrize(
    "realm", ["http://169.254.169.254/token", "http://registry.example/token", "", "file:///x"]
)
def test_a_token_server_that_is_not_encrypted_gets_nothing(registry, realm):
    registry.answer = lambda request: (401, {"www-authenticate": f'Bearer realm="{realm}"'}, {})
    with pytest.raises(AuthError), open_image(registry, build_login(registry)) as image:
        image.list_tags()


def test_a_token_server_that_redirects_does_not_pass_the_login_on(registry, other):
    refresh = Login(refresh=Secret(PASSWORD), source="a test", host="127.0.0.1")
    with serve(lambda request: (307, {"location": f"{other.url}/take"}, b"")) as tokens:
        challenge = {"www-authenticate": f'Bearer realm="{tokens.url}/token"'}
        registry.answer = lambda request: (401, challenge, {})
        for login in (build_login(registry), refresh):
            with pytest.raises(AuthError), open_image(registry, login) as image:
                image.list_tags()
    assert other.seen == []


@pytest.mark.parametrize("token", [b"not json", b"[]", b"null", b'{"other": 1}', b"[" * 50_000])
def test_a_token_server_without_a_token_is_an_auth_error(registry, other, token):
    challenge = {"www-authenticate": f'Bearer realm="{other.url}/token"'}
    registry.answer = lambda request: (401, challenge, {})
    other.answer = lambda request: (200, {}, token)
    with (
        pytest.raises(AuthError, match="and without a token"),
        open_image(registry, build_login(registry)) as image,
    ):
        image.list_tags()


@pytest.mark.parametrize("answer", hostile_server.UNREADABLE)
def test_a_manifest_that_is_not_json_is_an_api_error(registry, answer):
    registry.answer = answer
    with pytest.raises(ApiError), open_image(registry) as image:
        image.find_manifest("latest")


@pytest.mark.parametrize("content", [b"[]", b"7", b'"text"', b"null"])
def test_a_manifest_that_is_no_object_is_an_api_error(registry, content):
    registry.answer = lambda request: (200, {}, content)
    with pytest.raises(ApiError, match="is not a JSON object"), open_image(registry) as image:
        image.find_manifest("latest")


def test_an_endless_manifest_ends_at_the_limit_of_the_specification(registry):
    registry.answer = hostile_server.endless_body
    with pytest.raises(ApiError, match="more than 4,194,304 bytes"), open_image(registry) as image:
        image.find_manifest("latest")


def test_a_wrong_digest_is_refused(registry, tmp_path):
    registry.answer = lambda request: (200, {}, b'{"other": 1}')
    digest = digest_of(b"expected")
    with open_image(registry) as image:
        for call in (
            lambda: image.find_manifest(digest),
            lambda: image.read_blob(digest),
            lambda: image.download(digest, 100, tmp_path / "x"),
        ):
            with pytest.raises(ApiError, match="sent content with digest"):
                call()


def test_a_layer_beyond_its_declared_size_is_not_read(registry, tmp_path):
    registry.answer = hostile_server.endless_body
    with pytest.raises(ApiError, match="more than 10 bytes"), open_image(registry) as image:
        image.download(digest_of(b"x"), 10, tmp_path / "layer")
    assert (tmp_path / "layer").stat().st_size <= 10


def test_tag_pages_end(registry, other, monkeypatch):
    monkeypatch.setitem(iter_pages.__kwdefaults__, "max_pages", 20)
    pages = iter(range(10_000))

    def page(request):
        return 200, {"link": f'</v2/team/app/tags/list?n=1&last={next(pages)}>; rel="next"'}, {}

    registry.answer = page
    with pytest.raises(ApiError, match="more than 20 pages"), open_image(registry) as image:
        image.list_tags()
    registry.answer = lambda request: (200, {"link": '</v2/x>; rel="next"'}, {"tags": ["a"]})
    with pytest.raises(ApiError, match="twice"), open_image(registry) as image:
        image.list_tags()
    registry.answer = None
    next_page = {"link": f'<{other.url}/v2/team/app/tags/list?last=1>; rel="next"'}
    registry.answers = [(200, next_page, {"tags": ["a"]}), (200, {}, {"tags": ["b"]})]
    registry.answer = lambda request: registry.answers.pop(0)
    with open_image(registry) as image:
        assert image.list_tags() == ["a", "b"]
    assert other.seen == [], "all pages come from the registry itself"


@pytest.mark.parametrize("address", ["http://[", "//", "?", "x" * 10_000])
def test_a_wrong_address_of_the_next_page_is_an_api_error(registry, address):
    registry.answer = lambda request: (200, {"link": f'<{address}>; rel="next"'}, {"tags": []})
    with pytest.raises(ApiError), open_image(registry) as image:
        image.list_tags()


@pytest.mark.parametrize("realm", ["https://[", "https://", "https://a b", "https://x:999999/"])
def test_a_wrong_address_of_a_token_server_is_a_deploy_error(registry, realm):
    registry.answer = lambda request: (401, {"www-authenticate": f'Bearer realm="{realm}"'}, {})
    with pytest.raises(DeployError), open_image(registry, build_login(registry)) as image:
        image.list_tags()


@pytest.mark.parametrize("tags", [[1], [None], 7, [["x"]]])
def test_tags_that_are_no_texts_are_an_api_error(registry, tags):
    registry.answer = lambda request: (200, {}, {"tags": tags})
    with pytest.raises(ApiError), open_image(registry) as image:
        image.list_tags()


@pytest.mark.parametrize(
    "manifest",
    [
        {"config": None, "layers": []},
        {"config": {"digest": 7}, "layers": []},
        {"config": {"digest": "CONFIG"}, "layers": None},
        {"config": {"digest": "CONFIG"}, "layers": [{"mediaType": "x"}]},
        {"config": {"digest": "CONFIG"}, "layers": ["LAYER", {"size": -1}]},
        {"config": {"digest": "CONFIG"}, "layers": ["LAYER", {"size": "12"}]},
        {"config": {"digest": "CONFIG"}, "layers": ["LAYER", {"size": 10**15}]},
        {"config": {"digest": "CONFIG"}, "layers": ["LAYER", {"digest": "sha256:../../x"}]},
        {"manifests": [{"platform": None}]},
        {"manifests": 7},
    ],
)
def test_a_base_image_with_wrong_types_is_a_deploy_error(registry, manifest):
    config = b'{"architecture": "amd64"}'
    layer = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar",
        "digest": digest_of(b""),
        "size": 0,
    }
    text = json.dumps(manifest).replace("CONFIG", digest_of(config))
    value = json.loads(text)
    if isinstance(value.get("layers"), list) and value["layers"][:1] == ["LAYER"]:
        value["layers"] = [layer | value["layers"][1]]
    contents = {"manifests": json.dumps(value).encode(), "blobs": config}
    registry.answer = lambda request: (200, {}, contents[request.path.split("/")[-2]])
    with pytest.raises(DeployError) as raised, open_image(registry) as image:
        load_base(image, image.image, "amd64")
    assert raised.value.hint


def push(registry, content=b"layer"):
    blob = Blob(name="app", digest=digest_of(content), size=len(content), content=content)
    with open_image(registry, build_login(registry)) as image:
        push_blobs(image, [blob], SilentReport())


def test_an_upload_that_continues_elsewhere_carries_no_credentials(registry, other):
    def answer(request):
        if request.command == "HEAD":
            return 404, {}, b""
        if request.headers.get("authorization") is None:
            return 401, {"www-authenticate": "Basic"}, b""
        return 202, {"location": f"{other.url}/upload/1"}, b""

    registry.answer = answer
    other.answer = lambda request: (
        201 if request.command == "PUT" else 202,
        {"location": "/upload/1", "range": "0-4", "www-authenticate": "Basic"},
        b"",
    )
    push(registry)
    assert {seen[0] for seen in other.seen} == {"PUT"}
    push(registry, bytes(9 << 20))
    assert {seen[0] for seen in other.seen} == {"PATCH", "PUT"}
    assert list_secrets(other) == []


def test_an_upload_that_continues_unencrypted_is_refused(registry):
    registry.answer = lambda request: (
        (404, {}, b"")
        if request.command == "HEAD"
        else (202, {"location": "http://169.254.169.254/upload"}, b"")
    )
    with pytest.raises(ApiError, match="which is not encrypted"):
        push(registry)


@pytest.mark.parametrize("size", ["0-0", "", "0-99999999999999999999", "7-9", "x"])
def test_an_upload_that_makes_no_progress_ends(registry, size):
    def answer(request):
        if request.command == "HEAD":
            return 404, {}, b""
        if request.command == "PUT":
            return 400, {}, b""
        return 202, {"location": "/upload/1", "range": size}, b""

    registry.answer = answer
    with stamina.set_testing(True, attempts=5, cap=True), pytest.raises(DeployError):
        push(registry)
    assert len(registry.seen) < 100


@pytest.mark.parametrize("length", ["x", "-1", "1" * 5000])
def test_a_wrong_length_of_chunks_is_an_api_error_or_ignored(registry, length):
    def answer(request):
        if request.command == "HEAD":
            return 404, {}, b""
        headers = {"location": "/upload/1", "range": "0-4", "oci-chunk-min-length": length}
        return 201 if request.command == "PUT" else 202, headers, b""

    registry.answer = answer
    if length == "-1":
        push(registry)
    else:
        with pytest.raises(ApiError):
            push(registry)


@pytest.mark.parametrize("address", [None, "http://[", "http://a b/", "http://x:99999999/"])
def test_an_upload_without_an_address_is_an_api_error(registry, address):
    headers = {"location": address} if address else {}
    registry.answer = lambda request: (404 if request.command == "HEAD" else 202, headers, b"")
    with stamina.set_testing(True, attempts=2), pytest.raises(ApiError) as raised:
        push(registry)
    assert raised.value.hint
