"""Acme's deployer with every hook: the example, and the hooks that it leaves out."""

import datetime as dt
from collections.abc import Iterable, Iterator

from mastra_deployer_acme.hooks import *  # noqa: F403  # the example's hooks are this module's too
from mastra_deployer_acme.hooks import AcmeDeployer, Env, _find_app, _open_api, _to_deployment

from mastra_core.errors import DeployError, DeploymentFailed
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, Deployment, DeployRequest, LogLine, Plan, Problem, Report


@hookimpl
def mastra_plan(
    bundle: Bundle, settings: AcmeDeployer, credentials: Env, request: DeployRequest
) -> Plan:
    from mastra_deployer.kit import FileManifest

    manifest, digest = FileManifest.from_directory(bundle.directory), bundle.manifest.digest
    with _open_api(settings, credentials) as client:
        path = _find_path(client, settings)
        known = client.get(f"{path}/deployments").json()["deployments"] if path else []
        stored = client.get("/blobs").json()["digests"]
    missing = {f"the app {settings.app}": not path}
    missing[f"the deployment {digest}"] = digest not in [item["id"] for item in known]
    new = manifest.get_size(set(manifest.files).difference(stored))
    return Plan(
        creates=tuple(resource for resource, is_missing in missing.items() if is_missing),
        environment=tuple(request.env),
        upload=new,
        present=manifest.get_size() - new,
    )


@hookimpl
def mastra_promote(settings: AcmeDeployer, credentials: Env, id: str, report: Report) -> Deployment:
    with _open_api(settings, credentials) as client:
        return _release(client, _find_path(client, settings), id)


@hookimpl
def mastra_rollback(settings: AcmeDeployer, credentials: Env, id: str) -> Deployment:
    with _open_api(settings, credentials) as client:
        app = _require_app(client, settings)
        known = client.get(f"/apps/{app['id']}/deployments").json()["deployments"]
        has_canary = any(item["percent"] for item in known)
        earlier = app.get("live" if has_canary else "previous", "")
        target = id or earlier
        if not target:
            raise DeployError(f"Nothing of {settings.app!r} was live before.", "Deploy it.")
        return _release(client, f"/apps/{app['id']}", target)


@hookimpl
def mastra_canary(settings: AcmeDeployer, credentials: Env, id: str, percent: int) -> Deployment:
    from mastra_deployer.kit import refuse_live_canary

    with _open_api(settings, credentials) as client:
        path = _find_path(client, settings)
        if percent == 100:
            return _release(client, path, id)
        refuse_live_canary(id, (_find_app(client, settings) or {}).get("live", ""))
        response = client.put(f"{path}/production", json={"deployment": id, "percent": percent})
        return _to_deployment(response.json()["deployment"])


@hookimpl
def mastra_logs(
    settings: AcmeDeployer, credentials: Env, id: str, since: dt.datetime | None, follow: bool
) -> Iterator[LogLine]:
    from mastra_deployer.kit.clock import sleep

    offset = 0
    with _open_api(settings, credentials) as client:
        app = _require_app(client, settings)
        query = {"deployment": id or app["live"]}
        while follow or not offset:
            lines = client.get(f"/apps/{app['id']}/logs", params=query).json()["lines"]
            for line in lines[offset:]:
                time = dt.datetime.fromisoformat(line["time"])
                if since is None or time >= since:
                    yield LogLine(text=line["text"], time=time)
            offset = max(1, len(lines))
            sleep(1 if follow else 0)


@hookimpl
def mastra_env(settings: AcmeDeployer, credentials: Env, environment: str) -> "Variables":
    return Variables(settings, credentials, environment)


@hookimpl
def mastra_doctor(settings: AcmeDeployer, credentials: Env) -> list[Problem]:
    with _open_api(settings, credentials) as client:
        client.get("/user")
    return []


@hookimpl
def mastra_destroy(settings: AcmeDeployer, credentials: Env) -> bool:
    with _open_api(settings, credentials) as client:
        path = _find_path(client, settings)
        if path:
            client.delete(path, extensions={"mastra_accept": (404,)})
    return bool(path)


@hookimpl
def mastra_preview(bundle: Bundle, host: str, port: int, env: Env) -> int:
    import os
    import subprocess
    import sys

    values = {name: value.reveal() for name, value in env.items()}
    base = {"PATH": os.environ["PATH"], "HOST": host, "PORT": str(port)}
    command = [sys.executable, "index.py"]
    try:
        return subprocess.run(
            command, cwd=bundle.directory, env={**base, **values}, check=False
        ).returncode
    except KeyboardInterrupt:
        return 130


class Variables:
    def __init__(self, settings: AcmeDeployer, credentials: Env, stage: str) -> None:
        self.settings, self.credentials, self.stage = settings, credentials, stage

    def list(self) -> dict[str, str]:
        with _open_api(self.settings, self.credentials) as client:
            path = _find_path(client, self.settings)
            names = client.get(f"{path}/env/{self.stage}").json()["names"] if path else []
        return dict.fromkeys(names, self.stage)

    def set(self, values: Env) -> None:
        self._put({name: value.reveal() for name, value in values.items()})

    def unset(self, names: Iterable[str]) -> None:
        self._put(dict.fromkeys(names))

    def _put(self, values: dict[str, str | None]) -> None:
        with _open_api(self.settings, self.credentials) as client:
            client.put(f"{_find_path(client, self.settings)}/env/{self.stage}", json=values)


def _require_app(client, settings):
    from mastra_deployer.kit import require_deployed

    return require_deployed(_find_app(client, settings), f"There is no app {settings.app!r}.")


def _find_path(client, settings: AcmeDeployer) -> str:
    app = _find_app(client, settings)
    return f"/apps/{app['id']}" if app else ""


def _release(client, path: str, id: str) -> Deployment:
    from mastra_deployer.kit import poll

    client.put(f"{path}/production", json={"deployment": id})
    state = poll(
        lambda: client.get(f"{path}/production").json(),
        lambda state: state["state"] != "building",
        timeout=600,
    )
    if state["state"] == "failed":
        raise DeploymentFailed(f"Acme cannot run {id!r}: {state['error']}.", "Read its log.")
    return _to_deployment(state["deployment"])
