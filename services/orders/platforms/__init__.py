"""The APIs of the platforms that push without the lines: how each is asked for orders, and what its answers mean."""
