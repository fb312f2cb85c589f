"""Broken downloads, missing networks and malicious wheels."""

import json
import os
import shutil

import pytest

from tests.deployer.bundler.wheelhouse import serve_index, write_wheel
from tests.files import read_files

pytestmark = pytest.mark.slow

APP = "async def app(scope, receive, send): ...\n"
DEAD = "http://127.0.0.1:9"
ASGI = ("build", "--app", "main:app")


def read_vendored(root, name):
    return (root / ".mastra/vendor" / name).read_text()


def read_digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_bytes())["digest"]


@pytest.fixture
def cold_cache(tmp_path):
    """A cache of this test's own; to uv's, every new port is a new index."""
    return {
        "MASTRA_CACHE_DIR": str(tmp_path / "cache"),
        "UV_HTTP_RETRIES": "0",
        "UV_HTTP_TIMEOUT": "2",
    }


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param("cut", "closed the connection", marks=pytest.mark.full),
        ("hang", "closed the connection"),
        pytest.param("always 500", "closed the connection", marks=pytest.mark.full),
        ("wrong", "hash"),
    ],
)
def test_broken_download_is_reported(project, mastra, tmp_path, cold_cache, fault, words):
    wheel = write_wheel(tmp_path / "house", "thing", {"thing.py": "x = 1\n" * 5000})
    root = project({"main.py": APP}, dependencies=("thing",))
    with serve_index(wheel, "thing") as index:
        index.fault = fault
        if fault == "wrong":
            index.promised = "0" * 64
        here = {**cold_cache, "UV_INDEX": index.url}
        if fault != "hang":  # the other packages come from the real index, which can take longer
            here["UV_HTTP_TIMEOUT"] = "30"
        mastra(*ASGI, cwd=root, **here).failed(4, words, "thing")
        assert not list((tmp_path / "cache").glob("*/tmp-*"))
        index.fault = ""
        if fault != "wrong":  # also downloads from the real index, which can take longer
            mastra(
                *ASGI, cwd=root, **{**here, "UV_HTTP_TIMEOUT": "30", "UV_HTTP_RETRIES": "3"}
            ).ok()
    if fault == "wrong":  # uv remembers for a while what an index promised
        shutil.rmtree(root / ".mastra-local/locks", ignore_errors=True)
        with serve_index(wheel, "thing") as index:
            here = {"MASTRA_CACHE_DIR": cold_cache["MASTRA_CACHE_DIR"], "UV_INDEX": index.url}
            mastra(*ASGI, cwd=root, **here).ok()
    assert read_vendored(root, "thing.py") == "x = 1\n" * 5000


def test_failing_index_is_retried(project, mastra, tmp_path, cold_cache):
    wheel = write_wheel(tmp_path / "house", "thing", {"thing.py": "x = 1\n"})
    root = project({"main.py": APP}, dependencies=("thing",))
    with serve_index(wheel, "thing") as index:
        index.fault = "errors"
        here = {**cold_cache, "UV_INDEX": index.url, "UV_HTTP_RETRIES": "3"}
        mastra(*ASGI, cwd=root, **here).ok()
    assert read_vendored(root, "thing.py") == "x = 1\n"


def test_build_without_network_from_cache(project, mastra, tmp_path, echo):
    files = {"src/mastra/index.py": echo}
    root = project(files, dependencies=("mastra-core", "idna"))
    mastra("build", cwd=root).ok()
    first = read_digest(root)
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    dead = {name: DEAD for word in proxies for name in (word, word.lower())}
    dead |= {"UV_HTTP_RETRIES": "0", "NO_PROXY": "", "no_proxy": ""}
    assert "Nothing has changed" in mastra("build", cwd=root, **dead).ok().err
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".mastra"))
    (root / "src/mastra/index.py").write_text(echo.replace("echo:", "other:"))
    mastra("build", cwd=root, **dead).ok()
    mastra("build", cwd=copy, **dead).ok()
    assert read_digest(copy) == first


