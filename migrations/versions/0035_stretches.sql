drop table rollup_count, rollup_length, rollup_running;
truncate rollup_of, rollup_state;

-- What is known now, added up: of a month (of a cohort, or of when it happened), or of all months: -infinity. Over all
-- registries, or all outcomes and actors: '*'. `n` of each cell.
create table rollup_count (
  month date not null,
  program text not null,
  registry text not null,                           -- empty: none
  outcome text not null,
  actor text not null,
  cell text[] not null,
  n bigint[] not null,
  primary key (program, month, registry, outcome, actor)
);

-- How long things took. `how`: it happened, we stopped waiting, or it runs: since a day, a week or four weeks. `at`: bins of
-- seconds, or the days (ordinals) on which they began; `micros`: by how much all that are there are together above that.
create table rollup_time (
  month date not null,
  program text not null,
  registry text not null,
  outcome text not null,
  actor text not null,
  key text not null,
  how text not null check (how in ('happened', 'stopped', 'day', 'week', 'four_weeks')),
  part integer not null,                            -- of what runs, so that a row stays short
  at integer[] not null,
  n bigint[] not null,
  micros bigint[] not null,
  primary key (program, month, registry, outcome, actor, key, how, part)
);

-- Stretches of recorded time that follow each other, each of about as many transitions; and of a level above, of sixteen of
-- the level below. What was known at the end of one is the sum of those up to it.
create table stretch (
  level smallint not null,
  until timestamptz not null,
  primary key (level, until)
);

-- What became known in a stretch: that much more than before it, or less.
create table stretch_count (level smallint not null, until timestamptz not null, like rollup_count);
create index stretch_count_until on stretch_count (level, until, program);
create table stretch_time (level smallint not null, until timestamptz not null, like rollup_time);
alter table stretch_time drop column part, add check (how in ('happened', 'stopped', 'day'));
create index stretch_time_until on stretch_time (level, until, program);

create index transition_recorded on transition (recorded_at);

-- Short enough to be read without a second look elsewhere.
alter table rollup_count set (toast_tuple_target = 8160);
alter table rollup_time set (toast_tuple_target = 8160);
alter table stretch_count set (toast_tuple_target = 8160);
alter table stretch_time set (toast_tuple_target = 8160);

insert into rollup_due (case_id, known_at) select case_id, recorded_at from transition where tag = 'case.opened';
