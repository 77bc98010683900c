ALTER TABLE "weir"."archive_days" ADD COLUMN "error_code" text;--> statement-breakpoint
ALTER TABLE "weir"."archives" ADD COLUMN "blocks" jsonb NOT NULL;--> statement-breakpoint
CREATE INDEX "archives_day_index" ON "weir"."archives" USING btree ("day");