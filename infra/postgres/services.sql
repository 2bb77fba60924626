-- One role and one database per service; nobody connects to the database of another.
-- Run once by psql, when the cluster is new; passwords come from its environment, never from a command line.

REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;

\getenv catalog_password CATALOG_DATABASE_PASSWORD
CREATE ROLE catalog LOGIN PASSWORD :'catalog_password';
CREATE DATABASE catalog OWNER catalog;
REVOKE ALL ON DATABASE catalog FROM PUBLIC;

\getenv orders_password ORDERS_DATABASE_PASSWORD
CREATE ROLE orders LOGIN PASSWORD :'orders_password';
CREATE DATABASE orders OWNER orders;
REVOKE ALL ON DATABASE orders FROM PUBLIC;

\getenv allocation_password ALLOCATION_DATABASE_PASSWORD
CREATE ROLE allocation LOGIN PASSWORD :'allocation_password';
CREATE DATABASE allocation OWNER allocation;
REVOKE ALL ON DATABASE allocation FROM PUBLIC;

\getenv notify_password NOTIFY_DATABASE_PASSWORD
CREATE ROLE notify LOGIN PASSWORD :'notify_password';
CREATE DATABASE notify OWNER notify;
REVOKE ALL ON DATABASE notify FROM PUBLIC;
