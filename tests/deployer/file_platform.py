"""A platform on paper: a private deployer whose platform is one JSON file.

What the host does around a deployer is tried with it: every verb is there, and its answers can be
bent through the file.
"""

import dataclasses
import datetime as dt
import errno
import itertools
import json
import os
import signal
from pathlib import Path
from time import sleep
from typing import ClassVar

from mastra_core import Secret
from mastra_core.errors import AuthError, DeployError
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, Deployment, LogLine, Plan, Problem, Target

TRIES = itertools.count(1)
EMPTY = {"deployments": [], "live": [], "env": {}, "log": [], "calls": [], "bend": {}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperSettings:
    target: ClassVar[str] = "paper"

    file: str
    region: str = dataclasses.field(
        default="", metadata={"env": ("PAPER_REGION", "PAPER_DEFAULT_REGION")}
    )
    folder: str = dataclasses.field(default="plain", metadata={"default": "papers-{region}"})
    url: str = "http://127.0.0.1:9"
    token: Secret | None = dataclasses.field(default=None, metadata={"env": "PAPER_TOKEN"})


class Paper:
    """The file, read and written at every call."""

    def __init__(self, settings, credentials, call):
        self.path, self.url = Path(settings.file), settings.url
        self.state = json.loads(self.path.read_text())
        self.bend = self.state["bend"]
        self.state["calls"].append(call)
        self.save()
        interrupt(self.bend, call)
        if credentials.get("PAPER_TOKEN", Secret("none")).reveal() != "paper-token-1":
            raise AuthError("Paper does not know this token.", "Set PAPER_TOKEN.")

    def save(self):
        self.path.write_text(json.dumps(self.state))

    def to_deployment(self, item, **more):
        live = item["environment"] == "preview" or item["id"] in self.state["live"][-1:]
        live = item.get("live", live)
        known = {**item, "created": dt.datetime.fromisoformat(item["created"]), "live": live}
        return Deployment(target="paper", url=self.url, **{**known, **more})

    def find(self, id):
        for item in self.state["deployments"]:
            if item["id"] == id:
                return item
        raise DeployError(f"Paper has no deployment {id!r}.", "`mastra deployments` lists them.")

    def go_live(self, id):
        item = self.find(id)
        self.state["live"].append(id)
        self.save()
        return self.to_deployment(item)


@hookimpl
def mastra_target():
    return Target(
        name="paper",
        summary="A file",
        settings=PaperSettings,
        credentials=("PAPER_TOKEN", "PAPER_PASS"),
        optional_credentials=("PAPER_PASS",),
        requirements=("uvicorn>=0.38",),
        previews=True,
        reserved_variables=("SYSTEM_*", "REGION"),
    )


@hookimpl
def mastra_bundle(build, directory):
    build.copy_to(directory)
    return Bundle.seal(build, directory, "paper")


@hookimpl
def mastra_doctor(settings, credentials):
    paper = Paper(settings, credentials, "doctor")
    for severity, message in paper.bend.get("problems", []):
        yield Problem(message=message, hint="Ask Paper.", severity=severity)


@hookimpl
def mastra_plan(bundle, settings, credentials, request):
    Paper(settings, credentials, "plan")
    return Plan(
        creates=("app shop",),
        environment=tuple(request.env),
        upload=5,
        present=7,
        notes=("First.",),
    )


@hookimpl
def mastra_deploy(bundle, settings, credentials, request, report):
    paper = Paper(settings, credentials, "deploy")
    report.step("Writing")
    report.advance(1, 2)
    report.advance(2, 2)
    item = {
        "id": f"p{len(paper.state['deployments']) + 1}",
        "environment": request.environment,
        "created": dt.datetime.now(dt.UTC).isoformat(),
        "branch": request.branch,
        "message": request.message,
        "fingerprint": request.fingerprint,
    }
    paper.state["deployments"].insert(0, item)
    paper.state["env"].update({name: value.reveal() for name, value in request.env.items()})
    if request.environment == "production" and not paper.bend.get("drafts"):
        paper.state["live"].append(item["id"])
    paper.save()
    header = {"x-bypass": Secret("bypass-1")} if paper.bend.get("protected") else {}
    drafts = paper.bend.get("drafts")
    state = "ready" if request.wait or drafts == "ready" else "building"
    interrupt(paper.bend, "upload")
    more = {"sign_smoke": sign} if paper.bend.get("signed") else {}
    if paper.bend.get("interrupt") == "test":
        more = {"sign_smoke": lambda _: interrupt(paper.bend, "test")}
    return paper.to_deployment(
        item,
        smoke_headers=header,
        state=state,
        draft=bool(drafts),
        next=("Read on.", settings.folder),
        **more,
    )


def interrupt(bend, call):
    """Send the process a signal, by default that of Ctrl-C, if the test wants it at this call."""
    if bend.get("broken") == call:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    if bend.get("interrupt") == call:
        os.kill(os.getpid(), signal.Signals[bend.get("signal", "SIGINT")])
        sleep(60)  # until the signal arrives


def sign(url):
    return {"x-bypass": Secret(f"signed {url.rpartition('/')[2]} {next(TRIES)}")}


@hookimpl
def mastra_deployments(settings, credentials, limit):
    paper = Paper(settings, credentials, "deployments")
    return [paper.to_deployment(item) for item in paper.state["deployments"][:limit]]


@hookimpl
def mastra_promote(settings, credentials, id, fingerprint):
    paper = Paper(settings, credentials, "promote")
    paper.state["promoted"] = fingerprint
    return paper.go_live(id)


@hookimpl
def mastra_rollback(settings, credentials, id):
    paper = Paper(settings, credentials, "rollback")
    if not id and len(paper.state["live"]) < 2:
        raise DeployError("There is nothing to go back to.", "Deploy once more first.")
    return paper.go_live(id or paper.state["live"][-2])


@hookimpl
def mastra_canary(settings, credentials, id, percent):
    paper = Paper(settings, credentials, "canary")
    return paper.to_deployment(paper.find(id), live=True, percent=percent)


@hookimpl
def mastra_logs(settings, credentials, id, since, follow):
    paper = Paper(settings, credentials, "logs")
    for time, text in paper.state["log"]:
        logged_at = dt.datetime.fromisoformat(time)
        if since is None or logged_at >= since:
            yield LogLine(text=text, time=logged_at, level="info")
    if follow:
        raise RuntimeError("the paper is torn")


@hookimpl
def mastra_env(settings, credentials, environment):
    return Store(Paper(settings, credentials, "env"), environment)


class Store:
    def __init__(self, paper, environment):
        self.paper, self.environment = paper, environment

    def list(self):
        return dict.fromkeys(self.paper.state["env"], self.environment)

    def set(self, values):
        self.paper.state["env"] |= {name: value.reveal() for name, value in values.items()}
        self.paper.state["changed"] = dt.datetime.now(dt.UTC).isoformat()
        self.paper.save()
        interrupt(self.paper.bend, "set")
        if self.paper.bend.get("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.paper.bend.get("effect")

    def get_change_time(self):
        changed = self.paper.state.get("changed")
        is_dated = changed and self.paper.bend.get("dated")
        return dt.datetime.fromisoformat(changed) if is_dated else None

    def unset(self, names):
        for name in names:
            self.paper.state["env"].pop(name, None)
        self.paper.save()


@hookimpl
def mastra_destroy(settings, credentials):
    paper = Paper(settings, credentials, "destroy")
    existed = bool(paper.state["deployments"])
    paper.state.update(EMPTY)
    paper.save()
    return existed


@hookimpl
def mastra_preview(bundle, settings, host, port, env):
    print(f"preview of {bundle.manifest.entry} on {host}:{port} with {sorted(env)}")
    return 3
