-- While an appeal is heard the case asks for nothing more.
alter table cases add column appeal_open boolean not null default false;

-- What somebody from outside filed, exactly as it came, whether or not there is anything that it is about. Its secret
-- opens its status and is kept as SHA-256 alone.
create table appeal_statement (
  id uuid primary key,
  secret_sha256 bytea not null unique check (octet_length(secret_sha256) = 32),
  given text not null,                              -- the name as it was written
  name text,                                        -- A-label; null: no name can be read there
  reference text,                                   -- never the secret of a notice
  notice_id uuid references notice,                 -- whose registrant's link it came by
  grounds text not null,
  contact text not null,
  evidence jsonb not null,
  sha256 text not null,                             -- of the content, for the log
  via text not null,
  filed_at timestamptz not null
);
create index appeal_statement_name on appeal_statement (name);

-- Control of the name was shown in a statement.
create table appeal_proof (
  statement_id uuid primary key references appeal_statement,
  proof text not null check (proof in ('notice', 'dns')),
  at timestamptz not null
);

-- Our work: about one decision of one case, for its registrant.
create table appeal (
  id uuid primary key,
  case_id uuid not null references cases,
  notice_id uuid not null references notice,        -- the request that is appealed against
  state text not null check (state in ('filed', 'in_review', 'upheld', 'overturned', 'partial', 'withdrawn')),
  filed_at timestamptz not null,
  proven_at timestamptz,
  taken_by text,
  taken_at timestamptz,
  acknowledge_due timestamptz,
  decide_due timestamptz,
  decided_at timestamptz,
  check ((taken_by is null) = (taken_at is null)),
  check ((acknowledge_due is null) = (decide_due is null)),
  check (proven_at is null or decide_due is not null),
  check ((state in ('upheld', 'overturned', 'partial', 'withdrawn')) = (decided_at is not null))
);
create unique index appeal_one_open on appeal (case_id) where state in ('filed', 'in_review');
create index appeal_listed on appeal (filed_at, id);
create index appeal_case on appeal (case_id);

-- Which statements an appeal rests on. `late`: it came after the decision.
create table appeal_part (
  appeal_id uuid not null references appeal,
  statement_id uuid not null references appeal_statement,
  at timestamptz not null,
  late boolean not null,
  primary key (appeal_id, statement_id)
);
create index appeal_part_statement on appeal_part (statement_id);

create table appeal_decision (
  appeal_id uuid primary key references appeal,
  outcome text not null check (outcome in ('upheld', 'overturned', 'partial')),
  cause text check (cause in ('wrong_name', 'wrong_facts', 'lawful', 'compromised', 'disproportionate', 'cured', 'other')),
  reasons text not null check (reasons <> ''),
  by text not null,
  at timestamptz not null,
  check ((outcome = 'upheld') = (cause is null))
);

-- What was done to a name and had to be lifted: mistakes, cures, and what nobody stood up for in time. Public, so it
-- names nobody.
create table correction (
  id uuid primary key,
  case_id uuid not null references cases,
  appeal_id uuid not null references appeal,
  program text not null,
  measure text not null,
  cause text not null,
  corrected_at timestamptz not null,
  held_since timestamptz,                           -- first seen out of the zone or held; null: it never was
  restored_at timestamptz,                          -- seen back; null: not yet
  hosts integer,                                    -- host names below it; null: not measured
  unique (appeal_id, cause)
);
create index correction_listed on correction (corrected_at, id);

create trigger append_only before update or delete or truncate on appeal_statement
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on appeal_proof
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on appeal_part
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on appeal_decision
  for each statement execute function refuse_change();
create trigger never_removed before delete or truncate on correction
  for each statement execute function refuse_change();
revoke update, delete, truncate on appeal_statement, appeal_proof, appeal_part, appeal_decision, correction
  from notifier_app;
grant update (restored_at) on correction to notifier_app;
revoke delete, truncate on appeal from notifier_app;

alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check check (kind in ('webform', 'uncertain', 'unmatched_mail', 'no_contact',
  'escalation', 'confirm_answer', 'second_look', 'already_asked', 'tell_recipient', 'appeal'));
