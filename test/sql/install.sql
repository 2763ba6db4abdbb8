-- CREATE EXTENSION refuses a schema that somebody prepared, and leaves with everything it brought.

\set SHOW_CONTEXT never
SELECT current_database() AS main \gset
CREATE ROLE regress_collab_mallory;
CREATE DATABASE regress_collab_install TEMPLATE template0 ENCODING 'UTF8';
GRANT CREATE ON DATABASE regress_collab_install TO regress_collab_mallory;
\c regress_collab_install

-- only a superuser may install it
SET ROLE regress_collab_mallory;
CREATE EXTENSION collab;
RESET ROLE;

-- a schema of somebody else
CREATE SCHEMA collab AUTHORIZATION regress_collab_mallory;
CREATE EXTENSION collab;
DROP SCHEMA collab;

-- a schema in which somebody else may create, or has created
CREATE SCHEMA collab;
GRANT CREATE ON SCHEMA collab TO PUBLIC;
CREATE EXTENSION collab;
SET ROLE regress_collab_mallory;
CREATE FUNCTION collab.trap() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET ROLE;
REVOKE CREATE ON SCHEMA collab FROM PUBLIC;
CREATE EXTENSION collab;
DROP FUNCTION collab.trap();

-- an object that stands in the way is not adopted
CREATE TABLE collab.documents ();
CREATE EXTENSION collab;
DROP TABLE collab.documents;

-- an empty schema of the installer is as good as none
CREATE EXTENSION collab;
SELECT collab.create_document('install', 'text');

-- it cannot be moved, it leaves nothing, and it can come back
ALTER EXTENSION collab SET SCHEMA public;
DROP EXTENSION collab;
SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'collab'::regnamespace;
CREATE EXTENSION collab;
SELECT collab.document('install');
SELECT collab.create_document('install', 'text again');
SELECT collab.text('install');

-- other encodings than UTF8 are refused
CREATE DATABASE regress_collab_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';
\c regress_collab_ascii
CREATE EXTENSION collab;

\c :main
DROP DATABASE regress_collab_install;
DROP DATABASE regress_collab_ascii;
DROP ROLE regress_collab_mallory;
