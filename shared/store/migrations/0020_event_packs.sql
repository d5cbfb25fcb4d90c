-- Old events, many in one compressed blob. The release before reads only the rows: for it, the log begins after the last pack.
CREATE TABLE event_packs (
  last INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  content BLOB NOT NULL
) STRICT;

-- The packs in which to look for a conversation's decisions, and for the findings about a message.
CREATE TABLE event_subjects (
  subject BLOB NOT NULL,
  pack INTEGER NOT NULL REFERENCES event_packs (last),
  PRIMARY KEY (subject, pack)
) STRICT, WITHOUT ROWID;
