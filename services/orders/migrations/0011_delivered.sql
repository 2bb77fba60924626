-- What the truck has left with. Orders from before this was told stay as they are.
alter table order_line add column delivered boolean not null default false;
alter table customer_order drop constraint customer_order_state_check;
alter table customer_order add constraint customer_order_state_check check
    (state in ('placed', 'promised', 'part_promised', 'not_promised', 'delivered', 'cancelled')) not valid;
