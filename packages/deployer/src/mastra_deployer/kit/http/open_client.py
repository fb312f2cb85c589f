"""Open the client of a platform with the user's credential."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import AuthError
from mastra_core.secret import Secret
from mastra_deployer.kit.http.connect import connect
from mastra_deployer.kit.http.response_errors import convert_response_errors

if TYPE_CHECKING:  # httpx is loaded on use: importing the kit in ``mastra_target`` must cost little
    import httpx

__all__ = ("open_client", "require_credentials")


@contextlib.contextmanager
def open_client(
    base_url: str,
    credentials: Mapping[str, Secret],
    *variables: str,
    name: str,
    hint: str = "",
    bearer: bool = True,
    **options: Any,
) -> Iterator[httpx.Client]:
    """Open a client with the user's credentials; convert unexpected responses to ``ApiError``.

    The function combines ``connect`` and ``convert_response_errors``. The first credential is the
    bearer token, unless ``auth`` of ``connect`` authorizes the requests.

    :param base_url: the address of the API.
    :param credentials: values of the credentials that are set, as the hooks receive them.
    :param variables: names of the credentials that are required.
    :param name: the platform's name in errors.
    :param hint: the hint of the error for a missing credential, such as where to create a token.
    :param bearer: whether the first credential is the bearer token; pass ``False`` if
        ``before_attempt`` signs the requests.
    :param options: further arguments of ``connect``.
    :returns: the client, closed at the end of the block.
    :raises AuthError: naming the credentials that are not set.
    """
    require_credentials(credentials, variables, hint)
    is_bearer = bearer and "auth" not in options
    token = credentials[variables[0]] if variables and is_bearer else None
    with (
        convert_response_errors(name),
        connect(base_url, token, name=name, **options) as client,
    ):
        yield client


def require_credentials(
    credentials: Mapping[str, Secret], variables: Iterable[str], hint: str = ""
) -> None:
    """Raise an error if a credential is not set.

    :param credentials: values of the credentials that are set, as the hooks receive them.
    :param variables: names of the credentials that are required.
    :param hint: the hint of the error; if empty, the hint says to create a token.
    :raises AuthError: naming the credentials that are not set.
    """
    missing = [variable for variable in variables if variable not in credentials]
    if missing:
        text = " and ".join(missing)
        verb = "is" if len(missing) == 1 else "are"
        raise AuthError(f"{text} {verb} not set.", hint or f"Create a token and set {text}.")
