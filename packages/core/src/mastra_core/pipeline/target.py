"""What a deployer says of its platform."""

from __future__ import annotations

import dataclasses

__all__ = ("Limits", "Platform", "Target")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Platform:
    """What a build is staged for.

    :param python: version, ``"3.12"``; empty for the project's own.
    :param wheels: which wheels fit, in uv's words (``x86_64-manylinux_2_28``); empty for this
        machine's.
    :param interpreter: a Python on this machine to compile and check the build with; one that
        fits is looked for where empty.
    """

    python: str = ""
    wheels: str = ""
    interpreter: str = ""

    def __str__(self) -> str:
        return f"Python {self.python} on {self.wheels}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What the platform takes.

    :param size: bytes of the unpacked bundle; 0 for no limit.
    """

    size: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """A platform, as its deployer describes it.

    :param name: what ``mastra deploy NAME`` says.
    :param summary: one line for ``mastra targets``.
    :param settings: frozen dataclass with a class attribute ``target``; its fields are what
        ``[tool.mastra.targets.NAME]`` may hold.
    :param credentials: environment variables that deploy verbs receive as secrets.
    :param platforms: what a build may be staged for, the preferred one first.
    :param requirements: what the runtime needs in the bundle beside the app's own closure.
    :param previews: whether a deployment can be a preview.
    :param stores_env: whether the platform keeps the values of the app's variables. Where it does
        not, nobody asks for values and ``DeployRequest.env`` is empty.
    :param keeps_files: whether what the app writes to its disk is there at its next start. Where it
        is not, a database in a file is pointed out.
    :param elsewhere: whether the app runs on another machine than the one that deploys it. Where it
        does, values that point at this machine are pointed out.
    """

    name: str
    summary: str
    settings: type
    credentials: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = (Platform(),)
    requirements: tuple[str, ...] = ()
    limits: Limits = Limits()
    previews: bool = False
    stores_env: bool = True
    keeps_files: bool = True
    elsewhere: bool = True
