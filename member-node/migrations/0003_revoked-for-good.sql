-- Whom this node knows to be revoked stays so.
CREATE TRIGGER `revocations_no_update` BEFORE UPDATE ON `revocations` BEGIN
  SELECT RAISE(ABORT, 'a revocation is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `revocations_no_delete` BEFORE DELETE ON `revocations` BEGIN
  SELECT RAISE(ABORT, 'a revocation is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `revocations_no_replace` BEFORE INSERT ON `revocations` WHEN EXISTS (SELECT 1 FROM `revocations` WHERE `id` = NEW.`id`) BEGIN
  SELECT RAISE(ABORT, 'a revocation is never changed');
END;
