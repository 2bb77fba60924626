"""The plain pipeline: one message is one call of a handler, and one transaction with an inbox and an outbox."""
