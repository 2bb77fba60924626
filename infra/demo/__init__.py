"""A whole market day of two cooperatives on a private stack: seeded, driven from outside, checked, reported."""
