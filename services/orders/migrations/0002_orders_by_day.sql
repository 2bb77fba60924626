-- Staff look at one delivery day; without this a quiet day would be searched through all orders of the cooperative.
create index order_line_by_day on order_line (delivery_day, order_id) where delivery_day is not null;
