"""The statements that write past orders, made from views of what all their rows have in common."""

from collections.abc import Sequence

from tests.perf.customers import FAMILIES, GIVEN, MIDDLES, STREETS
from tests.perf.market import SUPPLY_STEPS

PER_DAY = 100
"""Orders of a cooperative for one delivery day."""
STEPS = 4
"""Of each line."""
TIER = 5
"""Of a partner of whom nothing else was said."""

TABLES = """
create temp table shop (number int, cooperative_id uuid, partner_id uuid, lane int, orders bigint, days bigint,
    wares int);
create temp table ware (number int, shop int, product_id uuid, sku text, price_vnd bigint);
create function pg_temp.past_id(kind text, n bigint) returns uuid language sql immutable as $$
    select (lpad(to_hex(1700000000000 + n), 12, '0') || '70008' || left(md5(kind || n::text), 15))::uuid
$$;
create function pg_temp.one_of(texts text[], n bigint) returns text language sql immutable as $$
    select texts[1 + n % array_length(texts, 1)]
$$
"""


def _texts(words: Sequence[str]) -> str:
    return f"array[{', '.join(repr(word) for word in words)}]"


def views(orders: int, shops: int, wares: int, days: int) -> str:
    """Offers, orders, lines and customers of the past."""
    return f"""
    create temp view past_offer as
    select pg_temp.past_id('offer', day * {shops * wares} + w.number) as offer_id, s.number as shop, cooperative_id,
        product_id, price_vnd, current_date - {days} + day as delivery_day, day, w.number % {wares} as place,
        now() - make_interval(days => {days} - day) as cut_off_at,
        pg_temp.past_id('availability', day * {shops * wares} + w.number) as availability_id,
        least((day + 1) * {PER_DAY}, s.orders) + day * {wares} + w.number % {wares} + 1 as availability_sequence
    from generate_series(0, {days - 1}) day cross join ware w join shop s on s.number = w.shop and day < s.days
    order by day, w.number;

    create temp view past_order as
    select n, pg_temp.past_id('order', n) as order_id, pg_temp.past_id('placed', n) as placed_id,
        pg_temp.past_id('promised', n) as promised_id, cooperative_id, partner_id, 'past-' || n as partner_ref,
        turn + 1 as sequence, turn + 1 + day * {wares} as promised_sequence,
        now() - make_interval(days => {days} - day::int) as happened_at,
        current_date - {days} + day::int as delivery_day, md5(n::text) as digest,
        '00-' || md5(n::text) || '-' || left(md5(n::text), 16) || '-01' as traceparent,
        a.product_id as product_1, a.sku as sku_1, a.price_vnd as price_1, 2 * (place / {wares}) + 1 as position_1,
        b.product_id as product_2, b.sku as sku_2, b.price_vnd as price_2, 2 * (place / {wares}) + 2 as position_2,
        pg_temp.past_id('offer', day * {shops * wares} + a.number) as offer_1,
        pg_temp.past_id('offer', day * {shops * wares} + b.number) as offer_2,
        customer, pg_temp.past_id('customer', customer) as customer_id,
        lpad((customer * 7919 % 100000000)::text, 8, '0') as digits,
        pg_temp.one_of({_texts(FAMILIES)}, customer) || ' ' || pg_temp.one_of({_texts(MIDDLES)}, customer / 7)
            || ' ' || pg_temp.one_of({_texts(GIVEN)}, customer / 11) as name,
        1 + customer % 300 || ' ' || pg_temp.one_of({_texts(STREETS)}, customer / 13) || ', Hà Nội' as address
    from (select n, n % {shops} as shop, n / {shops} as turn, n / {shops} / {PER_DAY} as day,
              n / {shops} % {PER_DAY} as place,
              case when n / {shops} % 20 = 19 then n - 19 * {shops} else n end as customer
          from generate_series(0::bigint, {orders - 1}) n) x
    join shop s on s.number = x.shop
    join ware a on a.number = x.shop * {wares} + place % {wares}
    join ware b on b.number = x.shop * {wares} + (place + 1) % {wares};

    create temp view past_line as
    select o.order_id, o.delivery_day, l.* from past_order o cross join lateral (values
        (1, offer_1, position_1, product_1, sku_1, price_1), (2, offer_2, position_2, product_2, sku_2, price_2)
    ) l (line_no, offer_id, position, product_id, sku, price_vnd);

    create temp view past_customer as
    select customer_id, cooperative_id, name, address, digits, happened_at,
        case when n / {shops} % 20 = 0 and n + 19 * {shops} < {orders} then 2 else 1 end as orders
    from past_order where n = customer;
    """


