-- An attempt that a person makes: it stays `started` until that person says what came of it, however long that takes.
-- `cancelled`: it was called back before anybody had it in hand.
alter table attempt add column attended boolean not null default false;
alter table attempt add column receipt text references blob;
alter table attempt drop constraint attempt_result_check;
alter table attempt add constraint attempt_result_check
  check (result in ('started', 'accepted', 'deferred', 'refused', 'uncertain', 'cancelled'));
create index attempt_receipt on attempt (receipt) where receipt is not null;

-- When it is to be done, if somebody waits for it.
alter table task add column due_at timestamptz;
create unique index task_carried on task (notice_id) where kind = 'webform' and resolved_at is null;
