CREATE TABLE "weir"."topology_calls" (
	"from_id" text NOT NULL,
	"to_id" text NOT NULL,
	"count" bigint DEFAULT 0 NOT NULL,
	"errors" bigint DEFAULT 0 NOT NULL,
	"last_status" integer,
	"last_duration_ms" double precision,
	"called_at" timestamp (3) with time zone,
	"first_at" timestamp (3) with time zone NOT NULL,
	"active_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "topology_calls_from_id_to_id_pk" PRIMARY KEY("from_id","to_id")
);
--> statement-breakpoint
CREATE TABLE "weir"."topology_minutes" (
	"minute" timestamp (3) with time zone NOT NULL,
	"from_id" text NOT NULL,
	"to_id" text NOT NULL,
	"writer" text NOT NULL,
	"count" integer NOT NULL,
	"errors" integer NOT NULL,
	"latency" integer[] NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "topology_minutes_minute_from_id_to_id_writer_pk" PRIMARY KEY("minute","from_id","to_id","writer")
);
--> statement-breakpoint
CREATE TABLE "weir"."topology_services" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text,
	"kind" text,
	"group" text,
	"url" text,
	"colour" text,
	"first_at" timestamp (3) with time zone NOT NULL,
	"active_at" timestamp (3) with time zone NOT NULL,
	"reported_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "weir"."topology_totals" (
	"minute" timestamp (3) with time zone NOT NULL,
	"writer" text NOT NULL,
	"calls" bigint DEFAULT 0 NOT NULL,
	"errors" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "topology_totals_minute_writer_pk" PRIMARY KEY("minute","writer")
);
