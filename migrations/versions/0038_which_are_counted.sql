-- Stretches are written anew, since those that are there do not say it.
truncate stretch, stretch_count, stretch_time;

-- Of the units opened in a month, what became known in a stretch: how many more a number counts, and which. `which`: the sum
-- of a hash of each, modulo 2^61, so that two numbers which count the same are known to be one.
create table stretch_number (
  level smallint not null,
  until timestamptz not null,
  program text not null,
  registry text not null,                           -- empty: none
  opened date not null,
  cell text[] not null,
  n bigint[] not null,
  which bigint[] not null
);
create index stretch_number_until on stretch_number (level, until, program);
alter table stretch_number set (toast_tuple_target = 8160);
