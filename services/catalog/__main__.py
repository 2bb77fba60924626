"""`python -m services.catalog serve | migrate | quarantine | …`"""

from services.chassis.cli import main
from services.catalog.app import service

raise SystemExit(main(service))
