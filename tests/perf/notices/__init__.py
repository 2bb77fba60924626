"""`python -m tests.perf.notices`: whether every household is told exactly once, counted by who receives."""
