-- Confirm once after each charter, and never go back, sideways, or away from a charter in force.
CREATE TRIGGER `confirmations_no_update` BEFORE UPDATE ON `confirmations` BEGIN
  SELECT RAISE(ABORT, 'a confirmation is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `confirmations_no_delete` BEFORE DELETE ON `confirmations` BEGIN
  SELECT RAISE(ABORT, 'a confirmation is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `confirmations_no_replace` BEFORE INSERT ON `confirmations` WHEN EXISTS (SELECT 1 FROM `confirmations` WHERE `previous` = NEW.`previous`) BEGIN
  SELECT RAISE(ABORT, 'a confirmation is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `charters_stay_in_force` BEFORE UPDATE ON `charters` WHEN OLD.`in_force_at` IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a charter that is in force is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `charters_no_delete` BEFORE DELETE ON `charters` WHEN OLD.`in_force_at` IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a charter that is in force is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `charters_forward` BEFORE UPDATE OF `in_force_at` ON `charters` WHEN EXISTS (SELECT 1 FROM `charters` AS `other` WHERE `other`.`in_force_at` IS NOT NULL AND `other`.`epoch` >= NEW.`epoch`) BEGIN
  SELECT RAISE(ABORT, 'a node goes from one charter to the next');
END;
--> statement-breakpoint
CREATE TRIGGER `charters_begin_forward` BEFORE INSERT ON `charters` WHEN NEW.`in_force_at` IS NOT NULL AND EXISTS (SELECT 1 FROM `charters` AS `other` WHERE `other`.`in_force_at` IS NOT NULL AND `other`.`epoch` >= NEW.`epoch`) BEGIN
  SELECT RAISE(ABORT, 'a node goes from one charter to the next');
END;
