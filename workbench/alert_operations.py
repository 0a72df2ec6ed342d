"""The calls of those who look after alerts: what is wrong, and who outside is told."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from workbench.api_transport import Body, Transport


class AlertOperations:
    """A part of `ApiClient`; `transport` is the caller's way to the API."""

    transport: Transport

    def alerts(self, *, state: str = "open") -> list[Body]:
        """The alerts that last, or with `state="all"` every one, newest first."""
        return cast(list[Body], self._alerts("GET", f"alerts?state={state}")["alerts"])

    def acknowledge_alert(self, alert_id: str) -> Body:
        """Say that you look after it."""
        return self._alerts("POST", f"alerts/{alert_id}/acknowledge")

    def webhooks(self) -> list[Body]:
        """Everybody outside who is told, without their secrets."""
        return cast(list[Body], self._alerts("GET", "webhooks")["webhooks"])

    def create_webhook(self, name: str, url: str, severities: Sequence[str]) -> Body:
        """Tell a receiver from now on; the answer is the only place where its secret is ever shown."""
        return self._alerts("POST", "webhooks", {"name": name, "url": url, "severities": list(severities)})

    def remove_webhook(self, webhook_id: str) -> None:
        """Tell it nothing more."""
        self.transport.call("DELETE", f"/api/v1/webhooks/{webhook_id}")

    def try_webhook(self, webhook_id: str) -> Body:
        """Send it a test, and say what became of it."""
        return self._alerts("POST", f"webhooks/{webhook_id}/test")

    def deliveries(self, webhook_id: str) -> list[Body]:
        """What it was told lately, newest first."""
        return cast(list[Body], self._alerts("GET", f"webhooks/{webhook_id}/deliveries")["deliveries"])

    def _alerts(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Body:
        return self.transport.json(method, f"/api/v1/{path}", json=body)
