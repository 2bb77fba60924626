"""A request as the door hands it to an adapter, and what a partner registered."""

from tests.support.platforms.base import URL, asked, tried, who

__all__ = ["URL", "asked", "tried", "who"]
