"""`python -m services.allocation serve | migrate | quarantine | …`"""

from services.chassis.cli import main
from services.allocation.app import service

raise SystemExit(main(service))
