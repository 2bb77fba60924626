"""`python -m services.notify serve | migrate | quarantine | …`"""

from services.chassis.cli import main
from services.notify.app import service

raise SystemExit(main(service))
