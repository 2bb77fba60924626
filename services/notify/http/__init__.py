"""The routes: contact book, partners' endpoints, and what became of notices. Parse, call, answer."""
