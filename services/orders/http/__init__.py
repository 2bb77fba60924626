"""The routes: partners push and read orders; staff keep partners and SKU maps and look at orders."""

from services.orders.http import amqp_accounts, api_credentials, orders, partners, push

routers = (push.router, orders.router, partners.router, amqp_accounts.router, api_credentials.router)
