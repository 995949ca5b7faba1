-- A seed that was revealed for one sum draws a custodian for no other.
CREATE TRIGGER `queries_one_sum` BEFORE UPDATE OF `sum` ON `queries` WHEN OLD.`sum` IS NOT NULL AND NEW.`sum` IS NOT OLD.`sum` BEGIN
  SELECT RAISE(ABORT, 'a seed is revealed for one sum');
END;
