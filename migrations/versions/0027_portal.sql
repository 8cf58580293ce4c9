-- What a recipient asks of its own notices, each by an index: a name, a state, what it answered, what is to be undone.
create index notice_named on notice (registry, domain);
create index notice_standing on notice (registry, state, drafted_at, id);
create index notice_answered on notice (registry, responded_at, id) where responded_at is not null;
create index notice_undo_open on notice (registry)
  where purpose in ('withdrawal', 'restore') and response in ('none', 'received', 'acknowledged', 'needs_info');
-- Cases whose party has the turn: as many as are under way, however many there were.
create index cases_asking on cases (agreement) where state = 'notified';

-- A token that a person made from a seat ends with it.
alter table api_token add column seat uuid references seat;
alter table api_token add column label text not null default '';
create index api_token_of on api_token (principal);
