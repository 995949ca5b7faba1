-- A database of the first release: its tables, one row or more in each, and then its indices and triggers.
CREATE TABLE "__drizzle_migrations" (
				id SERIAL PRIMARY KEY,
				hash text NOT NULL,
				created_at numeric
			);
CREATE TABLE `agreements` (
	`round` text NOT NULL,
	`custodian` text NOT NULL,
	`cohort` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `custodian`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `charters` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`compact` text NOT NULL,
	`proposed_at` integer NOT NULL,
	`in_force_at` integer,
	`withdrawn_at` integer
);
CREATE TABLE `consents` (
	`charter` text NOT NULL,
	`member` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`charter`, `member`),
	FOREIGN KEY (`charter`) REFERENCES `charters`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `contributions` (
	`round` text NOT NULL,
	`member` text NOT NULL,
	`manifest_id` text NOT NULL,
	`manifest` text NOT NULL,
	`ciphertext` text NOT NULL,
	`bytes` integer NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `member`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `invitations` (
	`code_hash` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`subject` text NOT NULL,
	`administration` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`redeemed_by` text
);
CREATE TABLE `log` (
	`index` integer PRIMARY KEY NOT NULL,
	`typ` text NOT NULL,
	`message` text NOT NULL,
	`at` integer NOT NULL
);
CREATE TABLE `openings` (
	`round` text NOT NULL,
	`custodian` text NOT NULL,
	`compact` text NOT NULL,
	`sealed` blob NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `custodian`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `parties` (
	`fingerprint` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`subject` text NOT NULL,
	`public_key` text NOT NULL,
	`enrolment` text NOT NULL,
	`certificate` text,
	`enrolled_at` integer NOT NULL,
	`last_seen_at` integer
);
CREATE TABLE `prekeys` (
	`id` text PRIMARY KEY NOT NULL,
	`custodian` text NOT NULL,
	`compact` text NOT NULL,
	`not_after` integer NOT NULL,
	`round` text
);
CREATE TABLE `queries` (
	`id` text PRIMARY KEY NOT NULL,
	`researcher` text NOT NULL,
	`nonce` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`cancellation` text,
	`void_reason` text,
	FOREIGN KEY (`researcher`) REFERENCES `parties`(`fingerprint`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `refusals` (
	`round` text NOT NULL,
	`member` text NOT NULL,
	`step` text NOT NULL,
	`compact` text NOT NULL,
	`reason` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `member`, `step`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `rounds` (
	`id` text PRIMARY KEY NOT NULL,
	`query` text NOT NULL,
	`compact` text NOT NULL,
	`state` text NOT NULL,
	`opened_at` integer NOT NULL,
	`closes` integer NOT NULL,
	`ends` integer NOT NULL,
	`closed_at` integer,
	`cohort_id` text,
	`cohort` text,
	`sum` text,
	`ended_at` integer,
	`reason` text,
	FOREIGN KEY (`query`) REFERENCES `queries`(`id`) ON UPDATE no action ON DELETE no action
);
INSERT INTO "__drizzle_migrations" VALUES (NULL, 'f14b26b9eb878e818d892cf3e482f793778f56c08474624a462d7179647f5c04', 1795304247442);
INSERT INTO "__drizzle_migrations" VALUES (NULL, 'dec579c24b0ad43abc6bededc3b25907f08eb015354520ef99518f9f1c269e71', 1795304248698);
INSERT INTO "agreements" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'KR', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'agreement of KR', 4);
INSERT INTO "charters" VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 'charter', 1, 2, NULL);
INSERT INTO "consents" VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'KR', 'consent of KR', 2);
INSERT INTO "contributions" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'KR', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 'manifest of KR', '5555555555555555555555555555555555555555555555555555555555555555', 81920, 4);
INSERT INTO "invitations" VALUES ('1111111111111111111111111111111111111111111111111111111111111111', 'member', 'KR', NULL, 1, 604800001, 'keyOfKR');
INSERT INTO "invitations" VALUES ('2222222222222222222222222222222222222222222222222222222222222222', 'researcher', 'Bob', 'KR', 1, 604800001, NULL);
INSERT INTO "log" VALUES (0, 'inbond-charter', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1);
INSERT INTO "log" VALUES (1, 'inbond-round', 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 3);
INSERT INTO "openings" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'KR', 'opening of KR', X'7365616c6564206f70656e696e67', 5);
INSERT INTO "parties" VALUES ('keyOfKR', 'member', 'KR', 'public key of KR', 'enrolment of KR', NULL, 1, 2);
INSERT INTO "parties" VALUES ('keyOfAda', 'researcher', 'Ada', 'public key of Ada', 'enrolment of Ada', 'certificate of Ada', 1, NULL);
INSERT INTO "prekeys" VALUES ('3333333333333333333333333333333333333333333333333333333333333333', 'KR', 'prekey that serves a round', 2592000000, 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc');
INSERT INTO "prekeys" VALUES ('4444444444444444444444444444444444444444444444444444444444444444', 'KR', 'prekey', 2592000000, NULL);
INSERT INTO "queries" VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'keyOfAda', 'nonce', 'query', 3, 604800003, NULL, NULL);
INSERT INTO "queries" VALUES ('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 'keyOfAda', 'another nonce', 'query that ended', 3, 604800003, 'cancellation', 'the researcher withdrew the query');
INSERT INTO "refusals" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'JP', 'contribute', 'refusal of JP', 'the policy of JP does not allow it', 4);
INSERT INTO "rounds" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'round', 'opened', 3, 4, 5, 4, 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'cohort', 'sum', 5, NULL);
CREATE UNIQUE INDEX `contributions_round_ciphertext_unique` ON `contributions` (`round`,`ciphertext`);
CREATE UNIQUE INDEX `parties_role_subject_unique` ON `parties` (`role`,`subject`);
CREATE UNIQUE INDEX `prekeys_custodian_round_unique` ON `prekeys` (`custodian`,`round`);
CREATE UNIQUE INDEX `queries_researcher_nonce_unique` ON `queries` (`researcher`,`nonce`);
CREATE UNIQUE INDEX `rounds_query_unique` ON `rounds` (`query`);
CREATE INDEX `rounds_by_state` ON `rounds` (`state`);
CREATE TRIGGER `contributions_no_update` BEFORE UPDATE ON `contributions` BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
CREATE TRIGGER `contributions_no_delete` BEFORE DELETE ON `contributions` BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
CREATE TRIGGER `agreements_no_update` BEFORE UPDATE ON `agreements` BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
CREATE TRIGGER `agreements_no_delete` BEFORE DELETE ON `agreements` BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
CREATE TRIGGER `openings_no_update` BEFORE UPDATE ON `openings` BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
CREATE TRIGGER `openings_no_delete` BEFORE DELETE ON `openings` BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
CREATE TRIGGER `consents_no_update` BEFORE UPDATE ON `consents` BEGIN
  SELECT RAISE(ABORT, 'a consent is never changed');
