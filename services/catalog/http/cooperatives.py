"""Routes for cooperatives and their collection points."""

from dataclasses import replace
from functools import lru_cache
from typing import Annotated
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, status
from pydantic import AfterValidator, BaseModel, Field

from services.catalog import announcements
from services.catalog.domain import identity
from services.catalog.domain.values import CollectionPoint, Cooperative, Faulty, Refused
from services.catalog.http.context import Here, Paged, Tenant, telling_refusals
from services.catalog.http.fields import Body, Slug, Text
from services.catalog.http.policies import PoliciesBody
from services.catalog.store import cooperatives as store
from services.chassis.access import Authenticated
from services.chassis.ids import uuid7
from services.chassis.lanes import pin_stream, place_streams
from services.chassis.ledger import Transaction
from services.chassis.problems import refusals

router = APIRouter(tags=["cooperatives"])


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("must be an IANA time zone such as Asia/Ho_Chi_Minh")
    return name


Zone = Annotated[str, AfterValidator(_known_zone), Field(examples=["Asia/Ho_Chi_Minh"])]
Lane = Annotated[
    int, Field(strict=True, ge=0, le=32_767, description="A lane of its own; null: the shared lane of its hash.")
]


class CollectionPointBody(Body):
    """Where households bring goods."""

    name: Text


class CooperativeBody(Body):
    """A cooperative that joins."""

    slug: Slug
    name: Text
    timezone: Zone
    lane: Lane | None = None
    collection_points: Annotated[list[CollectionPointBody], Field(min_length=1, max_length=100)]

    def cooperative(self) -> Cooperative:
        """For the store, with its ids. Raises Faulty for a collection point that is named twice."""
        names = [point.name for point in self.collection_points]
        faults = [(f"collection_points[{i}].name", "is there twice") for i, n in enumerate(names) if n in names[:i]]
        if faults:
            raise Faulty(faults)
        ids = sorted(uuid7() for _ in names)  # of one millisecond, yet in the order of the request
        points = tuple(CollectionPoint(*pair) for pair in zip(ids, names, strict=True))
        own = identity.cooperative_id(self.slug)
        return Cooperative(own, self.slug, self.name, self.timezone, self.lane, points)


class CooperativeChange(Body):
    """What shall be different; what is absent stays. `lane: null` moves back to the shared lane."""

    name: Text | None = None
    lane: Lane | None = None


class CollectionPointAnswer(BaseModel):
    """A collection point."""

    collection_point_id: UUID
    name: str


class CooperativeAnswer(BaseModel):
    """A cooperative."""

    cooperative_id: UUID
    slug: str
    name: str
    timezone: str
    lane: int | None
    collection_points: list[CollectionPointAnswer]
    policies: PoliciesBody

    @classmethod
    def of(cls, cooperative: Cooperative) -> "CooperativeAnswer":
        """As stored."""
        points = [
            CollectionPointAnswer(collection_point_id=point.collection_point_id, name=point.name)
            for point in cooperative.collection_points
        ]
        return cls(
            cooperative_id=cooperative.cooperative_id,
            slug=cooperative.slug,
            name=cooperative.name,
            timezone=cooperative.timezone,
            lane=cooperative.lane,
            collection_points=points,
            policies=PoliciesBody.of(cooperative.policies),
        )


class CooperativesAnswer(BaseModel):
    """A page of cooperatives by slug."""

    cooperatives: list[CooperativeAnswer]
    next_after: str | None


@router.post(
    "/cooperatives",
    status_code=status.HTTP_201_CREATED,
    summary="Register a cooperative (operator)",
    responses=refusals(403, 409),
)
async def register(body: CooperativeBody, principal: Authenticated, here: Here) -> CooperativeAnswer:
    """Opens the cooperative's stream, on its own lane where one is given."""
    principal.must_be("operator")

    async def work(tx: Transaction) -> Cooperative:
        cooperative = body.cooperative()
        if not await store.insert_cooperative(tx.conn, cooperative):
            raise Refused(f"A cooperative with the slug {body.slug} exists already.")
        if cooperative.lane is not None:
            await pin_stream(tx, cooperative.cooperative_id, cooperative.lane)
        tx.append(cooperative.cooperative_id, announcements.cooperative_registered(cooperative))
        return cooperative

    with telling_refusals():
        return CooperativeAnswer.of(await here.ledger.transact(work))


@router.get("/cooperatives", summary="List cooperatives by slug (operator)", responses=refusals(403))
async def list_all(page: Paged, principal: Authenticated, here: Here) -> CooperativesAnswer:
    """A page of all cooperatives."""
    principal.must_be("operator")
    found = await store.list_cooperatives(here.pool, page.after, page.limit + 1)
    shown, next_after = page.cut(found, lambda cooperative: cooperative.slug)
    return CooperativesAnswer(cooperatives=[CooperativeAnswer.of(c) for c in shown], next_after=next_after)


@router.get("/cooperatives/{slug}", summary="Show a cooperative", responses=refusals(404))
async def show(cooperative: Tenant) -> CooperativeAnswer:
    """With its collection points and policies."""
    return CooperativeAnswer.of(cooperative)


@router.patch(
    "/cooperatives/{slug}", summary="Rename a cooperative, or move its lane (operator)", responses=refusals(403, 404)
)
async def change(body: CooperativeChange, tenant: Tenant, principal: Authenticated, here: Here) -> CooperativeAnswer:
    """A move of the lane needs no pause; workers must serve the new lane."""
    moves = "lane" in body.model_fields_set
    if moves:
        principal.must_be("operator")

    async def work(tx: Transaction) -> Cooperative:
        before = await store.lock_cooperative(tx.conn, tenant.cooperative_id)
        after = replace(before, name=body.name or before.name, lane=body.lane if moves else before.lane)
        if after == before:
            return before
        await store.save_cooperative(tx.conn, after)
        if after.lane != before.lane:
            await place_streams(tx, {after.cooperative_id: after.lane}, here.settings.shared_lanes)
        tx.append(after.cooperative_id, announcements.cooperative_changed(after))
        return after

    return CooperativeAnswer.of(await here.ledger.transact(work))


@router.post(
    "/cooperatives/{slug}/collection-points",
    status_code=status.HTTP_201_CREATED,
    summary="Add a collection point",
    responses=refusals(404, 409),
)
async def add_collection_point(body: CollectionPointBody, tenant: Tenant, here: Here) -> CollectionPointAnswer:
    """From the second one on, offers must name theirs."""

    async def work(tx: Transaction) -> CollectionPoint:
        await store.lock_cooperative(tx.conn, tenant.cooperative_id)
        point = CollectionPoint(uuid7(), body.name)
        if not await store.insert_collection_points(tx.conn, tenant.cooperative_id, [point]):
            raise Refused(f"A collection point named {body.name} exists already.")
        cooperative = await store.lock_cooperative(tx.conn, tenant.cooperative_id)
        tx.append(tenant.cooperative_id, announcements.cooperative_changed(cooperative))
        return point

    with telling_refusals():
        point = await here.ledger.transact(work)
    return CollectionPointAnswer(collection_point_id=point.collection_point_id, name=point.name)
