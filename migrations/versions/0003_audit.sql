-- What was done. `body` is the exact text that is hashed (RFC 8785 form); the other columns repeat it for queries.
create table audit_entry (
  id bigserial primary key,
  at timestamptz not null,
  actor text not null,
  via text not null,
  tag text not null check (tag ~ '^[a-z_]+[.][a-z_]+$'),
  subject text not null,
  case_id uuid,
  rev integer check (rev > 0),
  body text not null,
  -- Real time, only to tell how far the sealer is behind: business time may be simulated. Not part of the body.
  recorded timestamptz not null default clock_timestamp(),
  -- Which transaction wrote it: entries of transactions older than every running one are all visible, so the sealer
  -- need not look at them again. Ids do not say that, since they commit out of order. Not part of the body.
  xact xid8 not null default pg_current_xact_id(),
  check (rev is null or case_id is not null)
);
create unique index audit_entry_case_rev on audit_entry (case_id, rev) where case_id is not null and rev is not null;
create index audit_entry_case on audit_entry (case_id, id) where case_id is not null;
create index audit_entry_xact on audit_entry (xact);

-- The order in which entries were sealed: leaf `index` of the Merkle tree. No foreign key: its row lock would write
-- every entry a second time, and `audit verify` looks for a leaf without its entry anyway.
create table audit_leaf (
  index bigint primary key check (index >= 0),
  entry_id bigint not null unique,
  leaf_hash bytea not null check (octet_length(leaf_hash) = 32)
);

-- Roots of complete subtrees of 2^level leaves (RFC 9162 section 2.1); level 0 is audit_leaf.
create table audit_node (
  level smallint not null check (level between 1 and 62),
  idx bigint not null check (idx >= 0),
  hash bytea not null check (octet_length(hash) = 32),
  primary key (level, idx)
);

create table audit_checkpoint (
  size bigint primary key check (size > 0),
  root bytea not null check (octet_length(root) = 32),
  note text not null,                               -- C2SP signed note
  at timestamptz not null
);

-- The app adds and reads. It names no id, time of recording or transaction by itself.
revoke all on audit_entry, audit_leaf, audit_node, audit_checkpoint from public, notifier_app;
revoke all on sequence audit_entry_id_seq from public, notifier_app;
grant select on audit_entry, audit_leaf, audit_node, audit_checkpoint to notifier_app;
grant insert (at, actor, via, tag, subject, case_id, rev, body) on audit_entry to notifier_app;
grant insert on audit_leaf, audit_node, audit_checkpoint to notifier_app;
grant usage on sequence audit_entry_id_seq to notifier_app;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% on % refused: its rows are never changed or removed', tg_op, tg_table_name
    using errcode = 'restrict_violation';
end $$;

create trigger append_only before update or delete or truncate on audit_entry
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on audit_leaf
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on audit_node
  for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on audit_checkpoint
  for each statement execute function refuse_change();

-- A case and its log cannot part: each revision of the row has one entry, each entry with a rev has its revision.
revoke delete, truncate on cases from notifier_app;
create trigger never_removed before delete or truncate on cases
  for each statement execute function refuse_change();

create function case_rev_steps() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.rev <> 1 then
      raise exception 'case % must begin at rev 1, not %', new.id, new.rev using errcode = 'integrity_constraint_violation';
    end if;
  elsif new.id <> old.id or new.rev <> old.rev + 1 then
    raise exception 'case % changes with rev %, not %', old.id, old.rev + 1, new.rev
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger rev_steps before insert or update on cases
  for each row execute function case_rev_steps();

create function case_has_entry() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from public.audit_entry where case_id = new.id and rev = new.rev) then
    raise exception 'case % reached rev % without its audit entry', new.id, new.rev
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create constraint trigger has_entry after insert or update on cases
  deferrable initially deferred for each row execute function case_has_entry();

-- With this one, an entry written ahead of time cannot stand in for the change that it does not describe.
create function entry_has_case() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from public.cases where id = new.case_id and rev >= new.rev) then
    raise exception 'audit entry for rev % of case %, which the case did not reach', new.rev, new.case_id
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create constraint trigger has_case after insert on audit_entry
  deferrable initially deferred for each row when (new.rev is not null) execute function entry_has_case();
