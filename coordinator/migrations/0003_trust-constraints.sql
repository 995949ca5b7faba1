-- A void statement is kept as it came, only a void round has a certificate, and it has one.
CREATE TRIGGER `void_statements_no_update` BEFORE UPDATE ON `void_statements` BEGIN
  SELECT RAISE(ABORT, 'a void statement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `void_statements_no_delete` BEFORE DELETE ON `void_statements` BEGIN
  SELECT RAISE(ABORT, 'a void statement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `void_statements_no_replace` BEFORE INSERT ON `void_statements` WHEN EXISTS (SELECT 1 FROM `void_statements` WHERE `round` = NEW.`round` AND `custodian` = NEW.`custodian`) BEGIN
  SELECT RAISE(ABORT, 'a void statement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `rounds_one_void_certificate` BEFORE UPDATE OF `void_certificate` ON `rounds` WHEN OLD.`void_certificate` IS NOT NULL OR OLD.`state` <> 'void' BEGIN
  SELECT RAISE(ABORT, 'only a void round has a void certificate, and only one');
END;
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
-- What a member said last stands: an offer from before never takes the place of a newer one.
CREATE TRIGGER `offers_never_older` BEFORE INSERT ON `offers` WHEN EXISTS (SELECT 1 FROM `offers` WHERE `member` = NEW.`member` AND `issued_at` >= NEW.`issued_at`) BEGIN
  SELECT RAISE(ABORT, 'an offer never takes the place of a newer one');
END;
--> statement-breakpoint
CREATE TRIGGER `offers_no_older_update` BEFORE UPDATE ON `offers` WHEN NEW.`issued_at` <= OLD.`issued_at` BEGIN
  SELECT RAISE(ABORT, 'an offer never takes the place of a newer one');
END;
--> statement-breakpoint
-- A round has one release, and what was published stands.
CREATE TRIGGER `releases_no_update` BEFORE UPDATE ON `releases` BEGIN
  SELECT RAISE(ABORT, 'a release is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `releases_no_delete` BEFORE DELETE ON `releases` BEGIN
  SELECT RAISE(ABORT, 'a release is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `releases_no_replace` BEFORE INSERT ON `releases` WHEN EXISTS (SELECT 1 FROM `releases` WHERE `round` = NEW.`round` OR `id` = NEW.`id`) BEGIN
  SELECT RAISE(ABORT, 'a release is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `releases_of_opened_rounds` BEFORE INSERT ON `releases` WHEN NOT EXISTS (SELECT 1 FROM `rounds` WHERE `id` = NEW.`round` AND `state` = 'opened') BEGIN
  SELECT RAISE(ABORT, 'an answer is released once its round is opened');
END;
