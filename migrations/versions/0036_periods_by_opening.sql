-- Added up anew, since nothing was added up by these definitions.
truncate rollup_state, rollup_count, stretch, stretch_count, stretch_time;

-- Of a cohort: its units, by the month in which they were opened. Of a period: what happened to cases in which month
-- (CELL@YYYY-MM), also by the month in which they were opened.
alter table rollup_count add column basis text not null check (basis in ('cohort', 'period'));
alter table rollup_count drop constraint rollup_count_pkey;
alter table rollup_count add primary key (program, basis, month, registry, outcome, actor);
alter table stretch_count add column basis text not null check (basis in ('cohort', 'period'));
drop index stretch_count_until;
create index stretch_count_until on stretch_count (level, until, basis, program);
