"""The routes: partners push and read orders; staff keep partners, SKU maps and orders; the union pools offers."""

from services.orders.http import amqp_accounts, api_credentials, campaigns, orders, partners, push

routers = (
    push.router,
    orders.router,
    partners.router,
    amqp_accounts.router,
    api_credentials.router,
    campaigns.router,
)
