-- Adding facts: one call, one transaction.

create type batch_v1 as (batch text, n int4);
create type fact_v1 as (at int8, run text, body bytea, digest bytea);
create type known_v1 as (env text, form text, fk bytea, last int8);
create type name_v1 as (kind int2, no int4, a text, b text, c text);
create type rev_v1 as (rev text, body bytea);
create type run_v1 as (no int4, id text, plan int4, family int4, kind text, state text, counts boolean, opened int8, closed int8,
  found int8, done int8, already int8, skipped int8, failed int8, unknown int8, waiting int8, not_reached int8, live bytea,
  sort bytea);
create type run_head_v1 as (no int4, rec bytea);
create type bill_row_v1 as (run int4, fk bytea, fid text, no text, slot int2, trying boolean, cause text, attempts int4, at int8,
  h_seq int8, h_place int4, rec bytea);
create type bill_v1 as (family int4, fk bytea, fid text, found_run int4, changed_run int4, deaths int4, since int8, open_run int4,
  open_plan int4, open_slot int2, open_group text, rec bytea);
create type record_v1 as (env text, form text, fk bytea, fid text, hand int4, keeps boolean, last int8);
create type number_v1 as (k bytea, number text, family int4, made boolean);
create type places_v1 as (run int4, fk bytea, chunk int4, rec bytea);
create type hour_v1 as (plan int4, begins int8, kind int2, runs int8, found int8, calls int8, answers int8, call_ms int8, rec bytea);
create type action_v1 as (seq int8, at int8, verb text, who text, run text, result text, rec bytea);
-- What there is little of: `kind` says of which table, `rec` is null where the row goes.
create type kept_v1 as (kind text, plan int4, env int4, slot int2, a text, b text, k bytea, n int8, rec bytea);

-- Takes the pen, where nobody has it or who had it has let its time go by. No row: somebody else has it.
create function take_pen_v1(p_host text, p_boot text, p_lease int4) returns table (fence int8, seq int8, hash bytea)
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  delete from batch_seen b where b.stored < clock_timestamp() - interval '7 days';
  return query update head h set host = p_host, boot = p_boot, fence = h.fence + 1, since = clock_timestamp(),
      until = clock_timestamp() + make_interval(secs => p_lease)
    where h.book = 1 and (h.until is null or h.until < clock_timestamp() or h.boot = p_boot)
    returning h.fence, h.seq, h.hash;
end $$;

-- Keeps the pen. False: somebody else has taken it.
create function keep_pen_v1(p_fence int8, p_lease int4) returns boolean
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  update head set until = clock_timestamp() + make_interval(secs => p_lease) where book = 1 and fence = p_fence;
  return found;
end $$;

-- Lays the pen down.
create function leave_pen_v1(p_fence int8) returns boolean
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  update head set until = null where book = 1 and fence = p_fence;
  return found;
end $$;

create function append_v1(
  p_fence int8, p_after int8, p_batches batch_v1[], p_facts fact_v1[], p_known known_v1[], p_names name_v1[], p_revs rev_v1[],
  p_runs run_v1[], p_heads run_head_v1[], p_rows bill_row_v1[], p_bills bill_v1[], p_records record_v1[], p_numbers number_v1[], p_places places_v1[],
  p_hours hour_v1[], p_actions action_v1[], p_kept kept_v1[]) returns bytea
language plpgsql security definer set search_path = skydeck, pg_temp as $$
#variable_conflict use_column
declare
  v_head head;
  v_hash bytea;
  v_seq int8;
  v_fact fact_v1;
  v_batch batch_v1;
  v_left int4 := 0;
  v_next int4 := 0;
  v_said text;
