"""The composition root of catalog: cooperatives, households, products, offers, standing offers, access keys."""

from pathlib import Path

from services.catalog import consumers, http
from services.catalog.keys import key_command
from services.catalog.renewal import Renewal
from services.catalog.settings import CatalogSettings
from services.chassis.jobs import Job
from services.chassis.runtime import Parts, Runtime, Service
from services.contracts import catalog as contract


def wire(runtime: Runtime[CatalogSettings]) -> Parts:
    """The parts of one process."""
    renewal = Renewal(runtime.ledger, runtime.settings.renew_days_ahead)
    return Parts(handlers=consumers.handlers, jobs=[Job("renew", 3.0, renewal.run)])


service = Service(
    name="catalog",
    title="Chợ Phiên: catalog",
    folder=Path(__file__).parent,
    settings=CatalogSettings,
    publishes=(
        contract.CooperativeRegistered,
        contract.CooperativeChanged,
        contract.HouseholdRegistered,
        contract.HouseholdChanged,
        contract.ProductListed,
        contract.OfferPublished,
        contract.OfferChanged,
        contract.OfferWithdrawn,
        contract.AccessKeyIssued,
        contract.AccessKeyRevoked,
    ),
    wire=wire,
    gathers_s=0.05,
    derived=("offer_availability",),
    routers=[http.router],
    cli={"key": key_command},
)
