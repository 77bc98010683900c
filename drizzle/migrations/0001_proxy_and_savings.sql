CREATE TABLE "weir"."fanouts" (
	"stream_id" uuid NOT NULL,
	"minute" timestamp (3) with time zone NOT NULL,
	"connections" bigint DEFAULT 0 NOT NULL,
	"subscriber_ms" bigint DEFAULT 0 NOT NULL,
	"wire_bytes" bigint DEFAULT 0 NOT NULL,
	"snapshots" bigint DEFAULT 0 NOT NULL,
	"slow" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "fanouts_stream_id_minute_pk" PRIMARY KEY("stream_id","minute")
);
--> statement-breakpoint
CREATE TABLE "weir"."path_rollups" (
	"stream_id" uuid NOT NULL,
	"hour" timestamp (3) with time zone NOT NULL,
	"path" text NOT NULL,
	"changes" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "path_rollups_stream_id_hour_path_pk" PRIMARY KEY("stream_id","hour","path")
);
--> statement-breakpoint
ALTER TABLE "weir"."checkpoints" ADD COLUMN "plain_bytes" integer;--> statement-breakpoint
ALTER TABLE "weir"."checkpoints" ADD COLUMN "gzip_bytes" integer;--> statement-breakpoint
ALTER TABLE "weir"."entries" ADD COLUMN "head_bytes" integer;--> statement-breakpoint
ALTER TABLE "weir"."entries" ADD COLUMN "plain_bytes" integer;--> statement-breakpoint
ALTER TABLE "weir"."entries" ADD COLUMN "gzip_bytes" integer;--> statement-breakpoint
ALTER TABLE "weir"."entries" ADD COLUMN "snapshot_bytes" integer;--> statement-breakpoint
ALTER TABLE "weir"."entries" ADD COLUMN "deflated_bytes" integer;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "not_modified" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "head_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "plain_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "gzip_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "conditional_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "frame_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "deflated_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."states" ADD COLUMN "subscribed_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "always_on" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "proxy_key" text;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "via" text;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "twin_of" uuid;--> statement-breakpoint
ALTER TABLE "weir"."fanouts" ADD CONSTRAINT "fanouts_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."path_rollups" ADD CONSTRAINT "path_rollups_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD CONSTRAINT "streams_twin_of_streams_id_fk" FOREIGN KEY ("twin_of") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "streams_twin_of_index" ON "weir"."streams" USING btree ("twin_of");--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD CONSTRAINT "streams_proxyKey_unique" UNIQUE("proxy_key");