"""What every promise stands on: the author's two fixtures, and what the platform can."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import certifi
import pytest

from mastra_core.pipeline import MANIFEST, Bundle
from mastra_deployer.kit.clock import no_waiting
from mastra_deployer.testing.fake_platform import FakePlatform, Live
from mastra_deployer.testing.fault_injection import Exchange
from mastra_deployer.testing.harness import Rig, Wiring

__all__ = ("Promises",)

_END = "-----END CERTIFICATE-----"


class Promises:
    """Fixtures, switches and readings of a platform; an author overrides what differs.

    :cvar incremental: it takes files one by one, so that only changes are sent.
    :cvar failing: a deployment can be accepted and fail afterwards.
    :cvar endless: a deployment can be accepted and never finish.
    :cvar previews: previews are tried, where the target has them.
    :cvar canary: shares of traffic are tried, where the deployer has the hook.
    :cvar logs: the log is tried, where the deployer has the hook.
    :cvar storms: how many deploys are tried while requests fail at random.
    :cvar patience: requests that one call may send before the suite stops answering.
    :cvar address: the field of the settings that takes the platform's address; may be empty.
    :cvar address_env: an environment variable that takes it.
    :cvar credentials: values of credentials beside the first, by name.
    """

    incremental: ClassVar[bool] = True
    failing: ClassVar[bool] = True
    endless: ClassVar[bool] = True
    previews: ClassVar[bool] = True
    canary: ClassVar[bool] = True
    logs: ClassVar[bool] = True
    storms: ClassVar[int] = 2
    patience: ClassVar[int] = 2000
    address: ClassVar[str] = "api_url"
    address_env: ClassVar[str] = ""
    credentials: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def deployer(self) -> object:
        """The module, or object, with the hooks."""
        pytest.fail(f"{type(self).__name__} needs a fixture `deployer`: the module with the hooks.")

    @pytest.fixture
    def platform(self) -> FakePlatform:
        """A fake of the platform."""
        pytest.fail(f"{type(self).__name__} needs a fixture `platform`: see FakePlatform.")

    @pytest.fixture
    def rig(self, deployer: object, platform: FakePlatform, tmp_path: Path) -> Iterator[Rig]:
        """The deployer and the platform, with the proxy between them."""
        with self.rigged(deployer, platform, tmp_path / "rig") as rig:
            yield rig

    @contextlib.contextmanager
    def rigged(self, deployer: object, platform: FakePlatform, scratch: Path) -> Iterator[Rig]:
        """A rig that runs.

        :param scratch: a directory that is not there yet.
        """
        wiring = Wiring(
            address=self.address,
            address_env=self.address_env,
            credentials=self.credentials,
            unhurried=self.unhurried,
            patience=self.patience,
        )
        scratch.mkdir()
        rig = Rig(deployer, platform, scratch, wiring)
        rig.proxy.start()
        with pytest.MonkeyPatch.context() as patch:
            if self.address_env:
                patch.setenv(self.address_env, rig.proxy.url)
            if platform.url.startswith("http:"):
                patch.setenv("SSL_CERT_FILE", _one_authority(scratch / "authority.pem"))
            yield rig
        rig.proxy.stop()

    def unhurried(self) -> AbstractContextManager[None]:
        """Within it waits take no time: those of the kit, as it stands."""
        return no_waiting()

    def reads(self, exchange: Exchange) -> bool:
        """Whether a request changes nothing; for platforms that read by POST."""
        return exchange.method in ("GET", "HEAD", "OPTIONS")

    def repeatable(self, exchange: Exchange) -> bool:
        """Whether a request may be sent again without looking first."""
        return exchange.method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")

    def expected(self, bundle: Bundle) -> Mapping[str, bytes]:
        """What must be live when a bundle is: its files, where the platform lays them out.

        ``mastra-bundle.json`` may be there or not.
        """
        return {
            path.relative_to(bundle.directory).as_posix(): path.read_bytes()
            for path in bundle.files()
            if path.name != MANIFEST
        }

    def is_whole(self, live: Live, bundle: Bundle, env: Mapping[str, str]) -> bool:
        """Whether what is live is that bundle with those variables, and nothing else."""
        files = {path: content for path, content in live.files.items() if path != MANIFEST}
        return files == self.expected(bundle) and env.items() <= dict(live.env).items()

    def needs(self, rig: Rig, verb: str, *switches: str) -> None:
        """Skip where the deployer has no such hook, or the class says the platform cannot."""
        for switch in switches:
            if not getattr(self, switch):
                pytest.skip(f"{type(self).__name__} says {switch} = False")
        if not rig.line.can(verb):
            pytest.skip(f"the deployer has no mastra_{verb}")


def _one_authority(file: Path) -> str:
    """A file with one certificate authority.

    Nothing here speaks https, and loading all of them takes an HTTP client longer than a deploy.
    """
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition(_END)
    file.write_text(f"{first}{end}\n", encoding="utf-8")
    return str(file)
