"""Tools for deployer authors: an HTTP client, files by digest, parallel uploads, archives.

Nothing here is specific to a platform. A deployer imports the kit inside its hooks, so that its
settings class can be imported where only mastra-core is installed.
"""

from mastra_deployer.files.directories import get_cache_directory
from mastra_deployer.kit.files.archive import split_file, tar_directory, zip_directory
from mastra_deployer.kit.files.size_limits import check_size
from mastra_deployer.kit.http.connect import connect
from mastra_deployer.kit.http.open_client import open_client
from mastra_deployer.kit.http.pages import iter_pages
from mastra_deployer.kit.http.require_https import is_loopback, require_https
from mastra_deployer.kit.http.response_errors import convert_response_errors
from mastra_deployer.kit.http.response_lines import iter_lines
from mastra_deployer.kit.http.response_objects import find_object, read_object
from mastra_deployer.kit.http.sdk_errors import convert_sdk_errors
from mastra_deployer.kit.http.websocket import iter_websocket_lines
from mastra_deployer.kit.resources.deployment_tags import DeploymentTags
from mastra_deployer.kit.resources.env_store import env_store
from mastra_deployer.kit.resources.find_unfinished import find_unfinished
from mastra_deployer.kit.resources.follow_logs import follow_logs
from mastra_deployer.kit.resources.get_or_create import create_new, get_or_create
from mastra_deployer.kit.resources.poll import poll
from mastra_deployer.kit.resources.require_deployed import require_deployed
from mastra_deployer.kit.runtimes.find_python import find_python
from mastra_deployer.kit.runtimes.platforms import (
    MANYLINUX_AARCH64,
    MANYLINUX_X86_64,
    PYODIDE,
    manylinux,
)
from mastra_deployer.kit.uploads.file_manifest import FileManifest
from mastra_deployer.kit.uploads.upload import upload
from mastra_deployer.trust.host_policy import require_consent

__all__ = (
    "MANYLINUX_AARCH64",
    "MANYLINUX_X86_64",
    "PYODIDE",
    "DeploymentTags",
    "FileManifest",
    "check_size",
    "connect",
    "convert_response_errors",
    "convert_sdk_errors",
    "create_new",
    "env_store",
    "find_object",
    "find_python",
    "find_unfinished",
    "follow_logs",
    "get_cache_directory",
    "get_or_create",
    "is_loopback",
    "iter_lines",
    "iter_pages",
    "iter_websocket_lines",
    "manylinux",
    "open_client",
    "poll",
    "read_object",
    "require_consent",
    "require_deployed",
    "require_https",
    "split_file",
    "tar_directory",
    "upload",
    "zip_directory",
)
