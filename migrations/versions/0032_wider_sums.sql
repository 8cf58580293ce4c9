truncate rollup_count, rollup_length, rollup_running, rollup_of, rollup_state;

-- `all`: over everything, `since` the first day of time.
alter table rollup_count drop constraint rollup_count_span_check, add check (span in ('month', 'year', 'all'));
alter table rollup_length drop constraint rollup_length_span_check, add check (span in ('month', 'year', 'all'));
alter table rollup_running drop constraint rollup_running_span_check, add check (span in ('month', 'year', 'all'));

-- `coarse`: of all that began in a month, `day` its first; so that what began long ago is few rows.
alter table rollup_running add coarse boolean not null;
alter table rollup_running drop constraint rollup_running_pkey,
  add primary key (span, apart, since, coarse, program, registry, outcome, actor, key, day);
