"""The bare floor of an HTTP intake: Starlette, one order per request, one transaction."""
