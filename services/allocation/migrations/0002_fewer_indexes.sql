-- Nearly every place has something coming, so the index by position nearly repeated the primary key; every order paid
-- for it. Supply is reduced seldom, and then the places of one offer are read from its end, those that only wait too.
drop index order_line_coming;
