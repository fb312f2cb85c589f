"""The official contract: what went over the wire, checked by the schemas of `@vercel/sdk`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.node import binary
from tests.vercel.fake.contract.npm import get_sdk_directory
from tests.vercel.fake.transport.api import RecordedRequest


def find_violations(
    requests: Iterable[RecordedRequest], *, ignore: Sequence[str] = ()
) -> list[str]:
    """What of these requests and answers is not as the document says, each once.

    :param ignore: regular expressions; what they are found in is known and meant.
    """
    exchanges = [
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body,
            "status": request.status,
            "answer": request.response,
        }
        for request in requests
    ]
    script = Path(__file__).with_name("contract.mjs")
    process = subprocess.run(
        [binary(), str(script), str(get_sdk_directory())],
        input=json.dumps(exchanges),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return [
        text for text in json.loads(process.stdout) if not any(re.search(i, text) for i in ignore)
    ]
