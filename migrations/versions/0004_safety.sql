-- What was found out about a target's safety, and when. The first row of a case comes from lists, later ones from
-- measuring. Rows are never changed: what a reviewer saw can be shown for ever.
create table assessment (
  id uuid primary key,
  case_id uuid not null references cases,
  rev integer not null,                             -- the case's revision that it belongs to
  safety text not null check (safety in ('clear', 'second_review', 'reroute', 'refuse')),
  measured boolean not null,                        -- false: from lists alone
  why text not null check (why <> ''),
  signals jsonb not null,                           -- [{name, value, weight, source, at}]
  at timestamptz not null,
  unique (case_id, rev)
);
create trigger append_only before update or delete or truncate on assessment
  for each statement execute function refuse_change();
revoke update, delete, truncate on assessment from notifier_app;

alter table cases drop column signals;
create index cases_registrable on cases (registrable);

-- What speaks for the site, or against its reporter: a second person must weigh it, with a stated reason.
alter table cases add column if not exists second_reasons text[] not null default '{}';

-- A name that came onto the protected list after its case was opened: nothing may be asked about it.
alter table cases drop constraint cases_safety_check;
alter table cases add constraint cases_safety_check check (safety in ('clear', 'second_review', 'reroute', 'refuse'));

-- By which rules the name was read, beside the suffix list it was read with; 0: not recorded.
alter table cases add column names_version integer not null default 0;
