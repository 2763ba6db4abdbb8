-- The settings: all of them, who may set them, and what they are out of the box.
BEGIN;
SELECT plan(4);
LOAD 'collab';

-- A user name that an ordinary role could set would be a forged one; limits are the administrator's.
SELECT set_eq($$SELECT name, context, vartype, coalesce(unit, '') AS unit, boot_val, coalesce(min_val, '') AS min, coalesce(max_val, '') AS max FROM pg_settings WHERE name LIKE 'collab.%'$$,
			  $$VALUES ('collab.user_id', 'superuser', 'string', '', '', '', ''),
					   ('collab.max_operation_bytes', 'superuser', 'integer', 'B', '1048576', '1024', '67108864'),
					   ('collab.max_document_units', 'superuser', 'integer', '', '16777216', '1', '268435456'),
					   ('collab.max_comments', 'superuser', 'integer', '', '10000', '0', '1000000'),
					   ('collab.notify_interval', 'sighup', 'integer', 'ms', '5', '1', '1000'),
					   ('collab.notifier_idle_timeout', 'sighup', 'integer', 's', '60', '0', '86400'),
					   ('collab.head_cache_size', 'superuser', 'integer', 'kB', '16384', '0', '1048576'),
					   ('collab.fold_after', 'superuser', 'integer', 's', '2592000', '-1', '2147483647'),
					   ('collab.worker', 'sighup', 'bool', '', 'on', '', ''),
					   ('collab.worker_delay', 'sighup', 'integer', 'ms', '500', '10', '60000'),
					   ('collab.worker_idle_timeout', 'sighup', 'integer', 's', '300', '0', '86400'),
					   ('collab.worker_cache_size', 'sighup', 'integer', 'kB', '65536', '0', '1048576'),
					   ('collab.snapshot_interval', 'superuser', 'integer', '', '100', '0', '1000000'),
					   ('collab.live_text', 'superuser', 'bool', '', 'on', '', ''),
					   ('collab.live_text_share', 'sighup', 'integer', '', '20', '1', '100'),
					   ('collab.live_text_config', 'superuser', 'string', '', 'simple', '', ''),
					   ('collab.quarantine_after', 'sighup', 'integer', '', '3', '0', '1000'),
					   ('collab.archive_after', 'superuser', 'integer', 's', '7776000', '-1', '2147483647'),
					   ('collab.thaw_timeout', 'user', 'integer', 'ms', '30000', '0', '2147483647'),
					   ('collab.thaw_keep', 'superuser', 'integer', 's', '3600', '1', '2147483647'),
					   ('collab.worker_role', 'sighup', 'string', '', 'collab_worker', '', '')$$,
			  'these settings and no others');
SELECT is_empty($$SELECT name FROM pg_settings WHERE name LIKE 'collab.%' AND (short_desc IS NULL OR extra_desc IS NULL)$$, 'every setting is described');
SELECT throws_ok('SET collab.no_such_setting = 1', '42602', NULL, 'the prefix is reserved');
SELECT throws_ok($$SET collab.user_id = E'a\tb'$$, '22023', NULL, 'a user name has no control characters');

SELECT * FROM finish();
ROLLBACK;
