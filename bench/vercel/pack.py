"""Pack a bundle as a deploy does: python pack.py BUNDLE OUTPUT

OUTPUT is a JSON file: the size of each part in bytes by its hash.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from mastra_core.pipeline import Bundle
from mastra_deployer_vercel.deploy.archive import pack_archive


def main(bundle: str, output: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        parts = pack_archive(Bundle.load(Path(bundle)), Path(directory))
    Path(output).write_text(json.dumps({part.sha1: part.size for part in parts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
