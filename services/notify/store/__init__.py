"""All SQL of notify: what was learned from others (`books`), the contact book, and notices with their deliveries."""
