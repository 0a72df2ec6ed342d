"""MLflow's own server, in one process: `python -m registry.mlflow_server HOST PORT STORE ARTIFACTS`.

`mlflow server` imports all of MLflow twice, in itself and in the child it starts; starting its application directly
halves that, and leaves one process to stop.
"""

import os
import sys

import uvicorn

ENVIRONMENT = {
    "store": "_MLFLOW_SERVER_FILE_STORE",
    "artifacts": "_MLFLOW_SERVER_ARTIFACT_DESTINATION",
    "root": "_MLFLOW_SERVER_ARTIFACT_ROOT",
    "serves": "_MLFLOW_SERVER_SERVE_ARTIFACTS",
}


def serve(host: str, port: int, store: str, artifacts: str) -> None:
    """Serve the tracking store at the URI `store`, with artifacts in the folder or bucket `artifacts`.

    MLflow reads its settings when it is imported, so they are set first.
    """
    os.environ |= {
        ENVIRONMENT["store"]: store,
        ENVIRONMENT["artifacts"]: artifacts,
        ENVIRONMENT["root"]: "mlflow-artifacts:/",
        ENVIRONMENT["serves"]: "true",
    }
    uvicorn.run("mlflow.server.fastapi_app:app", host=host, port=port, log_level="warning", timeout_graceful_shutdown=2)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