_WANTED = f'"quantity_steps":{STEPS},"minimum_steps":1'

_PLACED = f"""format('{{"order_id":"%s","partner_id":"%s","partner_ref":"%s","lines":[
{{"line_no":1,"offer_id":"%s","product_id":"%s","sku":"%s",{_WANTED}}},
{{"line_no":2,"offer_id":"%s","product_id":"%s","sku":"%s",{_WANTED}}}],"refused_lines":[],"tier":{TIER}}}',
order_id, partner_id, partner_ref, offer_1, product_1, sku_1, offer_2, product_2, sku_2)::json"""

_COUNTED = f'"ordered_steps":{STEPS},"promised_steps":{STEPS},"short_steps":0,"cancelled_steps":0,"shorted_steps":0'

_PROMISED = f"""format('{{"order_id":"%s","lines":[{{"line_no":1,"offer_id":"%s",{_COUNTED},"reason":null}},
{{"line_no":2,"offer_id":"%s",{_COUNTED},"reason":null}}]}}', order_id, offer_1, offer_2)::json"""

_AVAILABLE = f"""format('{{"offer_id":"%s","supply_steps":{SUPPLY_STEPS},"available_steps":%s}}', offer_id,
{SUPPLY_STEPS} - promised_net_steps)::json"""

_GOODS = '"goods":{"name":"%s","unit":"kg","step_milliunits":500}'

_FACTS = f"""format('{{"order_id":"%s","partner_ref":"%s","sequence":%s,"lines":[
{{"line_no":1,"sku":"%s",{_GOODS},{_COUNTED},"reason":null}},
{{"line_no":2,"sku":"%s",{_GOODS},{_COUNTED},"reason":null}}],"refused_lines":[]}}',
order_id, partner_ref, promised_sequence, sku_1, sku_1, sku_2, sku_2)::json"""

_ORDERS = (
    "insert into customer_order (order_id, cooperative_id, partner_id, partner_ref, revised_at, status_rank, "
    "digest, kind, delivery_day, wanted, contact_name, contact_phone, contact_address, state, announced, "
    "received_at, promised_at) select order_id, cooperative_id, partner_id, partner_ref, happened_at, 0, "
    "digest || digest, 'upsert', delivery_day, "
    """format('[[1,"%s","2",%s],[2,"%s","2",%s]]', sku_1, price_1, sku_2, price_2)::json, """
    "name, '09' || digits, address, 'promised', true, happened_at, happened_at from past_order"
)
_LINKS = "insert into order_customer (order_id, customer_id) select order_id, customer_id from past_order"


def rows(service: str) -> Sequence[str]:
    """What fills the tables of a service; the books of an offer are counted from its lines."""
    return _ROWS[service]


