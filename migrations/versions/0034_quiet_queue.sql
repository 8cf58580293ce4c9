-- Where workers were all busy, pgqueuer looks again by itself a tenth of a second later.
drop trigger tg_pgqueuer_changed on queue.pgqueuer;
create trigger tg_pgqueuer_changed after insert or truncate on queue.pgqueuer execute function queue.fn_pgqueuer_changed();
