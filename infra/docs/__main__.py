"""`make docs`: writes the frozen event schemas, and each service's AsyncAPI and OpenAPI documents beside it.

Beside those, the table of platforms in README.
"""

import sys

from infra.docs.documents import breaking, write_all


def main() -> int:
    """Writes everything; writes nothing and says why where an event contract broke."""
    broken = breaking()
    if broken:
        print("not written, since old readers could not follow; make a new version (…v2) beside the old one:")
        print("\n".join(f"  {line}" for line in broken))
        return 1
    for path in write_all():
        print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
