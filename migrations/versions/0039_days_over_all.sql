-- The days of opening are added up over outcomes and registries, too: of now, everything is added up anew. Stretches stand.
truncate rollup_count, rollup_time, rollup_of, rollup_due;
insert into rollup_due (case_id, known_at)
  select case_id, recorded_at from transition where tag = 'case.opened' order by recorded_at;
update rollup_state set whole = false;
