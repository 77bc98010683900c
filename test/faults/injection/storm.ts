import type { Injected } from '../checks/takeover.ts'
import { kindOf } from './faults.ts'
import type { Planned, Theatre } from './kind.ts'

/** Longest wait for the last faults to be over, in milliseconds. */
const OVER_MS = 120_000

export interface Storm {
  injected: Injected[]
  faults: string[]
}

/**
 * Injects what was planned, and waits until all of it is over.
 * @param tell is told of every fault as it happens, with the time since the first one's chance, in milliseconds
 */
export async function storm(
  theatre: Theatre,
  plan: readonly Planned[],
  tell: (sinceMs: number, text: string) => void,
): Promise<Storm> {
  const start = Date.now()
  const result: Storm = { injected: [], faults: [] }
  /** The last fault on each part: the next one waits for it. */
  const last = new Map<string, Promise<void>>()
  for (const planned of plan) {
    await Bun.sleep(Math.max(0, start + planned.atMs - Date.now()))
    const parts = kindOf(planned).parts(planned.target)
    const over = Promise.all(parts.map((part) => last.get(part))).then(() => {
      tell(Date.now() - start, describe(planned))
      return inject(theatre, planned, result)
    })
    for (const part of parts) last.set(part, over)
  }
  const over = Promise.all(last.values()).then(() => true)
  const isOver = await Promise.race([over, Bun.sleep(OVER_MS).then(() => false)])
  if (!isOver) result.faults.push(`driver: a fault was not over ${OVER_MS} ms after the last one began`)
  return result
}

async function inject(theatre: Theatre, planned: Planned, { injected, faults }: Storm): Promise<void> {
  const { name } = planned
  const { isJump = false } = kindOf(planned)
  const record: Injected = { name, from: Date.now(), to: Number.POSITIVE_INFINITY, isJump }
  injected.push(record)
  await kindOf(planned)
    .inject(theatre, planned)
    .catch((error) => void faults.push(`driver: ${name} could not be injected: ${error}`))
  record.to = Date.now()
}

function describe(planned: Planned): string {
  const { name, forMs, target } = planned
  const [part, ...others] = kindOf(planned).parts(target)
  const where = others.length === 0 ? ` (${part})` : ''
  return `${name}${where}${forMs > 0 ? `, ${(forMs / 1_000).toFixed(1)} s` : ''}`
}
