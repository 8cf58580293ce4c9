-- What a person who signs in may do, and how far it reaches. Tokens have their own; a person may have several seats.
create table seat (
  id uuid primary key,
  principal text not null references principal,
  role text not null check (role in ('submitter', 'reviewer', 'registry', 'evaluator', 'auditor', 'admin')),
  organisation text not null default '',
  registry text check ((role = 'registry') = (registry is not null)),
  programs text[],                                  -- null: every program of the organisation
  permissions text[] not null default '{}',
  given_by text not null,
  given_at timestamptz not null,
  ended_at timestamptz
);
create index seat_of on seat (principal);

-- How a person shows who they are. Of a password only its Argon2id hash is kept.
create table credential (
  principal text primary key references principal,
  password_hash text,
  totp_secret text,                                 -- base32 (RFC 4648); null: no second step yet
  totp_used bigint,                                 -- the newest time step that was taken, so that no code works twice
  totp_pending text,                                -- offered, and not yet shown to work
  oidc_issuer text,
  oidc_subject text,
  check ((oidc_issuer is null) = (oidc_subject is null))
);
create unique index credential_oidc on credential (oidc_issuer, oidc_subject) where oidc_subject is not null;

-- A link that lets one person set a password, once. Without a principal: whoever opens it becomes the first admin.
create table invitation (
  secret_sha256 bytea primary key check (octet_length(secret_sha256) = 32),
  principal text references principal,
  made_by text not null,
  made_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index invitation_of on invitation (principal);

create table session (
  id uuid primary key,
  secret_sha256 bytea not null unique check (octet_length(secret_sha256) = 32),
  principal text not null references principal,
  seat uuid not null references seat,
  how text not null check (how in ('password', 'invitation', 'oidc')),
  source text not null,
  agent text not null,
  began_at timestamptz not null,
  seen_at timestamptz not null,
  ended_at timestamptz
);
create index session_of on session (principal) where ended_at is null;

-- Each failed try, by the name that was given (its hash: it may be a password) and the address it came from.
create table failed_sign_in (
  name_sha256 bytea not null,
  source text not null,
  at timestamptz not null
);
create index failed_sign_in_name on failed_sign_in (name_sha256, at);
create index failed_sign_in_source on failed_sign_in (source, at);

-- A sign-in that went to the identity provider and has not come back.
create table oidc_try (
  state_sha256 bytea primary key check (octet_length(state_sha256) = 32),
  nonce text not null,
  verifier text not null,                           -- RFC 7636
  back_to text not null,
  began_at timestamptz not null
);

grant delete on failed_sign_in, oidc_try to notifier_app;
