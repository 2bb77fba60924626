"""What opens a platform's API for a while."""

from datetime import datetime

from msgspec import Struct


class Token(Struct, frozen=True):
    """Good until `expires_at`; `refresh` gets the next one, maybe only once."""

    access: str
    refresh: str
    expires_at: datetime

    def __repr__(self) -> str:  # no log may repeat it
        return f"Token(until {self.expires_at})"
