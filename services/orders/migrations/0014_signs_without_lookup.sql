-- Customers and their signs are written together; to look the customer up again for each sign, and to mark it as looked
-- up, costs more than to write it. Who deletes a customer deletes its signs.
alter table customer_identity drop constraint customer_identity_customer_id_fkey;
