-- What a sponsor said stands, and a revocation cannot be taken back.
CREATE TRIGGER `sponsorships_no_update` BEFORE UPDATE ON `sponsorships` BEGIN
  SELECT RAISE(ABORT, 'a sponsorship is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `sponsorships_no_delete` BEFORE DELETE ON `sponsorships` BEGIN
  SELECT RAISE(ABORT, 'a sponsorship is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `sponsorships_no_replace` BEFORE INSERT ON `sponsorships` WHEN EXISTS (SELECT 1 FROM `sponsorships` WHERE `id` = NEW.`id`) BEGIN
  SELECT RAISE(ABORT, 'a sponsorship is never changed');
END;
--> statement-breakpoint
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
