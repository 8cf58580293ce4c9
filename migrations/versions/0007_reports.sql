-- A case that turned out to be the same matter as another one. Its reports and evidence moved there; what it had sent
-- stays with it, and is found from the other by this column.
alter table cases add column merged_into uuid references cases;
alter table cases add constraint cases_merged_ended check (merged_into is null or (state = 'superseded' and merged_into <> id));
create index cases_merged on cases (merged_into) where merged_into is not null;

-- What two reports of one supplier have in common belongs to both: a report that leaves takes its own with it.
drop index evidence_once;
create unique index evidence_once on evidence (case_id, coalesce(report_id, case_id), sha256, supplied_by);
create index evidence_report on evidence (report_id) where report_id is not null;

-- Beside its role a token may carry permissions that no role implies.
alter table api_token add column permissions text[] not null default '{}' check (permissions <@ array['deconflict']);

-- Names that an authority investigates. Read by the gate at intake, and by people with the permission `deconflict`.
create table deconfliction_entry (
  id uuid primary key,
  pattern text not null,                            -- as domain/deconfliction.py spells it
  registrable text,                                 -- of a plain name; null for a pattern over many
  authority text not null,
  reference text not null,
  note text not null,
  organisation text not null,                       -- whose entry it is; empty: of the house
  added_by text not null,
  added_at timestamptz not null,
  until timestamptz,
  released_at timestamptz,
  released_by text,
  release_note text,
  check ((released_at is null) = (released_by is null))
);
create index deconfliction_name on deconfliction_entry (registrable) where released_at is null;
create index deconfliction_listed on deconfliction_entry (added_at, id);

-- Which case waits for which entry. No column of `cases`: a revision there is in the log, and would tell.
create table deconfliction_hold (
  case_id uuid not null references cases,
  entry_id uuid not null references deconfliction_entry,
  since timestamptz not null,
  ended_at timestamptz,
  primary key (case_id, entry_id)
);
create index deconfliction_standing on deconfliction_hold (case_id) where ended_at is null;
create index deconfliction_of_entry on deconfliction_hold (entry_id);

-- What the log says of it is a commitment: SHA-256 over salt and content, which are here and nowhere else.
create table deconfliction_record (
  id uuid primary key,
  at timestamptz not null,
  salt bytea not null check (octet_length(salt) = 32),
  content text not null
);
create trigger append_only before update or delete or truncate on deconfliction_record
  for each statement execute function refuse_change();
revoke update, delete, truncate on deconfliction_record from notifier_app;
revoke delete, truncate on deconfliction_entry, deconfliction_hold from notifier_app;

-- The last guard, whatever a program does: nothing leaves for a case that is held.
create function notice_not_held() returns trigger language plpgsql as $$
begin
  if exists (select from deconfliction_hold where case_id = new.case_id and ended_at is null) then
    raise exception 'notice % may not leave now', new.id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger not_held before update of state on notice
  for each row when (new.state = 'sending' and old.state <> 'sending') execute function notice_not_held();

-- What was decided about a case, once for each occasion, and who among the reporting organisations learns of it.
create table decision (
  id uuid primary key,
  case_id uuid not null references cases,
  kind text not null check (kind in ('accepted', 'rejected', 'sent', 'outcome', 'withdrawn', 'closed', 'superseded')),
  occasion text not null,                           -- tells a second one of a kind from the first told again
  by text not null,
  at timestamptz not null,
  detail jsonb not null,
  unique (case_id, kind, occasion)
);
create index decision_case on decision (case_id, at);
create index decision_at on decision (at);
create trigger append_only before update or delete or truncate on decision
  for each statement execute function refuse_change();
revoke update, delete, truncate on decision from notifier_app;

-- `xact` and `seq` order the feed: rows below every running transaction are complete, so that a reader who stands at
-- one misses none that commits later (serial numbers alone commit out of order).
create table news (
  seq bigint generated always as identity primary key,
  xact xid8 not null default pg_current_xact_id(),
  organisation text not null,
  decision_id uuid not null references decision,
  unique (organisation, decision_id)
);
create index news_feed on news (organisation, xact, seq);
create trigger append_only before update or delete or truncate on news
  for each statement execute function refuse_change();
revoke update, delete, truncate on news from notifier_app;

-- Reports of a principal or an organisation in a day or a minute of business time.
create table quota_count (
  of text not null,                                 -- principal:ID, organisation:ID, and the same with urgent: before
  span text not null check (span in ('day', 'minute')),
  starts_at timestamptz not null,
  n bigint not null,
  primary key (of, span, starts_at)
);
create index quota_old on quota_count (starts_at);
