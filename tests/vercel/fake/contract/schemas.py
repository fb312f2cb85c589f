"""Check recorded requests against the schemas of `@vercel/sdk`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.node import find_node
from tests.platform_fakes.recorded_request import RecordedRequest
from tests.vercel.fake.contract.packages import get_sdk_directory


def find_violations(
    requests: Iterable[RecordedRequest], *, ignore: Sequence[str] = ()
) -> list[str]:
    """Return the violations of the contract in requests and responses, each once.

    :param ignore: regular expressions of known violations.
    """
    exchanges = [
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body,
            "status": request.status,
            "response": request.response,
        }
        for request in requests
    ]
    script = Path(__file__).with_name("contract.mjs")
    process = subprocess.run(
        [find_node(), str(script), str(get_sdk_directory())],
        input=json.dumps(exchanges),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return [
        text for text in json.loads(process.stdout) if not any(re.search(i, text) for i in ignore)
    ]
