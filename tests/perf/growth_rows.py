"""Past orders: rows as they are long after their day, written into the databases by a few statements.

Identifiers grow with time as those of the services do, so that the indexes look as they would. The cooperatives take
turns; each of them sells all its wares on each day, to PER_DAY orders with two lines each, and all that is promised.
"""

import asyncio

import asyncpg

from infra.rabbitmq.definitions import SERVICES
from services.chassis.lanes import shared_lane
from services.contracts.flow import READS
from tests.perf.apart import Apart
from tests.perf.market import SUPPLY_STEPS, Market
from tests.perf.ours import LANES

PER_DAY = 100
"""Orders of a cooperative for one delivery day."""
STEPS = 4
"""Of each line."""


async def load(ours: Apart, market: Market, orders: int) -> int:
    """Writes so many orders and tidies up as a database does in time; returns the bytes that they take."""
    sizes = await asyncio.gather(*(_load(ours.dsn(service), service, market, orders) for service in SERVICES))
    return sum(sizes)


async def _load(dsn: str, service: str, market: Market, orders: int) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        before = await _size(connection)
        await connection.execute("set synchronous_commit = off")
        await _describe(connection, market, orders)
        for statement in _ROWS.get(service, ()):
            await connection.execute(statement)
        if service in ("orders", "allocation"):
            await connection.execute(_HEADS)
        for producer in {"orders", "allocation"} & {*READS[service]}:
            await connection.execute(_CURSORS, producer)
        await connection.execute("vacuum (analyze)")
        return await _size(connection) - before
    finally:
        await connection.close()


async def _size(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("select pg_database_size(current_database())"))


