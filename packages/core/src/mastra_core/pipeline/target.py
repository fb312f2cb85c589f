"""A deployer's description of its platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from mastra_core.pipeline.deployment import Stage

__all__ = ("Platform", "Target", "TargetLimits")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Platform:
    """A Python version and a kind of machine, for which an app is staged.

    :param python: Python version, ``"3.12"``; empty for the project's own.
    :param wheels: the platform of the wheels, as uv names it (``x86_64-manylinux_2_28``); empty for
        the platform of this machine.
    :param interpreter: path of a Python on this machine that compiles and checks the build. By
        default, mastra searches for a suitable Python.
    :param index: URL of a package index, such as Pyodide's own. If the project's indexes have no
        wheel of a package, the wheel comes from ``index``. Only Pyodide platforms use ``index``.
    """

    python: str = ""
    wheels: str = ""
    interpreter: str = ""
    index: str = ""

    def __str__(self) -> str:
        return f"{f'Python {self.python}' if self.python else 'any Python'} on {self.wheels}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetLimits:
    """The limits of a platform.

    :param size: maximum bytes of the unpacked bundle; 0 for no limit.
    :param compressed: maximum bytes of the bundle as an archive; 0 for no limit.
    :param variables: maximum bytes of the names and values of all environment variables; 0 for no
        limit.
    :param variable: maximum bytes of the value of one environment variable; 0 for no limit.
    :param request: maximum bytes of the body of a request; 0 for no limit.
    :param seconds: maximum duration of a request; 0 for no limit.
    """

    size: int = 0
    compressed: int = 0
    variables: int = 0
    variable: int = 0
    request: int = 0
    seconds: float = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """A platform, as described by its deployer.

    :param name: the argument of ``mastra deploy NAME``.
    :param summary: one line for ``mastra targets``.
    :param settings: a frozen dataclass with a class attribute ``target``; its fields are the keys
        of ``[tool.mastra.targets.NAME]``.
    :param credentials: environment variables that the deploy hooks receive as secrets.
    :param optional_credentials: names from ``credentials`` that a deploy does not always need, or
        that the platform's own chain of profiles and roles may provide. ``mastra doctor`` does not
        warn if an optional credential has no value.
    :param platforms: the platforms that a build may be staged for, the preferred one first.
    :param index_setting: the field of ``settings`` with the URL of a package index. The URL in this
        field replaces ``Platform.index``; if the field is empty, no additional index is used.
    :param requirements: packages that the platform's runtime needs in a bundle, in addition to the
        packages of the app.
    :param limits: the limits of the platform.
    :param previews: whether a deployment can be a preview.
    :param native_previews: whether ``mastra_preview`` also runs a bundle whose packages are for
        this machine. If ``native_previews`` is false, ``mastra preview`` fails on a machine that
        can run none of ``platforms``.
    :param emulated_previews: whether ``mastra_preview`` emulates the platform, and therefore runs a
        bundle for the platform on any machine.
    :param stores_env: whether the platform stores the values of the app's variables. If
        ``stores_env`` is false, a deploy asks for no values, and ``DeployRequest.env`` is empty.
    :param persistent_disk: whether files that the app writes still exist at its next start. Without
        a persistent disk, the check warns about a database in a file.
    :param volumes: whether a volume, which keeps files, can be mounted into an instance that has no
        persistent disk. If the platform has volumes, the warning about a database in a file
        suggests one.
    :param short_lived: whether the app runs as many instances, each of which may end at any time.
        For a short-lived app, the check warns about runs and threads that are kept in the memory of
        one process.
    :param run_databases: the kinds of databases in which runs of workflows outlive an instance:
        ``sqlite``, ``postgresql`` and ``d1``, the preferred one first. The check reports a database
        of another kind.
    :param websockets: whether clients can open WebSockets to the app. If they cannot, the check
        warns about WebSocket routes.
    :param env_stages: the stages that have variables of their own. A deploy to any other
        stage gets no values, and ``mastra env`` raises an error for that stage.
    :param stored_env_stages: the stages whose variables the platform keeps between deploys;
        ``None`` for all of ``env_stages``. For a stage that is only in ``env_stages``, each deploy
        brings its own values, and ``mastra env`` raises an error.
    :param remote: whether the app runs on another machine than the one that deploys it. For a
        remote app, the check warns about environment variables that point at this machine.
    :param reserved_variables: names of environment variables that the platform sets itself or
        refuses, as patterns with ``*`` (``AWS_*``). The app may neither declare nor set these
        variables.
    :param alternatives: advice for each command that the platform does not support, by the verb of
        the hook: ``{"canary": "Deploy a draft, ..."}``. The advice is the hint of the error that
        the command raises.
    """

    name: str
    summary: str
    settings: type
    credentials: tuple[str, ...] = ()
    optional_credentials: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = (Platform(),)
    index_setting: str = ""
    requirements: tuple[str, ...] = ()
    limits: TargetLimits = TargetLimits()
    previews: bool = False
    native_previews: bool = False
    emulated_previews: bool = False
    stores_env: bool = True
    persistent_disk: bool = True
    volumes: bool = False
    short_lived: bool = False
    run_databases: tuple[str, ...] = ("postgresql", "sqlite")
    websockets: bool = True
    env_stages: tuple[Stage, ...] = ("production", "preview")
    stored_env_stages: tuple[Stage, ...] | None = None
    remote: bool = True
    reserved_variables: tuple[str, ...] = ()
    alternatives: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def kept_env_stages(self) -> tuple[Stage, ...]:
        """The stages whose variables ``mastra env`` manages."""
        return self.env_stages if self.stored_env_stages is None else self.stored_env_stages
