"""The AMQP door: partners publish orders to an exchange of their own, and find there what could not be taken."""
