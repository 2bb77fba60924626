"""Routes for access keys, for operators of the union."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, Field, StringConstraints

from services.catalog import keys
from services.catalog.domain.values import Faulty
from services.catalog.http.context import Here, telling_refusals
from services.catalog.http.fields import NO_CONTROLS, Body, Slug
from services.catalog.store import keys as store
from services.catalog.store.cooperatives import get_cooperative
from services.chassis.access import Authenticated, NewKey
from services.chassis.ledger import Transaction
from services.chassis.problems import not_found, refusals

router = APIRouter(prefix="/keys", tags=["access keys"], responses=refusals(403))

Role = Literal["staff", "operator"]


class KeyBody(Body):
    """Who the key is for."""

    role: Role
    cooperative: Annotated[Slug | None, Field(description="Of a staff key; an operator key has none.")] = None
    label: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=keys.MOST_LABEL, pattern=NO_CONTROLS),
        Field(description="To recognise the key by, such as the name of the desk that has it."),
    ]


class KeyAnswer(BaseModel):
    """A key without its secret."""

    key_id: UUID
    role: Role
    cooperative: str | None
    label: str
    revoked: bool


class NewKeyAnswer(BaseModel):
    """A key that was just made. The token is shown this once and stored nowhere."""

    key_id: UUID
    token: str
    role: Role
    cooperative: str | None
    label: str


class KeysAnswer(BaseModel):
    """A page of keys in the order of their issue."""

    keys: list[KeyAnswer]
    next_after: UUID | None


@router.post("", status_code=status.HTTP_201_CREATED, summary="Issue an access key (operator)")
async def issue(body: KeyBody, principal: Authenticated, here: Here, response: Response) -> NewKeyAnswer:
    """Opens catalog at once, the other services within moments."""
    principal.must_be("operator")

    async def work(tx: Transaction) -> NewKey:
        fault = keys.scope_fault(body.role, body.cooperative)
        cooperative = await get_cooperative(tx.conn, body.cooperative) if body.cooperative else None
        if fault is None and body.cooperative and cooperative is None:
            fault = "is not registered"
        if fault:
            raise Faulty([("cooperative", fault)])
        return await keys.issue(tx, body.role, cooperative.cooperative_id if cooperative else None, body.label)

    with telling_refusals():
        key = await here.ledger.transact(work)
    response.headers["Cache-Control"] = "no-store"
    return NewKeyAnswer(
        key_id=key.key_id, token=key.token, role=body.role, cooperative=body.cooperative, label=body.label
    )


@router.get("", summary="List access keys in the order of their issue (operator)")
async def list_all(
    principal: Authenticated,
    here: Here,
    after: Annotated[UUID, Query(description="`next_after` of the page before.")] = UUID(int=0),  # noqa: B008
    limit: Annotated[int, Query(ge=1, le=500, description="The most items of a page.")] = 100,
) -> KeysAnswer:
    """A page of all keys, revoked ones too."""
    principal.must_be("operator")
    found = await store.list_keys(here.pool, after, limit + 1)
    shown = [
        KeyAnswer.model_validate(
            {"key_id": k.key_id, "role": k.role, "cooperative": k.slug, "label": k.label, "revoked": k.revoked}
        )
        for k in found[:limit]
    ]
    return KeysAnswer(keys=shown, next_after=shown[-1].key_id if len(found) > limit else None)


@router.delete(
    "/{key_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Revoke an access key (operator)",
    responses=refusals(404),
)
async def revoke(key_id: UUID, principal: Authenticated, here: Here) -> None:
    """In all services. Doing it again changes nothing."""
    principal.must_be("operator")

    async def work(tx: Transaction) -> None:
        key = await store.get_key(tx.conn, key_id)
        if key is None:
            raise not_found("key")
        await keys.revoke(tx, key)

    await here.ledger.transact(work)
