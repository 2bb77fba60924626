-- Every order and every line is updated once, when its promise comes. Where its page has room for that, no index is
-- written again, and no vacuum has to clean up behind it.
alter table customer_order set (fillfactor = 50);
alter table order_line set (fillfactor = 50);
