"""For authors of deployers: HTTP that is configured, files by digest, uploads in parallel.

Nothing here knows a platform. A deployer imports it inside its hooks, so that its settings
class can be imported where only mastra-core is installed.
"""

from mastra_deployer.kit.connect import connect
from mastra_deployer.kit.manifest import Manifest
from mastra_deployer.kit.upload import upload

__all__ = ("Manifest", "connect", "upload")
