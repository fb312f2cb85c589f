"""List the variables that need no declaration: systems, platforms and libraries set them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

__all__ = ("is_known_variable",)

_AMBIENT = (
    "PORT HOST WEB_CONCURRENCY KEEP_ALIVE PATH HOME USER LOGNAME SHELL PWD OLDPWD HOSTNAME TERM TZ "
    "LANG LANGUAGE LC_* TMPDIR TEMP TMP COLUMNS LINES NO_COLOR FORCE_COLOR DISPLAY EDITOR XDG_* "
    "SYSTEMROOT WINDIR APPDATA LOCALAPPDATA USERPROFILE COMSPEC "
    "PYTHON* VIRTUAL_ENV CONDA_PREFIX PYTEST_* LD_LIBRARY_PATH "
    "OTEL_* SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE "
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy "
    "CI GITHUB_ACTIONS GITLAB_CI "
    # Set only by platforms, so that apps can detect them.
    "VERCEL VERCEL_ENV VERCEL_TARGET_ENV VERCEL_URL VERCEL_BRANCH_URL VERCEL_REGION "
    "VERCEL_PROJECT_* VERCEL_DEPLOYMENT_ID VERCEL_GIT_* NETLIFY "
    "AWS_LAMBDA_* AWS_EXECUTION_ENV AWS_REGION AWS_DEFAULT_REGION LAMBDA_TASK_ROOT "
    "K_SERVICE K_REVISION K_CONFIGURATION GAE_* FUNCTION_TARGET KUBERNETES_* "
    "FLY_* RENDER RENDER_* RAILWAY_* DYNO WEBSITE_*"
).split()


def is_known_variable(name: str, more: Iterable[str] = ()) -> bool:
    """Return whether a variable needs no declaration.

    :param name: the name of the variable.
    :param more: globs of further variables that need no declaration.
    """
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in (*_AMBIENT, *more))
