-- Who wrote, where the contact book knows nobody of that address: operators read it and have it written down. It is
-- forgotten with what was written, and appears in no log and in no event.
alter table words add column sender text;
create index words_of_strangers on words (words_id) where cooperative_id is null;
drop index words_to_read;
create index words_to_read on words (received_at)
    where read_at is null and became in ('not_understood', 'not_asked', 'stranger');
