"""Locks of every tool decide what ships, and an outdated lock is rejected."""

import json
import shutil
from pathlib import Path

import pytest

from mastra_core.errors import BuildError, ConfigError
from mastra_core.pipeline import Platform
from tests.deployer.bundler.lock_step import (
    ARM,
    RecordingReport,
    format_pyproject,
    get_versions,
    lock_project,
    run_uv,
    write_project,
)

pytestmark = pytest.mark.slow

REAL = Path(__file__).with_name("samples")  # made by the tools themselves; idna could be newer
WINDOWS = Platform(python="3.12", wheels="x86_64-pc-windows-msvc")
BUILD = "[tool.mastra.build]\n"
BACKEND = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
TOOLS = {
    "poetry": "poetry lock",
    "poetry-old": "poetry lock",
    "pdm": "pdm lock",
    "pipenv": "pipenv lock",
}


@pytest.fixture
def copy_project(tmp_path):
    """A project with a real tool's lock."""

    def make(name):
        shutil.copytree(REAL / name, tmp_path / name)
        return write_project(tmp_path / name, {})

    return make


def append_text(root, text, name="pyproject.toml"):
    file = root / name
    file.write_text((file.read_text() if file.exists() else "") + text)


@pytest.mark.parametrize("tool", TOOLS)
def test_lock_decides_versions(copy_project, tool):
    root, report = copy_project(tool), RecordingReport()
    assert get_versions(lock_project(root, locked=True, report=report)) == {"idna": "3.7"}
    assert report.steps[0].startswith("Resolving dependencies from ")
    assert get_versions(lock_project(root, WINDOWS)).keys() == {"idna", "pytz"}


@pytest.mark.parametrize("tool", ["poetry", "poetry-old", "pdm"])
def test_extras_and_groups_are_selected(copy_project, tool):
    root = copy_project(tool)
    append_text(root, BUILD + 'extras = ["fast"]\n')
    assert get_versions(lock_project(root)).keys() == {"idna", "h2", "hpack", "hyperframe"}
    append_text(root, 'groups = ["dev"]\n')
    assert get_versions(lock_project(root)).keys() == {
        "idna",
        "h2",
        "hpack",
        "hyperframe",
        "iniconfig",
    }
    append_text(root, 'lock = ""\nkeep = ["x"]\n')
    text = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(text.replace('["fast"]', '["fats"]'))
    with pytest.raises(ConfigError, match="contains 'fats'") as caught:
        lock_project(root)
    assert "'fast'" in caught.value.hint


def test_pipenv_category_is_selected(copy_project):
    root = copy_project("pipenv")
    append_text(root, BUILD + 'groups = ["dev"]\n')
    assert get_versions(lock_project(root)).keys() == {"idna", "iniconfig"}


@pytest.mark.parametrize(("tool", "command"), TOOLS.items())
def test_outdated_lock_names_the_update_command(copy_project, tool, command):
    root = copy_project(tool)
    file = root / ("Pipfile" if tool == "pipenv" else "pyproject.toml")
    file.write_text(file.read_text().replace("3.4", "3.8"))
    with pytest.raises(BuildError, match="does not match") as caught:
        lock_project(root)
    assert command in caught.value.hint


def test_file_with_another_hash_is_rejected(copy_project):
    root = copy_project("poetry")
    file = root / "poetry.lock"
    broken = file.read_text()
    for digest in ("82fee1fc", "028ff3aa"):
        broken = broken.replace(digest, "00000000")
    file.write_text(broken)
    with pytest.raises(BuildError, match=r"The index has files of idna 3\.7"):
        lock_project(root)


