-- One custodian is drawn, for the sum that was handed out, and what it got stands.
CREATE TRIGGER `draws_no_update` BEFORE UPDATE ON `draws` BEGIN
  SELECT RAISE(ABORT, 'a custodian is drawn once');
END;
--> statement-breakpoint
CREATE TRIGGER `draws_no_delete` BEFORE DELETE ON `draws` BEGIN
  SELECT RAISE(ABORT, 'a custodian is drawn once');
END;
--> statement-breakpoint
CREATE TRIGGER `draws_no_replace` BEFORE INSERT ON `draws` WHEN EXISTS (SELECT 1 FROM `draws` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a custodian is drawn once');
END;
--> statement-breakpoint
CREATE TRIGGER `draws_after_the_sum` BEFORE INSERT ON `draws` WHEN NOT EXISTS (SELECT 1 FROM `rounds` WHERE `id` = NEW.`round` AND `state` = 'opened' AND `sum` IS NOT NULL) BEGIN
  SELECT RAISE(ABORT, 'a custodian is drawn when there is a sum');
END;
--> statement-breakpoint
CREATE TRIGGER `recounts_no_update` BEFORE UPDATE ON `recounts` BEGIN
  SELECT RAISE(ABORT, 'a recount is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `recounts_no_delete` BEFORE DELETE ON `recounts` BEGIN
  SELECT RAISE(ABORT, 'a recount is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `recounts_no_replace` BEFORE INSERT ON `recounts` WHEN EXISTS (SELECT 1 FROM `recounts` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a recount is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `recounts_of_the_drawn` BEFORE INSERT ON `recounts` WHEN NOT EXISTS (SELECT 1 FROM `draws` WHERE `round` = NEW.`round` AND `custodian` = NEW.`custodian`) BEGIN
  SELECT RAISE(ABORT, 'only the drawn custodian adds up again');
END;
--> statement-breakpoint
CREATE TRIGGER `rounds_one_sum` BEFORE UPDATE OF `sum` ON `rounds` WHEN OLD.`sum` IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a round has one sum');
END;
