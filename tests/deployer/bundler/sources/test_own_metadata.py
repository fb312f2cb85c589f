"""The version of the project that only its build backend knows is right, or an error."""

import subprocess

import pytest

from mastra_core.errors import BuildError
from mastra_deployer.bundler.sources.own_metadata import build_own_metadata
from mastra_deployer.project.discovery import find_project

pytestmark = pytest.mark.slow

TABLE = '[project]\nname = "shop"\ndynamic = ["version"]\nrequires-python = ">=3.11"\n'
BACKENDS = {
    "hatch-vcs": '[build-system]\nrequires = ["hatchling", "hatch-vcs"]\n'
    'build-backend = "hatchling.build"\n[tool.hatch.version]\nsource = "vcs"\n',
    "setuptools-scm": '[build-system]\nrequires = ["setuptools>=80", "setuptools-scm>=8"]\n'
    'build-backend = "setuptools.build_meta"\n[tool.setuptools_scm]\n',
}


def write_package(root, backend):
    (root / "src/shop").mkdir(parents=True)
    (root / "src/shop/__init__.py").touch()
    (root / "src/shop/main.py").write_text("app = None\n")
    (root / "pyproject.toml").write_text(TABLE + BACKENDS[backend])
    return find_project(root, "shop.main:app")


@pytest.mark.parametrize("backend", BACKENDS)
def test_version_from_missing_history_is_an_error_with_its_cure(tmp_path, backend):
    project = write_package(tmp_path, backend)
    with pytest.raises(BuildError, match="The version of 'shop' comes from") as caught:
        build_own_metadata(project)
    assert "fetch-depth: 0" in caught.value.hint
    assert "SETUPTOOLS_SCM_PRETEND_VERSION" in caught.value.hint


def test_version_from_history_is_that_of_the_tag(tmp_path):
    project = write_package(tmp_path, "hatch-vcs")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "."], ["add", "."], [*identity, "commit", "-qm", "One"],
                    ["tag", "v1.2.3"]):  # fmt: skip
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (name,) = {name.partition("/")[2].partition("/")[0] for name in build_own_metadata(project)}
    assert name == "shop-1.2.3.dist-info"


def test_other_failures_of_the_backend_name_the_cure(tmp_path):
    project = write_package(tmp_path, "hatch-vcs")
    text = TABLE + BACKENDS["hatch-vcs"].replace('source = "vcs"', 'path = "nowhere.py"')
    (tmp_path / "pyproject.toml").write_text(text.replace(', "hatch-vcs"', ""))
    with pytest.raises(BuildError, match=r"nowhere\.py") as caught:
        build_own_metadata(project)
    assert "version" in caught.value.hint
