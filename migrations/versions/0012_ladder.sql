-- Whose turn it is on the program's ladder, and who had theirs.
alter table cases add column step text not null default 'registry' check (step in ('host', 'registrar', 'registry'));
alter table cases add column passed text[] not null default '{}';
alter table cases add column amendment uuid;
alter table cases drop constraint cases_check;
alter table cases add constraint cases_asked check (
  agreement is null or (
    (step = 'host' or (scope = 'domain' and safety in ('clear', 'second_review')))
    and (case when step = 'registry' then agreement !~ '\.(host|registrar)(-|$)' else agreement ~ ('\.' || step || '(-|$)') end)
  )
);

-- Who a notice went to, and how that was known: the address stands in its content.
alter table notice add column party text not null default 'registry' check (party in ('host', 'registrar', 'registry'));
alter table notice add column recipient jsonb;

-- An amended notice takes the place of the one that it answers for; both are of one case and recipient until it is there.
drop index notice_one_live;
create unique index notice_one_live on notice (case_id, agreement)
  where purpose in ('request', 'escalation') and state in ('draft', 'queued', 'sending', 'sent', 'delivered', 'uncertain');
create unique index notice_one_follows on notice (supersedes, purpose)
  where purpose in ('amendment', 'reminder')
    and state in ('draft', 'queued', 'sending', 'sent', 'delivered', 'uncertain');

-- A contact that a person gave, where no look-up did or the wrong one. It is that of one party: another one is not it.
create table contact (
  id uuid primary key,
  case_id uuid not null references cases,
  party text not null check (party in ('host', 'registrar')),
  party_id text not null,                           -- whom the look-up named then; empty when it named nobody
  name text not null,
  address text not null,
  source text not null,                             -- how the person knows
  given_by text not null,
  at timestamptz not null
);
create index contact_case on contact (case_id, party, at);

-- What a recipient asked of us, and our answer. `remaining`: what was left of its time when it asked.
create table amendment (
  id uuid primary key,
  case_id uuid not null references cases,
  notice_id uuid not null references notice,        -- the one that it asked about
  answer text not null,
  remaining interval not null,
  given_by text not null,
  at timestamptz not null
);
create index amendment_case on amendment (case_id);

-- The last guard before a request leaves, whatever a program does: the case asks for it now, about this very name, in
-- this very registration; and of one site among many only the host is asked.
create or replace function notice_may_leave() returns trigger language plpgsql as $$
begin
  if not exists (
    select from cases c
    where c.id = new.case_id and c.state = 'notified' and c.epoch is not distinct from new.epoch
      and new.domain = case when new.party = 'host' then c.target else c.registrable end
      and (new.party = 'host' or c.scope = 'domain')
  ) then
    raise exception 'notice % may not leave: its case does not ask for it, or is about another registration', new.id
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
