create index claim_notice on claim (notice_id);
create index alarm_open_kind on alarm (kind, raised_at, id) where closed_at is null;
