"""The technical base of every service: event log, relay, consumption, HTTP, settings, probes.

There is no business word in it. A *stream* is the unit of order (one per tenant), a *lane* the unit of
scaling; which tenant a stream belongs to is the services' business.
"""
