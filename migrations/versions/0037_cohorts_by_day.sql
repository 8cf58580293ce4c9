-- Added up anew, since nothing was added up by these definitions.
truncate rollup_state, rollup_count, rollup_time, stretch, stretch_count, stretch_time;

-- Of units, by the month (`cohort`) of opening, the year (`cohort_years`, of now only) or the day (`cohort_days`); and what
-- happened to cases, by the month (`period`) or the day of it (`period_days`). `opened`: the first day, or the day.
alter table rollup_count rename column month to opened;
alter table rollup_count drop constraint rollup_count_basis_check;
alter table rollup_count add check (basis in ('cohort_years', 'cohort', 'cohort_days', 'period', 'period_days'));

alter table rollup_time rename column month to opened;
-- One number behind the other, little-endian: of 4 bytes, 8 and 8.
alter table rollup_time alter at type bytea using '', alter n type bytea using '', alter micros type bytea using '';
alter table rollup_time add column basis text not null check (basis in ('cohort_years', 'cohort', 'cohort_days'));
alter table rollup_time drop constraint rollup_time_pkey;
alter table rollup_time add primary key (program, basis, opened, registry, outcome, actor, key, how, part);

alter table stretch_count rename column month to opened;
alter table stretch_count drop constraint stretch_count_basis_check;
alter table stretch_count add check (basis in ('cohort', 'cohort_days', 'period', 'period_days'));
drop index stretch_count_until;
create index stretch_count_until on stretch_count (level, until, basis, program, opened);

alter table stretch_time rename column month to opened;
alter table stretch_time add column basis text not null check (basis in ('cohort', 'cohort_days'));
drop index stretch_time_until;
create index stretch_time_until on stretch_time (level, until, basis, program, opened);

-- What happened in a part of a day. Rows come nearly in the order of both, so a range of blocks tells enough.
create index transition_at on transition using brin (at) with (autosummarize = on);
create index transition_told_at on transition using brin (told_at) with (autosummarize = on);
