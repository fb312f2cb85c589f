"""Build the error for a blob that could not be pushed."""

from __future__ import annotations

import httpx

from mastra_core.errors import ApiError, DeployError
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.deploy.blob import Blob

__all__ = ("build_push_error", "is_connection_error")

_SERVER_ERROR = 500
_TOO_LARGE = 413
_RESUME = "Nothing changed in production. Run the same command again to resume."


def build_push_error(
    blob: Blob, registry: Repository, location: httpx.URL | None, error: DeployError
) -> DeployError:
    """Add the names of the repository and the layer to an error of an upload.

    :param blob: the blob.
    :param registry: repository to push to.
    :param location: address of the upload; ``None`` if the upload was not started.
    :param error: error of the upload.
    :returns: the error to raise.
    """
    if not isinstance(error, ApiError) or is_connection_error(error):
        return error
    layer = f"the {blob.name} layer ({blob.size / 1e6:.1f} MB)"
    repository, api = registry.image.name, registry.client.base_url
    if location is not None and (location.scheme, location.netloc) != (api.scheme, api.netloc):
        address = f"{location.scheme}://{location.netloc.decode()}"
        text = f"{repository} continued the upload of {layer} at {address!r}: {error.message}"
        return ApiError(text, _build_location_hint(registry), status=error.status)
    if error.status is None:
        return error
    text = f"{repository} rejected {layer}: {error.message}"
    return ApiError(text, _choose_hint(error.status), status=error.status)


def is_connection_error(error: ApiError) -> bool:
    """Return whether the connection failed, so that there was no response.

    :param error: error of a request.
    """
    return error.status is None and isinstance(error.__cause__, httpx.RequestError)


def _choose_hint(status: int) -> str:
    if status == _TOO_LARGE:
        return (
            "Raise the size limit of requests in the registry, or in the proxy in front of it "
            "(nginx: client_max_body_size)."
        )
    return f"The registry's disk may be full. {_RESUME}" if status >= _SERVER_ERROR else _RESUME


def _build_location_hint(registry: Repository) -> str:
    return (
        "Credentials are sent only to the registry itself. Correct the external address of "
        f"{registry.image.registry} in its configuration, or the headers X-Forwarded-Host and "
        "X-Forwarded-Proto of the proxy in front of it."
    )
