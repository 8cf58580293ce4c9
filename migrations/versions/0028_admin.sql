-- The newest request that every process takes up the configuration anew.
create table config_wish (
  one boolean primary key default true check (one),
  number bigint not null,
  digest text not null,                             -- of the files that were checked
  asked_by text not null,
  asked_at timestamptz not null
);

-- Each process that serves, with the configuration it runs. Times are real ones, also where time is simulated.
create table running_process (
  id uuid primary key,
  role text not null,
  host text not null,
  pid integer not null,
  digest text not null,
  wish bigint not null,                             -- the number of the request that it has followed
  fault text,                                       -- why it could not follow the newest, and goes on as before
  since timestamptz not null,
  seen_at timestamptz not null
);
grant delete on running_process to notifier_app;

create index inbound_unread on inbound (received_at) where read_at is null;
create index audit_entry_tag on audit_entry (tag, id);
create index audit_entry_subject on audit_entry (subject, id);

-- What a try at the provider is for: to sign in with neither, to take up an invitation, or to tie an identity to a person.
alter table oidc_try add column invitation bytea, add column principal text references principal;
alter table oidc_try add check (invitation is null or principal is null);
create index oidc_try_began on oidc_try (began_at);
