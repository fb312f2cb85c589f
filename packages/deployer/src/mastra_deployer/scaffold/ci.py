"""What a pipeline has to know of a project, so that it can be written for it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project, Target
from mastra_deployer.bundler.locks.select_lock import has_lock
from mastra_deployer.pipeline.targets import Choice, choose_target
from mastra_deployer.plugins.hook_calls import Line
from mastra_deployer.plugins.manager import installed_deployers
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.deployer_argument import EnvReference, mastra_calls
from mastra_deployer.project.discovery import config_of, module_file, parse
from mastra_deployer.project.interpreters import project_interpreter
from mastra_deployer.scaffold.render import compatible

__all__ = ("Pipeline", "read_pipeline", "serves_mastra", "target_python")

_TARGET = re.compile(r"[\w.][\w./-]*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_GROUPS = ("dev", "test", "tests")  # of dependencies that tests need


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A project and a target, as a CI system is told of them.

    :param credentials: names of variables that every verb needs: the target's, and those that
        ``deployer=`` refers to.
    :param secrets: the same, and those of the app, which a deploy sets on the platform.
    :param install: commands that make ``.venv`` with the project, the tests and the tool in it.
    :param test: the command that tests.
    :param smoke: path to ask after a deploy; empty where Mastra does not serve the app.
    :param previews: whether the target has previews.
    :param rollback: whether it can go back.
    :param locked: whether a lock decides what ships, so that a build without one is a mistake.
    """

    root: Path
    target: str
    python: str
    credentials: tuple[str, ...]
    secrets: tuple[str, ...]
    install: tuple[str, ...]
    test: str
    smoke: str
    previews: bool
    rollback: bool
    locked: bool


def read_pipeline(project: Project, name: str) -> Pipeline:
    """What a pipeline for the target ``name`` needs.

    :param name: empty for the only target there is.
    :raises ConfigError: when it is not clear which, or it cannot deploy.
    """
    choice = _chosen(project, name)
    line = Line(choice.deployer, project.root)
    if not line.can("deploy"):
        raise ConfigError(
            f"The target {choice.name!r} cannot deploy.",
            "Name one that can: `mastra targets` shows them.",
        )
    tests = _has_tests(project.root)
    python = target_python(project, line.target)
    credentials = _credentials(choice, line.target)
    own = project.environment.names if line.target.stores_env else ()
    return Pipeline(
        root=project.root,
        target=choice.name,
        python=python,
        credentials=credentials,
        secrets=_checked((*credentials, *own)),
        install=_install(project.root, python, _tools(choice.deployer, tests=tests)),
        test="python -m pytest" if tests else f"mastra check {choice.name}",
        smoke="/health" if serves_mastra(project) else "",
        previews=line.target.previews,
        rollback=line.can("rollback"),
        locked=has_lock(project.root),
    )


def target_python(project: Project, target: Target | None = None) -> str:
    """The version of Python a build is for where nobody says: ``3.12``."""
    wanted = config_of(project).python or project_interpreter(project).python
    taken = [platform.python for platform in target.platforms] if target else []
    return wanted if not taken or wanted in taken or "" in taken else taken[0]


def _chosen(project: Project, name: str) -> Choice:
    try:
        choice = choose_target(project, name)
    except ConfigError as error:
        hint = error.hint.replace("mastra deploy TARGET", "mastra new ci SYSTEM --target TARGET")
        raise ConfigError(error.message, hint) from None
    if not _TARGET.fullmatch(choice.name):
        raise ConfigError(
            f"The target {choice.name!r} cannot stand in a pipeline.",
            "Use letters, digits, '-', '_', '.' and '/' in its name.",
        )
    return choice


def _credentials(choice: Choice, target: Target) -> tuple[str, ...]:
    settings = choice.call.settings.values() if choice.call else ()
    referred = [item.name for item in settings if isinstance(item, EnvReference)]
    return _checked((*target.credentials, *referred))


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, and nothing that would mean something else in a pipeline."""
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise ConfigError(
                f"{name!r} is no name of an environment variable.",
                "Correct it in [tool.mastra.env]: letters, digits and '_'.",
            )
    return tuple(dict.fromkeys(names))


def _install(root: Path, python: str, tools: list[str]) -> tuple[str, ...]:
    wanted = " ".join(f'"{item}"' for item in tools)
    if (root / "uv.lock").is_file():
        made = (f"uv sync --locked --all-groups --python {python}", f"uv pip install {wanted}")
    else:
        sources = " ".join([*_sources(root), wanted])
        made = (f"uv venv --python {python}", f"uv pip install {sources}")
    return ("pip install uv", *made)


def _sources(root: Path) -> list[str]:
    """Where the project's dependencies stand, as arguments of ``uv pip install``."""
    files = [name for name in ("pylock.toml", "requirements.txt") if (root / name).is_file()]
    pyproject = read_pyproject(root)
    if not files and pyproject.get("project"):
        files = ["pyproject.toml"]
    groups = [name for name in _GROUPS if name in pyproject.get("dependency-groups", {})]
    return [*(f"-r {name}" for name in files[:1]), *(f"--group {name}" for name in groups)]


def _tools(deployer: str, *, tests: bool) -> list[str]:
    """The command and the deployer, in versions that go with those that are here."""
    entries = installed_deployers().get(deployer, [])
    names = {entry.dist.name for entry in entries if entry.dist is not None}
    listed = ["mastra-deployer", *sorted(names - {"mastra-deployer", "mastra-server"})]
    return [*(f"{name}{compatible(name)}" for name in listed), *(["pytest"] if tests else [])]


def _has_tests(root: Path) -> bool:
    tool = read_pyproject(root).get("tool", {})
    files = [root / "pytest.ini", root / "tests", root / "test"]
    return "pytest" in tool or any(path.exists() for path in files)


def serves_mastra(project: Project) -> bool:
    """Whether the entry makes a ``Mastra``, so that there is ``/health``."""
    return bool(mastra_calls(parse(module_file(project))))
