"""Who may see whose things: another tenant's thing and one that does not exist get the same answer.

Otherwise a key of one tenant could find out what the others have.
"""

from uuid import UUID

from services.chassis.access import Principal
from services.chassis.problems import not_found


def must_see(principal: Principal, owner: UUID | None, what: str) -> None:
    """Raises a 404 problem where the thing is not there (`owner` is None) or belongs to another tenant."""
    if owner is None or principal.scope not in (None, owner):
        raise not_found(what)
