-- What was in force, and what people decided, stays as it was written down.
CREATE TRIGGER `policies_no_update` BEFORE UPDATE ON `policies` BEGIN
  SELECT RAISE(ABORT, 'a policy that was in force is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `policies_no_delete` BEFORE DELETE ON `policies` BEGIN
  SELECT RAISE(ABORT, 'a policy that was in force is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `decisions_no_update` BEFORE UPDATE ON `decisions` BEGIN
  SELECT RAISE(ABORT, 'a decision is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `decisions_no_delete` BEFORE DELETE ON `decisions` BEGIN
  SELECT RAISE(ABORT, 'a decision is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `policies_no_replace` BEFORE INSERT ON `policies` WHEN EXISTS (SELECT 1 FROM `policies` WHERE `version` >= NEW.`version`) BEGIN
  SELECT RAISE(ABORT, 'a policy that was in force is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `decisions_no_replace` BEFORE INSERT ON `decisions` WHEN EXISTS (SELECT 1 FROM `decisions` WHERE `id` = NEW.`id`) BEGIN
  SELECT RAISE(ABORT, 'a decision is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `decisions_in_time` BEFORE INSERT ON `decisions` WHEN NEW.`decided_at` >= (SELECT `expires` FROM `queue` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'the time to decide is over');
END;
--> statement-breakpoint
CREATE TRIGGER `decisions_before_the_answer` BEFORE INSERT ON `decisions` WHEN EXISTS (SELECT 1 FROM `contributions` WHERE `round` = NEW.`round`) OR EXISTS (SELECT 1 FROM `refusals` WHERE `round` = NEW.`round` AND `step` = 'contribute') BEGIN
  SELECT RAISE(ABORT, 'the question was answered or refused');
END;
