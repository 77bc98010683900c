import { join } from 'node:path'
import { sha256 } from '../../src/core/documents/document.ts'
import { openStorage } from '../../src/storage/open.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { Recorder } from '../../src/streams/recording/recorder.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { readLines } from '../lib/child.ts'

/**
 * Stores entries of many streams as fast as it can, one way or another: `storer.ts WAY DIRECTORY [DATABASE_URL]`. Each
 * line of its input is `{"entries": n}`, answered when they are durable.
 */

/** Streams that the entries are spread over. */
const STREAMS = 1_000
/** Entries in one statement, of the ways that have no recorder to say so. */
const BATCH = 1_000
const DATA_BYTES = 200
const COLUMNS = {
  stream_id: 'uuid',
  seq: 'bigint',
  at: 'timestamptz',
  epoch: 'int',
  kind: 'text',
  event_id: 'text',
  wire_bytes: 'int',
  body_bytes: 'int',
  changed: 'boolean',
  hash: 'text',
  data: 'text',
}
const NAMES = Object.keys(COLUMNS)

const [way = '', directory = '', databaseUrl] = process.argv.slice(2)
const storage = await openStorage({ databaseUrl, dataDir: join(directory, 'store') })
await makePartitions(storage.db, Date.now())
const streams = Array.from({ length: STREAMS }, (_, index) =>
  newStream({ url: `http://bench.test/${index}`, kind: 'sse' }),
)
await insertStreams(storage.db, streams)
const store = await ways()[way as keyof ReturnType<typeof ways>]()
console.log('ready')
await readLines(Bun.stdin.stream(), (line) => void run(line))

async function run(line: string): Promise<void> {
  await store(JSON.parse(line).entries ?? 0)
  console.log(JSON.stringify({ done: true }))
}

function ways() {
  return {
    /** As runs do: through the recorder, with checkpoints and sums. */
    recorder: async () => {
      const runs = runStore(storage.db, 'bench', () => {}, new LargeDocuments())
      const expect = () =>
        ({ kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 }) as const
      const recorder = new Recorder(storage.db, expect, {
        stored: () => {},
        changed: () => {},
        unwanted: () => {},
      })
      const all = (await Promise.all(
        streams.map(({ id }) => runs.begin({ streamId: id, attempt: 1, takeOver: true })),
      )) as Run[]
      return async (count: number) => {
        for (let index = 0; index < count; index++) {
          const { wireBytes, bodyBytes, at, ...rest } = draft(index)
          recorder.append(
            all[index % STREAMS] as Run,
            { ...rest, at, wireBytes, bodyBytes },
            { lastEventId: rest.eventId },
          )
        }
        await recorder.durable(new AbortController().signal)
      }
    },
    /** One statement a batch, its rows as JSON: the fastest that was found. */
    json: async () =>
      batches((rows) =>
        storage.pool.query(
          `INSERT INTO weir.entries (${NAMES}) SELECT * FROM json_to_recordset($1::json) AS row(${definitions()})`,
          [JSON.stringify(rows)],
        ),
      ),
    /** One statement a batch, a parameter for each value: what database libraries write. */
    values: async () =>
      batches((rows) => {
        const values = rows.flatMap((row) => Object.values(row))
        const places = rows.map(
          (_, row) => `(${NAMES.map((_, column) => `$${row * NAMES.length + column + 1}`)})`,
        )
        return storage.pool.query(`INSERT INTO weir.entries (${NAMES}) VALUES ${places}`, values)
      }),
  }
}

function batches(insert: (rows: object[]) => Promise<unknown>) {
  const seqs = new Array<number>(STREAMS).fill(0)
  return async (count: number) => {
    for (let done = 0; done < count; done += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, count - done) }, (_, index) => {
        const stream = (done + index) % STREAMS
        const seq = (seqs[stream] ?? 0) + 1
        seqs[stream] = seq
        const { at, eventId, wireBytes, bodyBytes, changed, hash, data } = draft(done + index)
        return {
          stream_id: streams[stream]?.id,
          seq,
          at: new Date(at).toISOString(),
          epoch: 1,
          kind: 'event',
          event_id: eventId,
          wire_bytes: wireBytes,
          body_bytes: bodyBytes,
          changed,
          hash,
          data,
        }
      })
      await insert(rows)
    }
  }
}

function draft(index: number) {
  const data = `${`{"number":${index},"at":${Date.now()},"pad":"`.padEnd(DATA_BYTES - 2, 'x')}"}`
  return {
    at: Date.now(),
    kind: 'event',
    eventId: String(index),
    wireBytes: DATA_BYTES + 20,
    bodyBytes: DATA_BYTES,
    changed: true,
    hash: sha256(data),
    data,
  } satisfies Draft
}

function definitions(): string {
  return Object.entries(COLUMNS)
    .map(([name, type]) => `${name} ${type}`)
    .join()
}
