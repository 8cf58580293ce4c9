truncate rollup_count, rollup_length, rollup_running, rollup_of, rollup_state;

-- `all`: over everything, `since` the first day of time.
alter table rollup_count drop constraint rollup_count_span_check, add check (span in ('month', 'year', 'all'));
alter table rollup_length drop constraint rollup_length_span_check, add check (span in ('month', 'year', 'all'));
alter table rollup_running drop constraint rollup_running_span_check, add check (span in ('month', 'year', 'all'));

-- `coarse`: of all that began in a month, `day` its first; so that what began long ago is few rows.
alter table rollup_running add coarse boolean not null;
alter table rollup_running drop constraint rollup_running_pkey,
  add primary key (span, apart, since, coarse, program, registry, outcome, actor, key, day);

-- The accuracy ledger, added up with the figures: what became of each case that was decided, and counts of it by the day (UTC)
-- of its last decision.
create table ledger_of (
  case_id uuid primary key,
  program text not null,
  at timestamptz not null,
  fate text not null,
  verified boolean not null,
  contradicted boolean not null,
  organisations text[] not null                     -- that reported it
);
create index ledger_of_at on ledger_of (program, at);
create table ledger_day (
  program text not null,
  organisation text not null,
  day date not null,
  cell text not null,
  n bigint not null,
  primary key (program, organisation, day, cell)
);
create index decision_merged on decision (at) where kind = 'superseded';
create index report_refused on report (program, received_at) include (organisation, code) where code is not null;

-- What the ledger reads may change without a transition; then no figure is behind.
create function ledger_is_due() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public as $$
begin
  if tg_table_name = 'cases' then
    insert into rollup_due (case_id, known_at) values (new.id, 'infinity');
  else
    insert into rollup_due (case_id, known_at) values (new.case_id, 'infinity');
  end if;
  return null;
end $$;
create trigger ledger_is_due after update of observed, aftermath on cases for each row
  when (new.observed is distinct from old.observed or new.aftermath is distinct from old.aftermath)
  execute function ledger_is_due();
create trigger ledger_is_due after insert on decision for each row execute function ledger_is_due();
