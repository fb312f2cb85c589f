"""One deployer, one platform, and the proxy between them."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from mastra_core.errors import DeployError
from mastra_core.pipeline import Build, Bundle, Deployment, DeployRequest, Stage
from mastra_core.secret import Secret
from mastra_deployer.plugins.hook_calls import Access
from mastra_deployer.project.settings import Credentials, merge_settings, without_secrets
from mastra_deployer.testing.fake_platform import FakePlatform, Live
from mastra_deployer.testing.fault_injection import Exchange, Rule
from mastra_deployer.testing.in_process import HandedLine
from mastra_deployer.testing.recorder import Shown
from mastra_deployer.testing.recording_proxy import Proxy
from mastra_deployer.testing.sample_app import sample_build

__all__ = ("Rig", "Wiring")

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wiring:
    """How a deployer is told where its platform is.

    :param address: the field of its settings that takes the address; empty for none.
    :param address_env: an environment variable that takes it.
    :param credentials: values of credentials beside the first, by name.
    :param unhurried: within it, waits take no time.
    :param patience: requests that are answered between one fault and the next.
    """

    address: str
    address_env: str
    credentials: Mapping[str, str]
    unhurried: Callable[[], AbstractContextManager[None]]
    patience: int


class Rig:
    """Calls hooks as the command does, and remembers what was sent and what was shown.

    :param scratch: an empty directory.
    """

    def __init__(
        self, deployer: object, platform: FakePlatform, scratch: Path, wiring: Wiring
    ) -> None:
        self.deployer = deployer
        self.platform = platform
        self.scratch = scratch
        self.wiring = wiring
        self.proxy = Proxy(platform.url, wiring.patience)
        self.shown = Shown()
        self.line = HandedLine(deployer)
        mark = secrets.token_hex(6)
        self.env = {"GREETING": f"hello-{mark}", "FAREWELL": f"bye-{mark}"}
        self._made = 0

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that nobody may see."""
        return (self.platform.token, *self.wiring.credentials.values(), *self.env.values())

    @property
    def table(self) -> dict[str, Any]:
        """The deployer's settings as they would stand in pyproject.toml."""
        address = {self.wiring.address: self.proxy.url} if self.wiring.address else {}
        return {**self.platform.settings(), **address}

    def access(self, token: str | None = None) -> Access:
        """Settings and credentials.

        :param token: another than the platform's; empty for none at all.
        """
        target = self.line.target
        settings = merge_settings(target.settings, flags={}, environ={}, table=self.table, entry={})
        token = self.platform.token if token is None else token
        values = {**dict.fromkeys(target.credentials[:1], token), **self.wiring.credentials}
        given = {name: Secret(text) for name, text in values.items() if text}
        return Access(settings, Credentials(given))

    def directory(self) -> Path:
        """A new empty one."""
        self._made += 1
        path = self.scratch / f"made-{self._made}"
        path.mkdir(parents=True)
        return path

    def build(self, change: str = "") -> Build:
        """The sample, staged anew."""
        return sample_build(self.directory(), self.line.target, change=change)

    def bundle(self, change: str = "", *, build: Build | None = None) -> Bundle:
        """The sample's bundle, made anew."""
        build = build or self.build(change)
        settings = without_secrets(self.access().settings)
        with self.watched():
            return self.line.bundle(build, self.directory(), settings, self.shown)

    def request(
        self, environment: Stage = "production", env: Mapping[str, str] | None = None, **flags: Any
    ) -> DeployRequest:
        """What the command asks for: values only where the platform keeps them."""
        values = self.env if env is None else env
        secret = {name: Secret(text) for name, text in values.items()}
        stored = secret if self.line.target.stores_env else {}
        return DeployRequest(environment=environment, env=stored, **flags)

    def deploy(
        self,
        bundle: Bundle,
        environment: Stage = "production",
        *,
        env: Mapping[str, str] | None = None,
        token: str | None = None,
        fingerprint: str = "",
        wait: bool = True,
    ) -> Deployment:
        """Deploy as the command does: what comes back as a draft is promoted."""
        request = self.request(environment, env, fingerprint=fingerprint, wait=wait)
        access = self.access(token)
        with self.watched():
            made = self.line.deploy(access, bundle, request, self.shown)
            if wait and not made.live and environment == "production":
                made = self.line.promote(access, made.id, self.shown)
        return self.seen(made)

    def deployed(self, change: str = "", environment: Stage = "production") -> Deployment:
        """Bundle and deploy a version of the sample."""
        return self.deploy(self.bundle(change), environment)

    def attempt(self, bundle: Bundle, rule: Rule, **how: Any) -> DeployError | None:
        """Deploy while something goes wrong; the error, where it ended in one."""
        with self.proxy.under(rule):
            try:
                self.deploy(bundle, **how)
            except DeployError as error:
                return error
        return None

    def call(self, verb: str, *arguments: Any, token: str | None = None, **named: Any) -> Any:
        """A verb of the line that takes access first: ``call("promote", id)``."""
        access = self.access(token)
        with self.watched():
            return self.seen(getattr(self.line, verb)(access, *arguments, **named))

    def seen(self, result: T) -> T:
        """Remember a result as something that is shown."""
        self.shown.lines.append(repr(result))
        return result

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Hear everything, and wait for nothing."""
        self.proxy.called()
        with self.wiring.unhurried(), self.shown.listening():
            yield

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[Exchange]]:
        """The requests that come meanwhile, once it is over."""
        before, found = len(self.proxy.exchanges), list[Exchange]()
        with self.proxy.under(None):
            yield found
        found.extend(self.proxy.exchanges[before:])

    def live(self, environment: Stage = "production") -> Live:
        """What users see there.

        :raises AssertionError: while there is nothing.
        """
        live = self.platform.live(environment)
        assert live is not None, f"nothing is live in {environment}"  # noqa: S101  # a promise
        return live

    def copy(self, bundle: Bundle) -> Bundle:
        """The bundle from another directory, loaded as ``--prebuilt`` loads it."""
        place = self.directory()
        shutil.copytree(bundle.directory, place, dirs_exist_ok=True)
        return self.line.load(place)