begin
  select * into v_head from head where book = 1 for no key update;
  if v_head.fence <> p_fence then
    raise exception using errcode = 'SK001', message = 'another machine has taken over writing: ' || coalesce(v_head.host, '?');
  end if;
  -- One that was sent again comes before everything else: that its conditions hold no more changes nothing.
  select string_agg(s.batch, ' ') into v_said from batch_seen s join unnest(p_batches) b on b.batch = s.batch;
  if v_said is not null then
    raise exception using errcode = 'SK006', message = v_said;
  end if;
  if v_head.seq <> p_after then
    raise exception using errcode = 'SK005', message = format('the last fact is %s, not %s', v_head.seq, p_after);
  end if;
  select string_agg(format('%s', n.ordinality), ' ') into v_said
    from unnest(p_known) with ordinality n left join record r on r.env = n.env and r.form = n.form and r.fk = n.fk
    where coalesce(r.last, 0) <> n.last;
  if v_said is not null then
    raise exception using errcode = 'SK002', message = v_said;
  end if;

  insert into plan (no, name) select no, a from unnest(p_names) where kind = 1;
  insert into env (no, name) select no, a from unnest(p_names) where kind = 2;
  insert into family (no, env, form, op) select no, a, b, c from unnest(p_names) where kind = 3;
  insert into plan_rev (rev, body) select rev, body from unnest(p_revs) on conflict (rev) do update set body = excluded.body;
  insert into run (no, id, plan, family, kind, state, counts, opened, closed, found, done, already, skipped, failed, unknown, waiting,
      not_reached, live, sort)
    select no, id, plan, family, kind, state, counts, opened, closed, found, done, already, skipped, failed, unknown, waiting,
      not_reached, live, sort from unnest(p_runs)
    on conflict (no) do update set state = excluded.state, counts = excluded.counts, closed = excluded.closed, found = excluded.found,
      done = excluded.done, already = excluded.already, skipped = excluded.skipped, failed = excluded.failed,
      unknown = excluded.unknown, waiting = excluded.waiting, not_reached = excluded.not_reached,
      live = excluded.live, sort = excluded.sort;
  insert into run_head (no, rec) select no, rec from unnest(p_heads) on conflict (no) do update set rec = excluded.rec;
  insert into bill_row (run, fk, fid, no, slot, trying, cause, attempts, at, h_seq, h_place, rec)
    select run, fk, fid, no, slot, trying, cause, attempts, at, h_seq, h_place, rec from unnest(p_rows)
    on conflict (run, fk) do update set no = excluded.no, slot = excluded.slot, trying = excluded.trying, cause = excluded.cause,
      attempts = excluded.attempts, at = excluded.at, h_seq = excluded.h_seq, h_place = excluded.h_place, rec = excluded.rec;
  insert into bill (family, fk, fid, found_run, changed_run, deaths, since, open_run, open_plan, open_slot, open_group, rec)
    select family, fk, fid, found_run, changed_run, deaths, since, open_run, open_plan, open_slot, open_group, rec from unnest(p_bills)
    on conflict (family, fk) do update set found_run = excluded.found_run, changed_run = excluded.changed_run,
      deaths = excluded.deaths, since = excluded.since, open_run = excluded.open_run, open_plan = excluded.open_plan,
      open_slot = excluded.open_slot, open_group = excluded.open_group, rec = excluded.rec;
  insert into record (env, form, fk, fid, hand, last) select env, form, fk, fid, null, last from unnest(p_records) where keeps
    on conflict (env, form, fk) do update set last = excluded.last;
  insert into record (env, form, fk, fid, hand, last) select env, form, fk, fid, hand, last from unnest(p_records) where not keeps
    on conflict (env, form, fk) do update set last = excluded.last, hand = excluded.hand;
  insert into number (k, number, family, made) select k, number, family, made from unnest(p_numbers)
    on conflict (k) do update set made = excluded.made;
  insert into bill_places (run, fk, chunk, rec) select run, fk, chunk, rec from unnest(p_places)
    on conflict (run, fk, chunk) do update set rec = excluded.rec;
  insert into hour (plan, begins, kind, runs, found, calls, answers, call_ms, rec)
    select plan, begins, kind, runs, found, calls, answers, call_ms, rec from unnest(p_hours)
    on conflict (plan, begins, kind) do update set runs = excluded.runs, found = excluded.found, calls = excluded.calls,
      answers = excluded.answers, call_ms = excluded.call_ms, rec = excluded.rec;
  insert into action (seq, at, verb, who, run, result, rec) select seq, at, verb, who, run, result, rec from unnest(p_actions);
  if cardinality(p_kept) > 0 then
    perform keep_v1(p_kept);
  end if;

  v_seq := v_head.seq;
  v_hash := v_head.hash;
  foreach v_fact in array p_facts loop
    if v_left = 0 then
      v_next := v_next + 1;
      v_batch := p_batches[v_next];
      v_left := v_batch.n;
      insert into batch_seen (batch, seq, n) values (v_batch.batch, v_seq, v_batch.n);
    end if;
    v_seq := v_seq + 1;
    v_left := v_left - 1;
    v_hash := sha256(v_hash || int8send(v_seq) || v_fact.digest);
    insert into fact (seq, at, run, body, hash, batch, fence)
      values (v_seq, v_fact.at, v_fact.run, v_fact.body, v_hash, v_batch.batch, p_fence);
  end loop;
  update head set seq = v_seq, hash = v_hash where book = 1;
  perform pg_notify('skydeck', '');
  return v_hash;
