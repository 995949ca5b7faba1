-- A seed that was revealed for one sum draws a custodian for no other.
CREATE TRIGGER `queries_one_sum` BEFORE UPDATE OF `sum` ON `queries` WHEN OLD.`sum` IS NOT NULL AND NEW.`sum` IS NOT OLD.`sum` BEGIN
  SELECT RAISE(ABORT, 'a seed is revealed for one sum');
END;
--> statement-breakpoint
-- What a member said last stands: an offer from before never takes the place of a newer one.
CREATE TRIGGER `offers_never_older` BEFORE INSERT ON `offers` WHEN EXISTS (SELECT 1 FROM `offers` WHERE `member` = NEW.`member` AND `issued_at` >= NEW.`issued_at`) BEGIN
  SELECT RAISE(ABORT, 'an offer never takes the place of a newer one');
END;
--> statement-breakpoint
CREATE TRIGGER `offers_no_older_update` BEFORE UPDATE ON `offers` WHEN NEW.`issued_at` <= OLD.`issued_at` BEGIN
  SELECT RAISE(ABORT, 'an offer never takes the place of a newer one');
END;
--> statement-breakpoint
-- What was read, and what was published of it, stands.
CREATE TRIGGER `readings_no_update` BEFORE UPDATE ON `readings` BEGIN
  SELECT RAISE(ABORT, 'a reading is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `releases_no_update` BEFORE UPDATE ON `releases` BEGIN
  SELECT RAISE(ABORT, 'a release is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `releases_no_delete` BEFORE DELETE ON `releases` BEGIN
  SELECT RAISE(ABORT, 'a release is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `releases_no_replace` BEFORE INSERT ON `releases` WHEN EXISTS (SELECT 1 FROM `releases` WHERE `query` = NEW.`query`) BEGIN
  SELECT RAISE(ABORT, 'a release is never changed');
END;
