CREATE TABLE "weir"."cpu_trials" (
	"stream_id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"result" jsonb NOT NULL,
	CONSTRAINT "cpu_trials_stream_id_at_pk" PRIMARY KEY("stream_id","at")
);
--> statement-breakpoint
ALTER TABLE "weir"."checkpoints" ADD COLUMN "cookies" "bytea";--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "select" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "auth" jsonb;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "tls" jsonb;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "messages" jsonb;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "push" jsonb;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "push_token" text;--> statement-breakpoint
ALTER TABLE "weir"."cpu_trials" ADD CONSTRAINT "cpu_trials_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD CONSTRAINT "streams_pushToken_unique" UNIQUE("push_token");