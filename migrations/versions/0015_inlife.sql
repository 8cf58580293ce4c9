-- Somebody stopped an agreement. It belongs to the agreement and not to its digest, so no change of a file ends it:
-- two different admins do, the first of them in `lift_asked_by`. Each request to stop stands until it is lifted.
create table suspension (
  id uuid primary key,
  agreement text not null,
  scope text not null check (scope in ('requests', 'everything')),
  reason text not null check (reason <> ''),
  by text not null,
  by_recipient boolean not null,                    -- the recipient asked us to stop
  at timestamptz not null,
  lift_asked_by text,
  lift_asked_at timestamptz,
  lifted_by text,
  lifted_at timestamptz,
  check ((lift_asked_by is null) = (lift_asked_at is null)),
  check ((lifted_by is null) = (lifted_at is null)),
  check (lifted_by is null or lift_asked_by is not null and lifted_by <> lift_asked_by)
);
create unique index suspension_standing on suspension (agreement, scope, by) where lifted_at is null;
revoke delete, truncate on suspension from notifier_app;

-- Each time somebody looked whether a channel can be reached. Arming rests on one that passed, of the same digest.
create table agreement_check (
  id uuid primary key,
  agreement text not null,
  digest text not null,
  at timestamptz not null,
  by text not null,
  problems jsonb not null                           -- [{what, expected}]; empty: it passed
);
create index agreement_check_newest on agreement_check (agreement, at desc, id desc);
revoke update, delete, truncate on agreement_check from notifier_app;

-- What was done with an agreement is read from the log itself.
create index audit_entry_agreement on audit_entry (subject, id) where tag like 'agreement.%';

-- Nobody is two of the two. Armed, disarmed and armed again within one instant is three acts, and no fault.
alter table arming drop constraint arming_agreement_digest_principal_at_key;
create unique index arming_standing on arming (agreement, digest, principal) where disarmed_at is null;

-- A change of an agreement's channel: proposed, approved, told to the old address, and a day later what is written to.
-- The channel of the agreement's file is version 0. The newest effective version stands as long as the file's channel
-- has the digest that it had when the version was proposed.
create table channel_version (
  id uuid primary key,
  agreement text not null,
  version integer not null check (version > 0),
  adapter text not null,
  address jsonb not null,                           -- names secrets, never holds one
  digest text not null,                             -- of adapter and address
  base_digest text not null,                        -- of the channel in the file then
  state text not null check (state in ('proposed', 'approved', 'effective', 'refused', 'withdrawn')),
  proposed_by text not null,
  by_recipient boolean not null,
  proposed_at timestamptz not null,
  approved_by text,
  approved_at timestamptz,
  note text not null default '',                    -- of a recipient's proposal: who confirmed it by call-back
  checked_at timestamptz,
  old_dead text,                                    -- why the old channel counts as dead; then nobody waits for it
  tell_started_at timestamptz,
  told_old_at timestamptz,
  effective_from timestamptz,
  ended_by text,
  ended_at timestamptz,
  reason text not null default '',
  unique (agreement, version),
  check (approved_by is null or approved_by <> proposed_by),
  check (state not in ('approved', 'effective') or (approved_by is not null and checked_at is not null)),
  check (state <> 'effective' or effective_from is not null),
  check (state <> 'effective' or old_dead is not null or told_old_at is not null),
  check (not by_recipient or approved_by is null or note <> '')
);
create unique index channel_version_open on channel_version (agreement) where state in ('proposed', 'approved');
revoke delete, truncate on channel_version from notifier_app;

-- What was approved for one channel never leaves by another. Null: queued before this was kept.
alter table notice add column channel text;

-- A timer that belongs to no case.
alter table timer alter column case_id drop not null;

alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check check (kind in ('webform', 'uncertain', 'unmatched_mail', 'no_contact',
  'escalation', 'confirm_answer', 'second_look', 'already_asked', 'tell_recipient'));
alter table task add column channel_version uuid references channel_version;
create unique index task_channel_once on task (channel_version) where channel_version is not null and resolved_at is null;
