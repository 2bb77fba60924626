"""The routes: contact book, partners' endpoints, notices, and the page to answer on. Parse, call, answer."""
