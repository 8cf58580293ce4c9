-- What is held at our request lapses at this date unless fresh evidence carries it; `assignee` looks after it.
alter table cases add column review_by timestamptz;
create index cases_held on cases (review_by) where review_by is not null;
-- How far the registration is on its way out, and since when we saw that.
alter table cases add column phase text check (phase in ('redemption', 'pending_delete', 'purged'));
alter table cases add column phase_since timestamptz;
alter table cases add constraint cases_phase_dated check ((phase is null) = (phase_since is null));

-- When our looks first proved it, when they first found it undone, and when anybody may have the name if nobody renews it.
alter table claim add column verified_at timestamptz;
alter table claim add column relapsed_at timestamptz;
alter table claim add column will_drop_on timestamptz;

-- A request about a name that was acted on and came back takes the place of the one before it, once it is there.
drop index notice_one_live;
create unique index notice_one_live on notice (case_id, agreement)
  where purpose in ('request', 'escalation') and supersedes is null
    and state in ('draft', 'queued', 'sending', 'sent', 'delivered', 'uncertain');
drop index notice_one_follows;
create unique index notice_one_follows on notice (supersedes, purpose)
  where purpose in ('amendment', 'reminder', 'request', 'escalation') and supersedes is not null
    and state in ('draft', 'queued', 'sending', 'sent', 'delivered', 'uncertain');

alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check check (kind in ('webform', 'uncertain', 'unmatched_mail', 'no_contact',
  'escalation', 'confirm_answer', 'second_look', 'already_asked', 'tell_recipient', 'appeal', 'hold_review'));

-- What nobody brought fresh evidence for is lifted without an appeal.
alter table correction alter column appeal_id drop not null;
create unique index correction_without_appeal on correction (case_id, cause, corrected_at) where appeal_id is null;

-- How each RDAP server is asked, one row for every process: when its next look is free, until when others stand in line
-- for it, and how long it asked to be left alone.
create table look_pace (
  server text primary key,
  free_at timestamptz not null,
  line_until timestamptz not null,
  paused_until timestamptz
);
-- Who stands in line, since when their turn is; `asked`: a person wants this look, and it waits for no other.
create table look_turn (
  ref uuid primary key,
  at timestamptz not null,
  asked boolean not null
);
