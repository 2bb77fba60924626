"""Celery with psycopg: a task is one transaction, acknowledged after it; a relay for each outbox.

Tasks are named after events and published to a topic exchange, so that one message is a task of every service that
has bound its queue: each worker knows its own task of that name.
"""
