-- Several machines that write at once: which they are, and whose runs are in whose hands.
-- A machine is an id made at its start, never a name: one that starts anew is another one, and takes its own old runs like a
-- stranger's. Only the database's clock says whether one was heard of.

create table host (
  no int4 primary key,
  name text not null,               -- for people
  boot text not null unique,        -- its start
  version text not null,
  joined timestamptz not null default clock_timestamp(),
  until timestamptz not null,       -- until when it counts as alive without another sign of life
  gone timestamptz                  -- left in order, or was shown out
);
-- In whose hands a run is, and how often it was taken over. Null: nobody's, or of a machine that writes alone.
alter table run add column holder int4 references host;
alter table run add column fence int8;
-- A machine that others were always ahead of has the next append to itself, for a moment.
alter table head add column turn int4 references host;
alter table head add column turn_until timestamptz;
create index run_held on run (holder) where holder is not null and closed is null;

-- Due times that were started, each by one machine: all of them have the same clock.
create table slot (
  plan text collate "C" not null,
  remedy boolean not null,          -- of the plan's compensation query
  due int8 not null,
  run text collate "C" not null,
  at timestamptz not null default clock_timestamp(),
  primary key (plan, remedy, due)
);
create index slot_at on slot (at);
create type slot_v1 as (plan text, remedy boolean, due int8, run text);

-- Joins those that write. No row: a machine writes alone, and its turn is not over.
create function join_v1(p_name text, p_boot text, p_version text, p_lease int4) returns table (host int4, fence int8, seq int8)
language plpgsql security definer set search_path = skydeck, pg_temp as $$
declare
  v_fence int8;
  v_seq int8;
  v_no int4;
begin
  delete from batch_seen b where b.stored < clock_timestamp() - interval '7 days';
  delete from slot s where s.at < clock_timestamp() - interval '400 days';
  update head h set host = '*', boot = '*', fence = h.fence + case when h.boot = '*' then 0 else 1 end,
      since = case when h.boot = '*' then h.since else clock_timestamp() end,
      until = greatest(case when h.boot = '*' then h.until end, clock_timestamp() + make_interval(secs => p_lease))
    where h.book = 1 and (h.until is null or h.until < clock_timestamp() or h.boot = '*')
    returning h.fence, h.seq into v_fence, v_seq;
  if not found then
    return;
  end if;
  insert into host (no, name, boot, version, until)
    select coalesce(max(h.no), 0) + 1, p_name, p_boot, p_version, clock_timestamp() + make_interval(secs => p_lease) from host h
    returning no into v_no;
  return query select v_no, v_fence, v_seq;
end $$;

-- A sign of life. False: it was shown out, or a machine writes alone now.
create function stay_v1(p_host int4, p_fence int8, p_lease int4) returns boolean
language plpgsql security definer set search_path = skydeck, pg_temp as $$
declare
  v_until timestamptz := clock_timestamp() + make_interval(secs => p_lease);
begin
  update head set until = greatest(until, v_until) where book = 1 and fence = p_fence and boot = '*';
  if not found then
    return false;
  end if;
  update host set until = v_until where no = p_host and gone is null;
  return found;
end $$;

-- Leaves: what was in its hands is nobody's, so that nobody waits for the end of its time.
create function part_v1(p_host int4) returns void
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  perform 1 from head where book = 1 for no key update;
  update run set holder = null where holder = p_host and closed is null;
  update host set gone = clock_timestamp() where no = p_host and gone is null;
  update head set until = null
    where book = 1 and boot = '*' and not exists (select from host where gone is null and until >= clock_timestamp());
end $$;

-- Has the next append to itself, for some milliseconds: others wait. False: another machine has.
create function turn_v1(p_host int4, p_ms int4) returns boolean
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  update head set turn = p_host, turn_until = clock_timestamp() + make_interval(secs => p_ms / 1000.0)
    where book = 1 and (turn is null or turn = p_host or turn_until < clock_timestamp());
  return found;
end $$;

-- Shows a machine out: nothing more is stored for it. False: it is gone.
create function evict_v1(p_host int4) returns boolean
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  perform 1 from head where book = 1 for no key update;
  update host set gone = clock_timestamp() where no = p_host and gone is null;
  return found;
end $$;