EVIL = {
    "up": {"record": ["evil.py,,", "../outside.txt,,", "../../../../../../../{mine},,"]},
    "absolute": {"record": ["evil.py,,", "{mine},,"]},
    "other's": {"record": ["evil.py,,", "idna/core.py,,", "idna-3.10.dist-info/METADATA,,"]},
    "short": {"record": ["evil.py", "", "nothing.py,sha256=x,many,more,,"]},
    "linked": {"link": ("evil_data/mine.py", "{mine}")},
    "linked folder": {
        "link": ("evil_data", "{folder}"),
        "record": ["evil.py,,", "evil_data/mine.py,,"],
    },
    "latin": {"metadata": "Author: \udce9\n"},
    "odd requirement": {"metadata": "Requires-Dist: idna (>dev)\n"},
}
EVIL_IN_CI = ("absolute", "linked folder", "latin")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind in EVIL_IN_CI else pytest.mark.full) for kind in EVIL],
)
def test_malicious_wheel_writes_nothing_outside(project, mastra, tmp_path, cold_cache, kind):
    folder = tmp_path / "mine"
    folder.mkdir()
    mine = folder / "mine.py"
    mine.write_text("mine = 1\n")
    mine.chmod(0o640)
    given = {
        key: [item.format(mine=mine, folder=folder) for item in value]
        if key in ("record", "link")
        else value
        for key, value in EVIL[kind].items()
    }
    write_wheel(tmp_path / "house", "evil", {"evil.py": "x = 1\n"}, **given)
    root = project({"main.py": APP}, dependencies=("evil", "idna"))
    here = {
        "MASTRA_CACHE_DIR": cold_cache["MASTRA_CACHE_DIR"],
        "UV_FIND_LINKS": str(tmp_path / "house"),
    }
    done = mastra(*ASGI, cwd=root, **here)
    if kind == "short":
        done.failed(4, "evil")
    else:
        done.ok()
        assert read_vendored(root, "evil.py") == "x = 1\n"
        assert "def encode" in read_vendored(root, "idna/core.py")
        assert not [path for path in read_files(root / ".mastra") if path.is_symlink()]
        texts = [path.read_text() for path in (root / ".mastra").rglob("mine.py")]
        assert texts == [str(mine)] * (kind == "linked")  # the link's own text, not its target
    assert mine.read_text() == "mine = 1\n"
    assert mine.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(folder)) == ["mine.py"]


@pytest.mark.parametrize("missing", ["RECORD", "METADATA", "WHEEL"])
def test_wheel_without_required_metadata_is_reported(
    project, mastra, tmp_path, cold_cache, missing
):
    # No index has this name, so no other version or source can take the wheel's place.
    write_wheel(tmp_path / "house", "evil-of-mastra", {"evil.py": ""}, without=(missing,))
    root = project({"main.py": APP}, dependencies=("evil-of-mastra",))
    here = {
        "MASTRA_CACHE_DIR": cold_cache["MASTRA_CACHE_DIR"],
        "UV_FIND_LINKS": str(tmp_path / "house"),
    }
    mastra(*ASGI, cwd=root, **here).failed(4, "evil-of-mastra", missing)


def test_wheel_with_unusual_file_names(project, mastra, tmp_path, cold_cache):
    write_wheel(tmp_path / "house", "Odd.Name-x", {"odd.py": "x = 1\n", "odd ü'#%.txt": "é"})
    root = project({"main.py": APP}, dependencies=("odd-name_X",))
    here = {
        "MASTRA_CACHE_DIR": cold_cache["MASTRA_CACHE_DIR"],
        "UV_FIND_LINKS": str(tmp_path / "house"),
    }
    mastra(*ASGI, cwd=root, **here).ok()
    assert read_vendored(root, "odd ü'#%.txt") == "é"
