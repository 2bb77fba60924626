-- A pull that came to nothing for days is given up until somebody asks for it again, or another push tells of the order.
-- due_at is null then. updated_at null: no push has said when the order changed.
alter table pull add column gave_up_at timestamptz;
alter table pull alter column updated_at drop not null;
create index pull_given_up on pull (partner_id, partner_ref) where gave_up_at is not null;
