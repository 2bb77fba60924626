-- What operators are called for is looked up every few seconds, whatever there was before.
create index notice_pressing on notice (alarm_at) where state = 'queued';
create index words_to_read on words (received_at) where read_at is null and became in ('not_understood', 'not_asked');
create index stray_receipt_kept on stray_receipt (kept_at);
