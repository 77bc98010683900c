ALTER TABLE "weir"."checkpoints" ADD COLUMN "summed_seq" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."checkpoints" ADD COLUMN "summed_minute" timestamp (3) with time zone;--> statement-breakpoint
UPDATE "weir"."checkpoints" SET "summed_seq" = "seq";