async def _describe(connection: asyncpg.Connection, market: Market, orders: int) -> None:
    """The shops, and views of what the rows are made of."""
    shops, wares = len(market.shops), len(market.shops[0].wares)
    days = -(-orders // (shops * PER_DAY))
    await connection.execute(_TABLES)
    await connection.copy_records_to_table(
        "shop",
        records=[
            (number, shop.cooperative_id, shop.partner_id, shared_lane(shop.cooperative_id, LANES), -(-left // shops))
            for number, shop in enumerate(market.shops)
            if (left := orders - number) > 0
        ],
    )
    await connection.copy_records_to_table(
        "ware",
        records=[
            (wares * number + place, number, ware.product_id, ware.sku, ware.price_vnd)
            for number, shop in enumerate(market.shops)
            for place, ware in enumerate(shop.wares)
        ],
    )
    await connection.execute("analyze shop; analyze ware")
    await connection.execute(_views(orders, shops, wares, days))


_TABLES = """
create temp table shop (number int, cooperative_id uuid, partner_id uuid, lane int, orders bigint);
create temp table ware (number int, shop int, product_id uuid, sku text, price_vnd bigint);
create function pg_temp.past_id(kind text, n bigint) returns uuid language sql immutable as $$
    select (lpad(to_hex(1700000000000 + n), 12, '0') || '70008' || left(md5(kind || n::text), 15))::uuid
$$
"""


def _views(orders: int, shops: int, wares: int, days: int) -> str:
    return f"""
    create temp view past_offer as
    select pg_temp.past_id('offer', day * {shops * wares} + w.number) as offer_id, cooperative_id, product_id,
        price_vnd, current_date - {days} + day as delivery_day,
        now() - make_interval(days => {days} - day) as cut_off_at
    from generate_series(0, {days - 1}) day cross join ware w join shop s on s.number = w.shop
    order by day, w.number;

    create temp view past_order as
    select n, pg_temp.past_id('order', n) as order_id, pg_temp.past_id('placed', n) as placed_id,
        pg_temp.past_id('promised', n) as promised_id, cooperative_id, partner_id, 'past-' || n as partner_ref,
        n / {shops} + 1 as sequence, now() - interval '1 day' as happened_at,
        current_date - {days} + day::int as delivery_day, md5(n::text) as digest,
        '00-' || md5(n::text) || '-' || left(md5(n::text), 16) || '-01' as traceparent,
        a.product_id as product_1, a.sku as sku_1, a.price_vnd as price_1, 2 * (place / {wares}) + 1 as position_1,
        b.product_id as product_2, b.sku as sku_2, b.price_vnd as price_2, 2 * (place / {wares}) + 2 as position_2,
        pg_temp.past_id('offer', day * {shops * wares} + a.number) as offer_1,
        pg_temp.past_id('offer', day * {shops * wares} + b.number) as offer_2
    from (select n, n % {shops} as shop, n / {shops} / {PER_DAY} as day, n / {shops} % {PER_DAY} as place
          from generate_series(0::bigint, {orders - 1}) n) x
    join shop s on s.number = x.shop
    join ware a on a.number = x.shop * {wares} + place % {wares}
    join ware b on b.number = x.shop * {wares} + (place + 1) % {wares};

    create temp view past_line as
    select o.order_id, o.delivery_day, l.* from past_order o cross join lateral (values
        (1, offer_1, position_1, product_1, sku_1, price_1), (2, offer_2, position_2, product_2, sku_2, price_2)
    ) l (line_no, offer_id, position, product_id, sku, price_vnd);
    """


_PLACED = f"""format('{{"order_id":"%s","partner_id":"%s","partner_ref":"%s","lines":[
{{"line_no":1,"offer_id":"%s","product_id":"%s","sku":"%s","quantity_steps":{STEPS}}},
{{"line_no":2,"offer_id":"%s","product_id":"%s","sku":"%s","quantity_steps":{STEPS}}}],"refused_lines":[]}}',
order_id, partner_id, partner_ref, offer_1, product_1, sku_1, offer_2, product_2, sku_2)::json"""

_COUNTED = f'"ordered_steps":{STEPS},"promised_steps":{STEPS},"short_steps":0,"cancelled_steps":0,"shorted_steps":0'

_PROMISED = f"""format('{{"order_id":"%s","lines":[{{"line_no":1,"offer_id":"%s",{_COUNTED},"reason":null}},
{{"line_no":2,"offer_id":"%s",{_COUNTED},"reason":null}}]}}', order_id, offer_1, offer_2)::json"""

_GOODS = '"goods":{"name":"%s","unit":"kg","step_milliunits":500}'

_FACTS = f"""format('{{"order_id":"%s","partner_ref":"%s","sequence":%s,"lines":[
{{"line_no":1,"sku":"%s",{_GOODS},{_COUNTED},"reason":null}},
{{"line_no":2,"sku":"%s",{_GOODS},{_COUNTED},"reason":null}}],"refused_lines":[]}}',
order_id, partner_ref, sequence, sku_1, sku_1, sku_2, sku_2)::jsonb"""

_ROWS = {
    "orders": (
        "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, cut_off_at, state) "
        "select offer_id, cooperative_id, product_id, delivery_day, price_vnd, cut_off_at, 'closed' from past_offer",
        "insert into customer_order (order_id, cooperative_id, partner_id, partner_ref, revised_at, status_rank, "
        "digest, kind, delivery_day, wanted, contact_name, contact_phone, contact_address, state, announced, "
        "received_at, promised_at) select order_id, cooperative_id, partner_id, partner_ref, happened_at, 0, "
        "digest || digest, 'upsert', delivery_day, "
        """format('[[1,"%s","2",%s],[2,"%s","2",%s]]', sku_1, price_1, sku_2, price_2)::json, """
        "'Nguyễn Thị Hoa', '0912345678', '12 Hàng Bông, Hà Nội', 'promised', true, happened_at, happened_at "
        "from past_order",
        "insert into order_line (order_id, line_no, sku, sold_quantity, price_vnd, state, product_id, offer_id, "
        "delivery_day, quantity_steps, promised_steps, short_steps) select order_id, line_no, sku, 2, price_vnd, "
        f"'ordered', product_id, offer_id, delivery_day, {STEPS}, {STEPS}, 0 from past_line",
        "insert into event_log (stream, sequence, id, type, occurred_at, after, traceparent, data) "
        "select cooperative_id, sequence, placed_id, 'orders.order_placed.v1', happened_at, "
        f"'allocation=' || sequence - 1, traceparent, {_PLACED} from past_order",
    ),
    "allocation": (
        "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, step_value_vnd, "
        "collection_point_id, arrive_by_at, assigned, assigned_steps, settled) select offer_id, cooperative_id, "
        "product_id, delivery_day, price_vnd, price_vnd, cooperative_id, cut_off_at + interval '6 h', true, 0, true "
        "from past_offer",
        "insert into order_line (offer_id, position, order_id, line_no, ordered_steps, promised_steps, short_steps, "
        f"shorted_steps, cancelled_steps) select offer_id, position, order_id, line_no, {STEPS}, {STEPS}, 0, 0, 0 "
        "from past_line",
        "insert into offer_book (offer_id, cooperative_id, supply_steps, promised_net_steps, open, listed, "
        f"last_position, rule) select offer_id, cooperative_id, {SUPPLY_STEPS}, sum(promised_steps), false, false, "
        "max(position), 'first_come' from order_line join offer using (offer_id) group by offer_id, cooperative_id",
        "insert into event_log (stream, sequence, id, type, occurred_at, after, traceparent, data) "
        "select cooperative_id, sequence, promised_id, 'allocation.order_promised.v1', happened_at, "
        f"'orders=' || sequence, traceparent, {_PROMISED} from past_order",
    ),
    "notify": (
        "insert into partner_order (order_id, partner_id, partner_ref, refused_lines, lines) "
        "select order_id, partner_id, partner_ref, '[]', "
        """format('{"1/%s":["%s","%s"],"2/%s":["%s","%s"]}', offer_1, sku_1, product_1, offer_2, sku_2, """
        "product_2)::jsonb from past_order",
        "insert into partner_message (message_id, cooperative_id, partner_id, order_id, kind, sequence, facts, "
        "happened_at, traceparent, queued_at, state, attempts, claimed_at, told_at, receipt) "
        "select promised_id, cooperative_id, partner_id, order_id, 'order_promised', sequence, "
        f"{_FACTS}, happened_at, traceparent, happened_at, 'told', 1, happened_at, happened_at, 'http_200' "
        "from past_order",
    ),
}
"""service → statements; the books of an offer are counted from its lines"""

_HEADS = """
with head as (
    insert into stream_head (stream, lane, last_sequence) select cooperative_id, lane, orders from shop
    returning stream, last_sequence
) insert into relay_cursor (stream, sequence) select stream, last_sequence from head
"""

_CURSORS = """
insert into consumer_cursor (producer, stream, sequence, head) select $1, cooperative_id, orders, orders from shop
"""
