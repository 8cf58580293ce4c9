-- How far the watch over a case for names that follow it has come.
create table hop_watch (
  case_id uuid primary key references cases,
  asked integer not null default 0,                 -- endings that its label was asked for under, in our order of them
  begun_at timestamptz not null
);

-- A name that may follow a case's, found and not necessarily looked at.
create table hop_candidate (
  id uuid primary key,
  case_id uuid not null references cases,
  name text not null,                               -- A-label, registrable
  found_by text not null check (found_by in ('other_ending', 'name_file', 'redirect')),
  found_at timestamptz not null,
  looked_at timestamptz,                            -- null: not yet
  epoch text,
  registered_at timestamptz,
  unique (case_id, name)
);
create index hop_candidate_due on hop_candidate (case_id, looked_at);
create index hop_candidate_label on hop_candidate (split_part(name, '.', 1));
create index cases_label on cases (split_part(registrable, '.', 1));

-- What a name may share with others of the same actor, as it was first seen. Of a case, or of a candidate.
create table hop_sign (
  id uuid primary key,
  case_id uuid references cases,
  candidate_id uuid references hop_candidate,
  name text not null,                               -- A-label, registrable
  epoch text,                                       -- registration that it was seen of; null: not known then
  kind text not null check (kind in ('text', 'favicon', 'analytics', 'certificate_key', 'name_servers', 'address',
    'registrant')),
  value text not null,
  sketch bigint[] not null default '{}',            -- fingerprint, of a text alone
  capture_id uuid references capture,
  source text not null,
  seen_at timestamptz not null,
  check ((case_id is null) <> (candidate_id is null)),
  check ((kind = 'text') = (sketch <> '{}'))
);
create unique index hop_sign_once on hop_sign (coalesce(case_id, candidate_id), kind, value, coalesce(epoch, ''));
create index hop_sign_case on hop_sign (case_id);
create index hop_sign_value on hop_sign (kind, value);
create index hop_sign_text on hop_sign using gin ((sketch[1:8])) where kind = 'text';

-- A link between a case's name and one that may follow it, for a person to decide about.
create table hop (
  id uuid primary key,
  program text not null,
  case_id uuid not null references cases,           -- of the name before
  name text not null,                               -- the one that may follow, A-label, registrable
  tld text not null,
  registry text,                                    -- who operates its top-level domain
  found_by text not null,
  links jsonb not null,                             -- each shared signal with its strength, and how strong each class is
  cautions text[] not null,                         -- why two people decide; empty: one is enough
  first_seen_at timestamptz not null,               -- when the name was first seen to share them
  proposed_at timestamptz not null,
  state text not null check (state in ('proposed', 'accepted', 'dismissed', 'retracted')),
  first_accepted_by text,
  successor_case uuid references cases,
  decided_at timestamptz,
  retracted_at timestamptz,
  unique (case_id, name),
  check ((state = 'proposed') = (decided_at is null)),
  check ((state in ('accepted', 'retracted')) <= (successor_case is not null)),
  check ((state = 'retracted') = (retracted_at is not null))
);
create index hop_listed on hop (proposed_at, id);
create index hop_name on hop (program, name);
create index hop_successor on hop (successor_case);

create table hop_decision (
  hop_id uuid not null references hop,
  n integer not null,
  decision text not null check (decision in ('first_accepted', 'accepted', 'dismissed', 'retracted')),
  reason text not null check (reason <> ''),
  by text not null,
  at timestamptz not null,
  primary key (hop_id, n)
);

-- When a registry read a program's hopping list: whoever was told of a name is later told that it is gone, and nobody else.
create table hop_reading (
  registry text not null,
  program text not null,
  at timestamptz not null,
  primary key (registry, program, at)
);

create trigger append_only before update or delete or truncate on hop_reading
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on hop_sign
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on hop_decision
  for each statement execute function refuse_change();
create trigger never_removed before delete or truncate on hop
  for each statement execute function refuse_change();
revoke update, delete, truncate on hop_sign, hop_decision, hop_reading from notifier_app;
revoke delete, truncate on hop, hop_candidate, hop_watch from notifier_app;

-- Statistics see an accepted successor of a case, and one that was taken back, as they see its other steps.
create function note_hop(e audit_entry) returns void language plpgsql security definer
  set search_path = pg_catalog, public as $$
declare
  d json := e.body::json -> 'detail';
  c cases%rowtype;
  happened timestamptz := e.at;
begin
  select * into c from cases where id = e.case_id;
  if not found then
    return;
  end if;
  if e.tag = 'hop.accepted' then
    happened := least((d ->> 'first_seen_at')::timestamptz, e.at);
  end if;
  perform pg_advisory_xact_lock_shared(726019);
  insert into transition (entry_id, case_id, rev, tag, at, told_at, recorded_at, actor_kind, program, registry, word)
  select e.id, e.case_id, e.rev, e.tag, happened, e.at,
    greatest(
      e.at,
      (select h.at + interval '1 microsecond' from statistics_horizon h where h.at >= e.at),
      (select t.recorded_at from transition t where t.case_id = e.case_id order by t.entry_id desc limit 1)
    ),
    coalesce((select p.kind from principal p where p.id = e.actor), 'person'), c.program, c.registry, d ->> 'hop'
  on conflict do nothing;
end $$;

create function entry_is_hop() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public as $$
begin
  perform note_hop(new);
  return null;
end $$;
create constraint trigger is_hop after insert on audit_entry
  deferrable initially deferred for each row
  when (new.case_id is not null and new.tag in ('hop.accepted', 'hop.retracted'))
  execute function entry_is_hop();
revoke all on function note_hop(audit_entry) from public, notifier_app;
