-- Where a party is reached, and what we answer it, is what somebody said once: a second word is a second row.
revoke update, delete, truncate on contact, amendment from notifier_app;