end $$;

-- Rows of the small tables.
create function keep_v1(p_kept kept_v1[]) returns void
language plpgsql set search_path = skydeck, pg_temp as $$
begin
  insert into mark (plan, env, seen, rec) select plan, env, a, rec from unnest(p_kept) where kind = 'mark'
    on conflict (plan, env) do update set seen = excluded.seen, rec = excluded.rec;
  insert into server (env, address, account_set, rec) select env, a, b, rec from unnest(p_kept) where kind = 'server'
    on conflict (env) do update set address = excluded.address, account_set = excluded.account_set, rec = excluded.rec;
  insert into made (env, form, no, rec) select a, b, '', rec from unnest(p_kept) where kind = 'made'
    on conflict (env, form) do update set rec = excluded.rec;
  delete from stopped s using unnest(p_kept) k where k.kind = 'stopped' and k.rec is null and s.plan = k.plan;
  insert into stopped (plan, run, rec) select plan, n::int4, rec from unnest(p_kept) where kind = 'stopped' and rec is not null
    on conflict (plan) do update set run = excluded.run, rec = excluded.rec;
  insert into cured (plan, cause, at, rec) select plan, a, n, rec from unnest(p_kept) where kind = 'cured'
    on conflict (plan, cause) do update set at = excluded.at, rec = excluded.rec;
  delete from ledger_count c using unnest(p_kept) k
    where k.kind = 'count' and k.n is null and c.plan = k.plan and c.slot = k.slot and c.grp = k.a;
  insert into ledger_count (plan, slot, grp, n) select plan, slot, a, n from unnest(p_kept) where kind = 'count' and n is not null
    on conflict (plan, slot, grp) do update set n = excluded.n;
  delete from unresolved u using unnest(p_kept) k where k.kind = 'unresolved' and k.n is null and u.plan = k.plan;
  insert into unresolved (plan, n) select plan, n from unnest(p_kept) where kind = 'unresolved' and n is not null
    on conflict (plan) do update set n = excluded.n;
  insert into handed_in (plan, env, form, fk, fid, seq) select plan, env, a, k, b, n from unnest(p_kept) where kind = 'handed_in'
    on conflict (plan, env, form, fk) do update set seq = excluded.seq;
  insert into meta (k, rec) select k, rec from unnest(p_kept) where kind = 'meta' on conflict (k) do update set rec = excluded.rec;
end $$;

-- How everything in the schema is made, a line each: what was altered by hand differs from what was noted.
create function shapes_v1() returns table (name text, said text)
language sql stable set search_path = pg_catalog as $$
  select c.relname::text, md5(
      (select string_agg(format('%s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
          pg_get_expr(d.adbin, d.adrelid)), ',' order by a.attnum)
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
      || coalesce((select string_agg(pg_get_constraintdef(k.oid), ',' order by k.conname) from pg_constraint k where k.conrelid = c.oid), '')
      || coalesce((select string_agg(pg_get_indexdef(i.indexrelid) || i.indisvalid, ',' order by i.indexrelid::regclass::text)
          from pg_index i where i.indrelid = c.oid), '')
      || coalesce((select string_agg(pg_get_triggerdef(t.oid), ',' order by t.tgname) from pg_trigger t
          where t.tgrelid = c.oid and not t.tgisinternal), ''))
    from pg_class c where c.relnamespace = 'skydeck'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'migrations'
  union all
  select p.proname::text || '()', md5(pg_get_functiondef(p.oid)) from pg_proc p where p.pronamespace = 'skydeck'::regnamespace
$$;

-- Who may do what. Nobody but the owner writes a table; a host adds by the functions; a reader reads.
revoke all on all functions in schema skydeck from public;
grant usage on schema skydeck to skydeck_host, skydeck_reader;
grant select on all tables in schema skydeck to skydeck_host, skydeck_reader;
grant execute on function shapes_v1() to skydeck_host, skydeck_reader;
grant execute on function take_pen_v1(text, text, int4), keep_pen_v1(int8, int4), leave_pen_v1(int8) to skydeck_host;
grant execute on function append_v1(int8, int8, batch_v1[], fact_v1[], known_v1[], name_v1[], rev_v1[], run_v1[], run_head_v1[],
  bill_row_v1[], bill_v1[], record_v1[], number_v1[], places_v1[], hour_v1[], action_v1[], kept_v1[]) to skydeck_host;
insert into made_as (name, said) select name, said from shapes_v1();
