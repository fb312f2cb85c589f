"""Read from a project the facts that its CI pipeline needs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project, Target
from mastra_deployer.bundler.locks.select_lock import has_lock
from mastra_deployer.pipeline.targets import TargetChoice, choose_target
from mastra_deployer.plugins.hook_calls import HookCaller
from mastra_deployer.plugins.manager import list_installed_deployers
from mastra_deployer.project.config import get_project_name, read_pyproject
from mastra_deployer.project.deployer_argument import EnvReference, find_mastra_calls
from mastra_deployer.project.discovery import find_module_file, get_config, parse_source
from mastra_deployer.project.interpreters import find_project_interpreter
from mastra_deployer.project.settings import merge_settings
from mastra_deployer.scaffold.render import get_compatible_range
from mastra_deployer.scaffold.variable_names import require_plain_names
from mastra_deployer.trust.host_names import find_host

__all__ = ("Pipeline", "get_target_python", "is_mastra_app", "read_pipeline")

_TARGET = re.compile(r"[\w.][\w./-]*", re.ASCII)
_GROUPS = ("dev", "test", "tests")  # of dependencies that tests need


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The parts of a CI pipeline that depend on the project and the target.

    :param root: the root of the project.
    :param target: name of the target.
    :param python: version that the bundle is built for.
    :param credentials: names of variables that every command needs: the target's credentials, and
        the variables that ``deployer=`` refers to.
    :param secrets: the credentials and the app's variables, which a deploy sets on the platform.
    :param install: commands that create ``.venv`` with the project, its tests and the tools.
    :param test: the command that runs the tests.
    :param smoke: path of the smoke test; empty if Mastra does not serve the app.
    :param previews: whether the target has previews.
    :param rollback: whether the target can roll back.
    :param locked: whether the project has a lock, which each build must then use.
    :param trust: hosts and deployers that the project's files name, for ``MASTRA_TRUST``.
    :param settings_error: why a deploy would refuse the settings; ``None`` if it would not.
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
    trust: tuple[str, ...]
    settings_error: ConfigError | None


def read_pipeline(project: Project, name: str) -> Pipeline:
    """Read the facts that a pipeline for a target needs.

    :param project: the project to deploy.
    :param name: the name of the target; empty for the only target.
    :raises ConfigError: when the target is ambiguous or unknown, or cannot deploy.
    """
    choice = _choose_target(project, name)
    line = HookCaller(choice.deployer, project.root)
    if not line.has_hook("deploy"):
        raise ConfigError(
            f"The target {choice.name!r} cannot deploy.",
            "Name a target that can deploy. `mastra targets` shows them.",
        )
    has_tests = _has_tests(project.root)
    python = get_target_python(project, line.target)
    credentials = _collect_credentials(choice, line.target)
    own = project.environment.names if line.target.stores_env else ()
    return Pipeline(
        root=project.root,
        target=choice.name,
        python=python,
        credentials=credentials,
        secrets=_require_names((*credentials, *own)),
        install=_build_install(project.root, python, _list_tools(choice.deployer, tests=has_tests)),
        test="python -m pytest" if has_tests else f"mastra check {choice.name}",
        smoke="/health" if is_mastra_app(project) else "",
        previews=line.target.previews,
        rollback=line.has_hook("rollback"),
        locked=has_lock(project.root),
        trust=_list_trusted_names(choice),
        settings_error=_find_settings_error(project, choice, line.target),
    )


def get_target_python(project: Project, target: Target | None = None) -> str:
    """Return the default Python version of a build, such as ``3.12``.

    :param project: the project, whose configuration and interpreter are read.
    :param target: the target, whose platforms limit the versions; ``None`` for no limit.
    """
    preferred = get_config(project).python or find_project_interpreter(project).python
    supported = [platform.python for platform in target.platforms] if target else []
    if not supported or preferred in supported or "" in supported:
        return preferred
    return supported[0]


def _choose_target(project: Project, name: str) -> TargetChoice:
    choice = choose_target(project, name, usage="mastra new ci SYSTEM --target TARGET")
    if not _TARGET.fullmatch(choice.name):
        raise ConfigError(
            f"The target name {choice.name!r} cannot be used in a pipeline.",
            "Use letters, digits, '-', '_', '.' and '/' in its name.",
        )
    return choice


def _collect_credentials(choice: TargetChoice, target: Target) -> tuple[str, ...]:
    settings = choice.call.settings.values() if choice.call else ()
    references = [item.name for item in settings if isinstance(item, EnvReference)]
    return _require_names((*target.credentials, *references))


def _list_trusted_names(choice: TargetChoice) -> tuple[str, ...]:
    """Return the hosts and files that a pipeline must trust, because it cannot ask the user."""
    settings = [*choice.table.values(), *(choice.call.settings.values() if choice.call else ())]
    hosts = [find_host(value) for value in settings if isinstance(value, str)]
    files = [choice.deployer] if choice.deployer.endswith(".py") else []
    return tuple(dict.fromkeys(filter(None, [*hosts, *files])))


def _find_settings_error(
    project: Project, choice: TargetChoice, target: Target
) -> ConfigError | None:
    """Return the error that a deploy would raise with only the project's own settings."""
    try:
        merge_settings(
            target.settings,
            flags={},
            environ={},
            table=choice.table,
            entry=choice.call.settings if choice.call else {},
            resolve=False,
            project_name=get_project_name(read_pyproject(project.root)),
        )
    except ConfigError as error:
        return error
    return None


def _require_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return each name once, and reject names that have a meaning in a pipeline's syntax."""
    require_plain_names(names)
    return tuple(dict.fromkeys(names))


def _build_install(root: Path, python: str, tools: list[str]) -> tuple[str, ...]:
    requirements = " ".join(f'"{item}"' for item in tools)
    if (root / "uv.lock").is_file():
        sync = f"uv sync --locked --all-groups --python {python}"
        return ("pip install uv", sync, f"uv pip install {requirements}")
    sources = " ".join([*_list_sources(root), requirements])
    return ("pip install uv", f"uv venv --python {python}", f"uv pip install {sources}")


def _list_sources(root: Path) -> list[str]:
    """Return the files that contain the dependencies, as arguments of ``uv pip install``."""
    files = [name for name in ("pylock.toml", "requirements.txt") if (root / name).is_file()]
    pyproject = read_pyproject(root)
    if not files and pyproject.get("project"):
        files = ["pyproject.toml"]
    groups = [name for name in _GROUPS if name in pyproject.get("dependency-groups", {})]
    return [*(f"-r {name}" for name in files[:1]), *(f"--group {name}" for name in groups)]


def _list_tools(deployer: str, *, tests: bool) -> list[str]:
    """Return the requirements for mastra and the deployer, in their installed versions."""
    entries = list_installed_deployers().get(deployer, [])
    names = {entry.dist.name for entry in entries if entry.dist is not None}
    distributions = ["mastra-deployer", *sorted(names - {"mastra-deployer", "mastra-server"})]
    tools = [f"{name}{get_compatible_range(name)}" for name in distributions]
    return [*tools, "pytest"] if tests else tools


def _has_tests(root: Path) -> bool:
    tool = read_pyproject(root).get("tool", {})
    files = [root / "pytest.ini", root / "tests", root / "test"]
    return "pytest" in tool or any(path.exists() for path in files)


def is_mastra_app(project: Project) -> bool:
    """Return whether the entry module creates a ``Mastra`` object, which serves ``/health``.

    :param project: the project, whose entry module is parsed.
    """
    return bool(find_mastra_calls(parse_source(find_module_file(project))))
