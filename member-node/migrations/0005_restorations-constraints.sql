-- That a node was restored, and what it found of what it forgot, stays.
CREATE TRIGGER `restorations_no_update` BEFORE UPDATE ON `restorations` BEGIN
  SELECT RAISE(ABORT, 'a restoration is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `restorations_no_delete` BEFORE DELETE ON `restorations` BEGIN
  SELECT RAISE(ABORT, 'a restoration is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `restorations_no_replace` BEFORE INSERT ON `restorations` WHEN EXISTS (SELECT 1 FROM `restorations` WHERE `id` = NEW.`id`) BEGIN
  SELECT RAISE(ABORT, 'a restoration is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `recalled_answers_no_update` BEFORE UPDATE ON `recalled_answers` BEGIN
  SELECT RAISE(ABORT, 'a recalled answer is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `recalled_answers_no_delete` BEFORE DELETE ON `recalled_answers` BEGIN
  SELECT RAISE(ABORT, 'a recalled answer is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `recalled_answers_no_replace` BEFORE INSERT ON `recalled_answers` WHEN EXISTS (SELECT 1 FROM `recalled_answers` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a recalled answer is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `rounds_open_once` BEFORE UPDATE OF `opens` ON `rounds` WHEN NEW.`opens` IS NOT OLD.`opens` BEGIN
  SELECT RAISE(ABORT, 'a round opens once');
END;
--> statement-breakpoint
CREATE TRIGGER `prekeys_stay_lost` BEFORE UPDATE OF `is_lost` ON `prekeys` WHEN OLD.`is_lost` AND NOT NEW.`is_lost` BEGIN
  SELECT RAISE(ABORT, 'a lost prekey is never found again');
END;
--> statement-breakpoint
-- What a node said after its backup in a round that opened before the restore it does not know: it says nothing new there.
-- A round that names a prekey which it made since is not of before, whatever the clocks say.
CREATE TRIGGER `contributions_not_forgotten` BEFORE INSERT ON `contributions` WHEN (SELECT `opens` FROM `rounds` WHERE `id` = NEW.`round`) < (SELECT max(`takes_part_from`) FROM `restorations`) AND NOT EXISTS (SELECT 1 FROM `seen_prekeys` JOIN `prekeys` ON `prekeys`.`id` = `seen_prekeys`.`prekey` WHERE `seen_prekeys`.`round` = NEW.`round` AND NOT `prekeys`.`is_lost`) BEGIN
  SELECT RAISE(ABORT, 'a restored node says nothing new in a round of before');
END;
--> statement-breakpoint
CREATE TRIGGER `agreements_not_forgotten` BEFORE INSERT ON `agreements` WHEN (SELECT `opens` FROM `rounds` WHERE `id` = NEW.`round`) < (SELECT max(`takes_part_from`) FROM `restorations`) AND NOT EXISTS (SELECT 1 FROM `seen_prekeys` JOIN `prekeys` ON `prekeys`.`id` = `seen_prekeys`.`prekey` WHERE `seen_prekeys`.`round` = NEW.`round` AND NOT `prekeys`.`is_lost`) BEGIN
  SELECT RAISE(ABORT, 'a restored node says nothing new in a round of before');
END;
--> statement-breakpoint
CREATE TRIGGER `openings_not_forgotten` BEFORE INSERT ON `openings` WHEN (SELECT `opens` FROM `rounds` WHERE `id` = NEW.`round`) < (SELECT max(`takes_part_from`) FROM `restorations`) AND NOT EXISTS (SELECT 1 FROM `seen_prekeys` JOIN `prekeys` ON `prekeys`.`id` = `seen_prekeys`.`prekey` WHERE `seen_prekeys`.`round` = NEW.`round` AND NOT `prekeys`.`is_lost`) BEGIN
  SELECT RAISE(ABORT, 'a restored node says nothing new in a round of before');
END;
--> statement-breakpoint
CREATE TRIGGER `void_statements_not_forgotten` BEFORE INSERT ON `void_statements` WHEN coalesce((SELECT `opens` FROM `rounds` WHERE `id` = NEW.`round`), 0) < (SELECT max(`takes_part_from`) FROM `restorations`) AND NOT EXISTS (SELECT 1 FROM `seen_prekeys` JOIN `prekeys` ON `prekeys`.`id` = `seen_prekeys`.`prekey` WHERE `seen_prekeys`.`round` = NEW.`round` AND NOT `prekeys`.`is_lost`) BEGIN
  SELECT RAISE(ABORT, 'a restored node says nothing new in a round of before');
END;
--> statement-breakpoint
CREATE TRIGGER `recounts_not_forgotten` BEFORE INSERT ON `recounts` WHEN NEW.`opens` < (SELECT max(`takes_part_from`) FROM `restorations`) AND NOT EXISTS (SELECT 1 FROM `seen_prekeys` JOIN `prekeys` ON `prekeys`.`id` = `seen_prekeys`.`prekey` WHERE `seen_prekeys`.`round` = NEW.`round` AND NOT `prekeys`.`is_lost`) BEGIN
  SELECT RAISE(ABORT, 'a restored node says nothing new in a round of before');
END;
