-- Tables of the store. Who writes them: `append_v1` alone, which adds facts and what follows from them in one transaction.
-- Times are milliseconds since 1970, UTC. `rec` and `body` are MessagePack with field names behind a version byte, as in a data
-- directory; the columns beside them say the same, and are what lists are read by.
-- A later version adds columns that may be null, and functions with a higher number: never does it change what is here.

create table store (
  one boolean primary key default true check (one),
  id text not null default gen_random_uuid()::text,   -- which store this is
  min_reader int4 not null,                           -- the oldest form of a program that reads it
  min_writer int4 not null,                           -- the oldest form of a program that writes it
  created timestamptz not null default clock_timestamp()
);
insert into store (min_reader, min_writer) values (1, 1);

-- How each table and function was made, so that one which was altered since is named.
create table made_as (
  name text primary key,
  said text not null
);

-- The end of the chain, and who may add to it.
create table head (
  book int2 primary key,
  seq int8 not null,              -- place of the last fact
  hash bytea not null,            -- hash of the last fact
  fence int8 not null default 0,  -- how often writing was taken over
  host text,                      -- the machine that writes, for people
  boot text,                      -- its start: an id, never a name
  since timestamptz,
  until timestamptz               -- as long as this is to come nobody else may write
) with (fillfactor = 10);
insert into head (book, seq, hash) values (1, 0, decode(repeat('00', 32), 'hex'));

create table fact (
  seq int8 primary key,
  at int8 not null,               -- by the clock of the machine that wrote it
  run text,
  body bytea not null,
  hash bytea not null,            -- sha256(hash before || place || sha256(body))
  batch text not null,
  fence int8 not null,
  stored timestamptz not null default clock_timestamp()
);

-- Batches, so that one which is sent again is not stored again.
create table batch_seen (
  batch text primary key,
  seq int8 not null,              -- place before its first fact
  n int4 not null,
  stored timestamptz not null default clock_timestamp()
);
create index batch_seen_stored on batch_seen (stored);

-- Numbers for names, given once and never again.
create table plan (no int4 primary key, name text collate "C" not null unique);
create table env (no int4 primary key, name text collate "C" not null unique);
create table family (
  no int4 primary key,
  env text collate "C" not null,
  form text collate "C" not null,
  op text collate "C" not null,   -- '' for Audit
  unique (env, form, op)
);
create table plan_rev (rev text collate "C" primary key, body bytea not null);

create table run (
  no int4 primary key,            -- in order of opening
  id text collate "C" not null unique,
  plan int4 not null references plan,
  family int4 not null references family,
  kind text not null,
  state text not null,
  counts boolean not null,        -- approved, or one that verifies: its outcomes concern the ledger
  opened int8 not null,
  closed int8,
  found int8 not null,
  done int8 not null,
  already int8 not null,
  skipped int8 not null,
  failed int8 not null,
  unknown int8 not null,
  waiting int8 not null,
  not_reached int8 not null,
  live bytea not null,
  sort bytea,                     -- of a closed run: what filters ask of it, then its number
  constraint the_sum_closes check (found = done + already + skipped + failed + unknown + waiting + not_reached),
  constraint no_column_below_zero
    check (least(found, done, already, skipped, failed, unknown, waiting, not_reached) >= 0)
) with (fillfactor = 40);
-- What does not change with every bill of it: by itself, so that it is not written again with each.
create table run_head (no int4 primary key references run, rec bytea not null);
create index run_of_plan on run (plan, no);
create index run_open on run (no) where closed is null;
create index run_sort on run (sort) where sort is not null;

-- A bill in a run.
create table bill_row (
  run int4 not null references run,
  fk bytea not null,              -- the id as it sorts
  fid text not null,
  no text not null,
  slot int2 not null check (slot between 0 and 6), -- waiting, done, already, skipped, failed, unknown, not reached
  trying boolean not null,        -- a call has left and is not answered
  cause text,
  attempts int4 not null,
  at int8 not null,
  h_seq int8 not null,            -- place of its last change, and place within that fact
  h_place int4 not null,
  rec bytea not null,
  primary key (run, fk)
) with (fillfactor = 80);
create index bill_row_history on bill_row (h_seq, h_place);
create index bill_row_history_of_slot on bill_row (slot, h_seq, h_place) where slot >= 2;
create index bill_row_slot on bill_row (run, slot, fk);
create index bill_row_trying on bill_row (run, fk) where trying;

-- A bill over all runs, under one operation.
create table bill (
  family int4 not null references family,
  fk bytea not null,
  fid text not null,
  found_run int4 not null,        -- the run that found it last
  changed_run int4 not null,      -- the run that changed it last
  deaths int4 not null,
  since int8,                     -- unresolved since
  open_run int4,
  open_plan int4,
  open_slot int2,
  open_group text collate "C",
  rec bytea not null,
  primary key (family, fk)
) with (fillfactor = 70);
create index bill_ledger on bill (since, family, fk) where since is not null;
create index bill_group on bill (open_slot, open_group, since, family, fk) where since is not null;
create index bill_group_of_plan on bill (open_plan, open_slot, open_group, since, family, fk) where since is not null;

-- A record of the ERP, whatever is done to it: what may not be touched twice at once.
create table record (
  env text collate "C" not null,
  form text collate "C" not null,
  fk bytea not null,
  fid text not null,
  hand int4,                      -- the run that has it in hand, from its call to an outcome that is not unknown
  last int8 not null,             -- place of the newest fact about it
  primary key (env, form, fk)
) with (fillfactor = 70);

create table number (
  k bytea primary key,            -- number, family and id as they sort
  number text not null,
  family int4 not null,
  made boolean not null           -- the number of the bill that was made of it
);

-- Places of facts of bills that have very many.
create table bill_places (run int4 not null, fk bytea not null, chunk int4 not null, rec bytea not null, primary key (run, fk, chunk));

create table mark (plan int4 not null references plan, env int4 not null references env, seen text, rec bytea not null, primary key (plan, env));
create table server (env int4 primary key references env, address text not null, account_set text not null, rec bytea not null);
create table made (env text collate "C" not null, form text collate "C" not null, no text not null, rec bytea not null, primary key (env, form));
create table stopped (plan int4 primary key references plan, run int4 not null references run, rec bytea not null);
create table cured (plan int4 not null references plan, cause text collate "C" not null, at int8 not null, rec bytea not null, primary key (plan, cause));
create table ledger_count (plan int4 not null, slot int2 not null, grp text collate "C" not null, n int8 not null check (n > 0), primary key (plan, slot, grp));
create table unresolved (plan int4 primary key, n int8 not null check (n > 0));
create table hour (
  plan int4 not null references plan,
  begins int8 not null,
  kind int2 not null,             -- 0 fresh, 1 retry, 2 verify
  runs int8 not null,
  found int8 not null,
  calls int8 not null,
  answers int8 not null,
  call_ms int8 not null,
  rec bytea not null,
  primary key (plan, begins, kind)
) with (fillfactor = 50);
create table action (seq int8 primary key, at int8 not null, verb text not null, who text not null, run text, result text not null, rec bytea not null);
-- Records that were handed in for plans: where the newest body of each stands.
create table handed_in (
  plan int4 not null references plan,
  env int4 not null references env,
  form text collate "C" not null,
  fk bytea not null,
  fid text not null,
  seq int8 not null,
  primary key (plan, env, form, fk)
);
create index handed_in_order on handed_in (plan, env, form, seq);
create table meta (k bytea primary key, rec bytea not null);
