"""`python -m services.catalog serve | migrate | quarantine | …`"""

from services.catalog.app import service
from services.chassis.cli import main

raise SystemExit(main(service))
