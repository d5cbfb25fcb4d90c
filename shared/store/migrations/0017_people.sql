-- An entry about a person names all customers who were that person then: their ids, 16 bytes each. NULL where it was one.
ALTER TABLE audit ADD COLUMN customers BLOB;
