-- Every message ends somewhere, and says why: tied to its notice, before a person, or kept apart unread.
alter table inbound
  add column whole_size bigint,      -- bytes of the whole, where only its beginning is kept
  add column fate text check (fate in ('linked', 'unmatched', 'quarantined')),
  add column matched_by text,        -- the clue that tied it, or that proposes a notice
  add column proposed uuid references notice,
  add column why text;               -- the sign that its class was read from

update inbound set fate = case when notice_id is null then 'unmatched' else 'linked' end where read_at is not null;

alter table inbound
  add constraint inbound_read_ends check ((read_at is null) = (fate is null)),
  add constraint inbound_linked_is_tied check (fate is distinct from 'linked' or notice_id is not null);

-- An answer that names nothing of ours is held against the notices that its sender's address has before it.
create index notice_recipient on notice (lower(content ->> 'recipient_address'))
  where state in ('sending', 'sent', 'delivered', 'uncertain');
