-- A custodian opens a round or gives it up, never both; and it agrees to nothing that it gave up.
CREATE TRIGGER `void_statements_no_update` BEFORE UPDATE ON `void_statements` BEGIN
  SELECT RAISE(ABORT, 'a void statement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `void_statements_no_delete` BEFORE DELETE ON `void_statements` BEGIN
  SELECT RAISE(ABORT, 'a void statement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `void_statements_no_replace` BEFORE INSERT ON `void_statements` WHEN EXISTS (SELECT 1 FROM `void_statements` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a void statement is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `void_statements_never_opened` BEFORE INSERT ON `void_statements` WHEN EXISTS (SELECT 1 FROM `openings` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'an opened round is never given up');
END;
--> statement-breakpoint
CREATE TRIGGER `openings_never_void` BEFORE INSERT ON `openings` WHEN EXISTS (SELECT 1 FROM `void_statements` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a round that was given up is never opened');
END;
--> statement-breakpoint
CREATE TRIGGER `agreements_never_void` BEFORE INSERT ON `agreements` WHEN EXISTS (SELECT 1 FROM `void_statements` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a round that was given up is never agreed to');
END;
--> statement-breakpoint
CREATE TRIGGER `shares_never_void` BEFORE INSERT ON `shares` WHEN EXISTS (SELECT 1 FROM `void_statements` WHERE `round` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a round that was given up has no shares');
END;
--> statement-breakpoint
-- The log is read forward only, and what was read stays.
CREATE TRIGGER `log_reading_forward` BEFORE UPDATE ON `log_reading` WHEN NEW.`size` < OLD.`size` BEGIN
  SELECT RAISE(ABORT, 'the log is never read back');
END;
--> statement-breakpoint
CREATE TRIGGER `log_reading_no_delete` BEFORE DELETE ON `log_reading` BEGIN
  SELECT RAISE(ABORT, 'the log is never read back');
END;
--> statement-breakpoint
CREATE TRIGGER `log_entries_no_update` BEFORE UPDATE ON `log_entries` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `log_entries_no_delete` BEFORE DELETE ON `log_entries` BEGIN
  SELECT RAISE(ABORT, 'the log is never changed');
END;
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
-- New custodians do not see what is agreed to after the head that their charter names.
CREATE TRIGGER `ended_custodies_no_update` BEFORE UPDATE ON `ended_custodies` BEGIN
  SELECT RAISE(ABORT, 'a custody that ended does not begin again');
END;
--> statement-breakpoint
CREATE TRIGGER `ended_custodies_no_delete` BEFORE DELETE ON `ended_custodies` BEGIN
  SELECT RAISE(ABORT, 'a custody that ended does not begin again');
END;
--> statement-breakpoint
CREATE TRIGGER `agreements_in_custody` BEFORE INSERT ON `agreements` WHEN EXISTS (SELECT 1 FROM `ended_custodies` JOIN `rounds` ON `rounds`.`charter` = `ended_custodies`.`charter` WHERE `rounds`.`id` = NEW.`round`) BEGIN
  SELECT RAISE(ABORT, 'a custodian that signed another custody agrees to nothing more');
END;
--> statement-breakpoint
-- Once a policy in force names stewards, another one follows it only with their signatures, or with the node's own in their place.
CREATE TRIGGER `policies_signed` BEFORE INSERT ON `policies` WHEN
  (SELECT `signatures_to_follow` FROM `policies` ORDER BY `version` DESC LIMIT 1) > 0
  AND NOT (NEW.`admitted_by` = 'stewards' AND (SELECT `signatures_to_follow` FROM `policies` ORDER BY `version` DESC LIMIT 1) <=
    (SELECT count(DISTINCT `steward`) FROM `policy_signatures` WHERE `policy` = NEW.`sha256` AND `follows` = (SELECT max(`version`) FROM `policies`)))
  AND NOT (NEW.`admitted_by` = 'node' AND EXISTS
    (SELECT 1 FROM `policy_signatures` WHERE `policy` = NEW.`sha256` AND `follows` = (SELECT max(`version`) FROM `policies`) AND `steward` IS NULL))
BEGIN
  SELECT RAISE(ABORT, 'a policy that names stewards is followed by what they signed');
END;
--> statement-breakpoint
CREATE TRIGGER `policy_signatures_of_the_one_in_force` BEFORE INSERT ON `policy_signatures` WHEN NEW.`follows` IS NOT (SELECT max(`version`) FROM `policies`) BEGIN
  SELECT RAISE(ABORT, 'another policy is in force by now');
END;
--> statement-breakpoint
CREATE TRIGGER `policy_signatures_no_update` BEFORE UPDATE ON `policy_signatures` BEGIN
  SELECT RAISE(ABORT, 'a signature is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `policy_signatures_no_delete` BEFORE DELETE ON `policy_signatures` BEGIN
  SELECT RAISE(ABORT, 'a signature is never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `policy_signatures_no_replace` BEFORE INSERT ON `policy_signatures` WHEN EXISTS (SELECT 1 FROM `policy_signatures` WHERE `id` = NEW.`id`) BEGIN
  SELECT RAISE(ABORT, 'a signature is never changed');
END;
--> statement-breakpoint
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
