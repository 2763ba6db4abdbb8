-- Cold storage, the database's side: what is claimed, committed, forgotten, brought back, and what is refused.

SELECT collab.create_document('archive', 'start');
SELECT count(collab.insert_text('archive', 0, 'x' || i)) FROM generate_series(1, 50) i;
SELECT collab.fold('archive');
SELECT md5(string_agg(version || op::text, ',' ORDER BY version)) AS events FROM collab.events_since('archive', 0) \gset
SELECT collab.document_key('archive') AS key \gset

-- names and sizes of objects depend on the time
CREATE FUNCTION pg_temp.refusal(doc bigint, first_version bigint, content bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN collab.thaw_store(doc, first_version, content);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN sqlstate || ': ' || regexp_replace(sqlerrm, '"v1/.*"', 'X') || ': ' || regexp_replace(detail, 'of \d+', 'of N');
END $$;

-- what is due
SELECT doc = :key AS due FROM collab.archive_candidates(0, 100000, '0 s') doc WHERE doc = :key;
SELECT count(*) FROM collab.archive_candidates(0, 100000, '1 day') doc WHERE doc = :key;
SELECT count(*) FROM collab.archive_candidates(0, 100000) doc WHERE doc = :key;
SELECT count(*) FROM collab.archive_claim(:key, 1000000);

-- a claim: an object whose name is known as garbage until it is committed
SELECT * FROM collab.archive_claim(:key, 1000000, '0 s') \gset
SELECT :first_version AS first, :last_version AS last, :'object' ~ '^v1/[0-9a-f]{2}/[0-9a-f]{16}/1-50-[0-9a-f]{32}$' AS name,
	sha256(:'content') = :'sha256' AS hash, position(encode(substring(:'sha256'::bytea FROM 1 FOR 16), 'hex') IN :'object') > 0 AS named;
SELECT substring(:'content'::bytea FROM 1 FOR 8) = 'COLLABSG' AS magic;
SELECT count(*) FROM collab.archive_garbage WHERE object = :'object';

-- what is not what was claimed is not committed
SELECT collab.archive_commit(:key, :first_version, :last_version, :made_at, '\x00');
SELECT collab.archive_commit(:key, :first_version, :last_version, :made_at + 1, :'sha256');
SELECT collab.archive_commit(:key, :first_version, :last_version - 1, :made_at, :'sha256');
SELECT collab.archive_commit(:key + 1, :first_version, :last_version, :made_at, :'sha256');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT collab.archive_commit(:key, :first_version, :last_version, :made_at, :'sha256');
ROLLBACK;

-- an object that is about to be deleted is not committed either; a new claim has another name
SELECT object = :'object' AS taken FROM collab.archive_garbage_take('0 s', 100000) object WHERE object = :'object';
SELECT collab.archive_commit(:key, :first_version, :last_version, :made_at, :'sha256');
SELECT collab.archive_garbage_done(:'object');
SELECT collab.archive_garbage_done(:'object');
SELECT collab.archive_garbage_done('no such object');
SELECT :'object' AS old \gset
SELECT * FROM collab.archive_claim(:key, 1000000, '0 s') \gset
SELECT :'object' <> :'old' AS another;

-- the move, once
SELECT collab.archive_commit(:key, :first_version, :last_version, :made_at, :'sha256');
SELECT collab.archive_commit(:key, :first_version, :last_version, :made_at, :'sha256');
SELECT count(*) FROM collab.chunks WHERE doc = :key;
SELECT first_version, last_version, events, bytes = length(:'content'::bytea) AS bytes, object = :'object' AS object, sha256 = :'sha256' AS hash
	FROM collab.archives WHERE doc = :key;
SELECT count(*) FROM collab.archive_garbage WHERE object = :'object';
SELECT object = :'object' AS listed FROM collab.archive_list('', 100000) WHERE doc = :key;
SELECT collab.archive_unknown(ARRAY[:'object', 'v1/unknown']);

-- nobody brings it back here
SET collab.thaw_timeout = 0;
SELECT collab.document('archive', 10);
SELECT length(collab.text('archive'));

-- what comes back is checked
SELECT pg_temp.refusal(:key, 1, substring(:'content'::bytea FROM 1 FOR 100));
SELECT pg_temp.refusal(:key, 1, set_byte(:'content', 200, 255 - get_byte(:'content', 200)));
SELECT collab.thaw_store(:key, 2, :'content');
-- with the hash of something else in the table the bytes themselves are looked at
BEGIN;
SELECT set_byte(:'content', 200, 255 - get_byte(:'content', 200)) AS broken \gset
UPDATE collab.archives SET sha256 = sha256(:'broken') WHERE doc = :key;
SELECT pg_temp.refusal(:key, 1, :'broken');
ROLLBACK;
BEGIN;
SELECT set_byte(:'content', 16, 255 - get_byte(:'content', 16)) AS broken \gset
UPDATE collab.archives SET sha256 = sha256(:'broken') WHERE doc = :key;
SELECT pg_temp.refusal(:key, 1, :'broken');
ROLLBACK;
BEGIN;
SELECT 'no segment'::bytea AS broken \gset
UPDATE collab.archives SET sha256 = sha256(:'broken'), bytes = length(:'broken'::bytea) WHERE doc = :key;
SELECT pg_temp.refusal(:key, 1, :'broken');
ROLLBACK;
SELECT collab.thaw_store(:key, 1, :'content');
SELECT md5(string_agg(version || op::text, ',' ORDER BY version)) = :'events' AS same FROM collab.events_since('archive', 0);
SELECT count(*) FROM collab.thawed WHERE doc = :key;
-- what was left of a former document of that id is passed over, and goes when its place is needed
INSERT INTO collab.thawed SELECT doc, 20, 30, thawed_at, expires_at, 'v1/of another document', payload FROM collab.thawed WHERE doc = :key;
SELECT md5(string_agg(version || op::text, ',' ORDER BY version)) = :'events' AS same FROM collab.events_since('archive', 0);
SELECT length(collab.text('archive', 25)) > 0 AS there;
SELECT collab.thaw_store(:key, 1, :'content');
SELECT count(*) FROM collab.thawed WHERE doc = :key;
SELECT collab.thaw_expire();
UPDATE collab.thawed SET expires_at = now() WHERE doc = :key;
SELECT collab.thaw_expire();

-- what went wrong is noted, for documents that there are
SELECT collab.archiver_failed(:key, 'thaw', '58030', 'no such object');
SELECT collab.archiver_failed(:key, 'thaw', '58030', 'no such object again');
SELECT collab.archiver_failed(:key + 1, 'thaw', '58030', 'no such object');
SELECT duty, failures, sqlstate, message FROM collab.quarantine WHERE doc IN (:key, :key + 1);
SELECT collab.archiver_failed(:key, 'fold', '58030', 'not its duty');
SELECT collab.archiver_duty('fold');

-- dropping a document makes garbage of its objects, and forgets what went wrong
SELECT collab.drop_document('archive');
SELECT count(*) FROM collab.archives WHERE doc = :key;
SELECT count(*) FROM collab.archive_garbage WHERE object = :'object';
SELECT count(*) FROM collab.archive_garbage_take('1 day', 100000);
SELECT collab.thaw_store(:key, 1, :'content');
SELECT count(*) FROM collab.quarantine WHERE doc = :key;
DELETE FROM collab.archive_garbage;

-- the archiver's role may do this, and nothing else
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'collab'::regnamespace AND (p.proname LIKE 'archive%' OR p.proname LIKE 'thaw%')
	AND has_function_privilege('public', p.oid, 'EXECUTE');
