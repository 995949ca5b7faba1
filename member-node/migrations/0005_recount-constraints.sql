-- Add up again once: a second, different result is impossible, not only refused.
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
