-- A database of the first release: its tables, one row or more in each, and then its indices and triggers.
CREATE TABLE "__drizzle_migrations" (
				id SERIAL PRIMARY KEY,
				hash text NOT NULL,
				created_at numeric
			);
CREATE TABLE `agreements` (
	`round` text PRIMARY KEY NOT NULL,
	`cohort` text NOT NULL,
	`cohort_compact` text NOT NULL,
	`compact` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `charters` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`compact` text NOT NULL,
	`consent` text NOT NULL,
	`in_force_at` integer
);
CREATE TABLE `contributions` (
	`round` text PRIMARY KEY NOT NULL,
	`manifest_id` text NOT NULL,
	`manifest` text NOT NULL,
	`sealed_shares` blob NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `openings` (
	`round` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`sealed` blob NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `prekeys` (
	`id` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`not_after` integer NOT NULL,
	`private_key` blob,
	`round` text,
	`published_at` integer
);
CREATE TABLE `refusals` (
	`round` text NOT NULL,
	`step` text NOT NULL,
	`compact` text NOT NULL,
	`reason` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`round`, `step`)
);
CREATE TABLE `rounds` (
	`id` text PRIMARY KEY NOT NULL,
	`query` text NOT NULL,
	`compact` text NOT NULL,
	`query_compact` text NOT NULL,
	`charter` text NOT NULL,
	`purpose` text NOT NULL,
	`researcher` text NOT NULL,
	`seen_at` integer NOT NULL,
	`ends` integer NOT NULL,
	`cleared_at` integer
);
CREATE TABLE `seen_prekeys` (
	`prekey` text PRIMARY KEY NOT NULL,
	`round` text NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
CREATE TABLE `shares` (
	`round` text NOT NULL,
	`dealer` text NOT NULL,
	`ciphertext` text NOT NULL,
	`sealed` blob NOT NULL,
	PRIMARY KEY(`round`, `dealer`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
INSERT INTO "__drizzle_migrations" VALUES (NULL, 'f0c61755a7eca908da6e0cbe5a46cee8d062a6456bf1ec8fc07d13bfcfdb6c69', 1795305305330);
INSERT INTO "__drizzle_migrations" VALUES (NULL, '6c95d2380b486b7dc692cb1b6c4912042af49133044846ea249a8c76c287a686', 1795305306147);
INSERT INTO "agreements" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', '7777777777777777777777777777777777777777777777777777777777777777', 'cohort', 'agreement of KR', 4);
INSERT INTO "charters" VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 'charter', 'consent of KR', 2);
INSERT INTO "contributions" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 'manifest of KR', X'7365616c656420736861726573', 4);
INSERT INTO "openings" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'opening of KR', X'7365616c6564206f70656e696e67', 5);
INSERT INTO "prekeys" VALUES ('3333333333333333333333333333333333333333333333333333333333333333', 'prekey that serves a round', 2592000000, X'707269766174652068616c66', 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 1);
INSERT INTO "prekeys" VALUES ('4444444444444444444444444444444444444444444444444444444444444444', 'prekey', 2592000000, X'616e6f7468657220707269766174652068616c66', NULL, NULL);
INSERT INTO "prekeys" VALUES ('6666666666666666666666666666666666666666666666666666666666666666', 'prekey that is used up', 2592000000, NULL, 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 1);
INSERT INTO "refusals" VALUES ('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 'contribute', 'refusal of KR', 'the policy does not allow it', 1);
INSERT INTO "rounds" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'round', 'query', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'imports by chapter', 'Ada', 3, 5, NULL);
INSERT INTO "rounds" VALUES ('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'round that is over', 'query', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'exports by chapter', 'Ada', 1, 2, 2);
INSERT INTO "seen_prekeys" VALUES ('3333333333333333333333333333333333333333333333333333333333333333', 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc');
INSERT INTO "shares" VALUES ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'JP', '5555555555555555555555555555555555555555555555555555555555555555', X'7365616c6564207368617265');
CREATE UNIQUE INDEX `prekeys_round_unique` ON `prekeys` (`round`);
CREATE UNIQUE INDEX `rounds_query_unique` ON `rounds` (`query`);
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
CREATE TRIGGER `seen_prekeys_no_update` BEFORE UPDATE ON `seen_prekeys` BEGIN
  SELECT RAISE(ABORT, 'a seen prekey is never changed');
END;
CREATE TRIGGER `seen_prekeys_no_delete` BEFORE DELETE ON `seen_prekeys` BEGIN
  SELECT RAISE(ABORT, 'a seen prekey is never changed');
END;
CREATE TRIGGER `prekeys_serve_once` BEFORE UPDATE OF `round` ON `prekeys` WHEN OLD.`round` IS NOT NULL AND NEW.`round` IS NOT OLD.`round` BEGIN
  SELECT RAISE(ABORT, 'a prekey serves one round');
END;
CREATE TRIGGER `prekeys_stay_empty` BEFORE UPDATE OF `private_key` ON `prekeys` WHEN NEW.`private_key` IS NOT NULL AND NEW.`private_key` IS NOT OLD.`private_key` BEGIN
  SELECT RAISE(ABORT, 'a private key is never put back');
END;
CREATE TRIGGER `openings_of_the_agreed_cohort` BEFORE INSERT ON `openings` WHEN NOT EXISTS (SELECT 1 FROM `agreements` WHERE `agreements`.`round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'only an agreed cohort is opened');
END;
CREATE TRIGGER `contributions_no_replace` BEFORE INSERT ON `contributions` WHEN EXISTS (SELECT 1 FROM `contributions` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
CREATE TRIGGER `agreements_no_replace` BEFORE INSERT ON `agreements` WHEN EXISTS (SELECT 1 FROM `agreements` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
CREATE TRIGGER `openings_no_replace` BEFORE INSERT ON `openings` WHEN EXISTS (SELECT 1 FROM `openings` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
CREATE TRIGGER `seen_prekeys_no_replace` BEFORE INSERT ON `seen_prekeys` WHEN EXISTS (SELECT 1 FROM `seen_prekeys` WHERE `prekey` = NEW.`prekey`) BEGIN
  SELECT RAISE(ABORT, 'a seen prekey is never changed');
END;
