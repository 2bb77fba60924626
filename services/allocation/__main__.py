"""`python -m services.allocation serve | migrate | quarantine | …`"""

from services.allocation.app import service
from services.chassis.cli import main

raise SystemExit(main(service))
