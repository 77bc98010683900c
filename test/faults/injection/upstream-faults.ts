import type { Misbehavior } from '../upstream/process.ts'
import { ALL, AT_ONCE_MS, type FaultKind, type Kinds, type Range } from './kind.ts'

/** A misbehavior of the upstream is done to one in so many sources, so that others go on. */
const SPREAD = 3
const BRIEFLY_MS: Range = [2_000, 8_000]
const LONG_MS: Range = [10_000, 20_000]

/** What goes wrong with the upstream. */
export const UPSTREAM_FAULTS: Kinds = {
  'upstream kill -9': whole([500, 4_000], async ({ upstream: { program } }, { forMs }) => {
    await program.kill()
    await Bun.sleep(forMs)
    program.startLater()
  }),
  'upstream frozen': whole([1_000, 5_000], ({ upstream: { program } }, { forMs }) => program.freeze(forMs)),
  'upstream drops connections': misbehaves('drop'),
  'upstream ends streams': misbehaves('end'),
  'upstream ends mid-event': misbehaves('cut'),
  'upstream stalls': misbehaves({ stall: true }, BRIEFLY_MS),
  'upstream goes silent for long': misbehaves({ stall: true }, LONG_MS),
  'upstream half open': misbehaves({ halfOpen: true }, BRIEFLY_MS),
  'upstream half open for long': misbehaves({ halfOpen: true }, LONG_MS),
  'upstream answers 429': misbehaves({ status: 429, retryAfterSeconds: 2 }, BRIEFLY_MS),
  'upstream answers JSON': misbehaves({ json: true }, BRIEFLY_MS),
  'upstream holds back': misbehaves({ bufferMs: 900 }, BRIEFLY_MS),
  'upstream breaks off again and again': misbehaves({ truncate: 0.1 }, BRIEFLY_MS),
}

/** Done to the process: its misbehaviors can't be changed meanwhile. */
function whole(forMs: Range, inject: FaultKind['inject']): FaultKind {
  const parts = Array.from({ length: SPREAD }, (_, third) => `upstream-${third}`)
  return { setups: ALL, parts: () => parts, forMs, weight: 1, inject }
}

function misbehaves(how: Misbehavior, forMs: Range = AT_ONCE_MS): FaultKind {
  return {
    setups: ALL,
    parts: (target) => [`upstream-${target % SPREAD}`],
    forMs,
    weight: 1,
    inject: ({ upstream }, planned) => upstream.misbehave(how, SPREAD, planned.target, planned.forMs),
  }
}
