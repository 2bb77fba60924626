-- Whose an order is, and which orders wait until that is found, stand beside the orders: an order's own row is written
-- again only for its promise and for what its partner says anew, and so no index of it is written again for a customer.
-- No foreign keys: a check would look up and lock an order or one hot customer for each row.
create table order_customer (
    order_id uuid primary key,
    customer_id uuid not null
);
insert into order_customer select order_id, customer_id from customer_order where customer_id is not null;
create index order_customer_by_customer on order_customer (customer_id, order_id);

-- Orders whose contact was told or changed and whose customer is still to be found.
create table contact_due (order_id uuid primary key);
insert into contact_due select order_id from customer_order where contact_due;

alter table customer_order drop column contact_due, drop column customer_id;
