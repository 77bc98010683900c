CREATE SCHEMA "weir";
--> statement-breakpoint
CREATE TABLE "weir"."checkpoints" (
	"stream_id" uuid PRIMARY KEY NOT NULL,
	"epoch" integer NOT NULL,
	"seq" bigint NOT NULL,
	"snapshot_seq" bigint,
	"body_hash" text,
	"last_event_id" text,
	"etag" text,
	"last_modified" text
);
--> statement-breakpoint
CREATE TABLE "weir"."entries" (
	"stream_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"epoch" integer NOT NULL,
	"kind" text NOT NULL,
	"event" text,
	"event_id" text,
	"wire_bytes" integer NOT NULL,
	"body_bytes" integer NOT NULL,
	"patch_bytes" integer,
	"changed" boolean,
	"hash" text,
	"data" text,
	"exchange" jsonb,
	CONSTRAINT "entries_stream_id_seq_pk" PRIMARY KEY("stream_id","seq")
);
--> statement-breakpoint
CREATE TABLE "weir"."rollups" (
	"stream_id" uuid NOT NULL,
	"minute" timestamp (3) with time zone NOT NULL,
	"first_seq" bigint NOT NULL,
	"last_seq" bigint NOT NULL,
	"entries" bigint DEFAULT 0 NOT NULL,
	"events" bigint DEFAULT 0 NOT NULL,
	"polls" bigint DEFAULT 0 NOT NULL,
	"errors" bigint DEFAULT 0 NOT NULL,
	"compared" bigint DEFAULT 0 NOT NULL,
	"changed" bigint DEFAULT 0 NOT NULL,
	"wire_bytes" bigint DEFAULT 0 NOT NULL,
	"body_bytes" bigint DEFAULT 0 NOT NULL,
	"patch_bytes" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "rollups_stream_id_minute_pk" PRIMARY KEY("stream_id","minute")
);
--> statement-breakpoint
CREATE TABLE "weir"."runs" (
	"stream_id" uuid NOT NULL,
	"epoch" integer NOT NULL,
	"worker" text NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"end_reason" text,
	CONSTRAINT "runs_stream_id_epoch_pk" PRIMARY KEY("stream_id","epoch")
);
--> statement-breakpoint
CREATE TABLE "weir"."states" (
	"stream_id" uuid PRIMARY KEY NOT NULL,
	"epoch" integer NOT NULL,
	"worker" text,
	"attempt" integer,
	"run_since" timestamp (3) with time zone,
	"evidence" jsonb NOT NULL,
	"verdict" text NOT NULL,
	"verdict_reason" text NOT NULL,
	"verdict_since" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "weir"."streams" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"url" text NOT NULL,
	"method" text NOT NULL,
	"headers" jsonb NOT NULL,
	"body" text,
	"interval_ms" integer NOT NULL,
	"silence_ms" integer,
	"payload_pointer" text NOT NULL,
	"ignore_paths" text[] NOT NULL,
	"array_keys" text[] NOT NULL,
	"tags" text[] NOT NULL,
	"notify" text[] NOT NULL,
	"desired" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "weir"."workers" (
	"name" text PRIMARY KEY NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"seen_at" timestamp (3) with time zone NOT NULL,
	"streams" integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE "weir"."checkpoints" ADD CONSTRAINT "checkpoints_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD CONSTRAINT "rollups_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."runs" ADD CONSTRAINT "runs_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."states" ADD CONSTRAINT "states_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "states_verdict_index" ON "weir"."states" USING btree ("verdict");--> statement-breakpoint
CREATE INDEX "streams_created_at_id_index" ON "weir"."streams" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "streams_tags_index" ON "weir"."streams" USING gin ("tags");