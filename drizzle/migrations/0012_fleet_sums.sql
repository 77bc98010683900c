CREATE TABLE "weir"."fleet_rollups" (
	"step" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"is_polled" boolean NOT NULL,
	"part" smallint NOT NULL,
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
	"connected_ms" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "fleet_rollups_step_at_is_polled_part_pk" PRIMARY KEY("step","at","is_polled","part")
);--> statement-breakpoint
-- Of each table of sums, what its inserts, updates and deletes add to those of the fleet. A minute's sums say by
-- themselves how long its polls kept a subscriber connected; see CONNECTED_MS in src/streams/rollup-source.ts.
DO $migration$
DECLARE
  sums CONSTANT text[] := ARRAY['entries', 'events', 'polls', 'errors', 'compared', 'changed', 'not_modified', 'wire_bytes',
    'body_bytes', 'head_bytes', 'plain_bytes', 'gzip_bytes', 'conditional_bytes', 'patch_bytes', 'frame_bytes', 'deflated_bytes',
    'connected_ms'];
  of_stream CONSTANT text := 'SELECT stream.kind, stream.interval_ms, part.* FROM (%s) AS part
    JOIN weir.streams AS stream ON stream.id = part.stream_id';
  add_up text;
  source record;
  change record;
BEGIN
  FOR source IN SELECT * FROM (VALUES
    ('rollups', '''minute''', 'row.minute', 'CASE WHEN row.errors > 0 THEN greatest(row.interval_ms, 60000)
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
    -- What is in the table so far.
    EXECUTE format(add_up, format(of_stream, format('SELECT 1 AS sign, * FROM weir.%s', source.name)));
    FOR change IN SELECT * FROM (VALUES
      ('insert', 'NEW TABLE AS added', 'SELECT 1 AS sign, * FROM added'),
      ('delete', 'OLD TABLE AS removed', 'SELECT -1 AS sign, * FROM removed'),
      ('update', 'OLD TABLE AS removed NEW TABLE AS added',
        'SELECT 1 AS sign, * FROM added UNION ALL SELECT -1 AS sign, * FROM removed')
    ) AS of_change(name, tables, rows) LOOP
      -- Its plan is kept, and may be made while there are few streams: by their index it is right for many, too.
      EXECUTE format('CREATE FUNCTION weir.fleet_%1$s_%2$s() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off
        AS $body$ BEGIN %3$s; RETURN NULL; END $body$', source.name, change.name,
        format(add_up, format(of_stream, change.rows)));
      EXECUTE format('CREATE TRIGGER fleet_%2$s AFTER %2$s ON weir.%1$s REFERENCING %3$s
        FOR EACH STATEMENT EXECUTE FUNCTION weir.fleet_%1$s_%2$s()', source.name, change.name, change.tables);
    END LOOP;
    -- A stream that is of another kind now has always been.
    EXECUTE format('CREATE FUNCTION weir.fleet_%1$s_kind() RETURNS trigger LANGUAGE plpgsql
      AS $body$ BEGIN %2$s; RETURN NULL; END $body$', source.name,
      format(add_up, format('SELECT sign, kind, NEW.interval_ms, part.*
        FROM (VALUES (1, NEW.kind), (-1, OLD.kind)) AS of_kind(sign, kind), weir.%s AS part
        WHERE part.stream_id = NEW.id', source.name)));
    EXECUTE format('CREATE TRIGGER fleet_%1$s_kind AFTER UPDATE ON weir.streams FOR EACH ROW
      WHEN (OLD.kind <> NEW.kind) EXECUTE FUNCTION weir.fleet_%1$s_kind()', source.name);
  END LOOP;
END $migration$;
--> statement-breakpoint
-- Its sums go before it does: what they are of is known as long as it is there.
CREATE FUNCTION "weir"."fleet_forget"() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM FROM weir.streams WHERE id = OLD.id FOR UPDATE;
  DELETE FROM weir.rollups WHERE stream_id = OLD.id;
  DELETE FROM weir.long_rollups WHERE stream_id = OLD.id;
  RETURN OLD;
END $body$;
--> statement-breakpoint
CREATE TRIGGER "fleet_forget" BEFORE DELETE ON "weir"."streams" FOR EACH ROW EXECUTE FUNCTION "weir"."fleet_forget"();