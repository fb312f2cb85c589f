"""Say what users see after Ctrl-C or a signal during a command that changes the platform."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mastra_core.pipeline import Deployment
from mastra_deployer.project.termination import find_interrupt, get_exit_code

__all__ = ("UNCHANGED", "DeployInterrupt", "explain_interrupt")

UNCHANGED = ("Nothing on the platform has changed.", "Run the same command again.")
"""Message and hint of an interrupt before anything is sent."""


class DeployInterrupt(KeyboardInterrupt):
    """Ctrl-C, or a signal that ends the process, during a command that changes the platform.

    :param message: what users see now.
    :param hint: how to continue.
    :param deployment: the deployment that was made; ``None`` if there is none yet.
    :param exit_code: the exit code of the command.
    """

    def __init__(
        self, message: str, hint: str, deployment: Deployment | None = None, exit_code: int = 130
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.deployment = deployment
        self.exit_code = exit_code


@contextlib.contextmanager
def explain_interrupt(
    message: str, hint: str, deployment: Deployment | None = None
) -> Iterator[None]:
    """Within the block, replace the exception of Ctrl-C or a signal with ``DeployInterrupt``.

    :param message: a sentence that says what users of the app see if a signal ends the block.
    :param hint: how to continue.
    :param deployment: the deployment that was made; ``None`` if there is none yet.
    :raises DeployInterrupt: for Ctrl-C or a signal; a ``DeployInterrupt`` from within the block
        passes unchanged.
    """
    try:
        yield
    except BaseException as error:
        interrupt = find_interrupt(error)
        if interrupt is None or isinstance(interrupt, DeployInterrupt):
            raise
        code = get_exit_code(interrupt)
        raise DeployInterrupt(f"Interrupted. {message}", hint, deployment, code) from None
