-- Format 5: fewer records for what is delivered soon. A delivery that no record says anything of waits, if its message is
-- `floor` or later (young.rs); nothing is NULL there but in a store that no commit was made in since. The attempt that settled
-- a delivery is in the record of its end, where there was one, and its CRC covers it there.
ALTER TABLE meta ADD COLUMN floor INTEGER;
ALTER TABLE settled ADD COLUMN number INTEGER;
ALTER TABLE settled ADD COLUMN ended INTEGER;
ALTER TABLE settled ADD COLUMN word TEXT;
ALTER TABLE settled ADD COLUMN outcome TEXT;
ALTER TABLE settled ADD COLUMN status INTEGER;
ALTER TABLE settled ADD COLUMN took INTEGER;
ALTER TABLE settled ADD COLUMN response TEXT;
ALTER TABLE settled ADD COLUMN peer TEXT;
ALTER TABLE settled ADD COLUMN connect INTEGER;
ALTER TABLE settled ADD COLUMN tls INTEGER;
ALTER TABLE settled ADD COLUMN first_byte INTEGER;
