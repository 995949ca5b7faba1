-- A member confirms one charter after each; what is in force stays so; what somebody confirmed is not withdrawn.
CREATE TRIGGER `confirmations_no_update` BEFORE UPDATE ON `confirmations` BEGIN
  SELECT RAISE(ABORT, 'a confirmation is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `confirmations_no_delete` BEFORE DELETE ON `confirmations` BEGIN
  SELECT RAISE(ABORT, 'a confirmation is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `confirmations_no_replace` BEFORE INSERT ON `confirmations` WHEN EXISTS (SELECT 1 FROM `confirmations` WHERE `previous` = NEW.`previous` AND `member` = NEW.`member`) BEGIN
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
CREATE TRIGGER `charters_withdrawn_unconfirmed` BEFORE UPDATE OF `withdrawn_at` ON `charters` WHEN NEW.`withdrawn_at` IS NOT NULL AND EXISTS (SELECT 1 FROM `confirmations` WHERE `charter` = NEW.`id`) AND NOT EXISTS (SELECT 1 FROM `charters` AS `other` WHERE `other`.`in_force_at` IS NOT NULL AND `other`.`epoch` >= NEW.`epoch`) BEGIN
  SELECT RAISE(ABORT, 'a charter that somebody confirmed is not withdrawn');
END;