END;
CREATE TRIGGER `consents_no_delete` BEFORE DELETE ON `consents` BEGIN
  SELECT RAISE(ABORT, 'a consent is never changed');
END;
CREATE TRIGGER `log_no_update` BEFORE UPDATE ON `log` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
CREATE TRIGGER `log_no_delete` BEFORE DELETE ON `log` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
CREATE TRIGGER `prekeys_serve_once` BEFORE UPDATE OF `round` ON `prekeys` WHEN OLD.`round` IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a prekey serves one round');
END;
CREATE TRIGGER `rounds_one_cohort` BEFORE UPDATE OF `cohort_id` ON `rounds` WHEN OLD.`cohort_id` IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a round has one cohort');
END;
CREATE TRIGGER `rounds_end_once` BEFORE UPDATE OF `state` ON `rounds` WHEN OLD.`state` IN ('opened', 'void') BEGIN
  SELECT RAISE(ABORT, 'a round ends once');
END;
CREATE TRIGGER `contributions_no_replace` BEFORE INSERT ON `contributions` WHEN EXISTS (SELECT 1 FROM `contributions` WHERE `round` = NEW.`round` AND `member` = NEW.`member`) BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
CREATE TRIGGER `agreements_no_replace` BEFORE INSERT ON `agreements` WHEN EXISTS (SELECT 1 FROM `agreements` WHERE `round` = NEW.`round` AND `custodian` = NEW.`custodian`) BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
CREATE TRIGGER `openings_no_replace` BEFORE INSERT ON `openings` WHEN EXISTS (SELECT 1 FROM `openings` WHERE `round` = NEW.`round` AND `custodian` = NEW.`custodian`) BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
CREATE TRIGGER `log_no_replace` BEFORE INSERT ON `log` WHEN EXISTS (SELECT 1 FROM `log` WHERE `index` = NEW.`index`) BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
