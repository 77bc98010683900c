-- Every batch of entries moves the checkpoints of its streams. Room left in their pages keeps the new version of a row
-- beside the old one, without another entry in the index (heap-only tuples).
ALTER TABLE "weir"."checkpoints" SET (fillfactor = 50);
