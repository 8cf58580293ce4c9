-- What waits for a reviewer, in the order in which it is shown; the expression is that of `services/awaiting.py`.
create index cases_queue on cases (
  (case when priority >= 10 then 0 when priority >= 5 then 1
        when approvers <> '{}' or review_reason is distinct from 'first_look' then 2 else 3 end),
  review_since, id) where state = 'in_review';
create index cases_queue_program on cases (program, review_since, id) where state = 'in_review';

-- Filters of the list of cases that few of a million pass.
create index cases_host on cases (host);
create index cases_assignee on cases (assignee, opened_at, id) where assignee is not null;
create index cases_registry on cases (registry, opened_at, id) where registry is not null;
create index cases_outcome on cases (outcome, opened_at, id) where outcome is not null;
create index cases_program on cases (program, opened_at, id);
