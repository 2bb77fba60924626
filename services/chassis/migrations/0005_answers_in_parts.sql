-- A reader that knows many streams answers in several messages. Part 0 is an operator's word for all of them.
alter table settling_answer
    add column part int not null default 1,
    add column parts int not null default 1,
    drop constraint settling_answer_pkey,
    add primary key (identity, lane, reader, part);
