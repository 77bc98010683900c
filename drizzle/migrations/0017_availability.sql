CREATE TABLE "weir"."spells" (
	"stream_id" uuid NOT NULL,
	"epoch" integer NOT NULL,
	"from_at" timestamp (3) with time zone NOT NULL,
	"to_at" timestamp (3) with time zone NOT NULL,
	"state" text NOT NULL,
	"is_silenced" boolean NOT NULL,
	CONSTRAINT "spells_stream_id_from_at_epoch_pk" PRIMARY KEY("stream_id","from_at","epoch")
);
--> statement-breakpoint
DROP INDEX "weir"."states_severity_index";--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "failures" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "answered" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "unanswered" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "compared_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "changed_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "request_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "failed_head_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "redirect_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "cache_hits" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "fresh" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "fresh_changed" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."fleet_rollups" ADD COLUMN "held_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "failures" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "answered" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "unanswered" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "compared_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "changed_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "request_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "failed_head_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "redirect_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "cache_hits" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "fresh" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "fresh_changed" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."long_rollups" ADD COLUMN "held_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "failures" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "answered" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "unanswered" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "compared_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "changed_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "request_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "failed_head_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "redirect_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "cache_hits" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "fresh" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "fresh_changed" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."rollups" ADD COLUMN "held_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "weir"."states" ADD COLUMN "availability" double precision;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "dead_after_failures" integer;--> statement-breakpoint
ALTER TABLE "weir"."streams" ADD COLUMN "dead_after_ms" integer;--> statement-breakpoint
ALTER TABLE "weir"."spells" ADD CONSTRAINT "spells_stream_id_streams_id_fk" FOREIGN KEY ("stream_id") REFERENCES "weir"."streams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "spells_to_at_index" ON "weir"."spells" USING btree ("to_at");--> statement-breakpoint
CREATE INDEX "states_availability_index" ON "weir"."states" USING btree (coalesce("availability", 2),"stream_id");--> statement-breakpoint
CREATE INDEX "states_severity_index" ON "weir"."states" USING btree ((array_position('{stopped,live,quiet,degraded,backing-off,stalled,dead}'::text[], "verdict")::float8),"stream_id");--> statement-breakpoint
-- The triggers that sum up the fleet, with the new columns. How long a stream kept a subscriber connected is the time that it
-- was followed, where that is known; see CONNECTED_MS in src/streams/measures/rollup-source.ts.
DO $migration$
DECLARE
  sums CONSTANT text[] := ARRAY['entries', 'events', 'polls', 'errors', 'compared', 'changed', 'not_modified', 'wire_bytes',
    'body_bytes', 'head_bytes', 'plain_bytes', 'gzip_bytes', 'conditional_bytes', 'patch_bytes', 'frame_bytes', 'deflated_bytes',
    'failures', 'answered', 'unanswered', 'compared_ms', 'changed_ms', 'requests', 'request_bytes', 'failed_head_bytes',
    'redirect_bytes', 'cache_hits', 'fresh', 'fresh_changed', 'held_ms', 'connected_ms'];
  of_stream CONSTANT text := 'SELECT stream.kind, stream.interval_ms, part.* FROM (%s) AS part
    JOIN weir.streams AS stream ON stream.id = part.stream_id';
  add_up text;
  source record;
  change record;
BEGIN
  FOR source IN SELECT * FROM (VALUES
    ('rollups', '''minute''', 'row.minute', 'CASE
      WHEN row.held_ms > 0 THEN row.held_ms
      WHEN row.errors > 0 THEN greatest(row.interval_ms, 60000)
      ELSE least(row.polls * row.interval_ms, greatest(row.interval_ms, 60000)) END'),
    ('long_rollups', 'row.step', 'row.at', 'row.connected_ms')
  ) AS of_table(name, step, at, connected_ms) LOOP
    -- In the order of the key: transactions that add to the same rows wait for each other in one direction.
    SELECT format('INSERT INTO weir.fleet_rollups AS fleet (step, at, is_polled, part, %s)
      SELECT %s, %s, row.kind = ''poll'' AND (row.polls = 0 OR row.head_bytes > 0), mod(pg_backend_pid(), 4), %s
      FROM (%%s) AS row GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
      ON CONFLICT (step, at, is_polled, part) DO UPDATE SET %s',
      string_agg(name, ', '), source.step, source.at,
      string_agg(format('sum(row.sign * %s)', CASE name WHEN 'connected_ms' THEN source.connected_ms ELSE 'row.' || name END), ', '),
      string_agg(format('%1$s = fleet.%1$s + excluded.%1$s', name), ', '))
    INTO add_up FROM unnest(sums) AS name;
    FOR change IN SELECT * FROM (VALUES
      ('insert', 'NEW TABLE AS added', 'SELECT 1 AS sign, * FROM added'),
      ('delete', 'OLD TABLE AS removed', 'SELECT -1 AS sign, * FROM removed'),
      ('update', 'OLD TABLE AS removed NEW TABLE AS added',
        'SELECT 1 AS sign, * FROM added UNION ALL SELECT -1 AS sign, * FROM removed')
    ) AS of_change(name, tables, rows) LOOP
      -- Its plan is kept, and may be made while there are few streams: by their index it is right for many, too.
      EXECUTE format('CREATE OR REPLACE FUNCTION weir.fleet_%1$s_%2$s() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off
        AS $body$ BEGIN %3$s; RETURN NULL; END $body$', source.name, change.name,
        format(add_up, format(of_stream, change.rows)));
    END LOOP;
    -- A stream that is of another kind now has always been.
    EXECUTE format('CREATE OR REPLACE FUNCTION weir.fleet_%1$s_kind() RETURNS trigger LANGUAGE plpgsql
      AS $body$ BEGIN %2$s; RETURN NULL; END $body$', source.name,
      format(add_up, format('SELECT sign, kind, NEW.interval_ms, part.*
        FROM (VALUES (1, NEW.kind), (-1, OLD.kind)) AS of_kind(sign, kind), weir.%s AS part
        WHERE part.stream_id = NEW.id', source.name)));
  END LOOP;
END $migration$;
