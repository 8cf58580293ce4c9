-- Each message that a person must read is a task of its own: a second answer to a notice is not the first one again.
drop index task_once;
create unique index task_once on task (kind, case_id, coalesce(inbound_id, notice_id, case_id))
  where resolved_at is null and case_id is not null;
