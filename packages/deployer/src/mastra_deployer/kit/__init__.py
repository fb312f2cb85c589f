"""Provide tools for deployer authors: HTTP client, parallel uploads, archives, previews.

Nothing here is specific to a platform. A deployer imports the kit inside its hooks, so its settings
class can be imported in an environment that has only mastra-core.
"""

from mastra_deployer.code_analysis.app_code import AppCode
from mastra_deployer.code_analysis.code_findings import (
    CodeFinding,
    find_async_primitives,
    find_blocking_clients,
    find_environment_reads,
    find_file_databases,
    find_random_values,
    find_threads,
)
from mastra_deployer.code_analysis.native_libraries import find_foreign_libraries
from mastra_deployer.files.atomic_replace import replace_file
from mastra_deployer.files.directories import get_cache_directory
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.kit.files.archive import (
    TAR_END,
    ZipArchive,
    create_zip,
    iter_tar_member,
    split_file,
    tar_directory,
    write_tar,
    write_zip,
    zip_directory,
)
from mastra_deployer.kit.files.archive_entries import (
    ArchiveEntry,
    iter_entries,
    strip_entries,
)
from mastra_deployer.kit.files.cron import find_cron_problem
from mastra_deployer.kit.files.gzip_writer import GzipWriter
from mastra_deployer.kit.files.npm_package import NpmPackage, get_npm_package
from mastra_deployer.kit.files.size_limits import (
    check_compressed_size,
    check_size,
    format_largest,
)
from mastra_deployer.kit.files.static_files import (
    check_project_path,
    copy_static_files,
    find_static_file,
)
from mastra_deployer.kit.http.aws_signature import AWS_CREDENTIALS, create_aws_signer
from mastra_deployer.kit.http.connect import connect
from mastra_deployer.kit.http.open_client import open_client
from mastra_deployer.kit.http.pages import iter_pages
from mastra_deployer.kit.http.quote_segment import quote_segment
from mastra_deployer.kit.http.response_errors import convert_response_errors
from mastra_deployer.kit.http.response_lines import iter_lines
from mastra_deployer.kit.http.response_objects import find_object, list_objects, read_object
from mastra_deployer.kit.http.sdk_errors import convert_sdk_errors
from mastra_deployer.kit.http.websocket import iter_websocket_lines
from mastra_deployer.kit.resources.deployment_tags import DeploymentTags
from mastra_deployer.kit.resources.env_store import env_store
from mastra_deployer.kit.resources.find_rollback_target import find_rollback_target
from mastra_deployer.kit.resources.find_unfinished import find_unfinished
from mastra_deployer.kit.resources.follow_logs import follow_history, follow_logs
from mastra_deployer.kit.resources.get_or_create import create_new, get_or_create
from mastra_deployer.kit.resources.other_tools import warn_about_other_tool
from mastra_deployer.kit.resources.poll import poll
from mastra_deployer.kit.resources.refuse_canary import refuse_live_canary, refuse_other_canary
from mastra_deployer.kit.resources.refuse_draft import refuse_draft
from mastra_deployer.kit.resources.require_deployed import require_deployed
from mastra_deployer.kit.runtimes.bundled_python import get_interpreter
from mastra_deployer.kit.runtimes.child_process import ChildProcess
from mastra_deployer.kit.runtimes.find_node import find_node
from mastra_deployer.kit.runtimes.find_python import find_python, require_python
from mastra_deployer.kit.runtimes.interpreter_key import compute_interpreter_key
from mastra_deployer.kit.runtimes.interpreter_tree import BundledPython
from mastra_deployer.kit.runtimes.open_listener import check_port
from mastra_deployer.kit.runtimes.platforms import (
    MANYLINUX_AARCH64,
    MANYLINUX_X86_64,
    PYODIDE,
    manylinux,
)
from mastra_deployer.kit.runtimes.preview_handler import preview_handler
from mastra_deployer.kit.runtimes.preview_proxy import PreviewProxy, PreviewRules
from mastra_deployer.kit.runtimes.python_entries import (
    iter_python_entries,
    list_extension_modules,
)
from mastra_deployer.kit.runtimes.shared_libraries import iter_shared_libraries
from mastra_deployer.kit.runtimes.write_launcher import (
    render_launcher,
    write_event_handler,
    write_launcher,
)
from mastra_deployer.kit.uploads.file_manifest import FileManifest
from mastra_deployer.kit.uploads.upload import upload
from mastra_deployer.kit.workflow_runs import check_workflow_runs
from mastra_deployer.trust.host_policy import require_consent
from mastra_deployer.trust.require_https import is_loopback, require_https

__all__ = (
    "AWS_CREDENTIALS",
    "MANYLINUX_AARCH64",
    "MANYLINUX_X86_64",
    "PYODIDE",
    "TAR_END",
    "AppCode",
    "ArchiveEntry",
    "BundledPython",
    "ChildProcess",
    "CodeFinding",
    "DeploymentTags",
    "FileManifest",
    "GzipWriter",
    "NpmPackage",
    "PreviewProxy",
    "PreviewRules",
    "ZipArchive",
    "check_compressed_size",
    "check_port",
    "check_project_path",
    "check_size",
    "check_workflow_runs",
    "compute_interpreter_key",
    "connect",
    "convert_response_errors",
    "convert_sdk_errors",
    "copy_static_files",
    "create_aws_signer",
    "create_new",
    "create_zip",
    "env_store",
    "find_async_primitives",
    "find_blocking_clients",
    "find_cron_problem",
    "find_environment_reads",
    "find_file_databases",
    "find_foreign_libraries",
    "find_node",
    "find_object",
    "find_python",
    "find_random_values",
    "find_rollback_target",
    "find_static_file",
    "find_threads",
    "find_unfinished",
    "follow_history",
    "follow_logs",
    "format_largest",
    "get_cache_directory",
    "get_interpreter",
    "get_npm_package",
    "get_or_create",
    "is_loopback",
    "iter_entries",
    "iter_lines",
    "iter_pages",
    "iter_python_entries",
    "iter_shared_libraries",
    "iter_tar_member",
    "iter_websocket_lines",
    "list_extension_modules",
    "list_objects",
    "manylinux",
    "open_client",
    "poll",
    "preview_handler",
    "quote_segment",
    "read_object",
    "refuse_draft",
    "refuse_live_canary",
    "refuse_other_canary",
    "render_launcher",
    "replace_file",
    "require_consent",
    "require_deployed",
    "require_https",
    "require_python",
    "split_file",
    "strip_entries",
    "tar_directory",
    "temporary_directory",
    "upload",
    "warn_about_other_tool",
    "write_event_handler",
    "write_launcher",
    "write_tar",
    "write_zip",
    "zip_directory",
)
