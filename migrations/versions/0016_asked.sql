-- When the recipient of a notice is asked for its answer, where its channel can be asked. `wait`: the last one; it doubles.
create table poll (
  notice_id uuid primary key references notice,
  wait interval not null,
  due_at timestamptz not null,
  failures integer not null default 0,              -- in a row
  ended_at timestamptz,
  why text not null default ''                      -- it ended
);
revoke delete, truncate on poll from notifier_app;

-- An alarm about one notice of several that a case has; at most one of a kind is open.
alter table alarm add column notice_id uuid references notice;
create unique index alarm_of_notice on alarm (kind, notice_id) where notice_id is not null and closed_at is null;
create index alarm_notice on alarm (notice_id) where notice_id is not null;

-- A notice is taken back once, and a withdrawal that nobody answered is repeated once.
create unique index notice_one_undo on notice (supersedes)
  where purpose in ('withdrawal', 'restore') and state <> 'cancelled';

-- One day's list of the open notices of an agreement that wants one instead of reminders.
create table daily_list (
  id uuid primary key,
  agreement text not null,
  moment timestamptz not null,
  state text not null default 'planned' check (state in ('planned', 'sending', 'sent', 'empty', 'missed', 'uncertain')),
  attempts integer not null default 0,
  started_at timestamptz,
  ended_at timestamptz,
  notices uuid[] not null default '{}',
  detail text not null default '',
  unique (agreement, moment)
);
revoke delete, truncate on daily_list from notifier_app;

-- Timers of urgent cases are fired ahead of a backlog.
create index cases_urgent on cases (id) where priority >= 10;
