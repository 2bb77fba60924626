"""The routes of allocation: parse, call, answer. Every one needs a bearer key."""

from fastapi import APIRouter

from services.allocation.http import baskets, offers
from services.allocation.http.context import refusals

router = APIRouter(prefix="/v1", tags=["allocation"], responses=refusals(401, 404, 422))
router.include_router(baskets.router)
router.include_router(offers.router)
