-- Orders about runs that another machine has in its hands, and persons over machines.

-- A person, whichever machine he sits at: the user ids of two machines say nothing of each other.
create table person (
  no int4 primary key,
  name text not null unique
);
create table login (
  host text not null,               -- the machine, by the name it has in the store
  uid int8 not null,
  person int4 not null references person on delete cascade,
  primary key (host, uid)
);

-- An order that is given on one machine and carried out by the one that has the run. It is taken once, or withdrawn before.
create table forwarded_order (
  id text primary key,              -- the order's own: the same one twice is given once
  sender int4 not null references host,
  holder int4 not null references host,
  body bytea not null,
  given timestamptz not null default clock_timestamp(),
  taken timestamptz,                -- by the holder, before it does anything
  withdrawn boolean not null default false,
  receipt bytea
);
create index forwarded_order_waits on forwarded_order (holder) where taken is null and not withdrawn;

-- Gives an order to the machine that has a run. Null: no machine has it, or not this one gives orders any more.
create function forward_v1(p_sender int4, p_id text, p_run text, p_body bytea) returns text
language plpgsql security definer set search_path = skydeck, pg_temp as $$
declare
  v_holder int4;
  v_name text;
begin
  delete from forwarded_order f where f.given < clock_timestamp() - interval '7 days';
  select h.no, h.name into v_holder, v_name from run r join host h on h.no = r.holder and h.gone is null
    where r.id = p_run and r.closed is null and exists (select from host s where s.no = p_sender and s.gone is null);
  if v_holder is null then
    return null;
  end if;
  insert into forwarded_order (id, sender, holder, body) values (p_id, p_sender, v_holder, p_body) on conflict do nothing;
  perform pg_notify('skydeck', '');
  return v_name;
end $$;

-- The orders that wait for a machine, which are taken with that.
create function take_orders_v1(p_host int4) returns table (id text, sender text, body bytea)
language plpgsql security definer set search_path = skydeck, pg_temp as $$
#variable_conflict use_column
begin
  return query
    with taken as (
      update forwarded_order f set taken = clock_timestamp()
        where f.holder = p_host and f.taken is null and not f.withdrawn
          and exists (select from host h where h.no = p_host and h.gone is null)
        returning f.id, f.sender, f.body, f.given)
    select t.id, s.name, t.body from taken t join host s on s.no = t.sender order by t.given;
end $$;

-- What became of an order that was taken.
create function answer_order_v1(p_host int4, p_id text, p_receipt bytea) returns void
language sql security definer set search_path = skydeck, pg_temp as $$
  update forwarded_order set receipt = p_receipt where id = p_id and holder = p_host and taken is not null;
$$;

-- Takes an order back that was not taken; one that is still on its way is not given any more. False: it was taken.
create function withdraw_order_v1(p_sender int4, p_id text) returns boolean
language plpgsql security definer set search_path = skydeck, pg_temp as $$
begin
  insert into forwarded_order as f (id, sender, holder, body, withdrawn) values (p_id, p_sender, p_sender, '', true)
    on conflict (id) do update set withdrawn = true where f.taken is null;
  return found;
end $$;

-- Who persons are is said by an administrator: no machine's role may.
create function add_person_v1(p_name text, p_hosts text[], p_uids int8[]) returns int4
language plpgsql set search_path = skydeck, pg_temp as $$
declare
  v_no int4;
begin
  lock table person in share row exclusive mode;
  select no into v_no from person where name = p_name;
  if v_no is null then
    insert into person (no, name) select coalesce(max(no), 0) + 1, p_name from person returning no into v_no;
  end if;
  insert into login (host, uid, person) select h, u, v_no from unnest(p_hosts, p_uids) as l (h, u)
    on conflict (host, uid) do update set person = excluded.person;
  return v_no;
end $$;

revoke all on all functions in schema skydeck from public;
grant select on person, login, forwarded_order to skydeck_host, skydeck_reader;
grant execute on function forward_v1(int4, text, text, bytea), take_orders_v1(int4), answer_order_v1(int4, text, bytea),
  withdraw_order_v1(int4, text) to skydeck_host;
delete from made_as;
insert into made_as (name, said) select name, said from shapes_v1();
