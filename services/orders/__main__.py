"""`python -m services.orders serve | migrate | quarantine | …`"""

from services.chassis.cli import main
from services.orders.app import service

raise SystemExit(main(service))
