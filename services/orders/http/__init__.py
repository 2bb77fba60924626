"""The routes: partners push and read orders; staff keep partners and SKU maps and look at orders."""

from services.orders.http import amqp_accounts, customers, order_files, orders, partners, push, revenue, skus, uploads

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
)
