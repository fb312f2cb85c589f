"""Say what is live after Ctrl-C during a deploy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mastra_core.pipeline import Deployment

__all__ = ("UNCHANGED", "DeployInterrupt", "explain_interrupt")

UNCHANGED = ("Nothing on the platform has changed.", "Run the same command again.")
"""Message and hint of Ctrl-C before anything is sent."""


class DeployInterrupt(KeyboardInterrupt):
    """Ctrl-C during a deploy.

    :param message: what users see now.
    :param hint: how to continue.
    :param deployment: the deployment that was made; ``None`` if there is none yet.
    """

    def __init__(self, message: str, hint: str, deployment: Deployment | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.deployment = deployment


@contextlib.contextmanager
def explain_interrupt(
    message: str, hint: str, deployment: Deployment | None = None
) -> Iterator[None]:
    """Within the block, replace the ``KeyboardInterrupt`` of Ctrl-C with ``DeployInterrupt``.

    :param message: a sentence that says what users of the app see if Ctrl-C ends the block.
    :param hint: how to continue.
    :param deployment: the deployment that was made; ``None`` if there is none yet.
    :raises DeployInterrupt: for Ctrl-C; a ``DeployInterrupt`` from within the block passes
        unchanged.
    """
    try:
        yield
    except DeployInterrupt:
        raise
    except KeyboardInterrupt:
        raise DeployInterrupt(f"Interrupted. {message}", hint, deployment) from None
