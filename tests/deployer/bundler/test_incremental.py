"""Unchanged projects are not rebuilt, changes are detected, and damage is repaired."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from mastra_deployer.bundler.own_wheels import compute_record_hash
from mastra_deployer.bundler.vendor.distributions import read_record
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
SAME = "Nothing has changed"


@pytest.fixture
def built_project(project, mastra, echo):
    """A built_project project."""
    root = project({INDEX: echo}, dependencies=("mastra-core", "idna"))
    mastra("build", cwd=root).ok()
    return root


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache that may be damaged."""
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def read_digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_bytes())["digest"]


def test_unchanged_project_is_not_rebuilt(built_project, mastra):
    before = os.stat(built_project / ".mastra").st_ino
    assert SAME in mastra("build", cwd=built_project).ok().err
    assert os.stat(built_project / ".mastra").st_ino == before


@pytest.mark.full
def test_damaged_deleted_and_restored_caches(cache, built_project, mastra):
    """Each kind of damage is repaired before the next one, so one cold build is enough."""
    first = read_digest(built_project)
    for damage in DAMAGES:
        (part,) = [place.parent.parent.parent for place in cache.glob("parts/*/files/idna/core.py")]
        shutil.rmtree(built_project / ".mastra")  # its files are the same as those in the cache
        damage(part)
        mastra("build", cwd=built_project).ok()
        assert read_digest(built_project) == first
        assert "def encode" in (built_project / ".mastra/vendor/idna/core.py").read_text()
    (bytecode,) = cache.glob("bytecode/*/files/idna/__pycache__/core.*.pyc")
    for change in (lambda _: b"", lambda content: b"#" * len(content)):
        shutil.rmtree(built_project / ".mastra")
        _rewrite(bytecode, change)
        mastra("build", cwd=built_project).ok()
        assert read_digest(built_project) == first
    _restore_cache(cache)
    shutil.rmtree(built_project / ".mastra")
    assert "Installing" not in mastra("build", cwd=built_project).ok().err
    assert read_digest(built_project) == first
    # A build that stands needs nothing of the cache.
    shutil.rmtree(cache / "parts")
    assert SAME in mastra("build", cwd=built_project).ok().err


def _restore_cache(cache):
    """Give files new times, as an archive does."""
    for path in cache.glob("parts/**/*"):
        if path.is_file():
            os.utime(path, (1, 1))


def test_content_decides_rather_than_times(built_project, mastra, echo):
    file = built_project / INDEX
    status = file.stat()
    file.write_text(echo.replace("echo:", "ECHO:"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns - 10**15))
    assert SAME not in mastra("build", cwd=built_project).ok().err
    assert "ECHO:" in (built_project / ".mastra/app" / INDEX).read_text()
    os.utime(file)
    assert SAME in mastra("build", cwd=built_project).ok().err


def test_switching_back_produces_the_same_bytes(built_project, mastra, echo):
    first = read_digest(built_project)
    for text in (echo.replace("echo:", "branch:"), echo):
        (built_project / INDEX).write_text(text)
        assert SAME not in mastra("build", cwd=built_project).ok().err
    assert read_digest(built_project) == first


@pytest.mark.full
def test_saved_vendor_directory_is_reused_when_intact(built_project, mastra, echo):
    vendors = []
    for word in ("one", "two", "three"):
        (built_project / INDEX).write_text(echo.replace("echo:", f"{word}:"))
        mastra("build", cwd=built_project).ok()
        vendors.append(os.stat(built_project / ".mastra/vendor").st_ino)
    assert vendors[0] == vendors[2] != vendors[1], "two directories take turns"
    for number, damage in enumerate(
        (
            lambda spare: _rewrite(spare / "idna/core.py", lambda text: text + b"# more"),
            lambda spare: (spare / "idna/core.py").unlink(),
            lambda spare: (spare / "more.py").write_text(""),
        )
    ):
        damage(built_project / ".mastra-local/spare")
        (built_project / INDEX).write_text(echo.replace("echo:", f"again {number}:"))
        mastra("build", cwd=built_project).ok()
        assert "# more" not in (built_project / ".mastra/vendor/idna/core.py").read_text()
        assert not (built_project / ".mastra/vendor/more.py").exists()
        (built_project / INDEX).write_text(echo)
        mastra("build", cwd=built_project).ok()  # which leaves a whole one again


@pytest.mark.parametrize(
    "touch",
    [
        lambda out: (out / "app" / INDEX).write_text("# edited\n"),
        pytest.param(lambda out: (out / "more.txt").write_text(""), marks=pytest.mark.full),
        pytest.param(lambda out: (out / "index.py").unlink(), marks=pytest.mark.full),
        pytest.param(
            lambda out: (out / "mastra-bundle.json").write_text("{}"), marks=pytest.mark.full
        ),
        shutil.rmtree,
    ],
)
def test_modified_output_is_rebuilt(built_project, mastra, touch):
    first = read_digest(built_project)
    touch(built_project / ".mastra")
    assert SAME not in mastra("build", cwd=built_project).ok().err
    assert read_digest(built_project) == first
    assert not (built_project / ".mastra/more.txt").exists()


