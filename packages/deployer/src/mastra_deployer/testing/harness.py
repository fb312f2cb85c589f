"""Connect one deployer and one fake platform through a recording proxy."""

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
from mastra_deployer.checks.reserved_variables import refuse_reserved_variables
from mastra_deployer.output.masking import add_masked_values
from mastra_deployer.plugins.hook_calls import PlatformAccess
from mastra_deployer.project.settings import Credentials, merge_settings, remove_secrets
from mastra_deployer.testing.fake_platform import FakePlatform, Live
from mastra_deployer.testing.fault_injection import Exchange, Rule
from mastra_deployer.testing.in_process import InProcessCaller
from mastra_deployer.testing.proxy.recording_proxy import RecordingProxy
from mastra_deployer.testing.recorder import Recorder
from mastra_deployer.testing.sample_app import sample_build

__all__ = ("Harness", "HarnessOptions")

T = TypeVar("T")


# The methods of ``HookCaller`` whose names differ from the names of their hooks.
_METHODS = {
    "canary": "set_canary",
    "deployments": "list_deployments",
    "doctor": "diagnose",
    "env": "get_env_store",
    "logs": "iter_logs",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarnessOptions:
    """How a deployer connects to the proxy instead of the platform.

    :param url_settings: the fields of the deployer's settings that take an address of the platform.
    :param url_env: the environment variable for the platform's address; empty if there is none.
    :param credentials: values of all credentials except the first credential, by name.
    :param skip_waits: returns a context in which waits take no time.
    :param max_requests: the number of requests of one call after which the proxy answers 403.
    """

    url_settings: tuple[str, ...]
    url_env: str
    credentials: Mapping[str, str]
    skip_waits: Callable[[], AbstractContextManager[None]]
    max_requests: int


class Harness:
    """Calls hooks like the ``mastra`` command, and records all requests and all output.

    :param deployer: the module, or object, with the hooks.
    :param platform: a fake of the platform.
    :param root: an empty directory.
    :param options: the configuration of the deployer.
    """

    def __init__(
        self, deployer: object, platform: FakePlatform, root: Path, options: HarnessOptions
    ) -> None:
        self.deployer = deployer
        self.platform = platform
        self.root = root
        self.options = options
        self.proxy = RecordingProxy(platform.url, options.max_requests)
        self.recorder = Recorder()
        self.caller = InProcessCaller(deployer)
        suffix = secrets.token_hex(6)
        self.env = {"GREETING": f"hello-{suffix}", "FAREWELL": f"bye-{suffix}"}
        self._directories = 0

    @property
    def secrets(self) -> tuple[str, ...]:
        """All values that must not appear in any output."""
        values = (self.platform.token, *self.options.credentials.values(), *self.env.values())
        return tuple(filter(None, values))

    @property
    def settings_table(self) -> dict[str, Any]:
        """The deployer's settings, as a table of pyproject.toml."""
        names = self.options.url_settings
        return {**self.platform.get_settings(), **dict.fromkeys(names, self.proxy.url)}

    def build_access(self, token: str | None = None) -> PlatformAccess:
        """Return settings and credentials.

        :param token: replaces the platform's token; empty for no token.
        """
        target = self.caller.target
        settings = merge_settings(
            target.settings,
            flags={},
            environ={self.options.url_env: self.proxy.url},
            table=self.settings_table,
            entry={},
        )
        token = self.platform.token if token is None else token
        values = {**dict.fromkeys(target.credentials[:1], token), **self.options.credentials}
        known = {name: Secret(text) for name, text in values.items() if text}
        return PlatformAccess(settings, Credentials(known))

    def make_directory(self) -> Path:
        """Create a new empty directory."""
        self._directories += 1
        path = self.root / f"directory-{self._directories}"
        path.mkdir(parents=True)
        return path

    def build(self, change: str = "") -> Build:
        """Stage the sample app in a new directory.

        :param change: a text in one small file; another text makes another version of the app.
        """
        return sample_build(self.make_directory(), self.caller.target, change=change)

    def bundle(self, change: str = "", *, build: Build | None = None) -> Bundle:
        """Bundle the sample app in a new directory.

        :param change: a text in one small file; another text makes another version of the app.
        :param build: the build to bundle; a new build if left out.
        """
        build = build or self.build(change)
        settings = remove_secrets(self.build_access().settings)
        with self.observe_call():
            return self.caller.bundle(build, self.make_directory(), settings, self.recorder)

    def build_request(
        self, environment: Stage = "production", env: Mapping[str, str] | None = None, **flags: Any
    ) -> DeployRequest:
        """Return a deploy request; it has the app's variables only if the target stores them.

        :param environment: the stage to deploy to.
        :param env: the app's variables; ``self.env`` if left out.
        :param flags: other fields of ``DeployRequest``.
        """
        values = self.env if env is None else env
        secret = {name: Secret(text) for name, text in values.items()}
        stored = secret if self.caller.target.stores_env else {}
        return DeployRequest(environment=environment, env=stored, **flags)

    def deploy(
        self,
        bundle: Bundle,
        environment: Stage = "production",
        *,
        env: Mapping[str, str] | None = None,
        token: str | None = None,
        fingerprint: str = "",
        message: str = "",
        wait: bool = True,
    ) -> Deployment:
        """Deploy as ``mastra deploy`` does, and promote a production deployment that is not live.

        :param bundle: the bundle to deploy.
        :param environment: the stage to deploy to.
        :param env: the app's variables; ``self.env`` if left out.
        :param token: replaces the platform's token; empty for no token.
        :param fingerprint: the fingerprint of the request.
        :param message: the message of the request.
        :param wait: whether to wait until the deployment is ready.
        :raises ConfigError: for a variable that the platform reserves.
        """
        request = self.build_request(
            environment, env, fingerprint=fingerprint, message=message, wait=wait
        )
        access = self.build_access(token)
        refuse_reserved_variables(self.caller.target, request.env)
        with self.observe_call():
            deployment = self.caller.deploy(access, bundle, request, self.recorder)
            if wait and not deployment.live and environment == "production":
                deployment = self.caller.promote(
                    access, deployment.id, self.recorder, deployment.fingerprint
                )
        return self.record_result(deployment)

    def deploy_without_promotion(
        self,
        bundle: Bundle,
        environment: Stage = "production",
        *,
        env: Mapping[str, str] | None = None,
        **flags: Any,
    ) -> Deployment:
        """Deploy like ``mastra deploy``, but stop before the smoke test and the promotion.

        :param bundle: the bundle to deploy.
        :param environment: the stage to deploy to.
        :param env: the app's variables; ``self.env`` if left out.
        :param flags: other fields of ``DeployRequest``, such as ``promote=False``.
        """
        access, request = self.build_access(), self.build_request(environment, env, **flags)
        with self.observe_call():
            deployment = self.caller.deploy(access, bundle, request, self.recorder)
        return self.record_result(deployment)

    def deploy_sample(self, change: str = "", environment: Stage = "production") -> Deployment:
        """Bundle and deploy a version of the sample app.

        :param change: a text in one small file; another text makes another version of the app.
        :param environment: the stage to deploy to.
        """
        return self.deploy(self.bundle(change), environment)

    def deploy_with_faults(self, bundle: Bundle, rule: Rule, **options: Any) -> DeployError | None:
        """Deploy while the proxy injects faults, and return the error, if any.

        :param bundle: the bundle to deploy.
        :param rule: selects the fault for each request.
        :param options: further arguments of ``deploy``.
        """
        with self.proxy.apply_rule(rule):
            try:
                self.deploy(bundle, **options)
            except DeployError as error:
                return error
        return None

    def set_variables(self, environment: Stage, values: Mapping[str, str]) -> None:
        """Set variables, as ``mastra env set`` does.

        :param environment: the stage.
        :param values: values by name.
        :raises ConfigError: for a variable that the platform reserves.
        """
        refuse_reserved_variables(self.caller.target, values)
        add_masked_values(values.values())
        store = self.call("env", environment)
        with self.observe_call():
            store.set({name: Secret(text) for name, text in values.items()})

    def call(self, verb: str, *arguments: Any, token: str | None = None, **options: Any) -> Any:
        """Call a hook with settings and credentials, such as ``call("promote", id, recorder)``.

        :param verb: name of the hook without ``mastra_``: ``deployments``.
        :param arguments: the arguments after settings and credentials.
        :param token: replaces the platform's token; empty for no token.
        :param options: keyword arguments of the hook.
        """
        access = self.build_access(token)
        with self.observe_call():
            return self.record_result(
                getattr(self.caller, _METHODS.get(verb, verb))(access, *arguments, **options)
            )

    def record_result(self, result: T) -> T:
        """Record a result as output, and return the result.

        :param result: the value that a hook returned.
        """
        self.recorder.lines.append(repr(result))
        return result

    @contextlib.contextmanager
    def observe_call(self) -> Iterator[None]:
        """Within the block, record all output and skip waits."""
        self.proxy.start_call()
        with self.options.skip_waits(), self.recorder.capture():
            yield

    @contextlib.contextmanager
    def record_requests(self) -> Iterator[list[Exchange]]:
        """Yield an empty list; at the end of the block, the block's requests are added to it."""
        start, requests = len(self.proxy.exchanges), list[Exchange]()
        with self.proxy.apply_rule(None):
            yield requests
        requests.extend(self.proxy.exchanges[start:])

    def get_live(self, environment: Stage = "production") -> Live:
        """Return the deployment that users of a stage see.

        :param environment: the stage.
        :raises AssertionError: while nothing is live.
        """
        live = self.platform.get_live(environment)
        assert live is not None, f"nothing is live in {environment}"  # noqa: S101  # a test's
        return live

    def copy_bundle(self, bundle: Bundle) -> Bundle:
        """Copy a bundle and load the copy, as ``--prebuilt`` does.

        :param bundle: the bundle to copy.
        """
        directory = self.make_directory()
        shutil.copytree(bundle.directory, directory, dirs_exist_ok=True)
        return self.caller.load_bundle(directory)
