-- An approval that turned out wrong when its case was over: overturned on appeal, or found wrong by a second look. Where such
-- a step moves the case, note_transition has it already.
create function note_reversal(e audit_entry) returns void language plpgsql security definer
  set search_path = pg_catalog, public as $$
declare
  d json := e.body::json -> 'detail';
  c cases%rowtype;
begin
  if d ->> 'to' is not null or d ->> 'cause' = 'cured' then
    return;
  end if;
  select * into c from cases where id = e.case_id;
  if not found then
    return;
  end if;
  perform pg_advisory_xact_lock_shared(726019);
  insert into transition (entry_id, case_id, rev, tag, at, told_at, recorded_at, actor_kind, program, registry, word)
  select e.id, e.case_id, e.rev, e.tag, e.at, e.at,
    greatest(
      e.at,
      (select h.at + interval '1 microsecond' from statistics_horizon h where h.at >= e.at),
      (select t.recorded_at from transition t where t.case_id = e.case_id order by t.entry_id desc limit 1)
    ),
    coalesce((select p.kind from principal p where p.id = e.actor), 'person'), c.program, c.registry, 'error'
  on conflict do nothing;
end $$;

create function entry_is_reversal() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public as $$
begin
  perform note_reversal(new);
  return null;
end $$;
create constraint trigger is_reversal after insert on audit_entry
  deferrable initially deferred for each row
  when (new.case_id is not null and new.tag in ('case.overturned', 'case.found_wrong'))
  execute function entry_is_reversal();
revoke all on function note_reversal(audit_entry) from public, notifier_app;

-- What was found wrong before there was this is known from now on: what was answered as of an earlier instant stays.
insert into statistics_horizon (at) select max(recorded_at) from transition having max(recorded_at) is not null
  on conflict (one) do update set at = greatest(statistics_horizon.at, excluded.at);
do $$
declare e audit_entry;
begin
  for e in select * from audit_entry where case_id is not null and tag in ('case.overturned', 'case.found_wrong') order by id
  loop
    perform note_reversal(e);
  end loop;
end $$;
