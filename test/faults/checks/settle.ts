import type { Api, StreamStatus } from '../api.ts'
import type { Source } from '../upstream/content.ts'
import { numberOf } from './log-reading.ts'
import type { Followed } from './proof.ts'

/** How often all streams are looked at, in milliseconds. */
const LOOK_EVERY_MS = 500
const NUMBERED_KINDS = 'event,snapshot,patch'

/** What a stream should be like: its status, and how many numbers it may be behind its source. */
export interface Settled {
  within: number
  newest(source: Source): number
  deadlineMs: number
}

/**
 * Waits until, at one look, every stream is held by somebody, has the status it should, and has stored the upstream's newest
 * number, give or take.
 * @returns what is still wrong at the deadline
 */
export async function settle(api: Api, streams: readonly Followed[], wanted: Settled): Promise<string[]> {
  const deadline = Date.now() + wanted.deadlineMs
  for (;;) {
    const looks = await Promise.all(
      streams.map((stream) => {
        const least = wanted.newest(stream.source) - wanted.within
        return look(api, stream, least).catch((error) => `status: ${stream.source.name}: ${error}`)
      }),
    )
    const wrong = looks.filter((each) => each !== undefined)
    if (wrong.length === 0 || Date.now() > deadline) return wrong
    await Bun.sleep(LOOK_EVERY_MS)
  }
}

async function look(api: Api, { id, source }: Followed, least: number): Promise<string | undefined> {
  const { behavior, name } = source
  const found = await api.status(id)
  const wanted = behavior === 'silent' ? 'quiet' : 'live'
  if (found.run === null) return `held: ${name} has no run (${describe(found)})`
  if (found.status !== wanted) return `status: ${name} is not ${wanted} but ${describe(found)}`
  if (behavior === 'silent') return undefined
  const entry = await api.newest(id, NUMBERED_KINDS)
  const number = entry && numberOf(entry)
  if ((number ?? 0) >= least) return undefined
  return `newest: ${name} stored ${number} (seq ${entry?.seq}), the upstream is at ${least} (${describe(found)})`
}

function describe({ status, reason, run }: StreamStatus): string {
  return `${status}: ${reason} epoch ${run?.epoch ?? 'none'}`
}
