"""Acme's deployer with every verb there is: the example, and the rest of it."""

from collections.abc import Iterable, Iterator

from mastra_deployer_acme import *  # noqa: F403  # the example's hooks are this module's too
from mastra_deployer_acme import AcmeDeployer, Env, _app, _client, _deployment

from mastra_core.errors import DeployError, DeploymentFailed
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, Deployment, DeployRequest, LogLine, Plan, Problem, Report


@hookimpl
def mastra_plan(
    bundle: Bundle, settings: AcmeDeployer, credentials: Env, request: DeployRequest
) -> Plan:
    from mastra_deployer.kit import Manifest

    manifest, name = Manifest.of(bundle.directory), bundle.manifest.digest
    with _client(settings, credentials) as client:
        place = _place(client, settings)
        known = client.get(f"{place}/deployments").json()["deployments"] if place else []
        there = client.get("/blobs").json()["digests"]
    wanted = {f"the app {settings.app}": not place}
    wanted[f"the deployment {name}"] = name not in [each["id"] for each in known]
    new = manifest.size(set(manifest.files).difference(there))
    return Plan(
        creates=tuple(thing for thing, missing in wanted.items() if missing),
        environment=tuple(request.env),
        upload=new,
        present=manifest.size() - new,
    )


@hookimpl
def mastra_promote(settings: AcmeDeployer, credentials: Env, id: str, report: Report) -> Deployment:
    with _client(settings, credentials) as client:
        return _release(client, _place(client, settings), id)


@hookimpl
def mastra_rollback(settings: AcmeDeployer, credentials: Env, id: str) -> Deployment:
    with _client(settings, credentials) as client:
        app = _app(client, settings) or {}
        wanted = id or app.get("previous", "")
        if not wanted:
            raise DeployError(f"Nothing of {settings.app!r} was live before.", "Deploy it.")
        return _release(client, f"/apps/{app['id']}", wanted)


@hookimpl
def mastra_canary(settings: AcmeDeployer, credentials: Env, id: str, percent: int) -> Deployment:
    with _client(settings, credentials) as client:
        place = _place(client, settings)
        if percent == 100:
            return _release(client, place, id)
        told = client.put(f"{place}/production", json={"deployment": id, "percent": percent})
        return _deployment(told.json()["deployment"])


@hookimpl
def mastra_logs(settings: AcmeDeployer, credentials: Env, follow: bool) -> Iterator[LogLine]:
    from mastra_deployer.kit.clock import sleep

    told = 0
    with _client(settings, credentials) as client:
        place = _place(client, settings)
        while follow or not told:
            lines = client.get(f"{place}/logs").json()["lines"]
            yield from (LogLine(text=line) for line in lines[told:])
            told = max(1, len(lines))
            sleep(1 if follow else 0)


@hookimpl
def mastra_env(settings: AcmeDeployer, credentials: Env, environment: str) -> "Variables":
    return Variables(settings, credentials, environment)


@hookimpl
def mastra_doctor(settings: AcmeDeployer, credentials: Env) -> list[Problem]:
    with _client(settings, credentials) as client:
        client.get("/user")
    return []


@hookimpl
def mastra_destroy(settings: AcmeDeployer, credentials: Env) -> bool:
    with _client(settings, credentials) as client:
        place = _place(client, settings)
        if place:
            client.delete(place)
    return bool(place)


class Variables:
    def __init__(self, settings: AcmeDeployer, credentials: Env, stage: str) -> None:
        self.settings, self.credentials, self.stage = settings, credentials, stage

    def list(self) -> dict[str, str]:
        with _client(self.settings, self.credentials) as client:
            place = _place(client, self.settings)
            names = client.get(f"{place}/env/{self.stage}").json()["names"] if place else []
        return dict.fromkeys(names, self.stage)

    def set(self, values: Env) -> None:
        self._put({name: value.reveal() for name, value in values.items()})

    def unset(self, names: Iterable[str]) -> None:
        self._put(dict.fromkeys(names))

    def _put(self, values: dict[str, str | None]) -> None:
        with _client(self.settings, self.credentials) as client:
            client.put(f"{_place(client, self.settings)}/env/{self.stage}", json=values)


def _place(client, settings: AcmeDeployer) -> str:
    app = _app(client, settings)
    return f"/apps/{app['id']}" if app else ""


def _release(client, place: str, id: str) -> Deployment:
    from mastra_deployer.kit import poll

    client.put(f"{place}/production", json={"deployment": id})
    live = poll(
        lambda: client.get(f"{place}/production").json(),
        lambda told: told["state"] != "building",
        timeout=600,
    )
    if live["state"] == "failed":
        raise DeploymentFailed(f"Acme cannot run {id!r}: {live['error']}.", "Read its log.")
    return _deployment(live["deployment"])
