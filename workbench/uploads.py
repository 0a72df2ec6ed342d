"""Importing a file from the browser: in a thread of its own, so that no click on the page can cut it short."""

import threading
from typing import Self

from workbench.api_client import ApiClient, ApiError, Body


class Upload:
    """A file on its way into a dataset. `done` and `total` grow while it runs; then `result` or `error` is set."""

    def __init__(self, dataset: str, filename: str) -> None:
        self.dataset = dataset
        self.filename = filename
        self.done = 0
        self.total = 0
        self.result: Body | None = None
        self.error: ApiError | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is a result or an error."""
        return self.result is not None or self.error is not None

    @property
    def share(self) -> float:
        """How much of the file the server has read, in [0, 1]."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    def start(self, client: ApiClient, content: bytes, format_name: str) -> Self:
        """Send the file in the background."""
        threading.Thread(target=self.send, args=(client, content, format_name), daemon=True).start()
        return self

    def send(self, client: ApiClient, content: bytes, format_name: str) -> None:
        """Send the file, and keep what comes of it."""
        try:
            self.result = client.import_file(
                self.dataset, content, filename=self.filename, format_name=format_name, progress=self._advance
            )
        except ApiError as error:
            self.error = error
        except Exception as error:
            self.error = ApiError(f"The import stopped: {error}. Nothing was imported.")
            raise

    def _advance(self, done: int, total: int) -> None:
        self.done, self.total = done, total