-- Takes a run over: of nobody, of a machine that left, or of one whose time was over at both looks of the one that takes it
-- (`p_until`: until when it was to be heard of, as it was seen, in microseconds). False: somebody else was first, or it is back.
create function take_run_v1(p_host int4, p_run text, p_holder int4, p_until int8) returns boolean
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  -- Appends take this row first: what they look at stays as it is until this is through.
  perform 1 from head where book = 1 for no key update;
  update run r set holder = p_host, fence = coalesce(r.fence, 0) + 1
    where r.id = p_run and r.closed is null and r.holder is not distinct from p_holder
      and exists (select from host h where h.no = p_host and h.gone is null and h.until >= clock_timestamp())
      and (r.holder is null
        or exists (select from host h where h.no = p_holder and (h.gone is not null
          or ((extract(epoch from h.until) * 1000000)::int8 = p_until and h.until < clock_timestamp()))));
  return found;
end $$;

-- Adds facts, of one of several machines (`p_host`), or of one that writes alone (null). `p_held`: runs that the facts go on with;
-- they must be in its hands. `p_opened`: runs that begin with them, which are from then on.
create function append_v2(
  p_host int4, p_held text[], p_opened text[], p_slots slot_v1[],
  p_fence int8, p_after int8, p_batches batch_v1[], p_facts fact_v1[], p_known known_v1[], p_names name_v1[], p_revs rev_v1[],
  p_runs run_v1[], p_heads run_head_v1[], p_rows bill_row_v1[], p_bills bill_v1[], p_records record_v1[], p_numbers number_v1[], p_places places_v1[],
  p_hours hour_v1[], p_actions action_v1[], p_kept kept_v1[]) returns bytea
language plpgsql security definer set search_path = skydeck, pg_temp as $$
#variable_conflict use_column
declare
  v_said text;
  v_hash bytea;
  v_turn int4;
begin
  select turn into v_turn from head where book = 1 for no key update;
  if v_turn <> p_host and exists (select from head where book = 1 and turn_until >= clock_timestamp()) then
    raise exception using errcode = 'SK008', message = 'another machine has its turn';
  end if;
  -- One that was sent again comes before everything else: that its conditions hold no more changes nothing.
  select string_agg(s.batch, ' ') into v_said from batch_seen s join unnest(p_batches) b on b.batch = s.batch;
  if v_said is not null then
    raise exception using errcode = 'SK006', message = v_said;
  end if;
  if p_host is not null then
    if not exists (select from host where no = p_host and gone is null) then
      raise exception using errcode = 'SK001', message = 'this machine was shown out';
    end if;
    -- What was worked out on an older end has other numbers for the same names: nothing of it can be compared.
    if not exists (select from head where book = 1 and seq = p_after) then
      raise exception using errcode = 'SK005', message = 'others wrote meanwhile';
    end if;
    select string_agg(r.id, ' ') into v_said from run r where r.id = any(p_held) and r.holder is distinct from p_host;
    if v_said is not null then
      raise exception using errcode = 'SK007', message = v_said;
    end if;
    -- A due time is started once.
    select string_agg(s.run, ' ') into v_said from slot s join unnest(p_slots) n on n.plan = s.plan and n.remedy = s.remedy and n.due = s.due;
    if v_said is not null then
      raise exception using errcode = 'SK007', message = v_said;
    end if;
    -- A plan has one open run, whichever machine opened it.
    select string_agg(r.id, ' ') into v_said from unnest(p_runs) n join run r on r.plan = n.plan and r.closed is null
      where n.id = any(p_opened) and not r.id = any(p_opened);
    if v_said is not null then
      raise exception using errcode = 'SK007', message = v_said;
    end if;
  end if;
  v_hash := append_v1(p_fence, p_after, p_batches, p_facts, p_known, p_names, p_revs, p_runs, p_heads, p_rows, p_bills, p_records,
    p_numbers, p_places, p_hours, p_actions, p_kept);
  if v_turn is not null then
    update head set turn = null, turn_until = null where book = 1;
  end if;
  insert into slot (plan, remedy, due, run) select plan, remedy, due, run from unnest(p_slots) on conflict do nothing;
  if p_host is not null and cardinality(p_opened) > 0 then
    update run set holder = p_host, fence = 1 where id = any(p_opened);
  end if;
  return v_hash;
end $$;

revoke all on all functions in schema skydeck from public;
grant select on host, slot to skydeck_host, skydeck_reader;
grant execute on function join_v1(text, text, text, int4), stay_v1(int4, int8, int4), part_v1(int4), evict_v1(int4),
  turn_v1(int4, int4),
  take_run_v1(int4, text, int4, int8) to skydeck_host;
grant execute on function append_v2(int4, text[], text[], slot_v1[], int8, int8, batch_v1[], fact_v1[], known_v1[], name_v1[], rev_v1[], run_v1[],
  run_head_v1[], bill_row_v1[], bill_v1[], record_v1[], number_v1[], places_v1[], hour_v1[], action_v1[], kept_v1[]) to skydeck_host;
delete from made_as;
insert into made_as (name, said) select name, said from shapes_v1();
