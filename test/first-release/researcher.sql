-- A database of the first release: its tables, one row or more in each, and then its indices and triggers.
CREATE TABLE "__drizzle_migrations" (
				id SERIAL PRIMARY KEY,
				hash text NOT NULL,
				created_at numeric
			);
CREATE TABLE `charters` (
	`epoch` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL
);
CREATE TABLE `queries` (
	`id` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`purpose` text NOT NULL,
	`asked_at` integer NOT NULL,
	`sent_at` integer,
	`private_key` blob,
	`answer` text,
	`void_reason` text
);
INSERT INTO "__drizzle_migrations" VALUES (NULL, 'f2d7a67cfd25f292d4db9506e251505a5c0f27d7bbdb12e76919d0002274dcaf', 1795305727369);
INSERT INTO "charters" VALUES (1, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "queries" VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'query', 'imports by chapter', 3, 4, X'70726976617465206b6579', NULL, NULL);
INSERT INTO "queries" VALUES ('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 'query that was answered', 'exports by chapter', 1, 1, NULL, '{"rows":[]}', NULL);
