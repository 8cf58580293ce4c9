-- What a program showed the public, and of which day. It stays as it was made.
create table publication (
  program text not null,
  day date not null,                                -- the last day that it tells of, UTC
  terms text not null,                              -- what the program's file allowed then
  made_at timestamptz not null,
  document jsonb not null,
  primary key (program, day, terms)
);
create trigger append_only before update or delete or truncate on publication
  for each statement execute function refuse_change();
revoke update, delete, truncate on publication from notifier_app;

-- Domain names that the public reads, or may come to read: one row for each case whose name was looked at for that. Once
-- taken off the list a name never comes back to it.
create table public_name (
  case_id uuid primary key references cases,
  program text not null,
  name text not null,
  outcome text not null,
  ended_on date not null,
  tried_at timestamptz not null,                    -- when we last looked, whatever that told
  listed_on date,                                   -- null: not on the list so far
  seen_at timestamptz,                              -- when a look last found it as it was left
  removed_on date,
  check ((listed_on is null) = (seen_at is null)),
  check (removed_on is null or listed_on is not null)
);
create index public_name_listed on public_name (program, listed_on) where removed_on is null;
revoke delete, truncate on public_name from notifier_app;

-- Whether a grant also shows the numbers that its program keeps back from others.
alter table grant_to add column small_numbers boolean not null default false;
