-- What a notice asks for because of a live event ends with it. The instants are those that were approved and told.
alter table notice add column event text;
alter table notice add column hold_until timestamptz;  -- then it is asked to be restored
alter table notice add column release_by timestamptz;  -- then it must be back
alter table notice add column waited_for_look boolean not null default false;  -- it left only after a look of its own
alter table notice add check ((event is null) = (hold_until is null) and (event is null) = (release_by is null));
create index notice_held on notice (hold_until) where hold_until is not null;

-- What one person on duty approved alone is looked at by another one afterwards; a task of its own for each approval.
alter table task add column approval uuid references approval;
create unique index task_second_look on task (approval) where approval is not null;
drop index task_once;
create unique index task_once on task (kind, case_id, coalesce(inbound_id, notice_id, case_id))
  where resolved_at is null and case_id is not null and approval is null;

-- The newest look at a target that may be asked about at any moment: one row for a case, written over and over.
-- It becomes an observation when something leaves by it.
create table warm_look (
  case_id uuid primary key references cases,
  began_at timestamptz not null,                    -- whoever looks has written this first, so that nobody looks beside it
  at timestamptz,                                   -- of the look; null: none has ended yet
  look jsonb
);
revoke delete, truncate on warm_look from notifier_app;
