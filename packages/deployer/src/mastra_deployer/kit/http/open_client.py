"""Opens the client of a platform with the credential of the user."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import AuthError
from mastra_core.secret import Secret
from mastra_deployer.kit.http.connect import connect
from mastra_deployer.kit.http.response_errors import convert_response_errors

if TYPE_CHECKING:  # httpx is loaded on use: importing the kit in ``mastra_target`` must cost little
    import httpx

__all__ = ("open_client",)


@contextlib.contextmanager
def open_client(
    base_url: str,
    credentials: Mapping[str, Secret],
    variable: str,
    *,
    name: str,
    hint: str = "",
    **options: Any,
) -> Iterator[httpx.Client]:
    """Open a client whose bearer token is a credential; unexpected responses are ``ApiError``.

    This is ``connect`` within ``convert_response_errors``.

    :param base_url: the address of the API.
    :param credentials: values of the credentials that are set, as the hooks receive them.
    :param variable: name of the credential that holds the token.
    :param name: the platform's name in errors.
    :param hint: where to create a token, for the error where the credential is not set.
    :param options: those of ``connect``.
    :returns: the client, closed at the end of the block.
    :raises AuthError: when the credential is not set.
    """
    if variable not in credentials:
        raise AuthError(f"{variable} is not set.", hint or f"Create a token and set {variable}.")
    with (
        convert_response_errors(name),
        connect(base_url, credentials[variable], name=name, **options) as client,
    ):
        yield client