def test_uv_lock_of_the_workspace_decides_for_a_member(tmp_path):
    root = tmp_path / "all"
    root.mkdir()
    (root / "pyproject.toml").write_text(
        format_pyproject(["iniconfig"], '[tool.uv.workspace]\nmembers = ["packages/*"]\n', "top")
    )
    shared = format_pyproject(["idna==3.6"], BACKEND, "shared")
    write_project(
        root / "packages/shared", {"pyproject.toml": shared, "src/shared/__init__.py": "x = 1\n"}
    )
    sources = "[tool.uv.sources]\nshared = { workspace = true }\n"
    member = write_project(
        root / "packages/member",
        {"pyproject.toml": format_pyproject(["shared"], sources, "member")},
    )
    assert get_versions(lock_project(member)) == {"idna": "3.6", "shared": "local"}
    run_uv("lock", cwd=root)
    report = RecordingReport()
    closure = lock_project(member, ARM, locked=True, report=report)
    assert get_versions(closure) == {"idna": "3.6", "shared": "local"}
    assert closure.directories == (root / "packages/shared",)
    assert str(root) in report.steps[0]
    # Drift of another member is drift of the lock.
    (root / "packages/shared/pyproject.toml").write_text(shared.replace("3.6", "3.7"))
    with pytest.raises(BuildError, match="does not match") as caught:
        lock_project(member, ARM)
    assert "uv lock" in caught.value.hint


def test_uv_groups_extras_constraints_and_overrides(tmp_path):
    more = (
        '[project.optional-dependencies]\nfast = ["h2"]\n'
        '[dependency-groups]\ndev = ["pytz"]\njobs = ["iniconfig", {include-group = "more"}]\n'
        'more = ["sniffio"]\n'
        '[tool.uv]\nconstraint-dependencies = ["idna<3.8"]\noverride-dependencies = ["hpack==4.0.0"]\n'
        + BUILD
        + 'extras = ["fast"]\ngroups = ["jobs"]\n'
    )
    root = write_project(tmp_path, {"pyproject.toml": format_pyproject(["idna"], more)})
    free = get_versions(lock_project(root))
    run_uv("lock", cwd=root)
    locked = get_versions(lock_project(root, ARM))
    for found in (free, locked):
        assert found.keys() == {"idna", "h2", "hpack", "hyperframe", "iniconfig", "sniffio"}
        assert (found["idna"], found["hpack"]) == ("3.7", "4.0.0")


def test_exclude_newer_counts_and_is_part_of_the_key(tmp_path):
    text = format_pyproject(["idna"], '[tool.uv]\nexclude-newer = "2024-04-12T00:00:00Z"\n')
    root = write_project(tmp_path, {"pyproject.toml": text})
    assert get_versions(lock_project(root))["idna"] == "3.7"
    (root / "pyproject.toml").write_text(text.replace("2024-04-12", "2024-02-01"))
    assert get_versions(lock_project(root))["idna"] == "3.6"


def test_uv_lock_for_other_environments_is_rejected(tmp_path):
    more = "[tool.uv]\nenvironments = [\"sys_platform == 'win32'\"]\n"
    root = write_project(tmp_path, {"pyproject.toml": format_pyproject(["idna"], more)})
    run_uv("lock", cwd=root)
    with pytest.raises(BuildError, match=r"does not cover .*win32"):
        lock_project(root)


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.prod.toml"])
def test_pylock_decides(tmp_path, name):
    root = write_project(
        tmp_path, {"pins.in": "idna==3.7\n", "pyproject.toml": format_pyproject(["idna"])}
    )
    made = ("pip", "compile", "-q", "--python-version", "3.11", "--format", "pylock.toml")
    run_uv(*made, "pins.in", "-o", name, cwd=root)
    assert get_versions(lock_project(root, locked=True)) == {"idna": "3.7"}
    (root / "pyproject.toml").write_text(format_pyproject(["idna>=3.8"]))
    with pytest.raises(BuildError, match=r"it has idna 3\.7, not 'idna>=3\.8'"):
        lock_project(root)
    append_text(root, "environments = [\"sys_platform == 'win32'\"]\n", "other")
    text = (root / name).read_text()
    (root / name).write_text((root / "other").read_text() + text)
    with pytest.raises(BuildError, match="does not cover"):
        lock_project(root)
    if name != "pylock.toml":
        shutil.copy(root / name, root / "pylock.test.toml")
        with pytest.raises(ConfigError, match="several locks"):
            lock_project(root)


