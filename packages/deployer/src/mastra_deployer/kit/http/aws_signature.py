"""Sign requests with AWS Signature Version 4; needs the package ``botocore``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mastra_core.errors import ConfigError
from mastra_core.secret import Secret
from mastra_deployer.kit.http.open_client import require_credentials

if TYPE_CHECKING:  # httpx is loaded on use: importing the kit in ``mastra_target`` must cost little
    import httpx

__all__ = ("AWS_CREDENTIALS", "create_aws_signer")

AWS_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""The variables of AWS credentials; only temporary credentials have the last one."""


def create_aws_signer(
    credentials: Mapping[str, Secret], service: str, region: str
) -> Callable[[httpx.Request, int], None]:
    """Return a function for ``before_attempt`` of ``connect``, which signs each attempt.

    :param credentials: the values of ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, and of
        ``AWS_SESSION_TOKEN`` for temporary credentials.
    :param service: the name of the service in signatures, such as ``lambda`` or ``s3``.
    :param region: the region in signatures.
    :raises AuthError: when a key is not set.
    :raises ConfigError: when ``botocore`` is not installed.
    """
    require_credentials(
        credentials, AWS_CREDENTIALS[:2], "Set the keys of an AWS user or an AWS role."
    )
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError:
        raise ConfigError(
            "The package botocore is not installed.", "Install it: pip install botocore."
        ) from None
    known = [credentials[name].reveal() for name in AWS_CREDENTIALS if name in credentials]
    keys = Credentials(*known)

    def sign(request: httpx.Request, count: int) -> None:  # noqa: ARG001  # part of the signature
        aws = AWSRequest(request.method, str(request.url), data=request.read())
        if "content-type" in request.headers:
            aws.headers["content-type"] = request.headers["content-type"]
        SigV4Auth(keys, service, region).add_auth(aws)
        request.headers.update(dict(aws.headers.items()))

    return sign
