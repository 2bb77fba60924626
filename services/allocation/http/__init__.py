"""The routes of allocation: parse, call, answer. Every one needs a bearer key."""

from fastapi import APIRouter

from services.allocation.http import arrivals, baskets, offers, plan, replies, settlement
from services.chassis.problems import refusals

router = APIRouter(prefix="/v1", responses=refusals(401, 404))
router.include_router(baskets.router)
router.include_router(plan.router)
router.include_router(replies.router)
router.include_router(arrivals.router)
router.include_router(settlement.router)
router.include_router(offers.router)
