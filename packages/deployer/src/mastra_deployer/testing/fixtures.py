"""Fixtures and switches of the conformance suite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import certifi
import pytest

from mastra_core.errors import DeployError
from mastra_core.pipeline import MANIFEST, Bundle
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer.testing.fake_platform import FakePlatform, Live
from mastra_deployer.testing.fault_injection import Exchange
from mastra_deployer.testing.harness import Harness, HarnessOptions
from mastra_deployer.testing.isolated_env import isolate_home

__all__ = ("SuiteFixtures",)

_END = "-----END CERTIFICATE-----"


class SuiteFixtures:
    """Fixtures, switches and predicates, which authors override for their platform.

    :cvar incremental: the platform takes files one by one, so a change of one file sends only this
        file. A platform that takes one archive is not incremental, but an unchanged archive must
        not be sent again.
    :cvar can_fail: a deployment can be accepted and fail afterwards.
    :cvar can_hang: a deployment can be accepted and never finish.
    :cvar previews: previews are tested, if the target has them.
    :cvar canary: canaries are tested, if the deployer has the hook.
    :cvar logs: the log is tested, if the deployer has the hook.
    :cvar messages: the platform can store a short text with a deployment.
    :cvar reserved_variables: names of variables that the platform sets itself and refuses.
    :cvar random_fault_runs: number of deploys that are tested with random faults.
    :cvar max_requests: the number of requests of one call after which the proxy answers 403.
    :cvar url_setting: the field of the settings that takes the platform's address, or a tuple of
        such fields; empty for none.
    :cvar url_env: the environment variable for the platform's address; empty if there is none.
    :cvar credentials: values of all credentials except the first credential, by name.
    """

    incremental: ClassVar[bool] = True
    can_fail: ClassVar[bool] = True
    can_hang: ClassVar[bool] = True
    previews: ClassVar[bool] = True
    canary: ClassVar[bool] = True
    logs: ClassVar[bool] = True
    messages: ClassVar[bool] = True
    reserved_variables: ClassVar[tuple[str, ...]] = ()
    random_fault_runs: ClassVar[int] = 2
    max_requests: ClassVar[int] = 2000
    url_setting: ClassVar[str | tuple[str, ...]] = "api_url"
    url_env: ClassVar[str] = ""
    credentials: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def deployer(self) -> object:
        """Return the module, or object, with the hooks."""
        pytest.fail(f"{type(self).__name__} needs a fixture `deployer`: the module with the hooks.")

    @pytest.fixture
    def platform(self) -> FakePlatform:
        """Return a fake of the platform."""
        pytest.fail(f"{type(self).__name__} needs a fixture `platform`: see FakePlatform.")

    @pytest.fixture
    def harness(
        self, deployer: object, platform: FakePlatform, tmp_path: Path
    ) -> Iterator[Harness]:
        """Yield the harness, in which the proxy connects the deployer and the platform."""
        with self.run_harness(deployer, platform, tmp_path / "harness") as harness:
            yield harness

    @contextlib.contextmanager
    def run_harness(
        self, deployer: object, platform: FakePlatform, root: Path
    ) -> Iterator[Harness]:
        """Within the block, run a harness: a proxy between the deployer and the fake platform.

        :param deployer: the module, or object, with the hooks.
        :param platform: a fake of the platform.
        :param root: a directory that does not exist yet.
        """
        names = self.url_setting
        options = HarnessOptions(
            url_settings=names if isinstance(names, tuple) else (names,) if names else (),
            url_env=self.url_env,
            credentials=self.credentials,
            skip_waits=self.skip_waits,
            max_requests=self.max_requests,
        )
        root.mkdir()
        harness = Harness(deployer, platform, root, options)
        harness.proxy.start()
        try:
            with isolate_home(root / "home"), pytest.MonkeyPatch.context() as patch:
                if self.url_env:
                    patch.setenv(self.url_env, harness.proxy.url)
                if platform.url.startswith("http:"):
                    patch.setenv("SSL_CERT_FILE", _write_one_authority(root / "authority.pem"))
                yield harness
        finally:
            harness.proxy.stop()

    def skip_waits(self) -> AbstractContextManager[None]:
        """Return a context in which waits take no time; override it to skip the waits of an SDK."""
        return skip_waits()

    def is_read(self, exchange: Exchange) -> bool:
        """Return whether a request changes nothing; override this method if reads use POST.

        :param exchange: the request.
        """
        return exchange.method in ("GET", "HEAD", "OPTIONS")

    def is_repeatable(self, exchange: Exchange) -> bool:
        """Return whether a request may be repeated before the effect of the first attempt is known.

        :param exchange: the request.
        """
        return exchange.method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")

    def get_expected_files(self, bundle: Bundle) -> Mapping[str, bytes]:
        """Return the files that must be live for a bundle, by their path on the platform.

        The result does not contain ``mastra-bundle.json``, which may be live or not.

        :param bundle: the bundle that was deployed.
        """
        return {
            path.relative_to(bundle.directory).as_posix(): path.read_bytes()
            for path in bundle.iter_files()
            if path.name != MANIFEST
        }

    def is_complete(self, live: Live, bundle: Bundle, env: Mapping[str, str]) -> bool:
        """Return whether a bundle is live: exactly its files, and the given variables.

        :param live: the deployment that users see.
        :param bundle: the bundle that was deployed.
        :param env: the variables that were deployed.
        """
        files = {path: content for path, content in live.files.items() if path != MANIFEST}
        return files == self.get_expected_files(bundle) and env.items() <= dict(live.env).items()

    @contextlib.contextmanager
    def expect_missing_app(self, verb: str) -> Iterator[None]:
        """Check that the block raises a deliberate DeployError for an app that does not exist.

        :param verb: the hook's name without ``mastra_``.
        """
        with pytest.raises(DeployError) as raised:
            yield
        cause = raised.value.__cause__
        is_defect = isinstance(cause, (AttributeError, LookupError, TypeError))
        assert not is_defect, (  # noqa: S101  # tests assert
            f"mastra_{verb} uses an app that does not exist ({cause!r}); raise a DeployError that "
            "says so, for example by require_deployed of the kit"
        )

    def require(self, harness: Harness, verb: str, *switches: str) -> None:
        """Skip the test if the deployer does not have a hook, or if a switch is off.

        :param harness: the harness of the deployer.
        :param verb: the hook's name without ``mastra_``.
        :param switches: class attributes that must be true.
        """
        for switch in switches:
            if not getattr(self, switch):
                pytest.skip(f"{type(self).__name__} says {switch} = False")
        if not harness.caller.has_hook(verb):
            pytest.skip(f"the deployer has no mastra_{verb}")


def _write_one_authority(file: Path) -> str:
    """Write a file with a single certificate authority, and return its path.

    The tests use no https, and loading all certificate authorities would take longer than a deploy.
    """
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition(_END)
    file.write_text(f"{first}{end}\n", encoding="utf-8", newline="\n")
    return str(file)
