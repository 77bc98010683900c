CREATE TABLE "weir"."alarms" (
	"stream_id" uuid NOT NULL,
	"rule" text NOT NULL,
	"is_firing" boolean NOT NULL,
	"streak" integer NOT NULL,
	"flips" jsonb NOT NULL,
	"seen_at" timestamp (3) with time zone NOT NULL,
	"memory" jsonb,
	CONSTRAINT "alarms_stream_id_rule_pk" PRIMARY KEY("stream_id","rule")
);
--> statement-breakpoint
CREATE TABLE "weir"."archive_days" (
	"day" date PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"cursor" uuid,
	"streams" integer DEFAULT 0 NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	"error" text,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "weir"."archives" (
	"stream_id" uuid NOT NULL,
	"day" date NOT NULL,
	"key" text NOT NULL,
	"bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"entries" bigint NOT NULL,
	"first_seq" bigint NOT NULL,
	"last_seq" bigint NOT NULL,
	"snapshot_seq" bigint,
	"archived_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "archives_stream_id_day_pk" PRIMARY KEY("stream_id","day")
);
--> statement-breakpoint
CREATE TABLE "weir"."attempts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"delivery_id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"duration_ms" integer NOT NULL,
	"request" jsonb NOT NULL,
	"response" jsonb,
	"error" text
);
--> statement-breakpoint
CREATE TABLE "weir"."bodies" (
	"day" date NOT NULL,
	"key" text NOT NULL,
	"data" text NOT NULL,
	CONSTRAINT "bodies_day_key_pk" PRIMARY KEY("day","key")
) PARTITION BY RANGE ("day");--> statement-breakpoint
CREATE TABLE "weir"."bodies_rest" PARTITION OF "weir"."bodies" DEFAULT;
--> statement-breakpoint
CREATE TABLE "weir"."channels" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"config" jsonb NOT NULL,
	"tags" text[] NOT NULL,
	"is_default" boolean NOT NULL,
	"suspended_at" timestamp (3) with time zone,
	"suspended_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "channels_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "weir"."deliveries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"channel_id" uuid NOT NULL,
	"incident_id" uuid,
	"type" text NOT NULL,
	"message" jsonb NOT NULL,
	"status" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "weir"."incidents" (
	"id" uuid PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"cause" text NOT NULL,
	"title" text NOT NULL,
	"detail" text NOT NULL,
	"stream_id" uuid,
	"host" text,
	"parent_id" uuid,
	"affected" integer DEFAULT 1 NOT NULL,
	"evidence" jsonb,
	"opened_at" timestamp (3) with time zone NOT NULL,
	"acknowledged_at" timestamp (3) with time zone,
	"acknowledged_by" text,
	"resolved_at" timestamp (3) with time zone,
	"notified_at" timestamp (3) with time zone,
	"reminded_at" timestamp (3) with time zone,
	"resolved_notified_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "weir"."long_rollups" (
	"stream_id" uuid NOT NULL,
	"step" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"first_seq" bigint NOT NULL,
	"last_seq" bigint NOT NULL,
	"entries" bigint DEFAULT 0 NOT NULL,
	"events" bigint DEFAULT 0 NOT NULL,
	"polls" bigint DEFAULT 0 NOT NULL,
	"errors" bigint DEFAULT 0 NOT NULL,
	"compared" bigint DEFAULT 0 NOT NULL,
	"changed" bigint DEFAULT 0 NOT NULL,
	"not_modified" bigint DEFAULT 0 NOT NULL,
	"wire_bytes" bigint DEFAULT 0 NOT NULL,
	"body_bytes" bigint DEFAULT 0 NOT NULL,
	"head_bytes" bigint DEFAULT 0 NOT NULL,
	"plain_bytes" bigint DEFAULT 0 NOT NULL,
	"gzip_bytes" bigint DEFAULT 0 NOT NULL,
	"conditional_bytes" bigint DEFAULT 0 NOT NULL,
	"patch_bytes" bigint DEFAULT 0 NOT NULL,
	"frame_bytes" bigint DEFAULT 0 NOT NULL,
	"deflated_bytes" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "long_rollups_stream_id_step_at_pk" PRIMARY KEY("stream_id","step","at")
);
--> statement-breakpoint
CREATE TABLE "weir"."rules" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"stream_id" uuid,
	"tag" text,
	"params" jsonb NOT NULL,
	"failure_threshold" integer NOT NULL,
	"success_threshold" integer NOT NULL,
	"is_enabled" boolean NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "weir"."silences" (
	"id" uuid PRIMARY KEY NOT NULL,
	"reason" text NOT NULL,
	"stream_id" uuid,
	"tag" text,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"ends_at" timestamp (3) with time zone,
	"schedule" jsonb,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "weir"."entries" ADD COLUMN "body_key" text;--> statement-breakpoint
ALTER TABLE "weir"."entries" RENAME TO "entries_whole";--> statement-breakpoint
CREATE TABLE "weir"."entries" (LIKE "weir"."entries_whole", CONSTRAINT "entries_stream_id_seq_at_pk" PRIMARY KEY("stream_id","seq","at")) PARTITION BY RANGE ("at");--> statement-breakpoint
CREATE TABLE "weir"."entries_rest" PARTITION OF "weir"."entries" DEFAULT;--> statement-breakpoint
INSERT INTO "weir"."entries" SELECT * FROM "weir"."entries_whole";--> statement-breakpoint
DROP TABLE "weir"."entries_whole";--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "retention" jsonb;--> statement-breakpoint
ALTER TABLE "weir"."alarms" ADD CONSTRAINT "alarms_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."attempts" ADD CONSTRAINT "attempts_delivery_id_deliveries_id_fk" FOREIGN KEY ("delivery_id") REFERENCES "weir"."deliveries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."deliveries" ADD CONSTRAINT "deliveries_channel_id_channels_id_fk" FOREIGN KEY ("channel_id") REFERENCES "weir"."channels"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."incidents" ADD CONSTRAINT "incidents_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD CONSTRAINT "long_rollups_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."rules" ADD CONSTRAINT "rules_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."silences" ADD CONSTRAINT "silences_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "attempts_delivery_id_at_index" ON "weir"."attempts" USING btree ("delivery_id","at");--> statement-breakpoint
CREATE INDEX "deliveries_channel_id_created_at_index" ON "weir"."deliveries" USING btree ("channel_id","created_at");--> statement-breakpoint
CREATE INDEX "deliveries_incident_id_index" ON "weir"."deliveries" USING btree ("incident_id");--> statement-breakpoint
CREATE UNIQUE INDEX "incidents_key_index" ON "weir"."incidents" USING btree ("key") WHERE resolved_at IS NULL;--> statement-breakpoint
CREATE INDEX "incidents_opened_at_index" ON "weir"."incidents" USING btree ("opened_at");--> statement-breakpoint
CREATE INDEX "incidents_stream_id_index" ON "weir"."incidents" USING btree ("stream_id");