def test_a_requirements_file_as_pip_reads_it(tmp_path):
    files = {
        "requirements.txt": "-r more/base.txt\n-c more/limits.txt\n"
        "h2 ; python_version < '3'\n-e ./lib\n-e .\n",
        "more/base.txt": "idna \\\n    --hash=sha256:82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683e"
        "d8e798d07761aa0\n",
        "more/limits.txt": "idna==3.7  # why\n",
        "lib/pyproject.toml": format_pyproject([], BACKEND, "lib"),
        "lib/src/lib/__init__.py": "",
    }
    root = write_project(tmp_path, files)
    closure = lock_project(root)
    assert get_versions(closure) == {"idna": "3.7", "lib": "local"}
    with pytest.raises(BuildError, match="no lock"):
        lock_project(root, locked=True)
    append_text(root, "--flag-of-the-future\n", "requirements.txt")
    with pytest.raises(ConfigError, match="'--flag-of-the-future'"):
        lock_project(root)


def test_pinned_requirements_are_a_lock(tmp_path):
    root = write_project(tmp_path, {"requirements.txt": "idna==3.7\n"})
    assert get_versions(lock_project(root, locked=True)) == {"idna": "3.7"}
    append_text(root, "h2>=4\n", "requirements.txt")
    with pytest.raises(BuildError, match=r"requirements\.txt does not pin all versions") as caught:
        lock_project(root, locked=True)
    assert "uv pip compile" in caught.value.hint


def test_script_with_inline_dependencies(tmp_path):
    block = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["idna<3.8"]\n# ///\n'
    files = {"main.py": block + "app = None\n", "pyproject.toml": format_pyproject(["h2"])}
    root = write_project(tmp_path, files)
    assert get_versions(lock_project(root)) == {"idna": "3.7"}
    with pytest.raises(BuildError) as caught:
        lock_project(root, locked=True)
    assert "uv lock --script main.py" in caught.value.hint
    run_uv("lock", "--script", "main.py", cwd=root)
    assert get_versions(lock_project(root, ARM, locked=True)) == {"idna": "3.7"}
    (root / "main.py").write_text(block.replace("3.8", "3.7") + "app = None\n")
    with pytest.raises(BuildError, match="does not match"):
        lock_project(root, ARM)


def test_first_of_several_locks_is_used_and_others_are_noted(copy_project):
    root, report = copy_project("poetry"), RecordingReport()
    shutil.copy(REAL / "pdm/pdm.lock", root)
    lock_project(root, report=report)
    assert "poetry.lock decides" in report.notes[0]
    assert "pdm.lock" in report.notes[0]
    append_text(root, BUILD + 'lock = "deps.txt"\n')
    append_text(root, "idna==3.6\n", "deps.txt")
    assert get_versions(lock_project(root, locked=False)) == {"idna": "3.6"}
    append_text(root, "", "other.lock")
    text = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(text.replace("deps.txt", "other.lock"))
    with pytest.raises(ConfigError, match=r"does not support the format of 'other\.lock'"):
        lock_project(root)


def test_project_for_other_pythons_is_rejected(tmp_path):
    text = format_pyproject(["idna"]).replace(">=3.11", ">=3.13")
    root = write_project(tmp_path, {"pyproject.toml": text})
    with pytest.raises(BuildError, match=r"requires Python '>=3\.13', but the target has 3\.11"):
        lock_project(root)


