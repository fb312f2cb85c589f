"""Compute the fingerprint of a deploy, which shows whether a deploy would change anything."""

from __future__ import annotations

import hashlib
import hmac

from mastra_core.pipeline import Bundle, DeployRequest
from mastra_deployer.plugins.hook_calls import PlatformAccess
from mastra_deployer.project.settings import remove_secrets

__all__ = ("compute_deploy_fingerprint",)


def compute_deploy_fingerprint(
    bundle: Bundle, request: DeployRequest, access: PlatformAccess
) -> str:
    """Return the HMAC-SHA256 of the bundle, of the app's variables and of the target.

    The HMAC's key is made of the credentials. Without a key, a reader of the hash could guess the
    values of the variables. If there are no credentials, the hash includes only the names of the
    variables.

    :param bundle: the bundle to deploy.
    :param request: environment, branch and variables of the deploy.
    :param access: settings and credentials.
    :returns: hexadecimal digits.
    """
    settings, credentials = remove_secrets(access.settings), access.credentials
    key = "\0".join(credentials[name].reveal() for name in sorted(credentials))
    digest = hmac.new(key.encode(), digestmod=hashlib.sha256)
    destination = (bundle.manifest.target, repr(settings), request.environment)
    for part in (*destination, bundle.manifest.digest):
        digest.update(f"{part}\0".encode())
    digest.update(f"{request.branch if request.environment == 'preview' else ''}\0".encode())
    for name, value in sorted(request.env.items()):
        digest.update(f"{name}\0{value.reveal() if key else ''}\0".encode())
    return digest.hexdigest()
