-- Approvals and notices bind to one registration of the name (its RDAP handle and registration event).
alter table approval add column epoch text;
alter table notice add column epoch text;

-- The last guard before a request leaves, whatever a program does: the case asks for it now, about this very name, in
-- this very registration. Undo notices ask for less and pass.
create function notice_may_leave() returns trigger language plpgsql as $$
begin
  if not exists (
    select from cases c
    where c.id = new.case_id and c.state = 'notified' and c.scope = 'domain' and c.registrable = new.domain
      and c.epoch is not distinct from new.epoch
  ) then
    raise exception 'notice % may not leave: its case does not ask for it, or is about another registration', new.id
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;

create trigger may_leave before update of state on notice
  for each row when (new.state = 'sending' and new.purpose not in ('withdrawal', 'restore'))
  execute function notice_may_leave();
