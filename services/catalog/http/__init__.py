"""The routes of catalog: parse, call, answer. Every one needs a bearer key."""

from fastapi import APIRouter

from services.catalog.http import cooperatives, households, keys, offers, policies, products, standing
from services.chassis.problems import refusals

router = APIRouter(prefix="/v1", responses=refusals(401))
router.include_router(cooperatives.router)
router.include_router(policies.router)
router.include_router(households.router)
router.include_router(products.router)
router.include_router(offers.router)
router.include_router(standing.router)
router.include_router(keys.router)
