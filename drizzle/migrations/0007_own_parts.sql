ALTER TABLE "weir"."fanouts" ADD COLUMN "open" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "latencies" "bytea" DEFAULT '' NOT NULL;