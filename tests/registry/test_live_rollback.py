"""A canary that fails under a real API, judged by a real worker: it is gone, and callers saw nothing of it."""

from pathlib import Path

import pytest

from registry.rollout import current_rollout
from registry.verdict_records import recompute
from tests.registry.live import installation, roll_out_and_fail

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


def test_a_canary_that_fails_at_a_tenth_of_texts_is_rolled_back_and_callers_see_nothing(tmp_path: Path) -> None:
    with installation(tmp_path) as (database, http):
        seen = roll_out_and_fail(database, http, canary_rate=25, error_share=0.1, seed=1, patience=120)
        assert seen.trial is not None
        assert seen.trial.status == "rolled_back"
        assert "Error rate" in seen.trial.sentence
        assert set(seen.statuses) == {200}
        # The stable version stood in wherever the canary failed, and answered all others as ever.
        assert seen.answers["1.0.0", True] > 0
        assert set(seen.answers) == {("1.0.0", False), ("1.0.0", True), ("1.1.0", False)}
        with database.reading() as connection:
            state = current_rollout(connection)
            assert (state.stable, state.canary, state.changed_by) == ("1.0.0", None, "automatic rollout")
            assert recompute(connection).ok
