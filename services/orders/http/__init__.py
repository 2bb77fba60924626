"""The routes: partners push and read orders; staff keep partners, SKU maps and orders; the union pools offers."""

from services.orders.http import (
    amqp_accounts,
    api_credentials,
    campaigns,
    customers,
    order_files,
    orders,
    partners,
    pulls,
    push,
    revenue,
    skus,
    uploads,
)

routers = (
    push.router,
    orders.router,
    order_files.router,
    customers.router,
    revenue.router,
    partners.router,
    skus.router,
    uploads.router,
    amqp_accounts.router,
    api_credentials.router,
    pulls.router,
    campaigns.router,
)
