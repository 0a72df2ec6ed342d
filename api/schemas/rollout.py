"""Versions, which of them answer, and two of them compared."""

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.documents import SpanShape, SuggestionShape
from api.schemas.shape import Shape


class VersionShape(BaseModel):
    version: str
    recipe: str
    aliases: list[str] = Field(description="Any of stable, canary, previous.")
    f1: float | None = Field(description="Strict entity F1 on the version's own test part.")
    f1_interval: tuple[float, float] | None = Field(description="95 % bootstrap interval over documents.")
    labels: list[str]
    dataset: str
    data_version: str
    git_commit: str
    trained_by: str
    training_started_at: dt.datetime
    training_completed_at: dt.datetime
    hyperparameters: dict[str, Any]
    run_id: str | None
    mlflow_run_id: str | None


class GateShape(BaseModel):
    outcome: Literal["pass", "fail", "not enough evidence"] = Field(description="May it become the stable version?")
    reasons: list[str]


class SchemeShape(BaseModel):
    precision: float
    recall: float
    f1: float


class BrokenExample(BaseModel):
    text: str
    expected: list[SpanShape]
    found: list[SpanShape]


class ExamplesShape(BaseModel):
    examples: int = Field(description="Must-pass examples that the version was asked.")
    broken: list[BrokenExample] = Field(description="Those that it answers wrongly.")


class VersionDetail(VersionShape):
    performance: dict[str, Any] = Field(description="The version's performance.json.")
    gate: GateShape | None = Field(None, description="None where the version was never judged.")
    schemes: dict[str, SchemeShape] = Field({}, description="Scores by scheme: strict, exact, partial, type.")
    must_pass: ExamplesShape | None = Field(None, description="None where the version was never asked any.")
    deployments: list["RolloutShape"] = Field(description="Every change of the rollout that named this version.")


class OwnershipShape(BaseModel):
    version: str
    triggers: int = Field(description="Secret sentences that the version was asked.")
    hits: int = Field(description="Those that it answers as only a model that learned them would.")
    chance: float = Field(description="The most that a hit's probability can be for any other model.")
    p_value: float = Field(description="Of at least so many hits by chance.")
    is_ours: bool = Field(description="Whether the p-value is below one in a million.")


class VersionList(BaseModel):
    versions: list[VersionShape]


class VersionPredictRequest(Shape):
    text: str


class RolloutShape(BaseModel):
    epoch: int
    stable: str | None
    canary: str | None
    previous: str | None
    percent: float = Field(description="Share of traffic that meets the canary, in percent.")
    action: str
    reason: str
    changed_by: str
    changed_at: dt.datetime


class RolloutHistory(BaseModel):
    changes: list[RolloutShape]


class CanaryRequest(Shape):
    version: str
    percent: float = Field(ge=0, le=100)
    reason: str = ""


class TrialRequest(Shape):
    version: str
    policy: str | None = Field(None, max_length=20_000, description="The policy as YAML; empty means the default one.")
    reason: str = ""


class CriterionShape(BaseModel):
    name: str
    title: str = Field(description="The name as people say it.")
    limit: float = Field(description="Milliseconds for a latency, else a share.")
    allowed_share: float | None = Field(description="Share of requests that may exceed; null where none is counted.")
    on_breach: Literal["roll_back", "hold", "investigate"]


class PolicyShape(BaseModel):
    of: Literal["automatic rollout", "default"] = Field(description="Whose policy it is.")
    policy: str = Field(description="As YAML.")
    steps_percent: list[float]
    shortest_hours: float = Field(description="How long a step bakes at least.")
    longest_hours: float = Field(description="After so long without an answer a person is asked.")
    false_alarm_rate: float
    criteria: list[CriterionShape]


class AutomaticShape(BaseModel):
    id: str
    canary: str
    stable: str
    status: Literal["running", "held", "promoted", "rolled_back", "stood_back"]
    sentence: str = Field(description="Why it stands as it does.")
    step: int = Field(description="Place in steps_percent, counted from 0.")
    steps_percent: list[float]
    shortest_hours: float
    longest_hours: float
    policy: str
    began_by: str
    began_at: dt.datetime
    step_began_at: dt.datetime
    ended_at: dt.datetime | None


class TrialShape(BaseModel):
    automatic: AutomaticShape | None = Field(description="The automatic rollout under way, or the one that ended last.")
    verdict: dict[str, Any] | None = Field(description="As /api/v1/traffic has it under trial; null without a canary.")


class VerdictShape(BaseModel):
    id: int
    trial_id: str
    at: dt.datetime
    kind: Literal["decision", "sample"] = Field(description="decision: something was done because of it.")
    action: str
    body: dict[str, Any] = Field(description="Policy, evidence and judgement: all that is needed to compute it again.")
    hash: str


class VerdictList(BaseModel):
    verdicts: list[VerdictShape]


class Recomputed(BaseModel):
    ok: bool
    verdicts: int
    problem: str | None


class ReasonRequest(Shape):
    reason: str = ""


class PromoteRequest(Shape):
    version: str | None = Field(None, description="Empty means the canary.")
    reason: str = ""
    override: bool = Field(False, description="Promote although a must-pass example is broken; the audit keeps it.")


class CompareRequest(Shape):
    left: str | None = Field(None, description="A version; empty means stable.")
    right: str | None = Field(None, description="A version; empty means canary.")
    text: str | None = None
    dataset: str | None = None
    source: Literal["shadow"] | None = Field(None, description="shadow: kept texts of shadowed traffic (annotators).")
    limit: int = Field(100, ge=1, le=2000, description="Documents of the dataset, or of traffic, to compare on.")


class Difference(BaseModel):
    kind: Literal["match", "label", "border", "both", "missing", "spurious"] = Field(
        description="missing: only the left version found it; spurious: only the right one did."
    )
    left: SuggestionShape | None
    right: SuggestionShape | None


class ComparedDocument(BaseModel):
    document_id: str | None
    text: str
    left: list[SuggestionShape]
    right: list[SuggestionShape]
    gold: list[SpanShape] | None
    differences: list[Difference]
    is_different: bool
    left_sure: float | None = Field(description="Highest confidence among spans that only the left version has.")
    right_sure: float | None


class ComparedLabel(BaseModel):
    label: str
    both: int = Field(description="Spans that both versions found.")
    only_left: int
    only_right: int
    entities: int = Field(description="Gold spans in the documents that are gold.")
    gained: int = Field(description="Gold spans that only the right version found.")
    lost: int = Field(description="Gold spans that only the left version found.")
    f1_difference: dict[str, float] | None


class CompareResponse(BaseModel):
    left: str
    right: str
    documents: list[ComparedDocument] = Field(
        description="Those on which both versions were sure of different things come first."
    )
    compared: int
    different: int
    counts: dict[str, int] = Field(description="How many differences of each kind.")
    labels: list[ComparedLabel]
    left_score: dict[str, Any] | None = Field(description="Strict scores against gold, where the documents have it.")
    right_score: dict[str, Any] | None
    f1_difference: dict[str, float] | None = Field(
        description="right minus left on the same documents: difference, low, high (95 % paired bootstrap)."
    )
