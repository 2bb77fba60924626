-- Tiers, minimums and the rule of an offer. Nothing here rewrites or checks the places that are there: their columns
-- have the defaults, and constraints hold for what is written from now on.
alter table order_line
    add column tier smallint not null default 5,
    add column minimum_steps bigint not null default 1,
    add column needed_steps bigint not null default 1;   -- what must be free for the line to be served; 0: in vain
alter table order_line
    add constraint order_line_tier_check check (tier >= 1) not valid,
    add constraint order_line_minimum_steps_check check (minimum_steps >= 1) not valid,
    add constraint order_line_needed_steps_check
        check (needed_steps in (0, 1, minimum_steps) and (short_steps > 0 or needed_steps = 1)) not valid;

alter table offer_book
    add column rule text default 'first_come' check (rule in ('first_come', 'fair')),   -- null until it is published
    add column short_steps bigint not null default 0 check (short_steps >= 0),          -- sum over the lines
    add column largest_minimum bigint not null default 1 check (largest_minimum >= 1),  -- of its lines, at any time
    add column tiered boolean not null default false;                                   -- has places of another tier
alter table offer_book alter column rule drop default;
update offer_book b set short_steps = w.short_steps
from (select offer_id, sum(short_steps) as short_steps from order_line where short_steps > 0 group by offer_id) w
where b.offer_id = w.offer_id;

-- Waiting places by what they need, so that who must be passed over is not read.
drop index order_line_waiting;
create index order_line_waiting on order_line (offer_id, needed_steps, tier, position) where short_steps > 0;
