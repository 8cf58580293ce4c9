-- What speaks for the site, or against its reporter: a second person must weigh it, with a stated reason.
alter table cases add column if not exists second_reasons text[] not null default '{}';

-- The rules that an approval was given under.
alter table approval add column program_digest text;

-- A letter is given once and cited by its number; case and spacing do not tell two numbers apart.
create function letter_reference(body jsonb) returns text language sql immutable parallel safe
  return lower(regexp_replace(btrim(body->>'reference'), '\s+', ' ', 'g'));
create index evidence_letter on evidence (letter_reference(body)) where kind in ('warning_letter', 'letter_cited');