def test_configuration_and_python_changes_cause_a_build(built_project, mastra, find_python):
    pyproject = built_project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + '[tool.mastra.env]\noptional = ["X"]\n')
    assert SAME not in mastra("build", cwd=built_project).ok().err
    version = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    other = mastra("build", "--python", find_python(version), cwd=built_project).ok()
    assert SAME not in other.err
    manifest = json.loads((built_project / ".mastra/mastra-bundle.json").read_bytes())
    assert manifest["python"] == version


def test_a_value_of_another_type_causes_a_build(built_project, mastra):
    pyproject = built_project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + '[tool.mastra.env]\nrequired = ["COUNT"]\n')
    mastra("build", cwd=built_project, COUNT="x").ok()
    assert SAME not in mastra("build", cwd=built_project, COUNT="5").ok().err
    assert SAME in mastra("build", cwd=built_project, COUNT="6").ok().err


DAMAGES = (
    lambda part: _rewrite(part / "part.json", lambda _: b"{"),
    lambda part: (part / "part.json").unlink(),
    lambda part: _rewrite(part / "files/idna/core.py", lambda text: text[:100]),
    lambda part: _rewrite(part / "files/idna/core.py", lambda text: b"#" * len(text)),
    lambda part: (part / "files/idna/core.py").unlink(),
)


def _rewrite(file, change):
    content = change(file.read_bytes())
    file.unlink()
    file.write_bytes(content)


def test_symbols_are_stripped_unless_they_are_kept(built_project, mastra):
    vendor = built_project / ".mastra/vendor"
    (library,) = vendor.glob("uvloop/loop.*.so")
    size, name = library.stat().st_size, library.relative_to(vendor).as_posix()
    (record,) = vendor.glob("uvloop-*.dist-info/RECORD")
    rows = {row[0]: row for row in read_record(record.read_text())}
    assert rows[name] == (name, compute_record_hash(library.read_bytes()), str(size))
    document = json.loads((built_project / ".mastra/mastra-sbom.json").read_text())
    (component,) = [item for item in document["components"] if item["name"] == "uvloop"]
    assert component["properties"] == [{"name": "mastra:stripped", "value": name}]
    with (built_project / "pyproject.toml").open("a") as file:
        file.write("[tool.mastra.build]\nstrip = false\n")
    mastra("build", cwd=built_project).ok()
    assert library.stat().st_size > 4 * size
    assert "mastra:stripped" not in (built_project / ".mastra/mastra-sbom.json").read_text()


