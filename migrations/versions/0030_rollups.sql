-- What was added up of each name: the entries of its transitions and its reports, so that it can be taken away again.
create table rollup_of (
  program text not null,
  target text not null,
  entries bigint[] not null,
  reports jsonb not null,                           -- by case
  primary key (program, target)
);

-- Cases of which something is to be added up, written with it. A case may stand here more than once.
create table rollup_due (
  id bigint generated always as identity primary key,
  case_id uuid not null,
  known_at timestamptz not null
);

-- Numbers of a month or a year: of a cohort by when it began, of what happened by when it did.
create table rollup_count (
  span text not null check (span in ('month', 'year')),
  apart boolean not null,                           -- told apart by outcome and actor; otherwise both are empty
  since date not null,
  program text not null,
  registry text not null,                           -- empty: none
  outcome text not null,
  actor text not null,
  cell text not null,
  n bigint not null,
  primary key (span, apart, since, program, registry, outcome, actor, cell)
);

-- Times that are over, in bins. `micros`: by how much they are together above the edges of their bin.
create table rollup_length (
  span text not null check (span in ('month', 'year')),
  apart boolean not null,                           -- told apart by outcome and actor; otherwise both are empty
  since date not null,
  program text not null,
  registry text not null,
  outcome text not null,
  actor text not null,
  key text not null,
  happened boolean not null,
  bin integer not null,
  n bigint not null,
  micros bigint not null,
  primary key (span, apart, since, program, registry, outcome, actor, key, happened, bin)
);

-- Times that still run, by the day on which they began. `micros`: since the beginnings of their days, together.
create table rollup_running (
  span text not null check (span in ('month', 'year')),
  apart boolean not null,                           -- told apart by outcome and actor; otherwise both are empty
  since date not null,
  program text not null,
  registry text not null,
  outcome text not null,
  actor text not null,
  key text not null,
  day date not null,
  n bigint not null,
  micros bigint not null,
  primary key (span, apart, since, program, registry, outcome, actor, key, day)
);

-- By which definitions it was added up, and whether all that was there before is.
create table rollup_state (
  one boolean primary key default true check (one),
  definitions text not null,
  whole boolean not null
);

create index transition_target on transition (program, word) where tag = 'case.opened';

create function transition_is_due() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public as $$
begin
  insert into rollup_due (case_id, known_at) values (new.case_id, new.recorded_at);
  return null;
end $$;
create trigger is_due after insert on transition for each row execute function transition_is_due();

create function report_is_due() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public as $$
begin
  insert into rollup_due (case_id, known_at) select c, new.received_at
  from unnest(array[new.case_id, case when tg_op = 'UPDATE' then old.case_id end]) c where c is not null;
  return null;
end $$;
create trigger is_due after insert or update of case_id, code on report for each row
  when (new.case_id is not null) execute function report_is_due();

insert into rollup_due (case_id, known_at) select case_id, recorded_at from transition where tag = 'case.opened';
