"""Which versions exist, which one answers, and why."""
