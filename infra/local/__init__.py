"""Private servers and service processes for the demo, the tests and `make up`."""
