"""Open a session: load the deployer of the target, and merge its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mastra_core.pipeline import Project, Report, Target
from mastra_core.secret import Secret
from mastra_deployer.output.masking import add_masked_values
from mastra_deployer.output.retry_notice import set_retry_report
from mastra_deployer.pipeline.session import Session
from mastra_deployer.pipeline.targets import TargetChoice
from mastra_deployer.plugins.hook_calls import HookCaller
from mastra_deployer.project.config import get_project_name, read_pyproject
from mastra_deployer.project.deployer_argument import EnvReference
from mastra_deployer.project.environment import (
    list_file_variables,
    read_environment,
    read_user_environment,
)
from mastra_deployer.project.settings import (
    find_plaintext_secrets,
    get_variables,
    list_project_values,
    merge_settings,
)
from mastra_deployer.trust.host_policy import HostPolicy, set_host_policy
from mastra_deployer.trust.project_deployers import require_trusted_file

__all__ = ("open_session",)


def open_session(
    project: Project,
    choice: TargetChoice,
    report: Report,
    *,
    flags: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    python: str = "",
    wheels: str = "",
    hook: str = "",
    resolve: bool = False,
    check_file: Callable[[Path], None] = require_trusted_file,
    confirm: Callable[[str, str], bool] | None = None,
) -> Session:
    """Load the target's deployer and merge its settings.

    After this call, the session's ``host_policy`` applies to every client of the kit, and
    ``report`` shows the retries of these clients.

    :param project: the app.
    :param choice: the target as the user named it.
    :param report: receives progress and notes.
    :param flags: settings from ``-s key=value``.
    :param env_file: the file of ``--env-file``, which is read in addition to ``.env``.
    :param python: ``--python``; empty for the target's own setting.
    :param wheels: ``--platform``; empty for the target's own setting.
    :param hook: the hook that the command needs, without ``mastra_``; empty for none.
    :param resolve: whether to replace references such as ``Secret.env("X")`` with the values of the
        variables.
    :param check_file: called with each project file that defines a deployer; raises an error if
        mastra must not run the file.
    :param confirm: asks the user whether credentials may go to a host that a setting of the
        project names; ``None`` if nobody can be asked.
    :raises ConsentError: for a deployer of the project that the user does not trust.
    :raises ConfigError: for an unknown target, a target whose deployer lacks the hook, an unknown
        setting or a wrong value.
    """
    hooks = HookCaller(choice.deployer, project.root, check_file)
    if hook:  # before the settings, because no setting makes the command work
        hooks.require_hook(hook)
    values = read_environment(project, env_file)
    settings = merge_settings(
        hooks.target.settings,
        flags=flags or {},
        environ=values,
        table=choice.table,
        entry=choice.call.settings if choice.call else {},
        resolve=resolve,
        project_name=get_project_name(read_pyproject(project.root)),
    )
    _warn_about_secrets(choice, hooks.target, report)
    add_masked_values(_iter_secrets(project, hooks.target, settings, values))
    project_values = list_project_values(
        settings, flags=flags or {}, user_environ=read_user_environment(project, env_file)
    )
    policy = HostPolicy(
        project_values, confirm, lambda host: report.step(f"Sending credentials to {host}")
    )
    set_host_policy(policy)
    set_retry_report(report)
    return Session(
        file_variables=_list_file_variables(project, env_file, choice, hooks.target),
        project=project,
        choice=choice,
        hooks=hooks,
        settings=settings,
        environ=values,
        report=report,
        host_policy=policy,
        python=python or choice.python,
        wheels=wheels or choice.platform,
    )


def _list_file_variables(
    project: Project, env_file: Path | None, choice: TargetChoice, target: Target
) -> frozenset[str]:
    """Return the names in ``.env`` files, except names that only the deployer reads."""
    fields = dataclasses.fields(target.settings)
    used = {*target.credentials, *(name for field in fields for name in get_variables(field))}
    values = choice.call.settings.values() if choice.call else ()
    used |= {item.name for item in values if isinstance(item, EnvReference)}
    used |= {item.name for item in values if isinstance(item, Secret)}
    return list_file_variables(project, env_file) - used


def _iter_secrets(
    project: Project, target: Target, settings: Any, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield the values to mask in all output: credentials and the app's variables."""
    names = (*target.credentials, *project.environment.names)
    yield from (environ[name] for name in names if environ.get(name))
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Secret) and not value.name:
            yield value.reveal()


def _warn_about_secrets(choice: TargetChoice, target: Target, report: Report) -> None:
    call = choice.call
    names = find_plaintext_secrets(target.settings, call.settings) if call else []
    if call and names:
        report.warn(
            f"{', '.join(names)} of {call.class_name} is in plain text in the source (line "
            f"{call.line}). The bundle does not contain this value.",
            "Write Secret.env('NAME'), and set the variable.",
        )
