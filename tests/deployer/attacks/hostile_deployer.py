"""A deployer whose platform answers every question with the text in the variable HOSTILE."""

import dataclasses
import datetime as dt
import os
from typing import ClassVar

from mastra_core import Secret
from mastra_core.errors import ApiError
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, Deployment, LogLine, Problem, Target


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostileSettings:
    target: ClassVar[str] = "hostile"

    token: Secret | None = dataclasses.field(default=None, metadata={"env": "HOSTILE_TOKEN"})


def get_text():
    return os.environ["HOSTILE"]


def build_deployment():
    text = get_text()
    return Deployment(
        target="hostile",
        id=text,
        url=f"https://{text}",
        environment="production",
        created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        live=True,
        branch=text,
        commit=text,
        message=text,
        next=(text,),
    )


@hookimpl
def mastra_target():
    return Target(
        name="hostile",
        summary=get_text(),
        settings=HostileSettings,
        credentials=("HOSTILE_TOKEN",),
    )


@hookimpl
def mastra_bundle(build, directory):
    build.copy_to(directory)
    return Bundle.seal(build, directory, "hostile")


@hookimpl
def mastra_deployments():
    return [build_deployment()]


@hookimpl
def mastra_promote(report):
    report.step(get_text())
    report.advance(1, 2, get_text())
    report.note(get_text(), get_text())
    return build_deployment()


@hookimpl
def mastra_rollback():
    raise ApiError(get_text(), get_text())


@hookimpl
def mastra_canary():
    raise ValueError(get_text())


@hookimpl
def mastra_logs():
    yield LogLine(text=get_text(), time=None, level=get_text())


@hookimpl
def mastra_doctor():
    yield Problem(message=get_text(), hint=get_text(), severity="warning")


@hookimpl
def mastra_env():
    return Store()


class Store:
    def list(self):
        return {get_text(): get_text()}

    def set(self, values):
        raise ApiError(f"{get_text()} is not a valid value", "Correct it.")

    def unset(self, names):
        raise ApiError(get_text(), get_text())


@hookimpl
def mastra_destroy():
    raise ApiError(get_text(), get_text())
