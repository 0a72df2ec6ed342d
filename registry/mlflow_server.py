"""MLflow's own server, in one process: `python -m registry.mlflow_server HOST PORT STORE ARTIFACTS [PREFIX]`.

`mlflow server` imports all of MLflow twice, in itself and in the child it starts; starting its application directly
halves that, and leaves one process to stop. An empty STORE is read from MLFLOW_BACKEND_STORE_URI, so that a password
in it is not in the list of processes.
"""

import os
import sys

import uvicorn

PREFIX = "/mlflow"
"""The path under which a gateway shows MLflow's pages."""

ENVIRONMENT = {
    "store": "_MLFLOW_SERVER_FILE_STORE",
    "artifacts": "_MLFLOW_SERVER_ARTIFACT_DESTINATION",
    "root": "_MLFLOW_SERVER_ARTIFACT_ROOT",
    "serves": "_MLFLOW_SERVER_SERVE_ARTIFACTS",
    "prefix": "_MLFLOW_STATIC_PREFIX",
}


def serve(host: str, port: int, store: str, artifacts: str, prefix: str = "") -> None:
    """Serve the tracking store at the URI `store`, with artifacts in the folder or bucket `artifacts`.

    With a `prefix` everything is below that path: it belongs into the address that programs use, too.

    MLflow reads its settings when it is imported, so they are set first.
    """
    os.environ |= {
        ENVIRONMENT["store"]: store or os.environ["MLFLOW_BACKEND_STORE_URI"],
        ENVIRONMENT["artifacts"]: artifacts,
        ENVIRONMENT["root"]: "mlflow-artifacts:/",
        ENVIRONMENT["serves"]: "true",
    }
    if prefix:
        os.environ[ENVIRONMENT["prefix"]] = prefix
    uvicorn.run("mlflow.server.fastapi_app:app", host=host, port=port, log_level="warning", timeout_graceful_shutdown=2)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:6])
