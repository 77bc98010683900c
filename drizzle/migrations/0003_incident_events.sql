CREATE TABLE "weir"."incident_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"incident_id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"kind" text NOT NULL,
	"channel_id" uuid,
	"delivery_id" uuid,
	"note" text
);
--> statement-breakpoint
CREATE TABLE "weir"."shared_alarms" (
	"key" text PRIMARY KEY NOT NULL,
	"is_firing" boolean NOT NULL,
	"streak" integer NOT NULL,
	"seen_at" timestamp (3) with time zone NOT NULL,
	"memory" jsonb
);
--> statement-breakpoint
ALTER TABLE "weir"."rules" ADD COLUMN "looked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "weir"."incident_events" ADD CONSTRAINT "incident_events_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "weir"."incidents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "incident_events_incident_id_at_index" ON "weir"."incident_events" USING btree ("incident_id","at");