-- Files of evidence by content; their bytes are in the blob store, under this digest.
create table blob (
  sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
  size bigint not null check (size >= 0),
  media_type text not null,                         -- found in the bytes, not believed from a label
  kept_at timestamptz not null,
  erased_at timestamptz                             -- retention was over and no case held it
);

-- Which case holds which file, from whom and under what name. An evidence item names its file by digest.
create table case_file (
  case_id uuid not null references cases,
  sha256 text not null references blob,
  name text not null,
  supplied_by text not null,
  received_at timestamptz not null,
  primary key (case_id, sha256)
);
create index case_file_blob on case_file (sha256);

-- A file goes with the evidence that names it; its first case still holds it too.
create function file_follows() returns trigger language plpgsql as $$
begin
  insert into case_file (case_id, sha256, name, supplied_by, received_at)
    select new.case_id, f.sha256, f.name, f.supplied_by, f.received_at
    from case_file f where f.case_id = old.case_id and f.sha256 = new.body->>'sha256'
    on conflict do nothing;
  return null;
end $$;
create trigger file_follows after update of case_id on evidence
  for each row when (new.case_id <> old.case_id) execute function file_follows();

-- While one stands, nothing of the case is erased.
create table legal_hold (
  id uuid primary key,
  case_id uuid not null references cases,
  reason text not null,
  placed_by text not null,
  placed_at timestamptz not null,
  lifted_by text,
  lifted_at timestamptz
);
create unique index legal_hold_one on legal_hold (case_id) where lifted_at is null;

-- The evidence as it was when a notice was approved: the exact bytes whose digest the notice names, and what an
-- authority stamped on that digest (RFC 3161).
create table manifest (
  notice_id uuid primary key references notice,
  sha256 text not null,
  body text not null,
  stamp bytea,
  stamped_at timestamptz
);

revoke delete, truncate on blob, case_file, legal_hold, manifest from notifier_app;
