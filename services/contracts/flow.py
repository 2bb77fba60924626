"""Who reads whose events: the one table from which queues, bindings and broker permissions follow."""

READS: dict[str, tuple[str, ...]] = {
    "catalog": ("allocation",),
    "orders": ("catalog", "allocation"),
    "allocation": ("catalog", "orders", "notify"),
    "notify": ("catalog", "orders", "allocation"),
}

SERVICES: tuple[str, ...] = tuple(READS)


def read_by(producer: str) -> tuple[str, ...]:
    """The services that read this producer's events, in a fixed order."""
    return tuple(consumer for consumer, producers in READS.items() if producer in producers)
