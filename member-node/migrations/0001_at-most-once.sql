-- Contribute once, agree once, open once: a second, different message is impossible, not only refused.
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
CREATE TRIGGER `seen_prekeys_no_update` BEFORE UPDATE ON `seen_prekeys` BEGIN
  SELECT RAISE(ABORT, 'a seen prekey is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `seen_prekeys_no_delete` BEFORE DELETE ON `seen_prekeys` BEGIN
  SELECT RAISE(ABORT, 'a seen prekey is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `prekeys_serve_once` BEFORE UPDATE OF `round` ON `prekeys` WHEN OLD.`round` IS NOT NULL AND NEW.`round` IS NOT OLD.`round` BEGIN
  SELECT RAISE(ABORT, 'a prekey serves one round');
END;
--> statement-breakpoint
CREATE TRIGGER `prekeys_stay_empty` BEFORE UPDATE OF `private_key` ON `prekeys` WHEN NEW.`private_key` IS NOT NULL AND NEW.`private_key` IS NOT OLD.`private_key` BEGIN
  SELECT RAISE(ABORT, 'a private key is never put back');
END;
--> statement-breakpoint
CREATE TRIGGER `openings_of_the_agreed_cohort` BEFORE INSERT ON `openings` WHEN NOT EXISTS (SELECT 1 FROM `agreements` WHERE `agreements`.`round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'only an agreed cohort is opened');
END;
--> statement-breakpoint
CREATE TRIGGER `contributions_no_replace` BEFORE INSERT ON `contributions` WHEN EXISTS (SELECT 1 FROM `contributions` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a contribution is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `agreements_no_replace` BEFORE INSERT ON `agreements` WHEN EXISTS (SELECT 1 FROM `agreements` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'an agreement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `openings_no_replace` BEFORE INSERT ON `openings` WHEN EXISTS (SELECT 1 FROM `openings` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'an opening is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `seen_prekeys_no_replace` BEFORE INSERT ON `seen_prekeys` WHEN EXISTS (SELECT 1 FROM `seen_prekeys` WHERE `prekey` = NEW.`prekey`) BEGIN
  SELECT RAISE(ABORT, 'a seen prekey is never changed');
END;
