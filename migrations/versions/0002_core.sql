-- Who acts.
create table principal (
  id text primary key check (id <> ''),
  kind text not null check (kind in ('person', 'service')),
  organisation text not null default '',
  created_at timestamptz not null
);

-- A token's secret is shown once; only its SHA-256 is kept. Role and reach belong to the token, identity to the principal.
create table api_token (
  id uuid primary key,
  principal text not null references principal,
  secret_sha256 bytea not null unique check (octet_length(secret_sha256) = 32),
  role text not null check (role in ('submitter', 'reviewer', 'registry', 'evaluator', 'auditor', 'admin')),
  organisation text not null default '',
  registry text check ((role = 'registry') = (registry is not null)),
  programs text[],                                  -- null: every program of the organisation
  created_at timestamptz not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

create sequence case_number;

create table cases (
  id uuid primary key,
  reference text not null unique,
  program text not null,
  program_digest text not null,
  organisation text not null,
  target text not null,                             -- A-label: registrable name or host, as `scope` says
  scope text not null check (scope in ('domain', 'subdomain', 'host')),
  registrable text not null,
  host text not null,
  private_suffix text,
  tld text not null,
  display text not null,
  suffix_version text not null,
  safety text not null check (safety in ('clear', 'second_review', 'reroute')),
  signals jsonb not null,
  warnings text[] not null,
  registry text,                                    -- who operates the TLD, whether or not there is an agreement
  agreement text,
  measure text not null,
  state text not null check (state in ('received', 'needs_evidence', 'in_review', 'approved', 'notified', 'resolved',
                                       'closed', 'rejected', 'withdrawn', 'superseded')),
  rev integer not null,
  priority integer not null default 0,
  review_reason text,
  review_since timestamptz,
  epoch text,
  already_down boolean,
  registration jsonb,                               -- the look that the notice speaks of
  approved_digest text,
  approvers text[] not null default '{}',
  assignee text,
  opened_at timestamptz not null,
  state_since timestamptz not null,
  notified_at timestamptz,
  resolved_at timestamptz,
  closed_at timestamptz,
  response text not null default 'none',
  observed text not null default 'not_checked',
  outcome text,
  outcome_actor text,
  aftermath text,
  undo text not null default 'none' check (undo in ('none', 'requested', 'claimed', 'verified', 'refused')),
  reopened_count integer not null default 0,
  previous_case uuid references cases,
  check (agreement is null or (scope = 'domain' and safety in ('clear', 'second_review')))
);
create unique index cases_one_open on cases (program, target)
  where state in ('received', 'needs_evidence', 'in_review', 'approved', 'notified', 'resolved');
create index cases_state on cases (state, opened_at, id);
create index cases_target on cases (target);
create index cases_opened on cases (opened_at, id);

-- Everything that came in, refused or not, exactly as it came (csam_refused: hash and time only).
create table report (
  id uuid primary key,
  case_id uuid references cases,
  principal text not null,
  organisation text not null,
  via text not null,
  program text not null,
  external_id text,
  idempotency_key text,
  raw bytea,
  raw_sha256 bytea not null,
  media_type text not null,
  code text,                                        -- refusal code, null when accepted
  detail text,
  domain text,
  urls text[] not null default '{}',
  body jsonb,
  duplicate boolean not null default false,
  received_at timestamptz not null,
  check (code is not null or case_id is not null)
);
-- A refused report may be mended and sent again under its id, so only accepted ones hold it.
create unique index report_external_id on report (organisation, program, external_id)
  where external_id is not null and code is null;
create unique index report_idempotency on report (principal, idempotency_key) where idempotency_key is not null;
create index report_case on report (case_id);

create table evidence (
  id uuid primary key,
  case_id uuid not null references cases,
  report_id uuid references report,
  supplied_by text not null,
  kind text not null,
  sha256 text not null,
  body jsonb not null,
  received_at timestamptz not null
);
create index evidence_case on evidence (case_id);
create unique index evidence_once on evidence (case_id, sha256, supplied_by);

create table approval (
  id uuid primary key,
  case_id uuid not null references cases,
  rev integer not null,
  digest text not null,
  principal text not null,
  note text not null default '',
  at timestamptz not null,
  unique (case_id, rev)
);

create table notice (
  id uuid primary key,
  case_id uuid not null references cases,
  agreement text not null,
  registry text not null,
  purpose text not null,
  version integer not null,
  supersedes uuid references notice,
  state text not null check (state in ('draft', 'queued', 'sending', 'sent', 'delivered', 'bounced', 'uncertain',
                                       'superseded', 'cancelled')),
  measure text not null,
  domain text not null,
  content jsonb not null,                           -- the rendered notice, frozen
  digest text not null,
  send_key text not null unique,
  reply_token text not null unique,
  approved_by text,
  drafted_at timestamptz not null,
  queued_at timestamptz,
  sent_at timestamptz,
  response text not null default 'none',
  responded_at timestamptz
);
create index notice_case on notice (case_id);
create index notice_registry on notice (registry, drafted_at, id);
-- One live request for one case and recipient: a second one must supersede or follow the first.
create unique index notice_one_live on notice (case_id, agreement)
  where purpose in ('request', 'escalation', 'amendment') and state in ('draft', 'queued', 'sending', 'sent', 'delivered', 'uncertain');

-- Intent before act: `started` is committed before the adapter is called.
create table attempt (
  notice_id uuid not null references notice,
  n integer not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  result text not null check (result in ('started', 'accepted', 'deferred', 'refused', 'uncertain')),
  reference text,
  detail text,
  primary key (notice_id, n)
);

create table inbound (
  id uuid primary key,
  channel text not null,
  recipient text not null,
  headers jsonb not null,
  body bytea not null,
  authenticated boolean not null,
  message_key text not null,
  received_at timestamptz not null,
  class text,
  notice_id uuid references notice,
  read_at timestamptz,
  unique (channel, recipient, message_key)
);

create table response (
  id uuid primary key,
  notice_id uuid not null references notice,
  inbound_id uuid references inbound,
  kind text not null,
  measure text,
  actor text,
  reason text,
  effective_at timestamptz,
  comment text not null default '',
  principal text not null,
  via text not null,
  received_at timestamptz not null
);
create index response_notice on response (notice_id);

create table claim (
  id uuid primary key,
  case_id uuid not null references cases,
  notice_id uuid not null references notice,
  response_id uuid not null references response,
  measure text not null,
  actor text,
  effective_at timestamptz,
  claimed_at timestamptz not null,
  deadline timestamptz not null,
  verdict text not null default 'pending',
  outcome text,
  credited text,
  alarms text[] not null default '{}',
  why text not null default '',
  judged_at timestamptz
);
create index claim_case on claim (case_id);

create table observation (
  id uuid primary key,
  case_id uuid not null references cases,
  claim_id uuid references claim,
  purpose text not null check (purpose in ('check', 'baseline', 'look')),
  look jsonb not null,
  at timestamptz not null
);
create index observation_case on observation (case_id, at);

create table task (
  id uuid primary key,
  kind text not null check (kind in ('webform', 'uncertain', 'unmatched_mail', 'no_contact', 'escalation',
                                     'confirm_answer', 'second_look', 'already_asked')),
  case_id uuid references cases,
  notice_id uuid references notice,
  inbound_id uuid references inbound,
  detail text not null,
  opened_at timestamptz not null,
  taken_by text,
  taken_at timestamptz,
  resolved_by text,
  resolved_at timestamptz,
  resolution text
);
create index task_open on task (opened_at, id) where resolved_at is null;
create unique index task_once on task (kind, case_id, coalesce(notice_id, case_id)) where resolved_at is null and case_id is not null;

create table alarm (
  id uuid primary key,
  kind text not null,
  case_id uuid not null references cases,
  claim_id uuid references claim,
  detail text not null,
  raised_at timestamptz not null,
  taken_by text,
  taken_at timestamptz,
  closed_by text,
  closed_at timestamptz
);
create unique index alarm_once on alarm (kind, case_id, claim_id) where closed_at is null;

create table timer (
  id uuid primary key,
  case_id uuid not null references cases,
  kind text not null,
  ref uuid not null,
  due_at timestamptz not null,
  fired_at timestamptz,
  cancelled_at timestamptz
);
create index timer_due on timer (due_at) where fired_at is null and cancelled_at is null;
create index timer_case on timer (case_id) where fired_at is null and cancelled_at is null;

-- Two different admins arm an agreement as its digest stands; a changed agreement is unarmed by that alone.
create table arming (
  id uuid primary key,
  agreement text not null,
  digest text not null,
  principal text not null,
  at timestamptz not null,
  disarmed_at timestamptz,
  unique (agreement, digest, principal, at)
);

-- One row at most. Present: this database's time is simulated, and every face says so.
create table simulated_clock (
  one boolean primary key default true check (one),
  stands_at timestamptz not null,
  runs_since timestamptz                            -- real time; null: it stands still until it is moved
);

create table setting (key text primary key, value text not null);
