-- Since when the parent zone shows the claimed act, and since when resolvers do; null: not seen, or nobody was asked.
alter table claim add column parent_effective_at timestamptz;
alter table claim add column user_effective_at timestamptz;

-- What a person is told of an alarm, and when it left by each way. `told_at`: the first of them; null: nobody knows yet.
alter table alarm add column sentence text not null default '';
alter table alarm add column mailed_at timestamptz;
alter table alarm add column posted_at timestamptz;
alter table alarm add column told_at timestamptz;
alter table alarm add column tell_tries integer not null default 0;
create index alarm_untold on alarm (raised_at) where told_at is null and closed_at is null;
create index alarm_case on alarm (case_id, kind);
