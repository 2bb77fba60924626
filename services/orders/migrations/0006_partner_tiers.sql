-- Whose orders are served first when quantity comes free, and lose last: 1 before all others, 5 is open sale.
alter table partner add column tier smallint not null default 5 check (tier between 1 and 99);