def test_changed_requirements_of_a_local_project_are_resolved_again(tmp_path):
    sources = '[tool.uv.sources]\nlib = { path = "lib", editable = true }\n'
    files = {
        "pyproject.toml": format_pyproject(["lib"], sources),
        "lib/pyproject.toml": format_pyproject(["idna==3.6"], BACKEND, "lib"),
        "lib/src/lib/__init__.py": "",
    }
    root = write_project(tmp_path, files)
    assert get_versions(lock_project(root)) == {"lib": "local", "idna": "3.6"}
    (root / "lib/pyproject.toml").write_text(format_pyproject(["idna==3.7"], BACKEND, "lib"))
    assert get_versions(lock_project(root)) == {"lib": "local", "idna": "3.7"}


def test_unchanged_lock_is_loaded_without_uv(tmp_path, monkeypatch):
    root = write_project(tmp_path, {"pyproject.toml": format_pyproject(["idna==3.7"])})
    run_uv("lock", cwd=root)
    first = lock_project(root)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("uv.find_uv_bin", lambda: pytest.fail("uv was run"))
    assert lock_project(root) == first


@pytest.mark.full
def test_locked_option_of_every_building_command(project, mastra, echo):
    root = project({"src/mastra/index.py": echo}, dependencies=())
    for verb in (["build"], ["check"], ["bundle", "server"]):
        mastra(*verb, "--locked", cwd=root).failed(4, "There is no lock", "uv lock")
    assert "--locked" in mastra("deploy", "--help").ok().out
    run_uv("lock", cwd=root)
    data = mastra("build", "--locked", "--json", cwd=root).ok().json
    assert json.dumps(data)


def test_lock_for_a_missing_python_is_still_compared(tmp_path, monkeypatch):
    table = format_pyproject(["idna==3.7"])
    root = write_project(tmp_path, {"pyproject.toml": table})
    run_uv("lock", cwd=root)
    for file in ("pyproject.toml", "uv.lock"):
        text = (root / file).read_text()
        (root / file).write_text(text.replace(">=3.11", ">=3.19"))
    monkeypatch.setenv("UV_PYTHON_PREFERENCE", "only-system")
    future = Platform(python="3.19", wheels="x86_64-manylinux_2_28")
    assert get_versions(lock_project(root, future)) == {"idna": "3.7"}
    file = root / "pyproject.toml"
    file.write_text(file.read_text().replace("3.7", "3.8"))
    with pytest.raises(BuildError, match="does not match") as caught:
        lock_project(root, future)
    assert "uv lock" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poetry.lock", "[[package]]\nname = 1\n"),
        ("pylock.toml", '[[packages]]\nversion = "1"\n'),
        ("pdm.lock", "[metadata]\n= 3\n"),
        ("Pipfile.lock", "{}"),
        ("requirements.txt", "idna=3\n"),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, text):
    files = {"pyproject.toml": format_pyproject(["idna"]), name: text}
    with pytest.raises((BuildError, ConfigError)) as caught:
        lock_project(write_project(tmp_path, files))
    assert name.partition(".")[0] in caught.value.message
    assert caught.value.hint


def test_poetry_constraints_without_a_lock(tmp_path):
    text = (
        '[tool.poetry]\nname = "app"\n[tool.poetry.dependencies]\npython = ">=3.11,<4"\n'
        'idna = "~3.6"\nh2 = { version = "^4.0", python = "<3.12" }\n'
        'pytz = { version = "*", platform = "win32" }\nlib = { path = "lib", develop = true }\n'
    )
    files = {
        "pyproject.toml": text,
        "lib/pyproject.toml": format_pyproject(["sniffio"], BACKEND, "lib"),
        "lib/src/lib/__init__.py": "",
    }
    root = write_project(tmp_path, files)
    found = get_versions(lock_project(root))
    assert found["idna"] == "3.6"
    assert found.keys() == {"idna", "h2", "hpack", "hyperframe", "lib", "sniffio"}
    assert get_versions(lock_project(root, ARM)).keys() == {"idna", "lib", "sniffio"}
    (root / "pyproject.toml").write_text(text.replace("~3.6", "^2 || ^3"))
    with pytest.raises(ConfigError, match="has alternative versions") as caught:
        lock_project(root)
    assert "poetry lock" in caught.value.hint
