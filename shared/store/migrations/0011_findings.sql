-- What quality found in a message, without going through all events.
CREATE INDEX events_findings ON events (json_extract(data, '$.message')) WHERE type = 'quality.alert';
