"""Packages of npm come from a registry once, and only as they were published."""

import base64
import gzip
import hashlib
import io
import tarfile

import pytest

from mastra_core.errors import ApiError, ConfigError, DeployError
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import NpmPackage, get_npm_package
from mastra_deployer.kit.clock import skip_waits
from tests.scripted_server import serve

FILES = {
    "package/package.json": (b"{}", 0o644),
    "package/bin/tool": (b"#!/bin/sh\n", 0o755),
    "package/dist/page/index.html": (b"<html>", 0o600),
    "package/../../outside": (b"x", 0o644),
}


def make_tarball(files):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, (content, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def describe(tarball, **options):
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    return NpmPackage(
        **{"name": "@a/tool", "version": "1.2.3", "integrity": f"sha512-{digest}", **options}
    )


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    return tmp_path / "cache" / "npm"


@pytest.fixture
def tarball():
    return make_tarball({name: file for name, file in FILES.items() if ".." not in name})


def test_a_package_is_downloaded_once_with_modes(tarball, cache):
    package = describe(tarball)
    with serve(lambda _: (200, {}, tarball)) as server:
        for _ in range(2):
            directory = get_npm_package(package, SilentReport(), registry=f"{server.url}/npm/")
        assert [item[:2] for item in server.seen] == [("GET", "/npm/@a/tool/-/tool-1.2.3.tgz")]
    modes = {
        path.relative_to(directory).as_posix(): path.stat().st_mode & 0o777
        for path in directory.rglob("*")
        if path.is_file()
    }
    assert modes == {"package.json": 0o644, "bin/tool": 0o755, "dist/page/index.html": 0o644}
    assert [path.name for path in cache.iterdir()] == [directory.name], "something is left behind"


def test_one_directory_of_a_package(tarball, monkeypatch):
    with serve(lambda _: (200, {}, tarball)) as server:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.url)
        page = get_npm_package(describe(tarball, directory="dist/page"), SilentReport())
        whole = get_npm_package(describe(tarball), SilentReport())
    assert [path.name for path in page.iterdir()] == ["index.html"] and page != whole


def test_another_content_is_refused_and_not_kept(tarball, cache):
    differs = pytest.raises(DeployError, match=r"a @a/tool 1\.2\.3 that differs")
    with serve(lambda _: (200, {}, gzip.compress(b"other"))) as server, differs:
        get_npm_package(describe(tarball), SilentReport(), registry=server.url)
    assert not list(cache.iterdir())


def test_nothing_is_written_outside_of_the_directory(tmp_path):
    tarball = make_tarball(FILES)
    with serve(lambda _: (200, {}, tarball)) as server, pytest.raises(tarfile.TarError):
        get_npm_package(describe(tarball), SilentReport(), registry=server.url)
    assert not list(tmp_path.rglob("outside"))


def test_a_missing_version_is_the_registrys_error(tarball):
    missing = pytest.raises(ApiError, match="404")
    with serve(lambda _: (404, {}, {"error": "version not found"})) as server, missing:
        get_npm_package(describe(tarball), SilentReport(), registry=server.url)


def test_without_the_registry_a_package_comes_from_the_cache_only(tarball):
    package = describe(tarball)
    with serve(lambda _: (200, {}, tarball)) as server:
        directory = get_npm_package(package, SilentReport(), registry=server.url)
    assert get_npm_package(package, SilentReport(), registry=server.url) == directory
    other = describe(tarball, version="1.2.4")
    missing = pytest.raises(ApiError, match=r"@a/tool 1\.2\.4 is not in the cache, .* refused")
    with skip_waits(), missing as raised:
        get_npm_package(other, SilentReport(), registry=server.url)
    assert "NPM_CONFIG_REGISTRY" in raised.value.hint


@pytest.mark.parametrize("address", ["http://registry.example", "registry", "file:///etc"])
def test_a_registry_needs_https(tarball, address):
    with pytest.raises(ConfigError, match=f"registry is '{address}'"):
        get_npm_package(describe(tarball), SilentReport(), registry=address)


@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_credentials_of_a_registry_are_not_shown(tarball, scheme):
    address = f"{scheme}://build:hunter22@mirror.example/npm"
    with pytest.raises(ConfigError, match=r"mirror\.example/npm") as raised:
        get_npm_package(describe(tarball), SilentReport(), registry=address)
    assert "hunter22" not in str(raised.value)


def test_an_address_that_cannot_be_parsed_is_a_configuration_error(tarball):
    with pytest.raises(ConfigError, match="is not an https:// address"):
        get_npm_package(describe(tarball), SilentReport(), registry="https://[mirror")


def test_a_mirror_may_redirect_to_its_storage(tarball):
    with (
        serve(lambda _: (200, {}, tarball)) as storage,
        serve(lambda _: (302, {"location": f"{storage.url}/blob"}, b"")) as mirror,
    ):
        directory = get_npm_package(describe(tarball), SilentReport(), registry=mirror.url)
    assert (directory / "package.json").read_text() == "{}"
