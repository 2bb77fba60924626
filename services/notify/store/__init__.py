"""All SQL of notify: what was learned from others (`books`), the contact book, notices, and messages to partners."""
