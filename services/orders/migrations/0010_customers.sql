-- Customers of each cooperative, found in what its orders tell. `orders` counts all that are linked, cancelled ones too.
-- An erased customer keeps its row, so that its orders are still of one (nameless) customer.
create table customer (
    customer_id uuid primary key,
    cooperative_id uuid not null,
    name text,
    address text,
    orders int not null,
    first_order_at timestamptz not null,
    last_order_at timestamptz not null,
    erased_at timestamptz,
    check (erased_at is null or (name is null and address is null))
) with (fillfactor = 80);
create index customer_by_cooperative on customer (cooperative_id, customer_id);
create index customer_repeated on customer (cooperative_id, customer_id) where orders > 1;

-- The signs by which a customer is known: kind is phone, email, or the id of the partner whose account it is.
create table customer_identity (
    cooperative_id uuid not null,
    kind text not null,
    value text not null,
    customer_id uuid not null references customer on delete cascade,
    primary key (cooperative_id, kind, value),
    unique (customer_id, kind)
);

-- contact_due: the contact was told or changed and its customer is still to be found. contact_erased: the person is
-- gone from this order for good. No foreign key to customer: its check would lock one hot row for each order.
alter table customer_order
    add column contact_email text,
    add column contact_platform_id text,
    add column contact_due boolean not null default false,
    add column contact_erased boolean not null default false,
    add column customer_id uuid,
    add check (not contact_erased or coalesce(contact_name, contact_phone, contact_address, contact_email,
        contact_platform_id) is null);
update customer_order set contact_due = true where contact_phone is not null;
create index customer_order_contact_due on customer_order (order_id) where contact_due;
create index customer_order_by_customer on customer_order (customer_id, order_id) where customer_id is not null;

-- Who erased whom, when and why; of a customer with all orders, or of one order.
create table erasure (
    erasure_id bigint generated always as identity primary key,
    cooperative_id uuid not null,
    customer_id uuid,
    order_id uuid,
    orders int not null,
    reason text not null,
    key_id uuid not null,
    erased_at timestamptz not null,
    check (customer_id is not null or order_id is not null)
);

-- The name that catalog gives a product, to compare it with the SKUs of partners; empty until catalog tells it.
alter table product add column name text not null default '';