_ROWS = {
    "catalog": (
        "insert into offer_availability (offer_id, supply_steps, available_steps) "
        f"select offer_id, {SUPPLY_STEPS}, {SUPPLY_STEPS} - sold.steps from past_offer join (select offer_id, "
        f"count(*) * {STEPS} as steps from past_line group by offer_id) sold using (offer_id)",
    ),
    "orders": (
        _ORDERS,
        _LINKS,
        "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, cut_off_at, state) "
        "select offer_id, cooperative_id, product_id, delivery_day, price_vnd, cut_off_at, 'closed' from past_offer",
        "insert into order_line (order_id, line_no, sku, sold_quantity, price_vnd, state, product_id, offer_id, "
        "delivery_day, quantity_steps, promised_steps, short_steps) select order_id, line_no, sku, 2, price_vnd, "
        f"'ordered', product_id, offer_id, delivery_day, {STEPS}, {STEPS}, 0 from past_line",
        "insert into customer (customer_id, cooperative_id, name, address, orders, first_order_at, last_order_at) "
        "select customer_id, cooperative_id, name, address, orders, happened_at, happened_at from past_customer",
        "insert into customer_identity (cooperative_id, kind, value, customer_id) "
        "select cooperative_id, 'phone', '+849' || digits, customer_id from past_customer",
        "insert into event_log (stream, sequence, id, type, occurred_at, after, traceparent, data) "
        "select cooperative_id, sequence, placed_id, 'orders.order_placed.v1', happened_at, "
        f"'allocation=' || promised_sequence - 1, traceparent, {_PLACED} from past_order",
    ),
    "allocation": (
        "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, step_value_vnd, "
        "collection_point_id, arrive_by_at, assigned, assigned_steps, settled) select offer_id, cooperative_id, "
        "product_id, delivery_day, price_vnd, price_vnd, cooperative_id, cut_off_at + interval '6 h', true, 0, true "
        "from past_offer",
        "insert into order_line (offer_id, position, order_id, line_no, ordered_steps, promised_steps, short_steps, "
        f"shorted_steps, cancelled_steps, tier) select offer_id, position, order_id, line_no, {STEPS}, {STEPS}, 0, "
        f"0, 0, {TIER} from past_line",
        "insert into offer_book (offer_id, cooperative_id, supply_steps, promised_net_steps, open, listed, "
        f"last_position, rule) select offer_id, cooperative_id, {SUPPLY_STEPS}, sum(promised_steps), false, false, "
        "max(position), 'first_come' from order_line join past_offer using (offer_id) "
        "group by offer_id, cooperative_id",
        "insert into event_log (stream, sequence, id, type, occurred_at, after, traceparent, data) "
        "select cooperative_id, promised_sequence, promised_id, 'allocation.order_promised.v1', happened_at, "
        f"'orders=' || sequence, traceparent, {_PROMISED} from past_order",
        "insert into event_log (stream, sequence, id, type, occurred_at, after, traceparent, data) "
        "select cooperative_id, availability_sequence, availability_id, "
        "'allocation.offer_availability_changed.v1', cut_off_at, 'orders=' || availability_sequence - 1, null, "
        f"{_AVAILABLE} from past_offer join offer_book using (offer_id, cooperative_id)",
    ),
    "notify": (
        "insert into partner_order (order_id, partner_id, partner_ref, refused_lines, lines) "
        "select order_id, partner_id, partner_ref, '[]', "
        """format('{"1/%s":["%s","%s"],"2/%s":["%s","%s"]}', offer_1, sku_1, product_1, offer_2, sku_2, """
        "product_2)::jsonb from past_order",
        "insert into partner_message (message_id, cooperative_id, partner_id, order_id, kind, sequence, facts, "
        "happened_at, traceparent, queued_at, state, attempts, claimed_at, told_at, receipt) "
        "select promised_id, cooperative_id, partner_id, order_id, 'order_promised', promised_sequence, "
        f"{_FACTS}, happened_at, traceparent, happened_at, 'told', 1, happened_at, happened_at, 'http_200' "
        "from past_order",
    ),
}


def events(producer: str) -> str:
    """How many events of this producer there are about the cooperative of a shop."""
    return {"orders": "orders", "allocation": "orders + days * wares"}[producer]


HEADS = """
with head as (
    insert into stream_head (stream, lane, last_sequence) select cooperative_id, lane, {events} from shop
    returning stream, last_sequence
) insert into relay_cursor (stream, sequence) select stream, last_sequence from head
"""

CURSORS = """
insert into consumer_cursor (producer, stream, sequence, head, turn)
select $1, cooperative_id, {events}, {events}, case when {places} = 1 then 1 else 2 * days - 2 + {place} end from shop
"""

TURNS = {
    1: "insert into applied_turn (stream, turn, producer, first_sequence) "
    "select cooperative_id, 1, ($1::text[])[1], 1 from shop",
    2: "insert into applied_turn (stream, turn, producer, first_sequence) "
    f"select cooperative_id, 2 * day + 1, ($1::text[])[1], day * {PER_DAY} + 1 "
    "from shop cross join generate_series(0, days - 1) day "
    "union all "
    f"select cooperative_id, 2 * day + 2, ($1::text[])[2], day * ({PER_DAY} + wares) + 1 "
    "from shop cross join generate_series(0, days - 1) day",
}
"""By how many producers a service reads here; of two, the promises of each day follow its orders."""
