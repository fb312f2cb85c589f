"""What Cloudflare's error codes mean, and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.errors import ApiError, AuthError, DeployError, DeploymentFailed

__all__ = ("ABSENT", "BEING_WRITTEN", "HINTS", "SECRETS_CHANGED", "explain_error")

ABSENT = ("10007", "10090")  # there is no such Worker
BEING_WRITTEN = "100146"  # a version that was created a moment ago cannot be read yet
SECRETS_CHANGED = "10220"
_START_FAILED = "10021"
_TOKEN_CODES = ("6003", "6111", "9103", "9106", "9107", "9109", "10000", "10001")

_PERMISSION_HINT = (
    "Create a token at dash.cloudflare.com/profile/api-tokens and set CLOUDFLARE_API_TOKEN. "
    "`mastra doctor` lists the permissions that are missing."
)
_LIMIT_HINT = "Cloudflare allows 1200 requests in 5 minutes. Wait, and run the same command again."
_SERVER_HINT = (
    "Cloudflare has a failure. See cloudflarestatus.com, and run the command again later."
)
_PLAN_HINT = (
    "The account or its plan does not include this feature. See the account's billing page."
)
_VERSION_HINT = "This version of mastra-deployer-cloudflare is too old for Cloudflare. Update it."
_SIZE_HINT = (
    "`mastra check cloudflare` lists the largest packages. Remove what the app does not need, or "
    "deploy to a target without this limit, such as oci."
)
_EXPORTS_HINT = (
    "Another tool gave this Worker Durable Objects or Workflows. mastra does not deploy these. "
    "Choose another project_name, or deploy this Worker with that tool."
)
HINTS: Mapping[str | int, str] = {
    401: _PERMISSION_HINT,
    402: _PLAN_HINT,
    403: _PERMISSION_HINT,
    404: "Check project_name and scope. The token may be for another account.",
    410: _VERSION_HINT,
    413: _SIZE_HINT,
    426: _VERSION_HINT,
    429: _LIMIT_HINT,
    **dict.fromkeys(range(500, 600), _SERVER_HINT),
    **dict.fromkeys(_TOKEN_CODES, _PERMISSION_HINT),
}
_NOT_DEPLOYED = (
    "The newest version of the Worker is not deployed, so its secrets cannot be changed.",
    "A preview or a draft is newer than the live version. Deploy to production with the values, or "
    "promote the draft. Then run the same command again.",
)

# A sentence and a cure for each code; Cloudflare's own message follows the sentence.
_CODES: Mapping[str, tuple[str, str]] = {
    "10007": ("The Worker does not exist.", "Check project_name and scope, or deploy first."),
    "10027": ("The Worker is larger than Cloudflare allows.", _SIZE_HINT),
    "10054": (
        "A variable or secret is too large.",
        "Cloudflare allows 5 KB. Put a longer text into a file of the app.",
    ),
    "10055": (
        "The Worker has too many variables and secrets.",
        "Cloudflare allows 128, and 64 on the free plan. Put several values into one variable, as "
        "JSON.",
    ),
    "10056": (
        "A resource that the settings name does not exist.",
        "Check kv, d1, r2, queues and services in the settings. Then run the same command again.",
    ),
    "10057": (
        "A secret that the new version inherits no longer exists.",
        "Run the same command again. If the error remains, set the secret that the message names: "
        "mastra env set.",
    ),
    "10068": (
        "The main module has no handler for requests.",
        "Bundle again with this version of mastra-deployer-cloudflare: mastra bundle cloudflare.",
    ),
    "10090": (
        "A Worker that the settings name does not exist.",
        "Deploy the Worker that `services` names first, or correct its name.",
    ),
    "10214": _NOT_DEPLOYED,
    "10215": _NOT_DEPLOYED,
    "10353": (
        "Cloudflare has blocked the account from deploying Workers.",
        "Contact Cloudflare's support.",
    ),
    SECRETS_CHANGED: (
        "The secrets have changed since that version was live.",
        "Deploy again, or roll back to another version.",
    ),
    BEING_WRITTEN: (
        "Cloudflare has not stored the version completely.",
        "Run the same command again after a minute.",
    ),
    "100402": ("Cloudflare refuses the change of exported classes.", _EXPORTS_HINT),
    "100405": ("Two versions with different exported classes cannot share traffic.", _EXPORTS_HINT),
    "100406": ("Cloudflare refuses the transfer of exported classes.", _EXPORTS_HINT),
}
# Parts of messages with the code 10021 that users got although their code had not changed.
_PLATFORM_FAULTS = ("dynamic require of", "can't serialize top-level variable", "internal error")
_TIME_LIMIT = ("exceeded cpu", "startup exceeded", "cpu time limit", "startup time")
_MEMORY_LIMIT = ("exceeded memory", "memory limit")


def explain_error(error: DeployError) -> DeployError:
    """Return an error that explains Cloudflare's code, or ``error`` itself for an unknown code.

    :param error: the error that the kit's client raised.
    """
    code = error.code if isinstance(error, ApiError | AuthError) else ""
    if code == _START_FAILED:
        return _explain_start(error.message)
    if code in _TOKEN_CODES and not isinstance(error, AuthError):
        return AuthError(error.message, _PERMISSION_HINT, code=code)
    if code in _CODES:
        sentence, cure = _CODES[code]
        status = error.status if isinstance(error, ApiError) else None
        return ApiError(f"{sentence} {error.message}", cure, status=status, code=code)
    return error


def _explain_start(message: str) -> DeploymentFailed:
    """Return the error for a version that Cloudflare could not start."""
    text = message.lower()
    if any(part in text for part in _PLATFORM_FAULTS):
        return DeploymentFailed(
            f"Cloudflare could not start the Worker, because of a fault of Cloudflare. {message}",
            "Other users of Cloudflare got this message although their code had not changed. The "
            "live version has not changed. Run the same command again later.",
        )
    if any(part in text for part in _TIME_LIMIT):
        hint = (
            "The app takes too long to start. Set build_app=request, or preload=false. "
            "`mastra check cloudflare` measures the start."
        )
    elif any(part in text for part in _MEMORY_LIMIT):
        hint = "The app needs too much memory to start. Remove large packages, or load less."
    else:
        hint = "Run `mastra preview cloudflare`, which starts the app in the same way."
    return DeploymentFailed(
        f"The app fails while the Worker starts. {message}",
        f"{hint} The live version has not changed.",
    )
