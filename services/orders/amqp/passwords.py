"""Passwords of partners at the broker: random, shown once, and stored only as RabbitMQ's hash of them."""

import base64
import hashlib
import secrets

ALGORITHM = "rabbit_password_hashing_sha256"


def new_password() -> str:
    """192 random bits, in characters that may stand in an address."""
    return secrets.token_urlsafe(24)


def password_hash(password: str) -> str:
    """base64(salt + sha256(salt + password)), https://www.rabbitmq.com/docs/passwords#computing-password-hash"""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
