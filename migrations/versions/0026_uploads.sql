-- A list of reports that came in as one file. Whoever brought it in acts for every row, as they were when they did.
create table upload (
  id uuid primary key,
  principal text not null,
  kind text not null,
  organisation text not null,
  programs text[],
  filename text not null,
  media_type text not null,
  sha256 bytea not null check (octet_length(sha256) = 32),
  ignored_columns text[] not null,
  read_as text[] not null,                          -- pairs: their column, ours
  total integer not null,
  done integer not null default 0,
  refused integer not null default 0,
  joined integer not null default 0,                -- of an open case, or known before
  uploaded_at timestamptz not null,
  finished_at timestamptz
);
create index upload_newest on upload (uploaded_at, id);

-- What became of each row. `raw` is kept until then alone; afterwards the report has it.
create table upload_row (
  upload_id uuid not null references upload,
  row integer not null,
  input text not null,
  raw bytea,
  fault text,
  done_at timestamptz,
  report_id uuid,
  case_id uuid references cases,
  domain text,
  code text,
  detail text,
  joined boolean not null default false,
  warnings text[] not null default '{}',
  primary key (upload_id, row)
);
create index upload_row_waiting on upload_row (upload_id, row) where done_at is null;
create index upload_row_refused on upload_row (upload_id, row) where code is not null;

alter table alarm add column close_reason text;

-- What waits for people, in the order in which they should come to it.
create index task_worklist on task (kind, coalesce(due_at, opened_at), id) where resolved_at is null;
create index alarm_open on alarm (raised_at, id) where closed_at is null;
create index claim_relapsed on claim (relapsed_at, id) where relapsed_at is not null;
create index alarm_closed on alarm (closed_at) where closed_at is not null;
