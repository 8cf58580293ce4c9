-- What our own visitors saw of a reported page. The WARC and the picture are files of the case; this tells what they show.
create table capture (
  id uuid primary key,
  seq bigint generated always as identity,          -- order within a case, whatever the clock says
  case_id uuid not null references cases,
  url text not null,
  at timestamptz not null,
  visits jsonb not null,                            -- each visitor's way: what it sent, whom it met, how it ended
  cloaking boolean,                                 -- null: too few visitors could be compared
  differences text[] not null,
  search_only boolean not null,                     -- visitors from a search see what a first visitor does not
  unrelated boolean not null,                       -- the site's front page has nothing in common with this one
  parked boolean,                                   -- null: no page was shown
  title text not null,
  words integer not null,
  sketch bigint[] not null,                         -- fingerprint of the text that the first visitor was shown
  warc_sha256 text not null references blob,
  picture text not null check (picture in ('off', 'made', 'unavailable', 'failed')),
  picture_why text not null default '',
  picture_sha256 text references blob
);
create index capture_case on capture (case_id, seq);
-- Near duplicates share some of their smallest hashes.
create index capture_like on capture using gin ((sketch[1:8]));

-- Captures up to this one were before the eyes of who approved.
alter table approval add column capture_mark bigint not null default 0;

revoke update, delete, truncate on capture from notifier_app;
