"""What was written before a migration is there after it, and goes on as if nothing had happened."""

import asyncpg

from infra.local.stack import Stack
from services.chassis.migrate import migrate
from services.notify.app import service
from tests.support.servers import fresh_database

FROM_BEFORE = """
insert into cooperative values ('00000000-0000-0000-0000-000000000001', 'Vân Hồ', 'Asia/Ho_Chi_Minh');
insert into notice (notice_id, cooperative_id, kind, partner_id, order_id, event_id, sequence, facts, happened_at,
    traceparent, state, reason, told_at)
select n.id::uuid, '00000000-0000-0000-0000-000000000001', 'order_promised', '00000000-0000-0000-0000-000000000002',
    '00000000-0000-0000-0000-000000000003', n.id::uuid, n.sequence, '{"said": true}', '2026-11-23 10:00+07',
    'trace', n.state, n.reason, n.told_at::timestamptz
from (values ('00000000-0000-0000-0000-000000000011', 1, 'queued', null, null),
    ('00000000-0000-0000-0000-000000000012', 2, 'queued', null, null),
    ('00000000-0000-0000-0000-000000000013', 3, 'told', null, '2026-11-23 10:01+07'),
    ('00000000-0000-0000-0000-000000000014', 4, 'undeliverable', 'gave_up', null),
    ('00000000-0000-0000-0000-000000000015', 5, 'superseded', null, null))
    as n (id, sequence, state, reason, told_at);
insert into delivery (notice_id, channel, state, attempts, queued_at, next_at, claimed_at, reason, receipt)
select d.id::uuid, 'webhook', d.state, d.attempts, '2026-11-23 10:00+07', '2026-11-23 10:05+07',
    case when d.attempts > 0 then timestamptz '2026-11-23 10:01+07' end, d.reason, d.receipt
from (values ('00000000-0000-0000-0000-000000000011', 'queued', 1, 'http_500', null),
    ('00000000-0000-0000-0000-000000000012', 'sending', 2, 'timed_out', null),
    ('00000000-0000-0000-0000-000000000013', 'told', 1, null, 'http_200'),
    ('00000000-0000-0000-0000-000000000014', 'refused', 10, 'http_500', null),
    ('00000000-0000-0000-0000-000000000015', 'superseded', 0, null, null))
    as d (id, state, attempts, reason, receipt);
insert into notice (notice_id, cooperative_id, kind, household_id, delivery_day, version, facts, happened_at, state)
values ('00000000-0000-0000-0000-000000000021', '00000000-0000-0000-0000-000000000001', 'basket', gen_random_uuid(),
    '2026-11-24', 1, '{}', now(), 'queued');
insert into notice (notice_id, cooperative_id, kind, facts, happened_at, state)
values ('00000000-0000-0000-0000-000000000022', '00000000-0000-0000-0000-000000000001', 'endpoint_disabled', '{}',
    now(), 'queued');
insert into delivery (notice_id, channel, state, queued_at, next_at)
select notice_id, 'email', 'queued', now(), now() from notice where partner_id is null;
"""


async def test_messages_to_partners_are_moved_to_their_own_table_and_notices_to_people_stay(stack: Stack) -> None:
    migrations = service.migrations()
    async with fresh_database(stack, "notify") as dsn:
        await migrate(dsn, [m for m in migrations if m.name < "0005_partner_messages" or m.component == "chassis"])
        conn = await asyncpg.connect(dsn)
        await conn.execute(FROM_BEFORE)
        await migrate(dsn, migrations)
        moved = await conn.fetch("select * from partner_message order by message_id")
        left = await conn.fetch("select kind, channel from notice join delivery using (notice_id) order by kind")
        counts = await conn.fetchrow("select (select count(*) from notice), (select count(*) from delivery)")
        await conn.close()
    assert [
        (m["state"], m["attempts"], m["next_at"] is not None, m["told_at"] is not None, m["reason"], m["receipt"])
        for m in moved
    ] == [
        ("queued", 1, True, False, None, "http_500"),
        ("sending", 2, True, False, None, "timed_out"),
        ("told", 1, False, True, None, "http_200"),
        ("undeliverable", 10, False, False, "gave_up", "http_500"),
        ("superseded", 0, False, False, None, None),
    ]
    assert {(m["kind"], m["facts"], m["traceparent"]) for m in moved} == {("order_promised", '{"said": true}', "trace")}
    assert [m["sequence"] for m in moved] == [1, 2, 3, 4, 5]
    assert [(n["kind"], n["channel"]) for n in left] == [("basket", "email"), ("endpoint_disabled", "email")]
    assert tuple(counts or ()) == (2, 2)
