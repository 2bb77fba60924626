-- An order and its lines are written by one statement; to look the order up again for each line costs more than to
-- write it.
alter table order_line drop constraint order_line_order_id_fkey;
