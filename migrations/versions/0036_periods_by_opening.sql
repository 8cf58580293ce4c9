-- Added up anew, since nothing was added up by these definitions.
truncate rollup_state, rollup_count, stretch, stretch_count, stretch_time;

-- `cohort`: units, by the month in which they were opened. What happened to cases in which month (CELL@YYYY-MM, `period`) or
-- on which day (`days`): in stretches by the month in which they were opened, too; of now all months in one row, or the days
-- by the month of them.
alter table rollup_count add column basis text not null check (basis in ('cohort', 'period', 'days'));
alter table rollup_count drop constraint rollup_count_pkey;
alter table rollup_count add primary key (program, basis, month, registry, outcome, actor);
alter table stretch_count add column basis text not null check (basis in ('cohort', 'period', 'days'));
drop index stretch_count_until;
create index stretch_count_until on stretch_count (level, until, basis, program);
