-- What operators are called for is looked up every few seconds, whatever there was before. The first is also the index
-- of all that is not told yet: the one of the call list keeps what was never told for ever.
create index notice_pressing on notice (alarm_at) where state = 'queued';
create index words_to_read on words (received_at) where read_at is null and became in ('not_understood', 'not_asked');
create index stray_receipt_kept on stray_receipt (kept_at);
