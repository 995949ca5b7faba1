-- What was stored once stands: a second, different message of the same kind is impossible, not only refused.
CREATE TRIGGER `contributions_no_update` BEFORE UPDATE ON `contributions` BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `contributions_no_delete` BEFORE DELETE ON `contributions` BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `agreements_no_update` BEFORE UPDATE ON `agreements` BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `agreements_no_delete` BEFORE DELETE ON `agreements` BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `openings_no_update` BEFORE UPDATE ON `openings` BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `openings_no_delete` BEFORE DELETE ON `openings` BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `consents_no_update` BEFORE UPDATE ON `consents` BEGIN
  SELECT RAISE(ABORT, 'a consent is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `consents_no_delete` BEFORE DELETE ON `consents` BEGIN
  SELECT RAISE(ABORT, 'a consent is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `log_no_update` BEFORE UPDATE ON `log` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `log_no_delete` BEFORE DELETE ON `log` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `prekeys_serve_once` BEFORE UPDATE OF `round` ON `prekeys` WHEN OLD.`round` IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a prekey serves one round');
END;
--> statement-breakpoint
CREATE TRIGGER `rounds_one_cohort` BEFORE UPDATE OF `cohort_id` ON `rounds` WHEN OLD.`cohort_id` IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a round has one cohort');
END;
--> statement-breakpoint
CREATE TRIGGER `rounds_end_once` BEFORE UPDATE OF `state` ON `rounds` WHEN OLD.`state` IN ('opened', 'void') BEGIN
  SELECT RAISE(ABORT, 'a round ends once');
END;
--> statement-breakpoint
CREATE TRIGGER `contributions_no_replace` BEFORE INSERT ON `contributions` WHEN EXISTS (SELECT 1 FROM `contributions` WHERE `round` = NEW.`round` AND `member` = NEW.`member`) BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `agreements_no_replace` BEFORE INSERT ON `agreements` WHEN EXISTS (SELECT 1 FROM `agreements` WHERE `round` = NEW.`round` AND `custodian` = NEW.`custodian`) BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `openings_no_replace` BEFORE INSERT ON `openings` WHEN EXISTS (SELECT 1 FROM `openings` WHERE `round` = NEW.`round` AND `custodian` = NEW.`custodian`) BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `log_no_replace` BEFORE INSERT ON `log` WHEN EXISTS (SELECT 1 FROM `log` WHERE `index` = NEW.`index`) BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