def test_files_of_uvs_cache_are_not_changed(cache, built_project):
    directory = subprocess.run(
        [find_uv_bin(), "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (stored,) = cache.glob("parts/*/files/uvloop/loop.*.so")
    (record,) = cache.glob("parts/*/files/uvloop-*.dist-info/RECORD")
    copies = [*Path(directory).glob("archive-*/*/uvloop/loop.*.so")]
    assert copies
    for file in copies:
        assert file.stat().st_mode & 0o200, "the store is read-only, but uv's cache is not"
        assert file.stat().st_size > stored.stat().st_size, "only the store has no symbols"
    records = [*Path(directory).glob("archive-*/*/uvloop-*.dist-info/RECORD")]
    assert all(record.read_bytes() != file.read_bytes() for file in records)


def test_second_project_reuses_stored_wheels(built_project, mastra, echo, tmp_path):

    other = write_project(tmp_path / "other", {INDEX: echo}, dependencies=("mastra-core", "idna"))
    result = mastra("build", cwd=other).ok().err
    assert "Installing" not in result
    assert "Compiling" not in result
    one, two = (root / ".mastra/vendor/idna/core.py" for root in (built_project, other))
    assert os.path.samefile(one, two)
    assert (two.stat().st_mode & 0o222) == 0


@pytest.mark.full
def test_distributions_that_share_a_file_keep_their_own_version(project, mastra, echo, tmp_path):
    """Both wheels have ``shared.py``; another project needs only the second."""
    from zipfile import ZipFile

    house = tmp_path / "wheels"
    house.mkdir()
    for name in ("one", "two"):
        with ZipFile(house / f"{name}-1-py3-none-any.whl", "w") as wheel:
            info = f"{name}-1.dist-info"
            wheel.writestr("shared.py", f"of = {name!r}\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", f"shared.py,,\n{info}/METADATA,,\n{info}/RECORD,,\n")
    here = {"UV_FIND_LINKS": str(house), "MASTRA_CACHE_DIR": str(tmp_path / "cache")}
    both = project({INDEX: echo}, dependencies=("mastra-core", "one", "two"))
    mastra("build", cwd=both, **here).ok()
    from tests.sample_projects import write_project

    for name in ("one", "two"):
        root = write_project(tmp_path / name, {INDEX: echo}, dependencies=("mastra-core", name))
        assert "Installing" not in mastra("build", cwd=root, **here).ok().err
        assert name in (root / ".mastra/vendor/shared.py").read_text()


def test_explain_reports_what_ships_and_why(built_project, mastra):
    def explain(name):
        return mastra("build", "--explain", name, cwd=built_project).ok().out

    (built_project / "src/mastra/notes.py").write_text("")
    (built_project / "src/mastra/test_notes.py").write_text("")
    (built_project / "src/stray.py").write_text("")
    assert "src/mastra/notes.py ships" in explain("mastra.notes")
    assert "a test" in explain("mastra.test_notes")
    assert "include" in explain("stray")
    assert "litestar requires it, but does not use it to serve" in explain("rich")
    assert "needed by the project" in explain("idna")
    assert "idna/core.py of idna" in explain("idna.core")
    assert "standard library" in explain("json")
    assert "Did you mean idna?" in explain("idnaa")
    assert "has no module idna.**x" in explain("idna.**x")


@pytest.mark.full  # test_reproducible compares two builds too
def test_check_reproducible_compares_with_another_path(built_project, mastra, echo):
    """Directories of the app may have the names of those in .mastra-local."""
    for name in ("builds", "made", "bundles"):
        module = built_project / f"src/mastra/{name}/__init__.py"
        module.parent.mkdir()
        module.touch()
    (built_project / INDEX).write_text("from . import builds, bundles, made\n" + echo)
    result = mastra("build", "--check-reproducible", "--json", cwd=built_project).ok()
    assert result.json["reproducible"] > 100


@pytest.mark.full
def test_check_reproducible_copies_the_packages_of_the_app(project, mastra, echo):
    files = {INDEX: f"import mastra.builds, mastra.bundles.made\n{echo}"}
    for name in ("builds/__init__", "bundles/__init__", "bundles/made"):
        files[f"src/mastra/{name}.py"] = ""
    mastra("build", "--check-reproducible", cwd=project(files)).ok()


@pytest.mark.full
def test_check_reproducible_for_a_workspace_member(project, mastra, echo):
    files = {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["apps/*"]\n',
        "apps/shop/pyproject.toml": '[project]\nname = "shop"\nversion = "0"\n'
        'requires-python = ">=3.11"\ndependencies = ["idna"]\n[tool.uv]\n'
        "package = false\n",
        f"apps/shop/{INDEX}": echo,
    }
    house = project(files)
    lock = ["lock", "--quiet", "--upgrade-package", "idna==3.7"]
    subprocess.run([find_uv_bin(), *lock], cwd=house, check=True)
    result = mastra("build", "--check-reproducible", cwd=house / "apps/shop").ok()
    assert "are the same" in result.out
    assert (house / "apps/shop/.mastra/vendor/idna-3.7.dist-info").is_dir()


@pytest.mark.full
def test_check_reproducible_finds_random_content(project, mastra, echo):
    """A local dependency's build backend writes the time into the wheel."""
    backend = """\
import time
from hatchling.build import *
from hatchling import build

def build_wheel(directory, *rest, **more):
    from pathlib import Path
    Path("src/clock/now.py").write_text(f"now = {time.time_ns()}")
    return build.build_wheel(directory, *rest, **more)
"""
    config = '[tool.uv.sources]\nclock = { path = "clock" }\n'
    files = {
        INDEX: echo,
        "clock/src/clock/__init__.py": "",
        "clock/backend.py": backend,
        "clock/pyproject.toml": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n[project]\nname = "clock"\nversion = "1"\n',
    }
    root = project(files, config, dependencies=("mastra-core", "clock"))
    result = mastra("build", "--check-reproducible", cwd=root)
    result.failed(4, "A second build differs in", "vendor/clock/now.py", "clock")


@pytest.mark.full
def test_builds_of_two_projects_share_a_cold_cache(project, echo, tmp_path):
    import sys
    from pathlib import Path

    from tests.sample_projects import write_project

    roots = [
        write_project(tmp_path / name, {INDEX: echo}, dependencies=("mastra-core", "idna"))
        for name in ("one", "two", "three")
    ]
    command = [str(Path(sys.executable).with_name("mastra")), "build"]
    environment = {**os.environ, "MASTRA_CACHE_DIR": str(tmp_path / "cache")}
    running = [
        subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True)
        for root in roots
    ]
    for process in running:
        assert process.wait(180) == 0, process.stderr.read()
        process.stderr.close()
    assert len({read_digest(root) for root in roots}) == 1
