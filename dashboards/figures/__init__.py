"""Pure functions from the house's figures (plain dicts) to plotly figures; `theme` is "light" or "dark"."""

from dashboards.figures.canvas import PALETTES, Palette, Theme, nothing_yet
from dashboards.figures.of_drift import drift_confidence, drift_entity_mix, drift_lengths, drift_overview, drift_words
from dashboards.figures.of_learning import learning_curve, training_history
from dashboards.figures.of_pairs import label_changes, shadow_agreement
from dashboards.figures.of_processes import process_name, process_resources
from dashboards.figures.of_rollout import simulation_steps
from dashboards.figures.of_time import quality_over_time
from dashboards.figures.of_traffic import (
    arm_role,
    canary_latency,
    simulation_outcomes,
    traffic_latency,
    traffic_requests,
    version_share,
)
from dashboards.figures.of_versions import (
    confidence_histogram,
    confusion_heatmap,
    f1_by_version,
    outcome_bar,
    per_label_bars,
    per_tag_bars,
    reliability_curve,
)

__all__ = [
    "PALETTES",
    "Palette",
    "Theme",
    "arm_role",
    "canary_latency",
    "confidence_histogram",
    "confusion_heatmap",
    "drift_confidence",
    "drift_entity_mix",
    "drift_lengths",
    "drift_overview",
    "drift_words",
    "f1_by_version",
    "label_changes",
    "learning_curve",
    "nothing_yet",
    "outcome_bar",
    "per_label_bars",
    "per_tag_bars",
    "process_name",
    "process_resources",
    "quality_over_time",
    "reliability_curve",
    "shadow_agreement",
    "simulation_outcomes",
    "simulation_steps",
    "traffic_latency",
    "traffic_requests",
    "training_history",
    "version_share",
]
