-- A head that was signed stands on these; one that changed would be another history.
CREATE TRIGGER `log_hashes_no_update` BEFORE UPDATE ON `log_hashes` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `log_hashes_no_delete` BEFORE DELETE ON `log_hashes` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `log_hashes_no_replace` BEFORE INSERT ON `log_hashes` WHEN EXISTS (SELECT 1 FROM `log_hashes` WHERE `height` = NEW.`height` AND `index` = NEW.`index`) BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
