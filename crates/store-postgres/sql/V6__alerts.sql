-- What people elsewhere were told: of the machines that would tell the same, one does.

create table alert (
  key text primary key,             -- what is told
  host int4 not null references host,
  at timestamptz not null,          -- when a machine took it in hand
  sent timestamptz                  -- when it was delivered
);
create index alert_at on alert (at);

-- Takes in hand what is to be told: 'mine' tells it; 'theirs': another machine does, or died over it (then it is mine after a minute);
-- 'sent': it was told within so many seconds.
create function claim_alerts_v1(p_host int4, p_keys text[], p_fresh int4) returns table (key text, state text)
language plpgsql security definer set search_path = skydeck, pg_temp as $$
#variable_conflict use_column
begin
  delete from alert a where a.at < clock_timestamp() - interval '30 days';
  return query
    with mine as (
      insert into alert as a (key, host, at) select distinct k, p_host, clock_timestamp() from unnest(p_keys) k
        on conflict (key) do update set host = p_host, at = clock_timestamp(), sent = null
          where (a.sent is null and a.at < clock_timestamp() - interval '60 seconds')
            or a.sent < clock_timestamp() - make_interval(secs => p_fresh)
        returning a.key)
    select k, case when exists (select from mine m where m.key = k) then 'mine'
        when exists (select from alert a where a.key = k and a.sent is not null) then 'sent' else 'theirs' end
      from unnest(p_keys) k;
end $$;

-- It was delivered.
create function sent_alerts_v1(p_host int4, p_keys text[]) returns void
language sql security definer set search_path = skydeck, pg_temp as $$
  update alert set sent = clock_timestamp() where key = any(p_keys) and host = p_host;
$$;

revoke all on all functions in schema skydeck from public;
grant select on alert to skydeck_host, skydeck_reader;
grant execute on function claim_alerts_v1(int4, text[], int4), sent_alerts_v1(int4, text[]) to skydeck_host;
delete from made_as;
insert into made_as (name, said) select name, said from shapes_v1();
