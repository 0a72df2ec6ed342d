"""How many users there are at each moment: load, stress, and spike."""

from locust import LoadTestShape

REQUESTS_A_USER = 10
"""A second. Few users that ask often cost the generator less than many that ask seldom."""
_FIRST = 100
_STRESS_STEP = 100
_MOST_FAILED = 0.10
_LONGEST_MS = 1_000.0
_SPIKE = ((60, 100), (180, 1_000), (240, 100))
_SETTLE_SECONDS = 10


class ProfileShape(LoadTestShape):
    """load: a constant rate. stress: 100 more at each step until more than one in ten fails or p95 is above a second.
    spike: 100, then 1,000 for two minutes, then 100 again.
    """

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many of them to start in a second; None ends the test."""
        rate = self._rate()
        return None if rate is None else (max(1, rate // REQUESTS_A_USER), 200.0)

    def _rate(self) -> int | None:
        options = self.runner.environment.parsed_options
        elapsed = self.get_run_time()
        if options.load_profile == "spike":
            return next((rate for end, rate in _SPIKE if elapsed < end), None)
        if options.load_profile == "stress":
            return self._stress(elapsed, options.step_seconds)
        return int(options.rate) if elapsed < options.seconds else None

    def _stress(self, elapsed: float, step_seconds: int) -> int | None:
        step, within = divmod(elapsed, step_seconds)
        rate = _FIRST + int(step) * _STRESS_STEP
        total = self.runner.stats.total
        recent_ms = total.get_current_response_time_percentile(0.95) or 0.0
        failed = total.current_fail_per_sec / max(total.current_rps, 1.0)
        if within > _SETTLE_SECONDS and (failed > _MOST_FAILED or recent_ms > _LONGEST_MS):
            print(f"Breaking point: {rate} requests/s ({failed:.1%} failed, p95 {recent_ms:.0f} ms).")
            return None
        return rate
