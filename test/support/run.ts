import type { Evidence } from '../../src/core/judging/status.ts'
import type { FollowDeps } from '../../src/streams/ingest/follow.ts'
import { Hosts } from '../../src/streams/ingest/hosts.ts'
import type { Checkpoint, Run, RunLog, Stream } from '../../src/streams/ingest/run.ts'
import type { UpstreamFetch } from '../../src/streams/ingest/upstream.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { emptyDelta } from '../../src/streams/measures/rollup-delta.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { turnSpell } from '../../src/streams/recording/spells.ts'
import { newStream } from '../../src/streams/registry/new-stream.ts'

/** A run without a database. */
export function newRun(
  stream: Partial<Stream> = {},
  { evidence, checkpoint, epoch = 1 }: RunParts = {},
): Run {
  return {
    stream: newStream({ url: 'http://a.test/', kind: 'sse', ...stream }),
    epoch,
    worker: 'tester',
    since: Date.now(),
    checkpoint: { seq: 0, ...checkpoint },
    followed: undefined,
    evidence: { phase: 'connecting', phaseSince: Date.now(), failures: 0, ...evidence },
    judged: undefined,
    dropped: undefined,
    unsummed: emptyDelta(0),
    spells: [],
    writtenAt: undefined,
    paths: new Set(),
    fenced: new AbortController(),
  }
}

interface RunParts {
  evidence?: Partial<Evidence>
  checkpoint?: Partial<Checkpoint>
  epoch?: number
}

/** A log in memory: what a run appends, and the checkpoints that go with it. */
export function logOf(
  run: Run,
  hasRoom: (draft: Draft) => boolean = () => true,
): RunLog & { drafts: Draft[] } {
  const drafts: Draft[] = []
  return {
    drafts,
    append(draft, checkpoint = {}) {
      if (!hasRoom(draft)) return false
      drafts.push(draft)
      run.checkpoint = { ...run.checkpoint, ...checkpoint, seq: run.checkpoint.seq + 1 }
      return true
    },
    durable: async () => {},
    seen: () => {},
    turned: () => {},
    stands: (state, at) => void turnSpell(run, state, at, false),
  }
}

/** What followers need: the clock of the test, and half of every random wait. */
export function followDeps(fetch: UpstreamFetch, more: Partial<FollowDeps> = {}): FollowDeps {
  const random = () => 0.5
  return {
    limits: { requestTimeoutMs: 10_000, maxBodyBytes: 10_000, silenceMs: 60_000 },
    hosts: new Hosts(Date.now, random),
    large: new LargeDocuments(),
    request: (stream) => stream,
    storedEvents: async () => new Map(),
    fetch,
    now: Date.now,
    random,
    ...more,
  }
}

/** The data of the entries of one kind, parsed. */
export function dataOf(drafts: readonly Draft[], kind: Draft['kind']): Record<string, unknown>[] {
  return drafts.flatMap((draft) => (draft.kind === kind ? [JSON.parse(draft.data ?? '{}')] : []))
}
