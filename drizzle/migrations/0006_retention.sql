CREATE TABLE "weir"."bases" (
	"stream_id" uuid PRIMARY KEY NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"hash" text NOT NULL,
	"data" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "weir"."marks" (
	"name" text PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"detail" jsonb
);
--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "connected_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."bases" ADD CONSTRAINT "bases_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "entries_versions_index" ON "weir"."entries" USING btree ("stream_id","seq") WHERE kind IN ('snapshot', 'patch');--> statement-breakpoint
CREATE INDEX "entries_body_key_index" ON "weir"."entries" USING btree ("body_key") WHERE body_key IS NOT NULL;--> statement-breakpoint
CREATE INDEX "long_rollups_step_at_index" ON "weir"."long_rollups" USING btree ("step","at");--> statement-breakpoint
ALTER TABLE "weir"."rollups" RENAME TO "rollups_whole";--> statement-breakpoint
ALTER TABLE "weir"."rollups_whole" DROP CONSTRAINT "rollups_stream_id_minute_pk";--> statement-breakpoint
CREATE TABLE "weir"."rollups" (LIKE "weir"."rollups_whole" INCLUDING DEFAULTS, CONSTRAINT "rollups_stream_id_minute_pk" PRIMARY KEY("stream_id","minute"), CONSTRAINT "rollups_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade) PARTITION BY RANGE ("minute");--> statement-breakpoint
CREATE TABLE "weir"."rollups_rest" PARTITION OF "weir"."rollups" DEFAULT;--> statement-breakpoint
INSERT INTO "weir"."rollups" SELECT * FROM "weir"."rollups_whole";--> statement-breakpoint
DROP TABLE "weir"."rollups_whole";--> statement-breakpoint
ALTER TABLE "weir"."path_rollups" RENAME TO "path_rollups_whole";--> statement-breakpoint
ALTER TABLE "weir"."path_rollups_whole" DROP CONSTRAINT "path_rollups_stream_id_hour_path_pk";--> statement-breakpoint
CREATE TABLE "weir"."path_rollups" (LIKE "weir"."path_rollups_whole" INCLUDING DEFAULTS, CONSTRAINT "path_rollups_stream_id_hour_path_pk" PRIMARY KEY("stream_id","hour","path"), CONSTRAINT "path_rollups_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade) PARTITION BY RANGE ("hour");--> statement-breakpoint
CREATE TABLE "weir"."path_rollups_rest" PARTITION OF "weir"."path_rollups" DEFAULT;--> statement-breakpoint
INSERT INTO "weir"."path_rollups" SELECT * FROM "weir"."path_rollups_whole";--> statement-breakpoint
DROP TABLE "weir"."path_rollups_whole";