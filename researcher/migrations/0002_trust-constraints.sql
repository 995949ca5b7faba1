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
