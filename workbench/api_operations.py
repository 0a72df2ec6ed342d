"""The calls of those who run the models: versions, rollout, figures, audit, keys, people and demos."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from workbench.alert_operations import AlertOperations
from workbench.api_transport import Body, Transport


class Operations(AlertOperations):
    """Half of `ApiClient`; `transport` is the caller's way to the API."""

    transport: Transport

    def _get(self, path: str, **params: Any) -> Body:
        return self.transport.json("GET", f"/api/v1/{path}", params=given(params))

    def _post(self, path: str, body: Mapping[str, Any] | None = None, *, is_idempotent: bool = False) -> Body:
        return self.transport.json("POST", f"/api/v1/{path}", json=body or {}, is_idempotent=is_idempotent)

    def _delete(self, path: str) -> None:
        self.transport.call("DELETE", f"/api/v1/{path}")

    # --- versions and who answers ---

    def versions(self) -> list[Body]:
        """Every registered version, newest first."""
        return cast(list[Body], self._get("versions")["versions"])

    def version(self, version: str) -> Body:
        """One version with its performance and its deployments."""
        return self._get(f"versions/{quote(version)}")

    def rollout(self) -> Body:
        """Which versions answer now, and the canary's share in percent."""
        return self._get("rollout")

    def rollout_history(self) -> list[Body]:
        """Every change of the rollout, newest first."""
        return cast(list[Body], self._get("rollout/history")["changes"])

    def set_canary(self, version: str, percent: float, *, reason: str = "") -> Body:
        """Let a version answer `percent` of the traffic beside the stable one."""
        return self._post("rollout/canary", {"version": version, "percent": percent, "reason": reason})

    def promote(self, version: str | None = None, *, reason: str = "") -> Body:
        """Make a version (the canary unless named) the stable one."""
        return self._post("rollout/promote", given({"version": version, "reason": reason}))

    def roll_back(self, *, reason: str = "") -> Body:
        """Take the canary out or, where there is none, return to the previous stable version."""
        return self._post("rollout/rollback", {"reason": reason})

    def rollout_at(self, moment: str) -> Body:
        """What answered at a moment (ISO 8601 with its time zone)."""
        return self._get("rollout/at", moment=moment)

    def rollout_policy(self) -> Body:
        """The policy that canaries are judged by: its YAML, and what it says."""
        return self._get("rollout/policy")

    def trial(self) -> Body:
        """How the automatic rollout stands, and the verdict on the canary: `{"automatic", "verdict"}`."""
        return self._get("rollout/trial")

    def begin_trial(self, version: str, *, policy: str | None = None, reason: str = "") -> Body:
        """Let the worker take a version through the steps of a policy (YAML; the default one unless given)."""
        return self._post("rollout/trial", given({"version": version, "policy": policy, "reason": reason}))

    def stop_trial(self, *, reason: str = "") -> Body:
        """Leave the canary with the share that it has, for people to decide on."""
        return self._post("rollout/trial/stop", {"reason": reason})

    def verdicts(self, *, trial_id: str | None = None, limit: int | None = None) -> list[Body]:
        """The verdicts that were kept, newest first."""
        return cast(list[Body], self._get("rollout/trial/verdicts", trial_id=trial_id, limit=limit)["verdicts"])

    def verify_verdicts(self) -> Body:
        """Whether every kept verdict comes out the same when it is computed again: `{"ok", "verdicts", "problem"}`."""
        return self._get("rollout/trial/verdicts/verify")

    def shadow(self) -> Body:
        """What the canary says in the shadow about the traffic that the stable version answers."""
        return self._get("rollout/shadow")

    def set_shadow(self, percent: float, *, reason: str = "") -> Body:
        """Let the canary answer `percent` of stable traffic too; its answers reach nobody."""
        body = {"percent": percent, "reason": reason}
        return self.transport.json("PUT", "/api/v1/rollout/shadow", json=body)

    def quality_verdict(self) -> Body:
        """Whether the canary's F1 may be 2 points below the stable version's."""
        return self._get("rollout/quality")

    # --- figures ---

    def quality(self) -> Body:
        """How good each version is on its test part."""
        return self._get("quality")

    def quality_over_time(self, *, days: int | None = None, by: str | None = None) -> Body:
        """Each version's F1 day by day or week by week, measured and estimated."""
        return self._get("quality/over-time", days=days, by=by)

    def quality_cell(
        self, version: str, *, true: str | None = None, predicted: str | None = None, limit: int | None = None
    ) -> Body:
        """The documents behind a cell of a version's confusion matrix; a label left out stands for none."""
        return self._get(f"quality/{version}/cell", true=true, predicted=predicted, limit=limit)

    def drift(self, *, version: str | None = None, hours: float | None = None) -> Body:
        """Recent traffic against the text that a version (stable unless named) was trained on."""
        return self._get("drift", version=version, hours=hours)

    def drifted_documents(
        self,
        *,
        measure: str,
        version: str | None = None,
        hours: float | None = None,
        kept: bool = False,
        limit: int | None = None,
    ) -> Body:
        """The answers that stand out most by one measure of drift; `kept`: only those whose text was kept."""
        asked = {"measure": measure, "version": version, "hours": hours, "kept": kept, "limit": limit}
        return self._get("drift/documents", **asked)

    def traffic(self, *, hours: float | None = None) -> Body:
        """Requests, latencies, errors and shares of recent traffic."""
        return self._get("traffic", hours=hours)

    def table(self, name: str, *, version: str | None = None, hours: float | None = None) -> bytes:
        """The figures behind a picture as CSV: `versions`, `labels`, `requests`, `drift` and others."""
        return self._csv(f"figures/{quote(name)}/csv", version=version, hours=hours)

    def over_time_csv(self, *, days: int | None = None, by: str | None = None) -> bytes:
        """`quality_over_time` as CSV."""
        return self._csv("quality/over-time/csv", days=days, by=by)

    def _csv(self, path: str, **params: Any) -> bytes:
        return bytes(self.transport.call("GET", f"/api/v1/{path}", params=given(params)).content)

    # --- audit, keys, people ---

    def session(self) -> Body:
        """Who this caller is: name and role."""
        return self._get("session")

    def sign_in_ways(self) -> Body:
        """`provider`: what the OpenID Connect provider is called, or None. Needs no key."""
        return self._get("sign-in")

    def audit(self, *, limit: int | None = None, offset: int | None = None) -> Body:
        """Entries of the audit trail."""
        return self._get("audit", limit=limit, offset=offset)

    def verify_audit(self, noted: str | None = None) -> Body:
        """Whether the audit trail is whole (`{"ok", "entries", "problem", "end"}`), and holds a `noted` end."""
        return self._get("audit/verify", noted=noted)

    def keys(self) -> list[Body]:
        """Every API key, without its secret."""
        return cast(list[Body], self._get("keys")["keys"])

    def create_key(
        self, name: str, role: str, *, rate_limit_per_hour: int | None = 1000, days: int | None = None
    ) -> Body:
        """Make a key; the answer is the only place where its secret is ever shown."""
        body = {"name": name, "role": role, "rate_limit_per_hour": rate_limit_per_hour, "days": days}
        return self._post("keys", body)

    def revoke_key(self, key_id: str) -> None:
        """End a key at once."""
        self._delete(f"keys/{quote(key_id)}")

    def users(self) -> list[Body]:
        """Everybody who may sign in."""
        return cast(list[Body], self._get("users")["users"])

    def create_user(self, name: str, role: str) -> Body:
        """Add a person."""
        return self._post("users", {"name": name, "role": role})

    def set_password(self, name: str, password: str) -> None:
        """Replace a person's password: the caller's own, or anybody's for an administrator."""
        path = f"/api/v1/users/{quote(name, safe='')}/password"
        self.transport.call("PUT", path, json={"password": password}, is_idempotent=True)

    def sign_in_link(self, name: str) -> Body:
        """A link that signs that person in once: `{"url", "expires_at"}`."""
        return self._post(f"users/{quote(name, safe='')}/link")

    def data_of(self, name: str) -> Body:
        """Every row that names the person, by table."""
        return cast(Body, self._get(f"users/{quote(name, safe='')}/data")["tables"])

    def preview_erasure(self, name: str) -> Body:
        """What erasing the person would do: `{"deleted", "renamed", "audit_entries"}`."""
        return self._get(f"users/{quote(name, safe='')}/erasure")

    def erase_person(self, name: str, reason: str) -> Body:
        """Delete the person's account and put a pseudonym under what they answered."""
        return self._post(f"users/{quote(name, safe='')}/erase", {"reason": reason})

    # --- demos ---

    def demos(self) -> list[Body]:
        """Every demo link."""
        return cast(list[Body], self._get("demos")["demos"])

    def create_demo(
        self,
        *,
        version: str | None = None,
        compared_with: str | None = None,
        hours: float = 24,
        passphrase: str | None = None,
        frame_origins: Sequence[str] = (),
    ) -> Body:
        """A link to a demo of a version, or of two side by side, that expires."""
        fields = {"version": version, "compared_with": compared_with, "hours": hours, "passphrase": passphrase}
        return self._post("demos", given({**fields, "frame_origins": list(frame_origins) or None}))

    def revoke_demo(self, demo_id: str) -> None:
        """End a demo link at once."""
        self._delete(f"demos/{quote(demo_id)}")

    def demo_frame(self, token: str) -> list[str]:
        """The sites whose pages may embed a demo."""
        return cast(list[str], self._post("demos/frame", {"token": token}, is_idempotent=True)["frame_origins"])

    def enter_demo(self, token: str, passphrase: str | None = None) -> Body:
        """Open a demo: what it shows and a ticket, or that it wants its passphrase first."""
        return self._post("demos/enter", given({"token": token, "passphrase": passphrase}))

    def answer_demo(self, token: str, text: str, ticket: str = "") -> Body:
        """What a demo's versions say about a text; the token is the permission."""
        return self._post("demos/answer", {"token": token, "text": text, "ticket": ticket}, is_idempotent=True)


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
