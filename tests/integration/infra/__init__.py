"""The private servers, as the services and the tests use them."""
