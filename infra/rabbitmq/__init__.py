"""What the broker is told at its start."""
