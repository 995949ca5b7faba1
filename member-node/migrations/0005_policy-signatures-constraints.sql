-- Once a policy in force names stewards, another one follows it only with their signatures, or with the node's own in their place.
CREATE TRIGGER `policies_say_by_whom` BEFORE INSERT ON `policies` WHEN NEW.`admitted_by` IS NULL OR NEW.`signatures_to_follow` IS NULL BEGIN
  SELECT RAISE(ABORT, 'a policy says who let it follow the one before, and how many sign the next');
END;
--> statement-breakpoint
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
