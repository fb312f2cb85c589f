"""The entry point for the other packers: the same app, served as a bundle's launcher does."""

import os

import uvicorn
from mastra.index import mastra

from mastra_server import create_app


def main() -> None:
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    uvicorn.run(create_app(mastra), host=host, port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
