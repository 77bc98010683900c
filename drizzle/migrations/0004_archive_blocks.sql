ALTER TABLE "weir"."archive_days" ADD COLUMN "error_code" text;--> statement-breakpoint
-- What was archived without blocks is archived again: at that time, no day had left the database yet.
DELETE FROM "weir"."archives";--> statement-breakpoint
DELETE FROM "weir"."archive_days";--> statement-breakpoint
ALTER TABLE "weir"."archives" ADD COLUMN "blocks" jsonb NOT NULL;--> statement-breakpoint
CREATE INDEX "archives_day_index" ON "weir"."archives" USING btree ("day");