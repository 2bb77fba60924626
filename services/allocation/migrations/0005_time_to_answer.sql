-- Whoever could not be told is told by a person, and has its time to answer from here on. Null beside a reason: long ago.
alter table basket_version add column untold_at timestamptz;
