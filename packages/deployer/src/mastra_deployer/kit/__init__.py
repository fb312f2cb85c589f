"""For authors of deployers: HTTP that is configured, files by digest, uploads in parallel.

Nothing here knows a platform. A deployer imports it inside its hooks, so that its settings
class can be imported where only mastra-core is installed.
"""

from mastra_deployer.kit.archive import split, tar_directory, zip_directory
from mastra_deployer.kit.clear_text import is_loopback, refuse_clear_text
from mastra_deployer.kit.connect import connect
from mastra_deployer.kit.interpreter import find_python
from mastra_deployer.kit.manifest import Manifest
from mastra_deployer.kit.once import once
from mastra_deployer.kit.platforms import (
    MANYLINUX_AARCH64,
    MANYLINUX_X86_64,
    PYODIDE,
    manylinux,
)
from mastra_deployer.kit.poll import poll
from mastra_deployer.kit.sizes import size_problem
from mastra_deployer.kit.upload import upload
from mastra_deployer.places import cache_directory

__all__ = (
    "MANYLINUX_AARCH64",
    "MANYLINUX_X86_64",
    "PYODIDE",
    "Manifest",
    "cache_directory",
    "connect",
    "find_python",
    "is_loopback",
    "manylinux",
    "once",
    "poll",
    "refuse_clear_text",
    "size_problem",
    "split",
    "tar_directory",
    "upload",
    "zip_directory",
)
