-- What happened to cases, as statistics count it: one row for each audit entry that they need, written with it.
-- Two times: `at`, when it happened, which others may tell late; and `recorded_at`, from when on it is known here.
create table transition (
  entry_id bigint primary key,                      -- no foreign key: its row lock would write every entry twice
  case_id uuid not null,
  rev integer,                                      -- null: no revision of the case, as with a notice's delivery
  tag text not null,
  from_state text,
  to_state text,                                    -- null: the state stayed
  at timestamptz not null,
  told_at timestamptz not null,                     -- when it was written down, by the clock of the step
  recorded_at timestamptz not null,                 -- never before what was known of the case already
  actor_kind text not null check (actor_kind in ('daemon', 'person', 'service', 'recipient')),
  program text not null,
  registry text,                                    -- who operates the name's top-level domain
  notice_id uuid,
  claim_id uuid,
  party text,                                       -- whom the notice went to: host, registrar or registry
  recipient text,                                   -- and which one
  purpose text,
  measure text,                                     -- of a claim what was claimed, else what the notice asks for
  word text,                                        -- target, registration, kind of answer, verdict or ground
  outcome text,                                     -- the case's, in the row that set it
  credited text,
  check (recorded_at >= told_at)
);
create index transition_case on transition (case_id, entry_id);
create index transition_opened on transition (program, at) where tag = 'case.opened';

-- The latest instant that was asked about. What is written afterwards is recorded after it, so that an answer stays.
create table statistics_horizon (
  one boolean primary key default true check (one),
  at timestamptz not null
);

create function note_transition(e audit_entry) returns void language plpgsql security definer
  set search_path = pg_catalog, public as $$
declare
  d json := e.body::json -> 'detail';
  told text := d ->> 'to';
  c cases%rowtype;
  n notice%rowtype;
  k claim%rowtype;
  notice_of uuid;
  happened timestamptz := e.at;
  said text;
  result text;
  who text;
begin
  if told is null and e.tag not in ('case.opened', 'target.observed', 'notice.sent', 'notice.settled', 'notice.delivered',
    'answer.received', 'answer.received_late', 'outcome.observed', 'outcome.relapsed') then
    return;
  end if;
  if e.tag = 'notice.settled' and d ->> 'arrived' = 'false' then
    return;
  end if;
  select * into c from cases where id = e.case_id;
  if not found then  -- whoever cares for the log refuses such an entry, or names it
    return;
  end if;

  if e.tag in ('notice.sent', 'notice.settled', 'notice.delivered', 'answer.received_late') then
    notice_of := e.subject::uuid;
  elsif e.tag = 'answer.received' then
    notice_of := (d ->> 'notice')::uuid;
  end if;
  if e.tag = 'answer.received_late' then
    select * into k from claim where response_id = (d ->> 'response')::uuid;
  elsif e.tag in ('answer.received', 'outcome.observed', 'outcome.relapsed') then
    select * into k from claim where id = (d ->> 'claim')::uuid;
  end if;
  select * into n from notice where id = coalesce(notice_of, k.notice_id);

  said := case e.tag
    when 'case.opened' then d ->> 'target'
    when 'target.observed' then d ->> 'epoch'
    when 'answer.received' then d ->> 'response'
    when 'answer.received_late' then replace(d ->> 'kind', 'action_taken', 'action_claimed')
    when 'outcome.observed' then d ->> 'verdict'
    when 'outcome.relapsed' then d ->> 'verdict'
    else d ->> 'ground'
  end;
  if e.tag = 'target.observed' and (said is null or exists (
    select from transition t where t.case_id = e.case_id and t.tag = e.tag and t.word = said)) then
    return;
  end if;

  -- A person may say later when a form was filed, and a recipient when it acted; neither before it could be.
  if e.tag = 'notice.sent' and d ->> 'filed_at' is not null then
    happened := least((d ->> 'filed_at')::timestamptz, e.at);
  elsif e.tag like 'answer.%' and k.id is not null then
    happened := greatest(coalesce(n.sent_at, e.at), least(coalesce(k.effective_at, e.at), e.at));
  end if;
  happened := greatest(happened, c.opened_at);

  -- The outcome is set once, by the first step that knows one.
  if told in ('resolved', 'withdrawn', 'superseded')
    and not (e.tag = 'outcome.observed' and d ->> 'outcome' is null and said <> 'contradicted')
    and not exists (select from transition t where t.case_id = e.case_id and t.outcome is not null) then
    result := c.outcome;
  end if;

  who := case
    when e.actor in ('daemon', 'rehearsal', 'demo', 'cli', 'api') then 'daemon'
    when e.actor like 'local:%' then 'person'
    -- A person of ours who confirmed an answer by call-back recorded it; else it is the recipient's own step.
    when e.tag like 'answer.%' and not exists (
      select from api_token a where a.principal = e.actor and a.role <> 'registry') then 'recipient'
    else coalesce((select p.kind from principal p where p.id = e.actor), 'person')
  end;

  -- Held to the end of this commit, and asked for only in it: whoever moves the horizon waits for the few commits
  -- that are under way, and what begins to commit afterwards sees the new one.
  perform pg_advisory_xact_lock_shared(726019);
  insert into transition (entry_id, case_id, rev, tag, from_state, to_state, at, told_at, recorded_at, actor_kind, program,
    registry, notice_id, claim_id, party, recipient, purpose, measure, word, outcome, credited)
  select e.id, e.case_id, e.rev, e.tag, d ->> 'from', told, happened, e.at,
    greatest(
      e.at,
      (select h.at + interval '1 microsecond' from statistics_horizon h where h.at >= e.at),
      (select t.recorded_at from transition t where t.case_id = e.case_id order by t.entry_id desc limit 1)
    ),
    who, c.program, c.registry, n.id, k.id, n.party, n.registry, n.purpose, coalesce(k.measure, n.measure), said, result,
    case when result is not null then c.outcome_actor end
  on conflict do nothing;
end $$;

create function entry_is_transition() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public as $$
begin
  perform note_transition(new);
  return null;
end $$;
-- At commit, when the rows that the step changed are as it left them.
create constraint trigger is_transition after insert on audit_entry
  deferrable initially deferred for each row
  when (new.case_id is not null and (new.rev is not null or new.tag in
    ('notice.sent', 'notice.settled', 'notice.delivered', 'answer.received_late')))
  execute function entry_is_transition();

revoke all on function note_transition(audit_entry) from public, notifier_app;
revoke insert, update, delete, truncate on transition from notifier_app;
revoke delete, truncate on statistics_horizon from notifier_app;
create trigger append_only before update or delete or truncate on transition
  for each statement execute function refuse_change();

-- What was done before there was this table.
do $$
declare e audit_entry;
begin
  for e in select * from audit_entry where case_id is not null and (rev is not null or tag in
    ('notice.sent', 'notice.settled', 'notice.delivered', 'answer.received_late')) order by id
  loop
    perform note_transition(e);
  end loop;
end $$;

-- A program's owner lets another organisation's evaluators and auditors see its numbers, for a time.
create table grant_to (
  id uuid primary key,
  program text not null,
  owner text not null,
  organisation text not null check (organisation <> '' and organisation <> owner),
  names_shown boolean not null,                     -- whether domain names are shown beside case ids
  until timestamptz not null,
  given_by text not null,
  given_at timestamptz not null,
  ended_by text,
  ended_at timestamptz,
  check (until > given_at),
  check ((ended_by is null) = (ended_at is null))
);
create unique index grant_to_standing on grant_to (program, organisation) where ended_at is null;
revoke delete, truncate on grant_to from notifier_app;
