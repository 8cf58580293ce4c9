-- The name that the answer speaks of, as the recipient wrote it back; null: it did not.
alter table response add column domain text;

-- How each recipient is written to: one row for every process, so that rate and breaker hold over all and after restarts.
create table pace (
  agreement text primary key,
  tokens double precision not null,
  at timestamptz not null,
  failures integer not null,
  open_until timestamptz,
  day date,
  day_count integer not null,
  storm_told date
);
create index attempt_running on attempt (notice_id) where result = 'started';
