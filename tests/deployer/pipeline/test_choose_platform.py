"""The platform of a build: what is requested, and what wheels can be chosen for."""

import dataclasses
import sys
from typing import ClassVar

import pytest

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Platform, Target
from mastra_deployer.kit import MANYLINUX_X86_64, PYODIDE, manylinux
from mastra_deployer.pipeline.choose_platform import apply_index_setting, choose_platform
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.interpreters import find_target_interpreter, probe_interpreter
from tests.emulated_python import create_free_threaded_python, create_python
from tests.sample_projects import ECHO, write_project

ANY = (Platform(),)
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    return find_project(write_project(tmp_path / "app", {"src/mastra/index.py": ECHO}))


@pytest.mark.parametrize(
    ("wheels", "chosen"),
    [
        ("", probe_interpreter(sys.executable).wheels),
        ("linux", "x86_64-unknown-linux-gnu"),
        ("macos", "aarch64-apple-darwin"),
        ("windows", "x86_64-pc-windows-msvc"),
        ("aarch64-unknown-linux-musl", "aarch64-unknown-linux-musl"),
        ("x86_64-manylinux_2_34", "x86_64-manylinux_2_34"),
        ("i686-pc-windows-msvc", "i686-pc-windows-msvc"),
    ],
)
def test_names_of_platforms(app, wheels, chosen):
    assert choose_platform(app, ANY, "", wheels).wheels == chosen


@pytest.mark.parametrize("wheels", ["bogus", "s390x-manylinux_2_28", "x86_64-manylinux_2_29"])
def test_platform_without_wheels(app, wheels):
    with pytest.raises(ConfigError, match=f"'{wheels}' is not a platform that mastra supports"):
        choose_platform(app, ANY, "", wheels)


@pytest.mark.parametrize("version", ["3.8", "3.10"])
def test_old_version(app, version):
    with pytest.raises(ConfigError, match=f"cannot build for Python '{version}'"):
        choose_platform(app, ANY, version, "")
    assert choose_platform(app, ANY, "3.11", "").python == "3.11"


def test_platform_that_a_target_names_itself(app):
    assert choose_platform(app, (PYODIDE,), "", "").wheels == PYODIDE.wheels


def test_the_platforms_of_a_target_are_listed(app):
    platforms = (MANYLINUX_X86_64, manylinux("aarch64", "3.13"))
    with pytest.raises(ConfigError) as raised:
        choose_platform(app, platforms, "3.12", "aarch64-manylinux_2_28")
    assert raised.value.hint == (
        "It supports: any Python on x86_64-manylinux_2_28; Python 3.13 on aarch64-manylinux_2_28."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Indexed:
    target: ClassVar[str] = "indexed"
    index: str | None = ""


@pytest.mark.parametrize("index", ["https://index.example/314", "http://127.0.0.1:8000/simple"])
def test_the_index_of_the_settings_replaces_that_of_the_platform(app, index):
    platform = dataclasses.replace(PYODIDE, index="https://default.example")
    plain = Target(name="indexed", summary="", settings=Indexed, platforms=(platform,))
    target = dataclasses.replace(plain, index_setting="index")
    chosen = choose_platform(app, plain.platforms, "", "")
    assert apply_index_setting(chosen, plain, Indexed(index=index)).index == platform.index
    assert apply_index_setting(chosen, target, Indexed(index=index)).index == index
    assert apply_index_setting(chosen, target, Indexed()).index == ""
    assert apply_index_setting(chosen, target, Indexed(index=None)).index == ""


@pytest.mark.parametrize(
    "index",
    [
        "http://index.example/314",
        "https://user:s3cr3t@index.example",
        "/srv/wheels",
        "https://user:s3cr3t@[index",
    ],
)
def test_an_index_without_https_or_with_credentials_is_refused(app, index):
    target = Target(name="indexed", summary="", settings=Indexed, index_setting="index")
    with pytest.raises(ConfigError, match=r"The setting 'index' (is|contains)") as caught:
        apply_index_setting(PYODIDE, target, Indexed(index=index))
    assert "s3cr3t" not in caught.value.message


@pytest.mark.skipif(sys.platform != "linux", reason="emulates other systems on Linux")
@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("LOCALAPPDATA", f"Programs/Python/Python{HERE.replace('.', '')}/python.exe"),
        ("APPDATA", f"uv/python/cpython-{HERE}.9-windows-x86_64-none/python.exe"),
        ("USERPROFILE", f".pyenv/pyenv-win/versions/{HERE}.9/python.exe"),
    ],
)
def test_places_of_pythons_on_windows(tmp_path, monkeypatch, variable, path):
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "PATH"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).symlink_to(sys.executable)
    other = dataclasses.replace(probe_interpreter(sys.executable), python="3.99")
    assert find_target_interpreter(HERE, other).path == str(tmp_path / path)


@pytest.mark.skipif(sys.platform != "linux", reason="emulates other systems on Linux")
def test_machine_without_wheels(app, tmp_path, monkeypatch):
    """A Raspberry Pi may have a kernel of 64 bits and programs of 32."""
    narrow = "def machine(): return 'aarch64'\nimport sys\nsys.maxsize = 2**31 - 1\n"
    create_python(app.root / ".venv", platform=narrow)
    with pytest.raises(ConfigError, match="'armv7l-manylinux_2_28' is not a platform"):
        choose_platform(app, ANY, "", "")
    assert choose_platform(app, ANY, "", "x86_64-manylinux_2_28").wheels == "x86_64-manylinux_2_28"


@pytest.mark.skipif(sys.platform != "linux", reason="emulates other systems on Linux")
def test_free_threading_build(app, tmp_path, monkeypatch):
    python = create_free_threaded_python(tmp_path / f"pyenv/versions/{HERE}.99")
    refusal = "is a free-threading build, but the wheels of a bundle need a Python with the GIL"
    with pytest.raises(ConfigError, match=refusal):
        choose_platform(app, ANY, str(python), "")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    other = dataclasses.replace(probe_interpreter(sys.executable), python="3.99")
    found = find_target_interpreter(HERE, other)
    assert found is None or not found.is_free_threaded, "it compiles no bundle either"
    assert choose_platform(app, ANY, HERE, "").python == HERE
    monkeypatch.setenv("VIRTUAL_ENV", str(python.parent.parent))
    with pytest.raises(ConfigError, match=refusal):
        choose_platform(app, ANY, "", "")
