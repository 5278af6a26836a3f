-- Format 3: where an attempt went, and microseconds from its begin to its parts. The CRC covers them where there are some.
ALTER TABLE attempt ADD COLUMN peer TEXT;
ALTER TABLE attempt ADD COLUMN connect INTEGER;
ALTER TABLE attempt ADD COLUMN tls INTEGER;
ALTER TABLE attempt ADD COLUMN first_byte INTEGER;
